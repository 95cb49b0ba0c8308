/* credential.h: the third step of a verdict: is the credential good? An app password is one keyed
 * hash, found by its public part; a mailbox password is asked of its source. The same work is done
 * for an account that does not exist. Blocks (store, slow hash, directory); runs in: warden, on the
 * pool. */
#ifndef POSTERN_WARDEN_CREDENTIAL_H
#define POSTERN_WARDEN_CREDENTIAL_H

#include "warden/judgement.h"

/* What "the same network" is to a bound app password: a home line or an office keeps it when its
 * address changes. Bits. */
#define CREDENTIAL_BIND_PREFIX4 24
#define CREDENTIAL_BIND_PREFIX6 48

/* Does credential_check_device come without the store, since the row is known and bound? */
bool credential_is_known(const struct judgement *j);
/* Sets credential_finding and, when it is bad or later, reason. Of a device credential also
 * app_password, credential, row. */
void credential_check_device(const struct verdict_parts *parts, struct judgement *j);
/* Asks the source whether `password` is the account's. GOOD, BAD, LATER, or UNJUDGED (upstream). */
enum credential_finding credential_check_password(const struct verdict_parts *parts,
                                                  const struct judgement *j, struct view password);

#endif
