/* entry.h: what a session needs before it is open, and the states in which it is not. Between
 * session.c (life and deadlines), entry.c (PROXY, TLS, front, parting) and judged.c (the verdict).
 * Private to src/edge; contracts as in session.h. Runs in: edge, on its loop's thread. */
#ifndef POSTERN_EDGE_ENTRY_H
#define POSTERN_EDGE_ENTRY_H

#include "edge/session.h"

struct entry {
    struct front *front;  /* owned */
    struct buf input;     /* read, not yet fed */
    struct buf output;    /* to be written */
    struct buf senders;   /* of the verdict, for the guard */
    uint64_t deadline_ms; /* of the whole entry: nobody stays before login for ever */
    uint64_t asked_at_ms; /* when the credential came */
    uint64_t swallowed;   /* PARTING: octets since the last words */
    const struct edge_upstream *upstream; /* of the verdict; borrowed */
    const char *reason;                   /* PARTING: why, for the log */
    enum front_answer answer;
    bool is_alert;
    bool is_starting_tls; /* FRONT said STARTTLS; output must be out first */
    bool is_tls;          /* TLS is up */
    bool is_sender_held;  /* of the verdict */
};

/* ---- session.c ---- */
void session_set_deadline(struct session *s, uint64_t after_ms);
/* The warden no longer counts this session. */
void session_tell_closed(struct session *s, const char *reason);

/* ---- entry.c ---- */
MUST_USE enum err entry_new(struct session *s);
void entry_free(struct session *s); /* wipes; none is fine */
/* The first state, by the kind of gate. */
void entry_begin(struct session *s);
/* Goes on in whatever state, as far as the client's octets permit. */
void entry_run(struct session *s);
/* Writes what is to be written. false: the rest must wait, or the session is closed. */
MUST_USE bool entry_flush(struct session *s);
/* Says what is in the output, then ends. */
void entry_part(struct session *s, const char *reason);
/* Back to commands, with what is left of the time for the whole entry. */
void entry_to_front(struct session *s);

/* ---- judged.c ---- */
/* A credential is complete: asks the warden. */
void judged_ask(struct session *s, const struct front_event *event);
/* The refusal's time has come. */
void judged_answer(struct session *s);
/* No verdict in time. A late one must not meet the next credential of this session: it ends. */
void judged_timeout(struct session *s);

#endif
