#include "proto/pop3/capability.h"

#include "base/attr.h"

static const char *const passing[] = {
    "TOP", "UIDL", "PIPELINING", "EXPIRE", "LOGIN-DELAY", "LANG"
};

static bool is_printable(struct view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < ' ' || v.p[i] > '~')
            return false;
    return true;
}

bool pop3_capability_passes(struct view line)
{
    const struct view word = view_first(line, view_find(line, ' '));

    for (size_t i = 0; i < COUNT_OF(passing); i++)
        if (view_is_equal_nocase(word, view_text(passing[i])))
            return is_printable(line);
    return false;
}

void pop3_capability_filter(struct view lines, struct buf *out)
{
    while (lines.n != 0) {
        const struct view line = view_first(lines, view_find(lines, '\n') + 1);
        lines = view_skip(lines, line.n);
        if (line.n >= 2 && line.p[line.n - 2] == '\r' &&
            pop3_capability_passes(view_first(line, line.n - 2)))
            buf_put(out, line);
    }
}
