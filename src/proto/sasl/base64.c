#include "base/mem.h"
#include "proto/sasl/sasl.h"

#include <sodium.h>

enum err sasl_base64_decode(struct view base64, struct buf *decoded)
{
    const size_t most = base64.n / 4 * 3;
    size_t exact = most; /* less the padding, so that the bound is the message's own */
    size_t n = 0;

    buf_clear(decoded);
    if (base64.n == 0)
        return ERR_OK;
    if (base64.n % 4 != 0)
        return ERR_INVALID;
    for (size_t i = 0; i < base64.n; i++)
        if (base64.p[i] >= 0x80) /* libsodium 1.0.18 takes some of these for letters */
            return ERR_INVALID;
    for (size_t i = 1; i <= 2 && base64.p[base64.n - i] == '='; i++)
        exact--;
    if (exact > decoded->max)
        return ERR_TOO_LONG;
    uint8_t *room = mem_alloc(most);
    if (room == NULL)
        return ERR_MEMORY;
    const bool is_base64 = sodium_base642bin(room, most, (const char *)base64.p, base64.n, NULL, &n,
                                             NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
    if (is_base64)
        buf_put(decoded, view_of(room, n));
    mem_wipe_free(room, most);
    if (!is_base64)
        return ERR_INVALID;
    return buf_is_ok(decoded) ? ERR_OK : ERR_MEMORY;
}

enum err sasl_base64_encode(struct view v, struct buf *out)
{
    const size_t room = sodium_base64_ENCODED_LEN(v.n, sodium_base64_VARIANT_ORIGINAL);

    if (!buf_is_ok(out) || room - 1 > out->max - out->n)
        return ERR_TOO_LONG;
    char *text = mem_alloc(room);
    if (text == NULL)
        return ERR_MEMORY;
    (void)sodium_bin2base64(text, room, v.p, v.n, sodium_base64_VARIANT_ORIGINAL);
    buf_put(out, view_of(text, room - 1));
    mem_wipe_free(text, room);
    return buf_is_ok(out) ? ERR_OK : ERR_MEMORY;
}
