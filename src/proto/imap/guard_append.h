/* guard_append.h: the grammar of APPEND and REPLACE, line by line, literal by literal.
 * Dovecot 2.3 reads these two with a parser of their own: where it finds an error it takes the rest
 * of the line for a new command ("a APPEND x {5}b COMPRESS DEFLATE"). So only lines in which it
 * can't find one may pass.
 * Source: RFC 9051 §6.3.12; RFC 3502 MULTIAPPEND, RFC 4469 CATENATE, RFC 6855 UTF8, RFC 8508
 * REPLACE. Private to the guard. Runs in: edge. Pure. */
#ifndef POSTERN_PROTO_IMAP_GUARD_APPEND_H
#define POSTERN_PROTO_IMAP_GUARD_APPEND_H

#include "proto/imap/guard_line.h"

/* What the last literal was, and so what may stand behind it. */
enum guard_append {
    GUARD_APPEND_NOT = 0,   /* another command */
    GUARD_APPEND_MAILBOX,   /* a mailbox's name */
    GUARD_APPEND_MESSAGE,   /* a message */
    GUARD_APPEND_UTF8,      /* a message within "UTF8 (" */
    GUARD_APPEND_PART,      /* a part or a URL within "CATENATE (" */
    GUARD_APPEND_PART_UTF8, /* a part within "CATENATE (UTF8 (" */
};

/* Both judge the line `l` and set *state; false: malformed. */
bool guard_append_first(const struct guard_line *l, uint8_t *state);
bool guard_append_rest(const struct guard_line *l, uint8_t *state);

#endif
