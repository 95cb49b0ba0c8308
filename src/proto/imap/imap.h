/* imap.h: the three machines of IMAP (RFC 9051, RFC 3501). Contracts: proto/protocol.h.
 * Runs in: edge. Pure: no I/O, no clock. */
#ifndef POSTERN_PROTO_IMAP_IMAP_H
#define POSTERN_PROTO_IMAP_IMAP_H

#include "proto/protocol.h"

extern const struct front_ops imap_front_ops; /* front.c */
extern const struct login_ops imap_login_ops; /* login.c */
extern const struct guard_ops imap_guard_ops; /* guard.c */

#endif
