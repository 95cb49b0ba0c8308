#include "proto/sieve/text.h"

#include "base/limits.h"

static bool is_special(uint8_t c)
{
    return c == '"' || c == '\\';
}

bool sieve_is_atom_octet(uint8_t c)
{
    return c > ' ' && c < 0x7f && c != '(' && c != ')' && c != '{' && !is_special(c);
}

static bool is_quotable(struct view text)
{
    size_t n = text.n;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < ' ' || text.p[i] > '~')
            return false;
        n += is_special(text.p[i]);
    }
    return n <= LIMIT_SIEVE_QUOTED;
}

void sieve_put_quoted(struct view text, struct buf *out)
{
    buf_put_octet(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (is_special(text.p[i]))
            buf_put_octet(out, '\\');
        buf_put_octet(out, text.p[i]);
    }
    buf_put_octet(out, '"');
}

void sieve_put_string(struct view text, enum sieve_reader reader, struct buf *out)
{
    if (is_quotable(text)) {
        sieve_put_quoted(text, out);
        return;
    }
    buf_printf(out, reader == SIEVE_TO_SERVER ? "{%zu+}\r\n" : "{%zu}\r\n", text.n);
    buf_put(out, text);
}

/* The octets of the well-formed character at the front of `text`; 0: there is none. RFC 3629 §4:
 * the second octet's range is what keeps out overlong forms, surrogates and what is over U+10FFFF.
 */
static size_t character(struct view text)
{
    const uint8_t c = text.p[0];
    uint8_t low = 0x80, high = 0xbf;
    size_t n;

    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        n = 2;
    else if (c >= 0xe0 && c <= 0xef)
        n = 3;
    else if (c >= 0xf0 && c <= 0xf4)
        n = 4;
    else
        return 0;
    if (c == 0xe0)
        low = 0xa0;
    else if (c == 0xed)
        high = 0x9f;
    else if (c == 0xf0)
        low = 0x90;
    else if (c == 0xf4)
        high = 0x8f;
    if (text.n < n || text.p[1] < low || text.p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (text.p[i] < 0x80 || text.p[i] > 0xbf)
            return 0;
    return n;
}

bool sieve_is_text(struct view text)
{
    while (text.n != 0) {
        const size_t n = character(text);
        if (n == 0 || text.p[0] < ' ' || text.p[0] == 0x7f)
            return false;
        text = view_skip(text, n);
    }
    return true;
}
