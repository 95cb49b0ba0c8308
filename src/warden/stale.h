/* stale.h: app passwords whose sealed mailbox password the upstream does not take: a phone that
 * goes on trying all day must not become as many failed logins there, which may lock the mailbox.
 * So the answer is given from memory: a quarter of an hour after the first refusal, twice as long
 * after each further one (up to four hours), and until an administrator changes anything. When that
 * time is over one try asks again for all; meanwhile the others are still answered from memory.
 * Owns: a bounded table. Pure; runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_STALE_H
#define POSTERN_WARDEN_STALE_H

#include "base/attr.h"
#include "warden/factor/keys.h"

#define STALE_MS     900000 /* after the first refusal */
#define STALE_DOUBLE 4      /* times that it doubles */
#define STALE_ASK_MS 60000  /* who asks for all may be away for so long */

struct stale;

MUST_USE struct stale *stale_new(const struct keys *keys, size_t capacity); /* NULL: no memory */
void stale_free(struct stale *s);                                           /* NULL is fine    */
/* Is what app password `id` has sealed known to be stale? False: the upstream is to be asked, and
 * that will be told. */
MUST_USE bool stale_holds(struct stale *s, const char *id, uint64_t now_ms);
void stale_refused(struct stale *s, const char *id, uint64_t now_ms);
void stale_taken(struct stale *s, const char *id);
void stale_forget(struct stale *s); /* all of them */

#endif
