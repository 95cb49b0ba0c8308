/* record.h: what happened, into the event log of the store and one line of the log of the process.
 * Nothing here waits: writes go through writer.h. Runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_RECORD_H
#define POSTERN_WARDEN_RECORD_H

#include "warden/core.h"

#define RECORD_USE_MS 60000 /* the last use of an app password is true to within a minute */

/* A question that was not allowed, or an app password that was bound. */
void record_verdict(struct warden *w, const struct judgement *j);
/* The upstream took it: session, event, last use. */
void record_login(struct warden *w, const struct session *s, enum reason observed);
/* The upstream did not, or could not. */
void record_failure(struct warden *w, const struct session *s, enum event_kind kind,
                    enum reason why);
/* An edge told us of a session that lived through our restart. */
void record_resumed(struct warden *w, const struct session *s);
void record_closed(struct warden *w, const struct session *s, uint64_t octets_up,
                   uint64_t octets_down, struct view reason);
/* The name of a session in store, log and command line. */
void record_session_name(uint64_t id, char to[LIMIT_NAME + 1]);

#endif
