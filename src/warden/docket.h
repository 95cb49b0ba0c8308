/* docket.h: the questions that are being judged: from the frame to the pool and back to a verdict.
 * Questions that ask a slow source (of passwords or aliases) wait in a line of their own
 * (DOCKET_SLOW at once), so that they cannot take all threads and keep app passwords waiting. A
 * judgement that began before a revocation is made again, so that nothing revoked gets in late.
 * Runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_DOCKET_H
#define POSTERN_WARDEN_DOCKET_H

#include "warden/link.h"

#define DOCKET_SLOW    4 /* of CORE's threads: the rest stay free for app passwords */
#define DOCKET_THREADS 8
#define DOCKET_WAITING 1024 /* questions that wait for a slow source; over it: later */
#define DOCKET_AGAIN   3    /* times a judgement is made again */

MUST_USE bool docket_ask(struct link *l, const struct wire_question *q); /* false: misbehaves */
void docket_forget(struct link *l); /* nobody waits for its answers any more */
/* Sends the verdict of `session` with nothing but how it is refused. */
void docket_refuse(struct link *l, uint64_t session, enum verdict v, enum answer answer,
                   bool is_alert);
/* May an ALERT go along with this refusal: "here you need an app password", with the portal's URL,
 * or to the owner of a stale one? Counts it. */
bool docket_is_alert(struct warden *w, enum verdict v, enum answer answer, struct view account,
                     const struct addr *source);

#endif
