/* judgement.h: one question on its way to its verdict: what was asked (copied, since it is judged
 * on the thread pool) and what the five steps found. One at a time works on it: the loop, then one
 * thread of the pool, then the loop again.
 * Owns: all of it; judgement_free wipes. The zero value of every finding is the one that refuses.
 */
#ifndef POSTERN_WARDEN_JUDGEMENT_H
#define POSTERN_WARDEN_JUDGEMENT_H

#include "base/addr.h"
#include "base/secret.h"
#include "config/config.h"
#include "warden/alias/alias.h"
#include "warden/event/event.h"
#include "warden/factor/app_password.h"
#include "warden/factor/keys.h"
#include "warden/factor/password.h"
#include "warden/reuse.h"
#include "warden/rows.h"
#include "warden/store/store.h"
#include "warden/throttle.h"
#include "wire/wire.h"

#define JUDGEMENT_CREDENTIAL 32 /* "lease 18446744073709551615", with NUL */

/* What all verdicts of this warden are given from; borrowed, read-only but for store and reuse,
 * which lock themselves, and the throttle, which only the loop touches. */
struct verdict_parts {
    const struct config *config;
    const struct keys *keys;
    struct store *store;
    const struct password_source *passwords; /* NULL: the upstream judges */
    struct alias_source *aliases;            /* NULL: none; locks itself */
    struct throttle *throttle;
    struct reuse *reuse;
    struct rows *rows; /* likewise only the loop's */
};

/* Step 1. */
enum gate_finding { GATE_SHUT_NETWORK = 0, GATE_SHUT_PROTOCOL, GATE_PASSES };
/* Step 3. */
enum credential_finding {
    CREDENTIAL_BAD = 0,
    CREDENTIAL_LATER,    /* somebody we need is out of service                         */
    CREDENTIAL_GOOD,     /* an app password; or a mailbox password that its source took */
    CREDENTIAL_UNJUDGED, /* a mailbox password of which the upstream will say           */
};
/* Step 4. */
enum proof_finding {
    PROOF_NONE = 0,
    PROOF_LATER,
    PROOF_DEVICE, /* the app password itself */
    PROOF_OTP,
    PROOF_LEASE,
    PROOF_NOT_ASKED, /* the policy is content with a password */
    PROOF_OBSERVED,  /* missing, but the policy only observes */
};

struct judgement {
    /* ---- the question ---- */
    uint64_t session;
    char gate[LIMIT_NAME + 1];
    uint8_t protocol;
    uint16_t tls_version;
    struct addr source;
    char account[STORE_NAME]; /* normalised */
    char client[STORE_CLIENT];
    struct secret secret;
    bool is_device;    /* looks like an app password: is never anything else */
    enum reason fault; /* of the question itself: refused whatever else is found */
    uint64_t now_ms;
    int64_t now_s;

    /* ---- findings ---- */
    const struct conf_policy *policy;     /* borrowed from the configuration */
    const struct conf_upstream *upstream; /* NULL: none */
    enum gate_finding gate_finding;
    struct throttle_ticket ticket;
    enum credential_finding credential_finding;
    enum proof_finding proof_finding;
    struct store_account person; /* of the password path; id 0: unknown */
    uint64_t lease;              /* PROOF_LEASE */
    char app_password[STORE_PUBLIC_ID];
    struct view password;          /* the secret without its code; into `secret` */
    struct app_password presented; /* parsed; wiped */
    bool is_claimed;               /* the one-time code was taken, by this very judgement */
    bool is_bound;                 /* the app password was bound just now */
    bool is_formed;                /* it is one */
    bool has_row;                  /* row is known already and need not be looked up */
    uint64_t rows_seen;            /* rows_changes when it was asked for */
    struct store_app_password row; /* verifier and sealed password; of no use without `presented` */

    /* ---- the verdict ---- */
    enum verdict verdict;
    enum answer answer;
    enum reason reason;
    enum reason observed; /* let in, although; REASON_NONE: with right */
    char credential[JUDGEMENT_CREDENTIAL];
    bool is_upstream_judge; /* the upstream says whether the password is right */
    bool is_stale_possible; /* the upstream may no longer take what was sealed */
    bool is_sender_held;    /* submission: to `senders` */
    struct view upstream_authorization, upstream_user; /* borrowed: config, account */
    struct buf upstream_secret;                        /* wiped */
    struct buf senders;                                /* as in wire_verdict */
};

MUST_USE struct judgement *judgement_new(void); /* NULL: no memory */
void judgement_free(struct judgement *j);       /* NULL is fine    */
AUTO_DEFINE(judgement)

#endif
