/* capability.h: which of an upstream's capabilities may pass the gate.
 * Left out are those that would change identity or hide what follows: STARTTLS, LOGINDISABLED,
 * AUTH=*, SASL-IR, LOGIN-REFERRALS, UNAUTHENTICATE (RFC 8437), COMPRESS=* (RFC 4978), XCLIENT and
 * relatives. Source: RFC 9051 §7.2.2. Pure; runs in: edge. */
#ifndef POSTERN_PROTO_IMAP_CAPABILITY_H
#define POSTERN_PROTO_IMAP_CAPABILITY_H

#include "base/buf.h"

/* May this capability word be shown in an open session? Case plays no part. */
bool imap_capability_passes(struct view word);
/* Appends those words of `list` (separated by single spaces) that pass, separated by spaces. */
void imap_capability_filter(struct view list, struct buf *out);

#endif
