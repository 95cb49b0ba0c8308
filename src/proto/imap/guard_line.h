/* guard_line.h: judges one line of a client's command, whole, without its CRLF.
 * Source: RFC 9051 §9 (tag, command, quoted), §4.3 and RFC 7888 (literals), RFC 6855 §4 (literal8).
 * Stricter than any server: what two servers might read in two ways is bad. Private to the guard.
 * Runs in: edge. Pure. */
#ifndef POSTERN_PROTO_IMAP_GUARD_LINE_H
#define POSTERN_PROTO_IMAP_GUARD_LINE_H

#include "base/view.h"

enum guard_marker {
    GUARD_MARKER_NONE = 0, /* the command ends with this line                       */
    GUARD_MARKER_SYNC,     /* {n} or ~{n}: the client waits for the server's word    */
    GUARD_MARKER_NONSYNC,  /* {n+} or ~{n+}: the octets follow at once              */
};

enum guard_class {
    GUARD_CLASS_PLAIN = 0,
    GUARD_CLASS_BARE,    /* takes no arguments, so a literal is a trick      */
    GUARD_CLASS_IDLE,    /* changes what the next line means                 */
    GUARD_CLASS_ID,      /* says who the client is: see guard_id.h */
    GUARD_CLASS_URL,     /* Cyrus 3.6 asks for its literals in the middle of its response */
    GUARD_CLASS_SEARCH,  /* may hold any word */
    GUARD_CLASS_APPEND,  /* has a grammar that must be kept exactly: see guard_grammar.h */
    GUARD_CLASS_REPLACE, /* the same behind a message number */
    GUARD_CLASS_METADATA,
    GUARD_CLASS_QUOTA,
    GUARD_CLASS_LIST,
    GUARD_CLASS_REFUSED, /* changes identity, or hides what follows          */
};

struct guard_line {
    struct view tag;        /* first line of a command only */
    struct view body;       /* first line: behind the command word and its space; without marker */
    enum guard_class class; /* first line of a command only */
    enum guard_marker marker;
    bool is_literal8; /* the marker is ~{n} */
    uint32_t size;    /* octets of the literal that the marker announces */
    int32_t depth;    /* brackets opened less closed, outside of quoted strings */
};

/* Both return NULL and fill *ret, or a static word for the log: nobody can be sure of this line. */
const char *imap_guard_line_first(struct view line, struct guard_line *ret);
const char *imap_guard_line_rest(struct view line, struct guard_line *ret);

/* ATOM-CHAR: what an atom is made of. */
bool imap_guard_is_atom_octet(uint8_t c);
/* What a command word is made of. */
bool imap_guard_is_word_octet(uint8_t c);
/* What a tag is made of, and neither Dovecot (that refuses "]") nor Cyrus (":<>}") objects to. */
bool imap_guard_is_tag_octet(uint8_t c);

#endif
