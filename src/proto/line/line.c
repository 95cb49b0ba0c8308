#include "proto/line/line.h"

void line_init(struct line *l, size_t max)
{
    *l = (struct line){ .is_cr = false };
    buf_init(&l->text, max);
}

void line_done(struct line *l)
{
    buf_done(&l->text);
}

void line_clear(struct line *l)
{
    buf_clear(&l->text);
    l->is_cr = l->is_whole = false;
}

enum line_kind line_take(struct line *l, struct view in, size_t *ret_used)
{
    enum line_kind kind = LINE_MORE;
    size_t i = 0, n = 0;

    if (l->is_whole)
        line_clear(l);
    const size_t room = l->text.max - l->text.n;
    for (; i < in.n && kind == LINE_MORE; i++) {
        const uint8_t c = in.p[i];
        if (l->is_cr)
            kind = c == '\n' ? LINE_WHOLE : LINE_BAD;
        else if (c == '\r')
            l->is_cr = true;
        else if (c == '\n' || c == 0)
            kind = LINE_BAD;
        else if (n == room)
            kind = LINE_TOO_LONG;
        else
            n++;
    }
    buf_put(&l->text, view_first(in, n));
    l->is_whole = kind == LINE_WHOLE;
    *ret_used = i;
    return buf_is_ok(&l->text) ? kind : LINE_NO_MEMORY;
}

bool line_may_hold(struct view v)
{
    return view_find(v, 0) == v.n && view_find(v, '\r') == v.n && view_find(v, '\n') == v.n;
}
