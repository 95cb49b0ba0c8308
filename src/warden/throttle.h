/* throttle.h: the second step of a verdict: is the source or the account over its limit? And: is
 * this a secret that was refused already?
 *
 * - Failures fill a bucket of the source's prefix and one of the account; both drain in `window_s`.
 *   Over the limit nothing is judged ("later"). A success empties nobody's bucket.
 * - The same wrong secret for the same account is one failure, however often it comes; for a short
 *   while it is also answered from memory.
 * - What is being judged counts as failed until it has turned out otherwise, or a thousand guesses
 *   sent at once would all pass before the first one is counted.
 * - A source that has logged in to the account is familiar: it has a bucket with the account to
 *   itself, and neither others' failures on the account nor its neighbours' (an office behind one
 *   address) shut it out.
 * - An app password (130 random bits) cannot be guessed and costs microseconds to judge: it counts
 *   for its source only, so that no attack on an account's name keeps its devices out, and is
 * judged although the source is over its limit, so that no neighbour keeps a new device out. Only
 * wrong app passwords themselves, THROTTLE_DEVICES times the limit of them, end that.
 *
 * Memory is bounded (memo.h). Time is an argument. Pure; runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_THROTTLE_H
#define POSTERN_WARDEN_THROTTLE_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/view.h"
#include "warden/factor/keys.h"
#include "warden/memo.h"

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_ANSWER_MS 30000   /* a refused secret is answered from memory for so long */
#define THROTTLE_ALERT_MS  3600000 /* an ALERT at most once an hour per source and account */
/* Guesses in flight from one source that are still honest: an office that comes back at once. */
#define THROTTLE_BURST 64
/* Times the source's limit: wrong app passwords of one source that are judged in a window. */
#define THROTTLE_DEVICES 20

struct throttle;

struct throttle_conf {
    const struct keys *keys;          /* borrowed */
    uint32_t per_source, per_account; /* failures in a window; 0: no limit */
    uint32_t window_s;
    uint8_t prefix4, prefix6;
    size_t capacity; /* entries of each table */
};

/* One try, as the warden sees it. Views are used during the call only. */
struct throttle_try {
    struct view account; /* normalised */
    struct view secret;
    struct addr source;
    struct view client; /* what it says of itself: leases and bindings go by it */
    uint8_t protocol;
    bool is_device; /* looks like an app password */
};

enum throttle_answer {
    THROTTLE_PASS = 0, /* judge it, then throttle_leave */
    THROTTLE_KNOWN,    /* refused a moment ago: refuse again, nothing to leave */
    THROTTLE_SOURCE,   /* over the source's limit: later, nothing to leave */
    THROTTLE_ACCOUNT,  /* over the account's limit (or the pair's): later, nothing to leave */
};

/* What throttle_leave needs of a try that was let through. */
struct throttle_ticket {
    uint8_t secret[MEMO_KEY]; /* of account and secret */
    uint8_t account[MEMO_KEY], source[MEMO_KEY], pair[MEMO_KEY];
    uint64_t place; /* address, protocol and label, hashed: what an answer depends on besides */
    uint64_t asked; /* which answers were valid when it was asked */
    bool is_device, is_familiar, is_entered;
    bool is_charged; /* it is the one that stands for this secret in flight */
};

enum throttle_result { THROTTLE_UNDECIDED = 0, THROTTLE_BAD, THROTTLE_GOOD };

MUST_USE struct throttle *throttle_new(const struct throttle_conf *conf); /* NULL: no memory */
void throttle_free(struct throttle *t);                                   /* NULL is fine */
MUST_USE enum throttle_answer throttle_enter(struct throttle *t, const struct throttle_try *a,
                                             uint64_t now_ms, struct throttle_ticket *ret);
/* How it ended. A ticket is left once; again is nothing. */
void throttle_leave(struct throttle *t, struct throttle_ticket *ticket, enum throttle_result result,
                    uint64_t now_ms);
/* May an ALERT go to this source about this account now? Notes it. The same for every account name.
 */
bool throttle_alert(struct throttle *t, struct view account, const struct addr *source,
                    uint64_t now_ms);
/* Is "over the limit" of this source worth an event now? At most once a minute a source. */
bool throttle_is_news(struct throttle *t, const struct addr *source, uint64_t now_ms);
/* A source is known to have logged in to the account (a session that an edge still holds). */
void throttle_befriend(struct throttle *t, struct view account, const struct addr *source);
/* Something changed (a lease, a factor, an account): what was refused may be right now. */
void throttle_forget_answers(struct throttle *t);
size_t throttle_count(const struct throttle *t); /* entries, for the metrics */

#endif
