/* link.h: one verdict channel: what an edge may say to the warden, and what becomes of it. The edge
 * is hostile: a frame that no honest edge sends (a second question for a session under judgement, a
 * session id twice, more than its bound) ends its channel; it reaches its own sessions only.
 *
 *   hello → question → verdict → outcome → [label …] → closed
 *         → resume … (a warden that has just started)
 *         → probed (answers a probe)
 *
 * What arrives late for a session that is already gone (end_session crossed it) is nothing.
 * Runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_LINK_H
#define POSTERN_WARDEN_LINK_H

#include "net/channel.h"
#include "warden/core.h"

#define LINK_QUESTIONS 4096 /* under judgement for one edge; over it the edge is not honest */
#define LINK_ASKED     256  /* buckets that find them */

struct link {
    struct warden *w;        /* borrowed */
    struct channel *channel; /* owned; NULL in tests */
    /* Where frames go; the channel, or a test. */
    void (*send)(struct link *l, enum wire_number number, const void *message);
    void *to;
    uint32_t edge, generation;
    bool is_said_hello;
    struct registry_holder holder;     /* its sessions */
    struct hearing *asked[LINK_ASKED]; /* its questions under judgement */
    uint32_t asked_count;
    struct link *next, **before;
};

/* Takes `fd` over. ERR_MEMORY. */
MUST_USE enum err link_open(struct warden *w, int fd);
/* Without a channel, for tests: `send` gets all frames. NULL: no memory. */
MUST_USE struct link *link_new(struct warden *w,
                               void (*send)(struct link *l, enum wire_number number,
                                            const void *message));
/* False: the edge misbehaves; the caller closes. */
MUST_USE bool link_take(struct link *l, const struct wire_message *m, const union wire_any *any);
/* Its sessions are over, its questions are forgotten; frees the link. */
void link_close(struct link *l, const char *reason);

#endif
