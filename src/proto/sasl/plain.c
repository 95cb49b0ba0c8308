#include "base/limits.h"
#include "base/mem.h"
#include "proto/sasl/sasl.h"

#include <sodium.h>

/* Splits at the two NULs of RFC 4616 §2; a third is an error. */
static enum err split(struct view message, struct sasl_plain *ret)
{
    const size_t first = view_find(message, 0);
    if (first == message.n)
        return ERR_INVALID;
    const struct view rest = view_skip(message, first + 1);
    const size_t second = view_find(rest, 0);
    if (second == rest.n)
        return ERR_INVALID;
    const struct view secret = view_skip(rest, second + 1);
    if (view_find(secret, 0) != secret.n)
        return ERR_INVALID;
    *ret = (struct sasl_plain){
        .authorization = view_first(message, first),
        .user = view_first(rest, second),
        .secret = secret,
    };
    return ERR_OK;
}

enum err sasl_plain_decode(struct view base64, struct buf *decoded, struct sasl_plain *ret)
{
    const size_t most = base64.n / 4 * 3;
    size_t exact = most; /* less the padding, so that the bound is the message's own */
    size_t n = 0;

    buf_clear(decoded);
    if (base64.n == 0 || base64.n % 4 != 0)
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
    return buf_is_ok(decoded) ? split(buf_view(decoded), ret) : ERR_MEMORY;
}

static void put_base64(struct view v, struct buf *out)
{
    const size_t room = sodium_base64_ENCODED_LEN(v.n, sodium_base64_VARIANT_ORIGINAL);
    char *text = mem_alloc(room);

    if (text == NULL) {
        out->is_failed = true;
        return;
    }
    (void)sodium_bin2base64(text, room, v.p, v.n, sodium_base64_VARIANT_ORIGINAL);
    buf_put(out, view_of(text, room - 1));
    mem_wipe_free(text, room);
}

enum err sasl_plain_encode(const struct sasl_plain *plain, struct buf *out)
{
    const struct view parts[] = { plain->authorization, plain->user, plain->secret };
    AUTO_BUF(message, 2 + 2 * LIMIT_ACCOUNT + LIMIT_SECRET);

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (view_find(parts[i], 0) != parts[i].n)
            return ERR_INVALID;
        if (i != 0)
            buf_put_octet(&message, 0);
        if (parts[i].n > message.max - message.n)
            return ERR_TOO_LONG;
        buf_put(&message, parts[i]);
    }
    if (!buf_is_ok(&message))
        return ERR_MEMORY;
    const size_t need = (message.n + 2) / 3 * 4;
    if (!buf_is_ok(out) || need > out->max - out->n)
        return ERR_TOO_LONG;
    put_base64(buf_view(&message), out);
    return buf_is_ok(out) ? ERR_OK : ERR_MEMORY;
}
