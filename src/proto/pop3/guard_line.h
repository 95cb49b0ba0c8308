/* guard_line.h: what a command of the open session is, and what reply it will have. Only what is
 * known passes, and only in the one spelling that every server reads alike: printable ASCII, single
 * spaces, digits within a bound. Whatever else stands in a whole line never reaches the upstream.
 * Source: RFC 1939 §5-7, RFC 2449 §5, RFC 6856 §2-3. Private to the guard. Pure; runs in: edge. */
#ifndef POSTERN_PROTO_POP3_GUARD_LINE_H
#define POSTERN_PROTO_POP3_GUARD_LINE_H

#include "base/view.h"

/* Two bits each: see `expected` in guard_state.h. */
enum pop3_reply {
    POP3_REPLY_OWN = 0, /* the gate refuses the command itself               */
    POP3_REPLY_LINE,    /* one line                                          */
    POP3_REPLY_TEXT,    /* after "+OK" lines up to "."                       */
    POP3_REPLY_CAPA,    /* the same, of which the gate leaves some out       */
};

/* `line` without CRLF. */
enum pop3_reply pop3_guard_line(struct view line);

#endif
