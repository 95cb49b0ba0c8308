#include "proto/sasl/sasl.h"

#include <gsasl.h>

/* Octets of the UTF-8 sequence (RFC 3629 §4) at the start of v, or 0: there is none. */
static size_t utf8_sequence(struct view v)
{
    const uint8_t first = v.p[0];
    uint8_t low = 0x80, high = 0xbf; /* bounds of the second octet: no overlong, no surrogate */
    size_t n;

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    n = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (v.n < n || v.p[1] < low || v.p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (v.p[i] < 0x80 || v.p[i] > 0xbf)
            return 0;
    return n;
}

/* A user name at all? *ret_is_plain: printable ASCII only, which SASLprep leaves as it is. */
static bool is_text(struct view v, bool *ret_is_plain)
{
    bool is_plain = true;

    for (size_t i = 0; i < v.n;) {
        const uint8_t c = v.p[i];
        if (c == 0 || c == '\r' || c == '\n')
            return false;
        const size_t n = utf8_sequence(view_skip(v, i));
        if (n == 0)
            return false;
        is_plain = is_plain && c >= 0x20 && c <= 0x7e;
        i += n;
    }
    *ret_is_plain = is_plain;
    return true;
}

static enum err put(struct view v, struct buf *out)
{
    if (!buf_is_ok(out) || v.n > out->max - out->n)
        return ERR_TOO_LONG;
    buf_put(out, v);
    return buf_is_ok(out) ? ERR_OK : ERR_MEMORY;
}

static enum err run_profile(const char *in, Gsasl_saslprep_flags flags, char **ret)
{
    const int status = gsasl_saslprep(in, flags, ret, NULL);

    return status == GSASL_OK ? ERR_OK : status == GSASL_MALLOC_ERROR ? ERR_MEMORY : ERR_DENIED;
}

/* libgsasl 2.2 has the sense of GSASL_ALLOW_UNASSIGNED the wrong way round; what passes both ways
 * has no unassigned code points whichever version we run with. */
static enum err prepare(const char *in, char **ret)
{
    char *same = NULL;
    enum err e = run_profile(in, GSASL_ALLOW_UNASSIGNED, &same);

    gsasl_free(same);
    if (e == ERR_OK)
        e = run_profile(in, 0, ret);
    return e;
}

enum err sasl_prep(struct view text, struct buf *out)
{
    bool is_plain;

    if (!is_text(text, &is_plain))
        return ERR_INVALID;
    if (is_plain)
        return put(text, out);
    AUTO_BUF(copy, text.n);
    buf_put(&copy, text);
    const char *in = buf_cstr(&copy);
    if (in == NULL)
        return ERR_MEMORY;
    char *prepared = NULL;
    enum err e = prepare(in, &prepared);
    if (e != ERR_OK)
        return e;
    /* What normalisation makes must still be fit for a line. */
    e = is_text(view_text(prepared), &is_plain) ? put(view_text(prepared), out) : ERR_DENIED;
    gsasl_free(prepared);
    return e;
}
