/* registry.h: the sessions that are alive, by id, by account and by holder (the verdict channel
 * that they came by). A holder can reach its own sessions only: whoever asks compares `holder`.
 * Owns: the sessions and the account names, each once. Bounded by the caller (registry_count, count
 * of the holder) before it adds. Small on purpose: there may be 100,000 sessions. Pure; runs in:
 * warden, on the loop. */
#ifndef POSTERN_WARDEN_REGISTRY_H
#define POSTERN_WARDEN_REGISTRY_H

#include "base/addr.h"
#include "warden/judgement.h"

enum session_state {
    SESSION_PENDING = 0, /* allowed, the upstream has not answered yet */
    SESSION_LIVE,
    SESSION_ENDING, /* told to end; only its `closed` is awaited */
};

struct registry;
struct registry_account;

struct registry_holder {
    struct session *first;
    uint32_t count;
};

/* What is needed until the upstream has answered, then freed. */
struct session_pending {
    struct throttle_ticket ticket;
    enum reason observed;
    bool is_upstream_judge, is_stale_possible, is_master, is_device;
};

struct session {
    uint64_t id;
    enum session_state state;
    uint8_t protocol;
    uint16_t tls_version;
    struct addr source;
    int64_t opened_at;
    uint64_t lease;                        /* 0: none */
    char credential[JUDGEMENT_CREDENTIAL]; /* id of an app password, "lease 7", "otp" … */
    bool is_app_password;                  /* that is what `credential` is */
    const char *gate;                      /* borrowed from the configuration; never NULL */
    char *client;                          /* owned; NULL: says nothing of itself */
    struct session_pending *pending;       /* owned; NULL unless SESSION_PENDING */
    struct registry_account *account;      /* the registry's */
    struct registry_holder *holder;        /* borrowed */
    /* neighbours; the registry's */
    struct session *by_id, *account_next, *account_before, *holder_next, *holder_before;
};

MUST_USE struct registry *registry_new(void); /* NULL: no memory */
/* All holders must be empty. NULL is fine. */
void registry_free(struct registry *r);
/* A session of `account`, for the caller to fill in. NULL: no memory. The id must be new. */
MUST_USE struct session *registry_add(struct registry *r, struct registry_holder *h, uint64_t id,
                                      const char *account);
void registry_remove(struct registry *r, struct session *s);
struct session *registry_find(const struct registry *r, uint64_t id); /* NULL: none */
void session_set_client(struct session *s, struct view client);       /* forgotten without memory */
const char *session_account(const struct session *s);

size_t registry_count(const struct registry *r);
/* Sessions of an account that are not ending, and its first one of any state (then ->account_next).
 */
uint32_t registry_count_of(const struct registry *r, const char *account);
struct session *registry_first_of(const struct registry *r, const char *account);
/* All sessions, in no order: NULL begins, NULL ends. Adding or removing meanwhile is not allowed.
 */
struct session *registry_next(const struct registry *r, const struct session *before);

#endif
