/* route.h: the fifth step of a verdict: how to log in at the upstream.
 *   sealed       the mailbox password, opened with the app password that it was sealed for
 *   passthrough  the client's own password, without its one-time code
 *   master       SASL PLAIN: the gateway's name and password, acting as the account
 * A password that nobody here has verified always goes upstream as it is: with a master login
 * nobody would ever have checked it. An upstream without a server for the protocol is none. Pure;
 * runs in: warden. */
#ifndef POSTERN_WARDEN_ROUTE_H
#define POSTERN_WARDEN_ROUTE_H

#include "warden/judgement.h"

/* What a sealed mailbox password is bound to: the app password `id` of `account`. */
void route_seal_context(const char *account, const char *id, struct buf *out);
/* Sets upstream_* and is_upstream_judge, is_stale_possible of an allowed judgement. False: there is
 * no way (reason is set): a fault of ours, so the verdict is "later"; but REASON_NOTHING_SEALED is
 * mended by a new app password, which its owner has to be told. */
MUST_USE bool route_choose(const struct verdict_parts *parts, struct judgement *j);

#endif
