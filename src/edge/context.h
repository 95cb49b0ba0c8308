/* context.h: what all of an edge's modules share. One a process. Private to src/edge.
 * Owns: everything below, until the process ends. Runs in: edge, on its loop's thread. */
#ifndef POSTERN_EDGE_CONTEXT_H
#define POSTERN_EDGE_CONTEXT_H

#include "config/config.h"
#include "net/channel.h"
#include "net/poller.h"
#include "net/resolve.h"
#include "net/tls.h"
#include "proto/protocol.h"

#define EDGE_BUCKETS 4096 /* ids count up, so this is one session a bucket until thousands */

struct session;
struct offer;

/* One listening socket. */
struct gate {
    uv_poll_t poll;
    uv_timer_t pause; /* out of descriptors: look again in a moment */
    struct edge *edge;
    const struct conf_gate *conf;
    const struct protocol *protocol;
    int fd;
    unsigned pauses;
    bool is_listening;
};

struct edge_upstream {
    const struct conf_upstream *conf;
    struct tls_client *tls; /* NULL: only clear URLs */
};

struct edge {
    uv_loop_t *loop;
    struct poller *poller;
    struct config *config;
    struct channel *boot;
    struct channel *warden; /* NULL: it is being restarted */
    struct resolver *resolver;
    struct tls_server *tls;
    struct gate *gates;
    size_t gate_count;
    struct edge_upstream *upstreams;
    size_t upstream_count;
    struct offer *offers; /* offer.c: of each upstream under each protocol */
    size_t offer_count;
    struct buf offered[PROTOCOL_COUNT];    /* what all upstreams of a protocol offer */
    void (*on_offers)(struct edge *e);     /* NULL: was called */
    struct session *sessions;              /* live ones, newest first */
    struct session *buckets[EDGE_BUCKETS]; /* by id */
    size_t session_count;
    size_t session_peak; /* since the heap was last trimmed */
    uv_timer_t drain_deadline;
    uv_timer_t look_deadline; /* of the first look at the upstreams */
    uv_timer_t load;          /* runs while the supervisor does not know the number of sessions */
    uv_timer_t resume_more;   /* runs while sessions are still to be told to a new warden */
    uv_idle_t resume;         /* runs while `resumable` is not empty */
    struct session *resumable;
    char host[LIMIT_HOST + 1]; /* name in greetings */
    uint64_t next_session;     /* random start, so that ids of two lives differ */
    uint32_t number, generation;
    bool is_serving; /* the gates accept */
    bool is_draining;
};

/* gate.c */
MUST_USE enum err gate_open(struct edge *e, struct gate *g);
MUST_USE enum err gate_listen(struct gate *g); /* from now on sessions begin */
void gate_stop(struct gate *g);                /* stops accepting; idempotent */

/* warden.c: the verdict channel */
void edge_warden_open(struct edge *e, int fd);

/* edge.c */
struct edge_upstream *edge_upstream(struct edge *e, struct view name); /* NULL: none */
void edge_load_changed(struct edge *e);  /* the supervisor learns of it within a second */
void edge_session_ended(struct edge *e); /* ends the process after the last one of a drain */

#endif
