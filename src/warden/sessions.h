/* sessions.h: the life of a session in the warden, after its verdict: registered when it is
 * allowed, live when the upstream has taken it, ended by its edge or by a revocation.
 *
 *   PENDING ─accepted→ LIVE ─closed→ gone
 *      │ refused, unavailable, closed: gone    LIVE, PENDING ─end_session→ ENDING ─closed→ gone
 *
 * Runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_SESSIONS_H
#define POSTERN_WARDEN_SESSIONS_H

#include "warden/link.h"

#define SESSIONS_RESUMED 256 /* resumed sessions that one job looks up */

/* Registers an allowed judgement as pending and makes room at the account's cap. False: not
 * possible (*ret_why), so the verdict is "later". */
MUST_USE bool sessions_admit(struct link *l, struct judgement *j, enum reason *ret_why);
MUST_USE bool sessions_outcome(struct link *l,
                               const struct wire_outcome *o); /* false: misbehaves */
void sessions_closed(struct link *l, const struct wire_closed *c);
void sessions_label(struct link *l, const struct wire_label *label);
MUST_USE bool sessions_resume(struct link *l, const struct wire_resume *r); /* false: misbehaves */
/* Looks up the resumed sessions that wait for it. */
void sessions_tick(struct warden *w);
/* The edge is gone, and with it all that it served. */
void sessions_drop(struct link *l, const char *reason);

/* Which sessions a revocation ends; what is not set (NULL, 0) does not matter. */
struct sessions_filter {
    const char *account;
    const char *app_password;
    uint64_t lease;
    const uint64_t *session;
};
/* Tells the edge to end it; it counts no longer. */
void sessions_end_one(struct session *s, const char *reason);
/* Tells the edges to end them, at once. How many. `reason` goes to the edge. */
uint32_t sessions_end(struct warden *w, const struct sessions_filter *f, const char *reason);

#endif
