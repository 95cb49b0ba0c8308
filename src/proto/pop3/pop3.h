/* pop3.h: the three machines of POP3 (RFC 1939, 2449, 2595, 3206, 5034). Contracts:
 * proto/protocol.h. Runs in: edge. Pure: no I/O, no clock. */
#ifndef POSTERN_PROTO_POP3_POP3_H
#define POSTERN_PROTO_POP3_POP3_H

#include "proto/protocol.h"

extern const struct front_ops pop3_front_ops; /* front.c */
extern const struct login_ops pop3_login_ops; /* login.c */
extern const struct guard_ops pop3_guard_ops; /* guard.c */

#endif
