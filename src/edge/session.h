/* session.h: one client connection through a gate, from accept to close.
 *
 *   PROXY ─▶ TLS ─▶ FRONT ◀─▶ ASKING ─▶ LOGIN ─▶ RELAY ─▶ (CLOSED)
 *                    ▲  │        │         │
 *                    │  ▼        ▼         ▼
 *                    │ PARTING  REFUSING ◀─┘
 *                    └────────────┘
 *
 * A gate with STARTTLS begins in FRONT and passes through TLS once. Each state has one deadline.
 * Any state may end in CLOSED; PARTING delivers the last words first.
 * Owns: the client's stream, the upstream, the machines of its state. What only the login needs is
 * dropped as a whole when relaying begins. Memory goes in libuv's last close callback.
 * Runs in: edge, on its loop's thread. */
#ifndef POSTERN_EDGE_SESSION_H
#define POSTERN_EDGE_SESSION_H

#include "edge/context.h"
#include "edge/upstream.h"
#include "net/stream.h"

enum session_state {
    SESSION_CLOSED = 0,
    SESSION_PROXY,    /* reads the PROXY header                              */
    SESSION_TLS,      /* handshake                                           */
    SESSION_FRONT,    /* reads commands before login                         */
    SESSION_ASKING,   /* waits for the warden                                */
    SESSION_LOGIN,    /* logs in upstream                                    */
    SESSION_REFUSING, /* waits until every refusal has taken equally long    */
    SESSION_RELAY,    /* open                                                */
    SESSION_PARTING,  /* flushes its last words, then swallows what comes    */
};

struct entry; /* what a session needs before it is open; session.c */
struct relay; /* what it needs then; relay.c */

struct session {
    struct session *next, *previous; /* in edge->sessions */
    struct session *next_resumable, *next_in_bucket;
    struct edge *edge;       /* borrowed */
    const struct gate *gate; /* borrowed; lives as long as the edge */
    struct stream client;
    uv_timer_t timer;
    struct entry *entry;                  /* owned; NULL once open */
    struct relay *relay;                  /* owned; NULL until open */
    struct upstream *upstream;            /* owned */
    char *account, *app_password, *label; /* owned; NULL until known */
    struct addr source, target;
    uint64_t id;
    uint64_t active_at_ms; /* last octet either way */
    int64_t opened_at;     /* seconds since 1970; 0: not open */
    uint64_t octets_up, octets_down;
    uint16_t tls_version;
    uint8_t state;     /* enum session_state */
    uint8_t handles;   /* open libuv handles: the memory goes with the last */
    bool is_allowed;   /* the warden counts it: it is told of the end */
    bool is_warned;    /* the client is told that this way in will be closed */
    bool is_resumable; /* in edge->resumable */
};

/* A connection was accepted; takes `fd`. */
void session_start(struct edge *e, const struct gate *g, int fd, const struct addr *source);
/* Idempotent; at once, without a word. `reason` is static. */
void session_close(struct session *s, const char *reason);
/* Ends it with a word to the client (`text`, static), if the protocol permits one now. */
void session_end(struct session *s, const char *text, const char *reason);
/* The warden's answer to the question or the outcome of this session. */
void session_verdict(struct session *s, const struct wire_verdict *v);
/* The warden has gone: who waits for it is answered "later". */
void session_warden_lost(struct session *s);
/* An open session is told to a warden that does not know it. */
void session_tell_resume(struct session *s);
struct session *session_find(struct edge *e, uint64_t id); /* NULL: none */

/* ---- relay.c ---- */

/* The session is open: relays between s->client and s->upstream under a guard of `conf`. `input` is
 * what the client has sent behind its login. ERR_MEMORY: nothing has begun. */
MUST_USE enum err relay_start(struct session *s, const struct guard_conf *conf, struct view input);
/* Octets move as far as they can; may close the session. */
void relay_run(struct session *s);
/* Puts the protocol's last words towards the client, if it is between two responses. */
void relay_bye(struct session *s, const char *text);
void relay_free(struct relay *r, const struct protocol *p); /* NULL is fine */

#endif
