#include "base/utf8.h"
#include "proto/sasl/sasl.h"

#include <gsasl.h>

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

enum err sasl_prep_name(struct view *name, struct buf *prepared)
{
    const enum err e = sasl_prep(*name, prepared);

    if (e == ERR_OK)
        *name = buf_view(prepared);
    return e == ERR_DENIED || e == ERR_TOO_LONG ? ERR_OK : e;
}
