/* sieve.h: the three machines of ManageSieve (RFC 5804). Contracts:
 * proto/protocol.h. Runs in: edge. Pure: no I/O, no clock. */
#ifndef POSTERN_PROTO_SIEVE_SIEVE_H
#define POSTERN_PROTO_SIEVE_SIEVE_H

#include "proto/protocol.h"

extern const struct front_ops sieve_front_ops; /* front.c */
extern const struct login_ops sieve_login_ops; /* login.c */
extern const struct guard_ops sieve_guard_ops; /* guard.c */

#endif
