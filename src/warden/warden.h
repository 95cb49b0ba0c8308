/* warden.h: the process that gives verdicts: the five steps of verdict.h, factors, throttle,
 * sessions, store, event log, control socket. It distrusts whoever asks: any octets on a verdict
 * channel end that channel at most. Blocking work runs on the thread pool, never on the loop.
 *
 *   boot channel (descriptor 3) → configuration and sockets → sandbox → store → ready → loop
 *
 * Runs in: a process of its own, started by the supervisor with `--role warden`. */
#ifndef POSTERN_WARDEN_WARDEN_H
#define POSTERN_WARDEN_WARDEN_H

#include "base/attr.h"

/* The whole life of the process; its exit status: 0 after `drain`, or when the supervisor is gone.
 */
MUST_USE int warden_main(void);

#endif
