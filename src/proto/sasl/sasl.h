/* sasl.h: what the mail protocols share of SASL: base64, the PLAIN message, string preparation.
 * Source: RFC 4616 (PLAIN), RFC 4013 (SASLprep), RFC 4648 §4 (base64).
 * Pure; runs in: edge (fronts and logins). */
#ifndef POSTERN_PROTO_SASL_SASL_H
#define POSTERN_PROTO_SASL_SASL_H

#include "base/buf.h"
#include "base/err.h"

struct sasl_plain {
    struct view authorization, user, secret; /* views into the decoded message */
};

/* Strict base64: padding required, nothing else; the empty text is the empty value. `decoded` is
 * emptied first (the caller's, wiped by the caller). ERR_INVALID, ERR_TOO_LONG: over its bound. */
MUST_USE enum err sasl_base64_decode(struct view base64, struct buf *decoded);
/* Appends. ERR_TOO_LONG: over out's bound. */
MUST_USE enum err sasl_base64_encode(struct view v, struct buf *out);
/* Decodes base64 and splits the PLAIN message.
 * `decoded` (the caller's, wiped by the caller) holds the message for as long as *ret is used. */
MUST_USE enum err sasl_plain_decode(struct view base64, struct buf *decoded,
                                    struct sasl_plain *ret);
/* Appends base64 of a PLAIN message. ERR_INVALID: NUL in a value; ERR_TOO_LONG: over a bound. */
MUST_USE enum err sasl_plain_encode(const struct sasl_plain *plain, struct buf *out);
/* SASLprep of a user name as a stored string. Appends to `out`. ERR_INVALID: not a user name at all
 * (CR, LF, NUL, invalid UTF-8); ERR_DENIED: a string that the profile refuses (controls, unassigned
 * code points, mixed directions); ERR_TOO_LONG: over out's bound. */
MUST_USE enum err sasl_prep(struct view text, struct buf *out);
/* The same with the name that a client presents: *name becomes a view of what is appended to
 * `prepared`. A name that the profile refuses or that grows over the bound stays as it is, since it
 * must look like any other that is not known. ERR_INVALID: not a name at all; ERR_MEMORY. */
MUST_USE enum err sasl_prep_name(struct view *name, struct buf *prepared);

#endif
