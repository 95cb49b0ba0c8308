/* capability.h: the capabilities of an upstream, and what of them may pass the gate. What may is
 * named, all else stays behind: UNAUTHENTICATE (RFC 5804 §2.14.1) and XCLIENT change the identity,
 * OWNER tells a name of the inside, SASL, STARTTLS and IMPLEMENTATION are the gate's own.
 * Source: RFC 5804 §1.7; EXTLISTS: RFC 6134. Pure; runs in: edge. */
#ifndef POSTERN_PROTO_SIEVE_CAPABILITY_H
#define POSTERN_PROTO_SIEVE_CAPABILITY_H

#include "base/buf.h"

/* Appends one line of an upstream's list (whole, as response.h found it) in the form in which lists
 * are kept: "\"NAME\" \"value\"\r\n". What cannot be written so is left out. */
void sieve_capability_add(struct view line, struct buf *list);
/* The value of `name` in such a list. false: it is not there; *ret is empty too where it has none.
 * *ret is still quoted inside (RFC 5804 §4). */
bool sieve_capability_find(struct view list, struct view name, struct view *ret);
/* Does a list of words, as the value of SASL is, hold this one? Case plays no part. */
bool sieve_capability_has_word(struct view value, struct view word);
/* Appends what the gate says of itself: its own capabilities, and what may pass of `list` (empty:
 * not known). `is_tls`: with PLAIN instead of STARTTLS. */
void sieve_capability_put(struct view list, bool is_tls, struct buf *out);

#endif
