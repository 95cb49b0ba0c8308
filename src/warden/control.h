/* control.h: the control socket: requests of the command line, each answered by rows and one
 * `done`. Who may: root, the user that the warden runs as, and members of its group (peer
 * credentials; the socket's permissions have already said who may connect). What changes something
 * is an event of the log, with "uid N" as its actor, before it is acknowledged. Bounded: clients,
 * one request a client at a time, rows of an answer. Runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_CONTROL_H
#define POSTERN_WARDEN_CONTROL_H

#include "warden/core.h"

#define CONTROL_CLIENTS  64         /* connections at once */
#define CONTROL_ROWS     (32 << 20) /* octets of one answer: some 200,000 accounts */
#define CONTROL_FOLLOWED 5000       /* new events at once for who follows; over it, it is told so */
#define CONTROL_AHEAD    256        /* frames queued for a slow reader before the next are made */

/* Takes the listening socket over. ERR_MEMORY. */
MUST_USE enum err control_open(struct warden *w, int fd);
void control_close(struct warden *w);
/* Events are in the store: who follows them gets them. */
void control_events_written(struct warden *w);
/* Goes on with answers to slow readers; true: there is more to come. */
bool control_tick(struct warden *w);

#endif
