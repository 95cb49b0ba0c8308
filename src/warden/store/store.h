/* store.h: what the warden remembers: accounts, factors, app passwords, leases, sessions, events.
 * One interface; SQLite is the embedded driver, PostgreSQL takes the same one later.
 *
 * A struct store is thread-safe: it owns a few connections and lends one to each call. Calls block
 * (disk, later network): they run on the thread pool, never on the loop. What a call has
 * acknowledged survives kill -9 and a loss of power. Secrets arrive here already sealed or hashed
 * (factor/). Times are seconds since 1970 and always an argument. Errors: ERR_NOT_FOUND,
 * ERR_EXISTS; ERR_BUSY and ERR_IO when the store is out of service (the verdict is then "later").
 * A function given to a list runs while a connection is lent: it must not call the store.
 * Runs in: warden. */
#ifndef POSTERN_WARDEN_STORE_STORE_H
#define POSTERN_WARDEN_STORE_STORE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/view.h"

#define STORE_NAME      (LIMIT_ACCOUNT + 1)
#define STORE_PUBLIC_ID 24 /* public part of an app password, with NUL */
#define STORE_VERIFIER  32
#define STORE_SEALED    (LIMIT_SECRET + 128) /* sealed, with padding, nonce and tag */
#define STORE_NETWORK   (LIMIT_NAME + 1)
#define STORE_CLIENT    (LIMIT_CLIENT + 1)

struct store;

struct store_conf {
    const char *driver; /* "sqlite" */
    const char *path;   /* the database file */
    unsigned connections;
};

/* Opens, and brings the schema to this program's version. ERR_DENIED: made by a newer program. */
MUST_USE enum err store_open(const struct store_conf *conf, struct store **ret);
void store_free(struct store *s);

/* ---- accounts ---- */
struct store_account {
    uint64_t id;
    char name[STORE_NAME];
    bool is_enabled;
    bool has_totp;
    int64_t created_at;
    uint32_t app_passwords, leases; /* live ones; filled by list and show only */
};
MUST_USE enum err store_account_add(struct store *s, const char *name, int64_t now);
MUST_USE enum err store_account_find(struct store *s, const char *name, struct store_account *ret);
MUST_USE enum err store_account_enable(struct store *s, const char *name, bool is_enabled);
MUST_USE enum err store_account_remove(struct store *s, const char *name);
/* Calls `each` for every account by name; a false from it stops. */
MUST_USE enum err store_account_list(struct store *s, int64_t now,
                                     bool (*each)(void *arg, const struct store_account *a),
                                     void *arg);

/* ---- app passwords ---- */
struct store_app_password {
    char id[STORE_PUBLIC_ID];
    char account[STORE_NAME];
    bool is_account_enabled;
    char label[LIMIT_LABEL + 1];
    uint32_t protocols;                /* bits 1 << protocol_id; 0: all */
    char network[STORE_NETWORK];       /* may only be used from there; "": anywhere */
    char sender[STORE_NAME];           /* submission: may only send as this address; "": as the
                                          policy says */
    int64_t created_at, expires_at;    /* expires_at 0: never */
    char bound_network[STORE_NETWORK]; /* set at first use where the policy says so; "": not yet */
    char bound_device[STORE_CLIENT];
    int64_t last_used_at;
    char last_source[STORE_NETWORK];
    char last_client[STORE_CLIENT];
    uint8_t verifier[STORE_VERIFIER];
    uint8_t sealed[STORE_SEALED]; /* the mailbox password; the app password opens it */
    size_t sealed_n;              /* 0: none */
};
MUST_USE enum err store_app_password_add(struct store *s, const struct store_app_password *p);
/* The one lookup of the login path. */
MUST_USE enum err store_app_password_find(struct store *s, const char *id,
                                          struct store_app_password *ret);
/* Binds at first use; ERR_EXISTS: somebody else was first (find again). */
MUST_USE enum err store_app_password_bind(struct store *s, const char *id, const char *network,
                                          const char *device);
MUST_USE enum err store_app_password_revoke(struct store *s, const char *id);
/* `account` "": of all. Verifier and sealed are not filled. */
MUST_USE enum err store_app_password_list(struct store *s, const char *account,
                                          bool (*each)(void *arg,
                                                       const struct store_app_password *p),
                                          void *arg);

