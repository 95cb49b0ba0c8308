/* sender.h: the other half of a verdict's fifth step: as which addresses may a submission session
 * send (MAIL FROM)? Held to one by its app password, else by the policy (sender = "own") to the
 * account's own name and what the alias source adds, else not at all; other protocols never. The
 * mode of a policy changes nothing here: it is about who gets in.
 *
 * What cannot be found out lets nobody in ("later"). May block (alias source); runs in: warden, on
 * the pool where sender_needs_lookup says so. */
#ifndef POSTERN_WARDEN_SENDER_H
#define POSTERN_WARDEN_SENDER_H

#include "warden/judgement.h"

/* Would sender_choose ask the alias source? Of a device that is not known yet (has_row): perhaps,
 * so yes. */
bool sender_needs_lookup(const struct verdict_parts *parts, const struct judgement *j);
/* Sets is_sender_held and senders of a judgement that is otherwise an allow. False: reason is set,
 * and the verdict is "later". */
MUST_USE bool sender_choose(const struct verdict_parts *parts, struct judgement *j);

#endif
