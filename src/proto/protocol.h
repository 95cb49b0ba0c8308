/* protocol.h: what a mail protocol is to the rest of the program: three sans-I/O machines and a row
 * in a table. A new protocol is one folder under proto/ and one row in protocols[] (protocol.c).
 *
 *   front  server side, from the greeting to the credential; answers the client
 *   login  client side towards the upstream, from its greeting to the end of the login
 *   guard  follows both directions of the open session and refuses what would change identity
 *
 * Pure: octets in; events, octets out; no socket, no clock, no TLS, no file. Machines are opaque
 * and owned by the caller (the edge); every `struct view` inside an event borrows from the machine
 * or from the input and lives until the next call on that machine. `out` buffers are the caller's
 * and bounded by it; a machine appends and the caller checks buf_is_ok. Runs in: edge. One machine
 * is used by one thread at a time. */
#ifndef POSTERN_PROTO_PROTOCOL_H
#define POSTERN_PROTO_PROTOCOL_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/view.h"

enum protocol_id {
    PROTOCOL_NONE = 0,
    PROTOCOL_IMAP = 1, /* the numbers are on the wire and in the store: for ever */
    PROTOCOL_POP3 = 2,
    PROTOCOL_SUBMISSION = 3,
    PROTOCOL_SIEVE = 4,
    PROTOCOL_COUNT
};

/* ---- front: towards the client, before login ------------------------------------------ */

enum front_kind {
    FRONT_MORE = 0,   /* all input used, wait for more                                            */
    FRONT_STARTTLS,   /* flush `out`, discard whatever the client has sent since, begin TLS,
                         then call front_tls_started                                              */
    FRONT_CREDENTIAL, /* a complete credential; feed no more until front_answer */
    FRONT_CLOSE, /* flush `out` and close: LOGOUT, or the peer went over a bound; final       */
};

enum front_mechanism { MECHANISM_PASSWORD = 0 }; /* user and password, by whatever command */

struct front_event {
    enum front_kind kind;
    const char *reason; /* FRONT_CLOSE: a static word for the log: "logout", "too-long", "bad" … */
    /* FRONT_CREDENTIAL: */
    enum front_mechanism mechanism;
    struct view authorization; /* authorization identity (RFC 4422), or empty */
    struct view user;   /* as the client gave it, after SASLprep; no CR, LF, NUL             */
    struct view secret; /* no CR, LF, NUL; may be empty                                      */
};

/* How a credential was answered; the table in design.md says in which words. */
enum front_answer {
    ANSWER_REFUSE_PASSWORD = 0, /* any refused main password */
    ANSWER_REFUSE_DEVICE, /* refused app password or other device credential                 */
    ANSWER_LATER,         /* throttled, or warden or upstream out of service                 */
    ANSWER_SWITCHED_OFF,  /* the protocol is off for this account                            */
    ANSWER_STALE,         /* a good app password, but the upstream no longer takes the mailbox
                             password sealed in it: make a new one                           */
};

struct front_conf {
    const char *host; /* name in the greeting; borrowed for the machine's life               */
    const char *portal_url; /* shown in refusals; "" for none; borrowed */
    struct view offer; /* what the upstreams of this protocol offer, in the words of LOGIN_DONE, as
                          far as is known; only where protocol.has_offer; copied */
    bool is_tls;       /* TLS is on already (implicit)                                        */
};

struct front; /* opaque; each protocol has its own layout */

struct front_ops {
    MUST_USE struct front *(*create)(const struct front_conf *conf); /* NULL: no memory */
    void (*destroy)(struct front *f);                                /* NULL is fine; wipes */
    void (*greet)(struct front *f, struct buf *out);
    /* Uses up to in.n octets, stops after an event; what is not used is fed again later. */
    struct front_event (*feed)(struct front *f, struct view in, size_t *ret_used, struct buf *out);
    void (*tls_started)(struct front *f, struct buf *out);
    /* A refusal. `is_alert`: precede it by the ALERT with the portal's URL (at most once an hour;
     * the warden counts). After the last permitted try the front closes: the next feed says so. */
    void (*answer)(struct front *f, enum front_answer answer, bool is_alert, struct buf *out);
    /* The login succeeded upstream; `capabilities` are the upstream's own words, of which the
     * front leaves out what may not pass. `is_warned`: say as well that this way in will be closed.
     * The front's work ends here. */
    void (*accept)(struct front *f, struct view capabilities, bool is_warned, struct buf *out);
    /* A last word before the gate closes by itself (`text` is static): BYE. Any state. */
    void (*bye)(struct front *f, const char *text, struct buf *out);
    /* What the client said of itself before login (RFC 2971 name and version), cleaned; or empty.
     */
    struct view (*client)(const struct front *f);
};

/* ---- login: towards the upstream ------------------------------------------------------ */

