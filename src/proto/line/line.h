/* line.h: one line of a text protocol, collected as its octets come. Strict: it ends in CRLF; a
 * bare CR, a bare LF and NUL are bad. Each octet is looked at once.
 * Owns: the line, wiped when it is done with, since it may hold a secret. Pure; runs in: edge. */
#ifndef POSTERN_PROTO_LINE_LINE_H
#define POSTERN_PROTO_LINE_LINE_H

#include "base/buf.h"

enum line_kind {
    LINE_MORE = 0, /* all input used, the line goes on                                          */
    LINE_WHOLE,    /* `text` is the line, without CRLF, until line_clear or the next line_take  */
    LINE_BAD,      /* an octet that no line holds; final                                        */
    LINE_TOO_LONG, /* over the bound; final                                                     */
    LINE_NO_MEMORY,
};

struct line {
    struct buf text;
    bool is_cr;    /* the last octet was CR */
    bool is_whole; /* `text` was handed out: the next line_take begins anew */
};

/* `max` octets without CRLF. */
void line_init(struct line *l, size_t max);
void line_done(struct line *l);  /* wipes and frees */
void line_clear(struct line *l); /* wipes; the next octet begins a line */
/* Takes octets up to and with CRLF. */
MUST_USE enum line_kind line_take(struct line *l, struct view in, size_t *ret_used);
/* Can a value stand in a line, whatever is around it: no CR, LF or NUL? */
bool line_may_hold(struct view v);

#endif
