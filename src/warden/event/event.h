/* event.h: what can happen, in one table: kinds of events and reasons of verdicts. Their texts are
 * what `postern events`, the log and the metrics show; a client never sees a reason.
 * Pure; any thread. */
#ifndef POSTERN_WARDEN_EVENT_EVENT_H
#define POSTERN_WARDEN_EVENT_EVENT_H

#include "base/addr.h"
#include "base/view.h"
#include "warden/store/store.h"

/* KIND(name, text) */
#define EVENT_KINDS(KIND)                                                                          \
    KIND(LOGIN, "login")                                                                           \
    KIND(REFUSED, "refused")                                                                       \
    KIND(LATER, "later")                                                                           \
    KIND(OBSERVED, "observed") /* let in by a policy that only observes */                         \
    KIND(STALE, "sealed-password-stale")                                                           \
    KIND(CLOSED, "closed")                                                                         \
    KIND(BOUND, "app-password-bound")                                                              \
    KIND(ACCOUNT_ADDED, "account-added")                                                           \
    KIND(ACCOUNT_INVITED, "account-invited")                                                       \
    KIND(ACCOUNT_ENABLED, "account-enabled")                                                       \
    KIND(ACCOUNT_DISABLED, "account-disabled")                                                     \
    KIND(ACCOUNT_REMOVED, "account-removed")                                                       \
    KIND(APP_PASSWORD_ADDED, "app-password-added")                                                 \
    KIND(APP_PASSWORD_REVOKED, "app-password-revoked")                                             \
    KIND(TOTP_ENROLLED, "totp-enrolled")                                                           \
    KIND(LEASE_ADDED, "lease-added")                                                               \
    KIND(LEASE_REVOKED, "lease-revoked")                                                           \
    KIND(SESSION_ENDED, "session-ended")

#define EVENT_REASONS(REASON)                                                                      \
    REASON(NONE, "")                                                                               \
    /* the question itself */                                                                      \
    REASON(BAD_NAME, "bad-account-name")                                                           \
    REASON(AUTHORIZATION, "authorization-differs")                                                 \
    REASON(EMPTY_SECRET, "empty-secret")                                                           \
    /* gate */                                                                                     \
    REASON(PROTOCOL_OFF, "protocol-off")                                                           \
    REASON(NETWORK, "network-not-allowed")                                                         \
    /* throttle */                                                                                 \
    REASON(KNOWN_SECRET, "same-secret-refused-before")                                             \
    REASON(THROTTLED_SOURCE, "throttled-source")                                                   \
    REASON(THROTTLED_ACCOUNT, "throttled-account")                                                 \
    /* credential */                                                                               \
    REASON(APP_PASSWORD_FORM, "app-password-malformed")                                            \
    REASON(APP_PASSWORD_UNKNOWN, "app-password-unknown")                                           \
    REASON(APP_PASSWORD_WRONG, "app-password-wrong")                                               \
    REASON(APP_PASSWORD_OWNER, "app-password-of-another-account")                                  \
    REASON(APP_PASSWORD_EXPIRED, "app-password-expired")                                           \
    REASON(APP_PASSWORD_PROTOCOL, "app-password-not-for-this-protocol")                            \
    REASON(APP_PASSWORD_NETWORK, "app-password-not-from-this-network")                             \
    REASON(APP_PASSWORD_BOUND, "app-password-bound-elsewhere")                                     \
    REASON(ACCOUNT_DISABLED, "account-disabled")                                                   \
    REASON(WRONG_PASSWORD, "wrong-password")                                                       \
    REASON(UNKNOWN_ACCOUNT, "unknown-account")                                                     \
    /* proof */                                                                                    \
    REASON(NO_FACTOR, "no-second-factor")                                                          \
    REASON(OTP_REPLAYED, "one-time-code-used-before")                                              \
    /* route */                                                                                    \
    REASON(NO_UPSTREAM, "no-upstream")                                                             \
    REASON(NOTHING_SEALED, "no-sealed-password")                                                   \
    REASON(SEAL_BROKEN, "sealed-password-unreadable")                                              \
    REASON(ALIASES, "alias-source-unavailable")                                                    \
    REASON(TOO_MANY_ALIASES, "more-aliases-than-can-be-held")                                      \
    /* afterwards */                                                                               \
    REASON(STALE, "sealed-password-not-taken")                                                     \
    REASON(KNOWN_STALE, "same-sealed-password-refused-before")                                     \
    REASON(MASTER_REFUSED, "upstream-refused-master")                                              \
    REASON(VERIFIED_REFUSED, "upstream-refused-verified-password")                                 \
    REASON(UPSTREAM, "upstream-unavailable")                                                       \
    REASON(STORE, "store-unavailable")                                                             \
    REASON(SOURCE, "password-source-unavailable")                                                  \
    REASON(REVOKED, "revoked-meanwhile")                                                           \
    REASON(TOO_MANY, "too-many-sessions")                                                          \
    REASON(OVERLOADED, "overloaded")

enum event_kind {
#define KIND(name, text) EVENT_##name,
    EVENT_KINDS(KIND)
#undef KIND
        EVENT_KIND_COUNT
};

enum reason {
#define REASON(name, text) REASON_##name,
    EVENT_REASONS(REASON)
#undef REASON
        REASON_COUNT
};

const char *event_text(enum event_kind k);
const char *event_reason(enum reason r);

/* Cuts and copies `from` into `to` (`room` octets with NUL), with no NUL and no control inside and
 * without cutting a UTF-8 sequence in two. */
void event_copy(char *to, size_t room, struct view from);
/* The address alone, without its port; "" for a Unix socket. */
void event_source(char to[STORE_NETWORK], const struct addr *source);

#endif
