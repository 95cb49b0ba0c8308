/* proof.h: the fourth step of a verdict: does the credential satisfy the policy's `require`? An app
 * password is its own proof; a mailbox password needs a one-time code behind it, or a lease.
 * Blocks (store); runs in: warden, on the pool. */
#ifndef POSTERN_WARDEN_PROOF_H
#define POSTERN_WARDEN_PROOF_H

#include "warden/judgement.h"

/* What there is besides the password, gathered by the same lookups for everybody. */
struct proof_evidence {
    bool has_code;              /* the secret ends as a code could: password and code are set */
    bool is_code_right;         /* … and it is the account's code of now, at `step` */
    bool is_code_reused;        /* … or passed before, within its reuse window */
    struct view password, code; /* into the judgement's secret */
    struct store_totp totp;
    uint64_t step;
    uint64_t lease; /* 0: none that fits */
};

/* Sets j->person too. ERR_OK also for an unknown account; else the store is out of service. */
MUST_USE enum err proof_gather(const struct verdict_parts *parts, struct judgement *j,
                               struct proof_evidence *ret);
/* Is there a code that would count? */
bool proof_has_code(const struct proof_evidence *e);
/* Sets j->proof_finding, ->credential, ->lease, ->observed for a password that is good or will be
 * judged by the upstream. `is_split`: the password is the one before the code, which is claimed
 * now. */
void proof_check_password(const struct verdict_parts *parts, struct judgement *j,
                          const struct proof_evidence *e, bool is_split);

#endif
