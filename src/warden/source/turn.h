/* turn.h: one at a time, for no longer than a deadline: a connection that several threads of the
 * pool would use. Who waits in vain goes away; nobody waits for a database that hangs for longer
 * than it may take. Runs in: warden, any thread. */
#ifndef POSTERN_WARDEN_SOURCE_TURN_H
#define POSTERN_WARDEN_SOURCE_TURN_H

#include "base/attr.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct turn {
    pthread_mutex_t mutex;
    int64_t until_ms; /* CLOCK_MONOTONIC; of who has it */
};

void turn_init(struct turn *t);
void turn_done(struct turn *t);
/* Takes it, and may keep it until `timeout_ms` from now. False: others had it all that time. */
MUST_USE bool turn_take(struct turn *t, uint32_t timeout_ms);
/* Milliseconds that are left to who has it; 0: it is over. */
int turn_left_ms(const struct turn *t);
void turn_give(struct turn *t);

#endif
