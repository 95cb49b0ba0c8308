/* guard_grammar.h: the exact grammar of APPEND, REPLACE and SETMETADATA, and of as much of SETQUOTA
 * and LIST as it takes, line by line.
 * Dovecot 2.3 reads these with parsers of their own. Where APPEND's finds an error, it takes the
 * rest of the line for a new command ("a APPEND x {5}b COMPRESS DEFLATE"). SETMETADATA's crashes
 * on some errors, falls silent at a literal behind the first value, and repeats its "+" when a
 * literal arrives in pieces. So only lines pass in which they can't find an error; in SETMETADATA
 * only the first value may be a literal, and nothing but the end of the list stands behind it: a
 * late "+" would be taken for the word on the next one.
 * Cyrus 3.6 takes the rest of the line for a new command where it refuses SETQUOTA, and where
 * STATUS among LIST's return options has no list of its own.
 * Source: RFC 9051 §6.3.12; RFC 3502 MULTIAPPEND, RFC 4469 CATENATE, RFC 6855 UTF8, RFC 8508
 * REPLACE, RFC 5464 METADATA, RFC 9208 QUOTA, RFC 5819 LIST-STATUS. Private to the guard. Runs in:
 * edge. Pure. */
#ifndef POSTERN_PROTO_IMAP_GUARD_GRAMMAR_H
#define POSTERN_PROTO_IMAP_GUARD_GRAMMAR_H

#include "proto/imap/guard_line.h"

/* What the last literal of the command was, and so what may stand behind it. */
enum guard_place {
    GUARD_PLACE_ANY = 0,   /* in another command */
    GUARD_PLACE_MAILBOX,   /* the mailbox's name of APPEND or REPLACE */
    GUARD_PLACE_MESSAGE,   /* a message */
    GUARD_PLACE_UTF8,      /* a message within "UTF8 (" */
    GUARD_PLACE_PART,      /* a part within "CATENATE (" */
    GUARD_PLACE_URL,       /* a URL there */
    GUARD_PLACE_PART_UTF8, /* a part within "CATENATE (UTF8 (" */
    GUARD_PLACE_ENTRIES,   /* the mailbox's name of SETMETADATA */
    GUARD_PLACE_VALUE,     /* a value of SETMETADATA */
    GUARD_PLACE_QUOTA,     /* the quota root of SETQUOTA */
    GUARD_PLACE_LIST,      /* a name in LIST */
};

/* Judge the first line of a command, or one behind a literal, and set *place; false: malformed. */
bool imap_guard_grammar_first(const struct guard_line *l, uint8_t *place);
bool imap_guard_grammar_rest(const struct guard_line *l, uint8_t *place);
/* Is this literal within "UTF8 ("? */
bool imap_guard_grammar_is_utf8(uint8_t place);
/* Would the upstream, if it does not take this literal, go on within the list that is open? */
bool imap_guard_grammar_is_lasting(uint8_t place);
/* May this literal hold line ends and NULs? Others are names and search words. */
bool imap_guard_grammar_is_text(uint8_t place);

#endif
