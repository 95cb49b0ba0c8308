/* upstream.h: the leg from the gate to the mail server: dial, TLS, verification, login.
 * No credential is sent before TLS is up and the server is who it must be (or the URL is clear,
 * which the configuration only permits on this machine). Owns: the stream and, until the login is
 * over, the credential (wiped). Memory goes in libuv's close callbacks. Runs in: edge, on its
 * loop's thread. */
#ifndef POSTERN_EDGE_UPSTREAM_H
#define POSTERN_EDGE_UPSTREAM_H

#include "edge/context.h"
#include "net/stream.h"

struct upstream_login; /* what only the login needs; private */

struct upstream {
    struct stream stream; /* usable by the relay after on_done(OUTCOME_ACCEPTED) */
    struct upstream_login *login;
    struct buf input;        /* octets that came behind the login's last reply: the relay's first */
    struct session *session; /* borrowed by the relay, which sets it */
    bool is_open;            /* the stream's handle exists */
};

struct upstream_conf {
    struct edge *edge;
    const struct edge_upstream *upstream;
    const struct protocol *protocol;
    struct view authorization, user, secret; /* copied */
    struct addr client, target;              /* for PROXY and ID */
    uint64_t session;
    bool is_look; /* without a credential: only to see what the upstream offers */
    void *owner;
    /* Called once, from the loop. `capabilities` lives until it returns. After anything else than
     * OUTCOME_ACCEPTED the upstream has closed itself. */
    void (*on_done)(void *owner, enum outcome outcome, struct view capabilities);
};

/* NULL: no memory, or the upstream does not serve this protocol. */
MUST_USE struct upstream *upstream_start(const struct upstream_conf *conf);
/* Ends it in whatever state; on_done is not called any more. NULL is fine. */
void upstream_close(struct upstream *u);

#endif
