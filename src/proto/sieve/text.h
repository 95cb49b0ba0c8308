/* text.h: the strings of ManageSieve as we write them, and what may be a name.
 * Source: RFC 5804 §4 (quoted, literal-c2s, literal-s2c), §1.6 (names). Pure; runs in: edge. */
#ifndef POSTERN_PROTO_SIEVE_TEXT_H
#define POSTERN_PROTO_SIEVE_TEXT_H

#include "base/buf.h"

enum sieve_reader { SIEVE_TO_CLIENT, SIEVE_TO_SERVER };

/* Appends a string: quoted where it is short printable ASCII, since Cyrus takes no other octet
 * there; else as the literal of this direction, "{n}" or "{n+}". */
void sieve_put_string(struct view text, enum sieve_reader reader, struct buf *out);
/* Appends it quoted, however long; `text` has no CR, LF, NUL. */
void sieve_put_quoted(struct view text, struct buf *out);
/* Well-formed UTF-8 (RFC 3629) without control octets: what every server takes for a string. */
bool sieve_is_text(struct view text);
/* An octet of an atom (RFC 5804 §4, ATOM-CHAR). */
bool sieve_is_atom_octet(uint8_t c);

#endif