enum login_kind {
    LOGIN_MORE = 0, /* flush `out`, wait for more                                              */
    LOGIN_STARTTLS, /* the upstream agreed: begin TLS now, then call tls_started.
                       Octets behind the reply were an error and never come here                */
    LOGIN_DONE,     /* logged in, or seen what there is to see; `capabilities` is set; unused
                       input belongs to the relay                                               */
    LOGIN_REFUSED,  /* the upstream does not take this credential                               */
    LOGIN_UNAVAILABLE, /* the upstream says try later, speaks nonsense, or is not what it must be */
};

struct login_event {
    enum login_kind kind;
    const char *reason;       /* static words for the log */
    struct view capabilities; /* LOGIN_DONE: "IMAP4rev1 IDLE …", or empty; elsewhere the lines of
                                 the upstream's CAPA, EHLO or CAPABILITY reply without codes, each
                                 with its CRLF: "SIZE 1000\r\nPIPELINING\r\n" */
};

struct login_conf {
    const char *host;          /* what we call ourselves (EHLO); borrowed for the machine's life */
    struct view authorization; /* SASL PLAIN authorization identity; empty: none */
    struct view user;
    struct view secret; /* copied, wiped as soon as it was sent */
    bool is_tls;      /* TLS is on already (imaps://)                                            */
    bool is_starttls; /* STARTTLS is required before any credential                              */
    bool is_look;     /* no credential: LOGIN_DONE as soon as it is known what the upstream offers;
                         only where protocol.has_offer                                           */
    bool is_trusting; /* send ID with the client's address before the login                      */
    struct addr client;  /* for is_trusting */
    const char *session; /* our session id, for is_trusting; borrowed for the machine's life */
};

struct login;

struct login_ops {
    MUST_USE struct login *(*create)(const struct login_conf *conf); /* NULL: no memory or bad value
                                                                        (CR, LF or NUL inside) */
    void (*destroy)(struct login *l);
    struct login_event (*feed)(struct login *l, struct view in, size_t *ret_used, struct buf *out);
    void (*tls_started)(struct login *l, struct buf *out);
};

/* ---- guard: the open session ------------------------------------------------------------------
 */

enum guard_kind {
    GUARD_MORE = 0, /* used everything it could; needs more octets of this direction */
    GUARD_PASS, /* forward the first `n` octets of the input as they are                        */
    GUARD_PUT,  /* drop the first `n` octets (may be 0) and send `put` in their place           */
    GUARD_HOLD, /* (client only) blocked until the server has spoken; call again after the next
                   server step. The caller stops reading from the client meanwhile              */
    GUARD_END,  /* not sure what the other side would make of it: end the session; final        */
};

struct guard_step {
    enum guard_kind kind;
    size_t n;        /* octets of the input that this step uses up (PASS, PUT)                   */
    struct view put; /* PUT: octets towards the other side; may be empty. Lives until next call  */
    const char *reason; /* END: static words for the log */
};

struct guard;

/* What the guard must know of its session. Each protocol takes what concerns it; all is copied. */
struct guard_conf {
    struct view capabilities;   /* what the login said of the upstream */
    bool is_trusting;           /* IMAP: the upstream believes what ID says of the client */
    bool is_newline_normalised; /* SMTP: a bare CR or LF in a message becomes CRLF, not its end */
    bool is_sender_held;        /* SMTP: MAIL FROM names one of `senders` */
    struct view senders;        /* "ann@example.org @example.net": spaces between; "@": a domain */
};

struct guard_ops {
    MUST_USE struct guard *(*create)(const struct guard_conf *conf); /* NULL: no memory */
    void (*destroy)(struct guard *g);
    /* The client's octets towards the upstream. Called again and again until MORE, HOLD or END. */
    struct guard_step (*client)(struct guard *g, struct view in);
    /* The upstream's octets towards the client; also with empty input after client steps, since the
     * guard's own answers (refusals) are put between two responses of the server. */
    struct guard_step (*server)(struct guard *g, struct view in);
    /* The octets to send to the client if the gate ends the session now (BYE), or empty when the
     * server is in the middle of a response. `text` is static. After GUARD_END the guard may say
     * better what was wrong. */
    void (*bye)(struct guard *g, const char *text, struct buf *out);
    /* What the client said of itself inside the session (ID), once; empty: nothing new. NULL: the
     * protocol has no such word. */
    struct view (*client_label)(struct guard *g);
};

/* ---- the table ---------------------------------------------------------------------------------
 */

struct protocol {
    const char *name; /* as in the configuration: "imap" */
    const char *alpn; /* RFC 7301 registry; NULL: none, and who offers any is no client of ours */
    /* URL schemes of its upstreams: implicit TLS, STARTTLS required, clear (loopback and unix only)
     */
    const char *scheme_tls, *scheme_starttls, *scheme_clear;
    const struct front_ops *front;
    const struct login_ops *login;
    const struct guard_ops *guard;
    enum protocol_id id;
    bool has_offer; /* what an upstream offers is shown before the login, and must be true after it:
                       the edge looks it up */
};

const struct protocol *protocol_find(enum protocol_id id); /* NULL: none */
const struct protocol *protocol_named(const char *name);   /* NULL: none */

#endif
