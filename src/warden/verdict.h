/* verdict.h: the five steps in their order: gate, throttle, credential, proof, route.
 *
 *   verdict_ask     on the loop: copies the question, looks at the gate, passes the throttle
 *   verdict_work    on the pool: credential, proof, route. Done again after verdict_renew when
 *                   something was revoked meanwhile. On the loop if verdict_is_quick
 *   verdict_settle  on the loop: tells the throttle how it ended
 *
 * Whatever is wrong, the same lookups are made, so that a refusal takes the same way for an unknown
 * account, a wrong password and a right one without a second factor; the edge answers refusals at a
 * fixed time after the question on top of that.
 * Time is an argument. Runs in: warden. */
#ifndef POSTERN_WARDEN_VERDICT_H
#define POSTERN_WARDEN_VERDICT_H

#include "warden/judgement.h"

enum verdict_next { VERDICT_IS_GIVEN = 0, VERDICT_NEEDS_WORK };

/* `q` is used during the call. ERR_INVALID: not a question that an honest edge asks (no such gate,
 * another protocol than the gate's); ERR_MEMORY. */
MUST_USE enum err verdict_ask(const struct verdict_parts *parts, struct judgement *j,
                              const struct wire_question *q, uint64_t now_ms, int64_t now_s,
                              enum verdict_next *ret_next);
void verdict_work(const struct verdict_parts *parts, struct judgement *j);
/* A ticket whose password the upstream still has to judge stays open: throttle_leave it then. */
void verdict_settle(const struct verdict_parts *parts, struct judgement *j, uint64_t now_ms);
void verdict_renew(const struct verdict_parts *parts, struct judgement *j, int64_t now_s);
/* Is all known that verdict_work needs, so that it does not block? */
bool verdict_is_quick(const struct verdict_parts *parts, const struct judgement *j);
/* Does verdict_work ask a slow source, of passwords or of aliases? Such judgements queue apart, so
 * that a slow directory keeps no app password waiting that needs none. */
bool verdict_is_slow(const struct verdict_parts *parts, const struct judgement *j);

#endif
