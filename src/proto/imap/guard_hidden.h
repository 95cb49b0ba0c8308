/* guard_hidden.h: commands in the line of another one.
 * A server that gives up on a command may answer before it has read the line's end, and takes the
 * rest for a new command: Dovecot 2.3 in APPEND, Cyrus 3.6 in SETQUOTA and LIST ("a SETQUOTA x b
 * COMPRESS DEFLATE" compresses the session). What is known of them is held to its grammar
 * (guard_grammar.h); for whatever else may do so, no line passes that would be dangerous from one
 * of its spaces on: one that holds, outside of quotes, a refused command with its arguments, IDLE,
 * a forged ID, or, if it ends in a literal, any command that might be the one to ask for it.
 * Source: RFC 9051 §9; the commands of Dovecot and Cyrus. Private to the guard. Runs in: edge.
 * Pure. */
#ifndef POSTERN_PROTO_IMAP_GUARD_HIDDEN_H
#define POSTERN_PROTO_IMAP_GUARD_HIDDEN_H

#include "proto/imap/guard_line.h"

/* Does this line, the first one of a command or one behind a literal, hold another command? */
bool imap_guard_hidden_is(const struct guard_line *l);

#endif