/* ---- TOTP ---- */
struct store_totp {
    uint8_t sealed[128]; /* the seed under the store's key */
    size_t sealed_n;
    uint64_t last_step; /* RFC 6238 time step that was used last; 0: none */
};
MUST_USE enum err store_totp_set(struct store *s, const char *account, struct view sealed,
                                 int64_t now);
MUST_USE enum err store_totp_find(struct store *s, const char *account, struct store_totp *ret);
/* A one-time code counts once: takes `step` for used. ERR_EXISTS: it, or a later one, was. */
MUST_USE enum err store_totp_claim(struct store *s, const char *account, uint64_t step);

/* ---- invitations ---- */
MUST_USE enum err store_invitation_add(struct store *s, const char *account,
                                       const uint8_t token_hash[32], int64_t now,
                                       int64_t expires_at);

/* ---- leases ---- */
struct store_lease {
    uint64_t id;
    char account[STORE_NAME];
    char network[STORE_NETWORK]; /* CIDR; "": any */
    char device[STORE_CLIENT];   /* client label; "": any. One of the two is set */
    int64_t created_at, expires_at;
};
MUST_USE enum err store_lease_add(struct store *s, const struct store_lease *l, uint64_t *ret_id);
MUST_USE enum err store_lease_revoke(struct store *s, uint64_t id, struct store_lease *ret);
/* Those that have not expired; `account` "": of all. */
MUST_USE enum err store_lease_list(struct store *s, const char *account, int64_t now,
                                   bool (*each)(void *arg, const struct store_lease *l), void *arg);

/* ---- written in batches: one transaction, one flush to disk ---- */
struct store_event {
    uint64_t id; /* given by the store */
    int64_t at;
    char kind[LIMIT_NAME + 1]; /* "login", "refused", "closed", "app-password-added" … */
    char account[STORE_NAME];
    char source[STORE_NETWORK];
    char gate[LIMIT_NAME + 1];
    char protocol[LIMIT_NAME + 1];
    char client[STORE_CLIENT];
    char credential[LIMIT_NAME + 1];
    char reason[LIMIT_REASON + 1];
    char actor[LIMIT_NAME + 1]; /* administrative acts: who ("uid 0") */
};

struct store_session {
    char id[LIMIT_NAME + 1];
    char account[STORE_NAME];
    char gate[LIMIT_NAME + 1];
    char protocol[LIMIT_NAME + 1];
    char source[STORE_NETWORK];
    char client[STORE_CLIENT];
    char credential[LIMIT_NAME + 1]; /* id of the app password, "lease N", "otp", "password" */
    int64_t opened_at, closed_at;
    uint64_t octets_up, octets_down;
    char reason[LIMIT_REASON + 1];
};

enum store_write_kind {
    STORE_WRITE_EVENT,
    STORE_WRITE_SESSION_OPENED,
    STORE_WRITE_SESSION_CLOSED, /* by id: closed_at, octets, reason */
    STORE_WRITE_APP_PASSWORD_USED,
};

struct store_write {
    enum store_write_kind kind;
    union {
        struct store_event event;
        struct store_session session;
        struct {
            char id[STORE_PUBLIC_ID];
            int64_t at;
            char source[STORE_NETWORK];
            char client[STORE_CLIENT];
        } used;
    };
};
/* All or nothing. Fills in the ids of the events. */
MUST_USE enum err store_write(struct store *s, struct store_write *writes, size_t n);
/* Sessions that a previous life of the service left open are closed with `reason`; those whose id
 * is told by an edge again are opened anew. */
MUST_USE enum err store_sessions_close_all(struct store *s, int64_t now, const char *reason);
/* The newest `limit` events with id > after, oldest first; `account` "": of all. */
MUST_USE enum err store_event_list(struct store *s, const char *account, uint64_t after,
                                   uint32_t limit,
                                   bool (*each)(void *arg, const struct store_event *e), void *arg);
/* Drops events and closed sessions that are older; at most a few thousand a call. */
MUST_USE enum err store_prune(struct store *s, int64_t older_than);

#endif
