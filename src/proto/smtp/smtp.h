/* smtp.h: the three machines of mail submission (RFC 6409, 5321, 4954, 3207, 2034, 3030).
 * Contracts: proto/protocol.h. Runs in: edge. Pure: no I/O, no clock. */
#ifndef POSTERN_PROTO_SMTP_SMTP_H
#define POSTERN_PROTO_SMTP_SMTP_H

#include "proto/protocol.h"

extern const struct front_ops smtp_front_ops; /* front.c */
extern const struct login_ops smtp_login_ops; /* login.c */
extern const struct guard_ops smtp_guard_ops; /* guard.c */

#endif
