#include "base/limits.h"
#include "proto/sasl/sasl.h"

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
    const enum err e = sasl_base64_decode(base64, decoded);

    return e == ERR_OK ? split(buf_view(decoded), ret) : e;
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
    return sasl_base64_encode(buf_view(&message), out);
}
