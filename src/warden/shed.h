/* shed.h: an account is over its cap: the session of all edges that has been idle longest makes
 * room. Each edge that holds some is asked for its idlest; when all have answered, the idlest of
 * these is ended. An edge that does not answer holds nobody up: the bound of twice the cap is hard.
 * Owns: the enquiries under way, at most SHED_MAX. Runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_SHED_H
#define POSTERN_WARDEN_SHED_H

#include "warden/link.h"

#define SHED_MAX 256 /* enquiries under way; over it the oldest is forgotten */

/* Asks. The account is copied. Without memory nothing happens: the cap is exceeded by one. */
void shed_begin(struct warden *w, const char *account);
/* false: the edge speaks of a session that is not its own. */
MUST_USE bool shed_answered(struct link *l, const struct wire_idlest *answer);
/* The channel has closed: nobody waits for its answers. */
void shed_forget(struct link *l);

#endif
