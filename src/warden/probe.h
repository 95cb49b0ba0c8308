/* probe.h: does the upstream take this mailbox password? Asked of an edge, since the warden has no
 * business on the network. Bounded in number and in time. Runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_PROBE_H
#define POSTERN_WARDEN_PROBE_H

#include "warden/link.h"

#define PROBE_MAX    64    /* under way at once */
#define PROBE_END_MS 30000 /* an upstream that has not answered by then is unavailable */

struct probe_conf {
    struct view upstream, user, secret; /* used during the call */
    uint8_t protocol;
    void *arg;
    void (*done)(void *arg, enum outcome result);
};

/* ERR_BUSY: no edge is there, or too many are asked; `done` is then not called. ERR_MEMORY. */
MUST_USE enum err probe_start(struct warden *w, const struct probe_conf *conf);
MUST_USE bool probe_answered(struct link *l, const struct wire_probed *p); /* false: misbehaves */
void probe_forget(struct link *l); /* the edge is gone: its probes go unanswered */
void probe_tick(struct warden *w); /* ends those that have waited too long */

#endif
