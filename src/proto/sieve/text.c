#include "proto/sieve/text.h"

#include "base/limits.h"
#include "base/utf8.h"

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

bool sieve_is_text(struct view text)
{
    while (text.n != 0) {
        const size_t n = utf8_sequence(text);
        if (n == 0 || text.p[0] < ' ' || text.p[0] == 0x7f)
            return false;
        text = view_skip(text, n);
    }
    return true;
}
