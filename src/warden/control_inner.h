/* control_inner.h: what control.c shares with the files of its commands. A command has three parts,
 * any of which may be missing: `prepare` on the loop (values are checked here), `run` on the pool
 * (the store), `finish` on the loop (sessions are ended here). After a part that has failed the
 * next ones are left out. */
#ifndef POSTERN_WARDEN_CONTROL_INNER_H
#define POSTERN_WARDEN_CONTROL_INNER_H

#include "net/channel.h"
#include "warden/control.h"

struct request;

enum account_use { ACCOUNT_ABSENT = 0, ACCOUNT_OPTIONAL, ACCOUNT_NEEDED };

struct command {
    enum wire_number number;
    enum account_use account;
    void (*prepare)(struct request *r);
    void (*run)(struct request *r);
    void (*finish)(struct request *r);
};

struct client {
    struct control *control;
    struct channel *channel; /* owned */
    uint32_t uid;
    bool is_admitted;
    struct request *request; /* under way; owned by itself while a job runs */
    /* `postern events --follow` */
    bool is_following;
    char followed[STORE_NAME]; /* "": all accounts */
    uint64_t last_event;       /* shown */
    bool is_behind;            /* there are newer ones */
    struct client *next, **before;
};

struct request {
    struct job job;
    struct warden *w;
    struct client *client; /* borrowed; NULL: has hung up */
    uint32_t uid;
    const struct command *command;
    struct buf frame;         /* owned; wiped: may hold a secret */
    union wire_any any;       /* into `frame` */
    char account[STORE_NAME]; /* normalised, or "" */
    enum err status;
    char text[512];  /* of `done` */
    struct buf rows; /* owned: length, frame, length, frame …; wiped */
    size_t rows_sent;
    uint64_t last_event; /* of the events listed */
    bool is_recorded;    /* an event was written */
    bool is_newer;       /* for who follows: what came since `last_event` */
    bool is_waiting;     /* `prepare` has begun something; request_go_on follows */
    bool is_answering;   /* rows go out as fast as the client reads; no job is under way */
    struct {
        char network[ADDR_TEXT_MAX]; /* canonical */
        char sender[STORE_NAME];     /* normalised, or "" */
        uint32_t protocols;
        uint64_t session;
        uint32_t count;
    } value;
};

/* Fails with what is wrong and the mend. */
void request_fail(struct request *r, enum err status, const char *format, ...) PRINTF(3, 4);
/* Fails as the store did: out of service. */
void request_fail_store(struct request *r, enum err e);
void request_say(struct request *r, const char *format, ...) PRINTF(2, 3);
/* A row of the answer (copied). */
void request_row(struct request *r, enum wire_number number, const void *row);
/* Writes the event of an act that is done; on the pool. */
void request_record(struct request *r, enum event_kind kind, const char *credential,
                    const char *reason);
/* The same from the loop, behind the writer. */
void request_record_later(struct request *r, enum event_kind kind, const char *credential,
                          const char *reason);
/* The prepared thing has come: on with `run`, or with the failure; or, if the client has hung up
 * meanwhile, no further: it would not learn what was made for it. */
void request_go_on(struct request *r);
/* Something was revoked: judgements under way are made again, remembered refusals are forgotten. */
void request_revoked(struct request *r);
/* False, and failed: there is no such account. On the pool. */
MUST_USE bool request_needs_account(struct request *r, struct store_account *ret);

/* control_account.c */
void control_account_add(struct request *r);
void control_account_list(struct request *r);
void control_account_show(struct request *r);
void control_account_show_sessions(struct request *r);
void control_account_enable(struct request *r);
void control_account_enabled(struct request *r);
void control_account_remove(struct request *r);
void control_account_removed(struct request *r);
/* control_app_password.c */
void control_app_password_check(struct request *r);
void control_app_password_add(struct request *r);
void control_app_password_list(struct request *r);
void control_app_password_revoke(struct request *r);
void control_app_password_revoked(struct request *r);
void control_app_password_rows(struct request *r, const char *account);
/* control_factor.c: invitations, TOTP, leases */
void control_invite_check(struct request *r);
void control_invite(struct request *r);
void control_totp_enrol(struct request *r);
void control_lease_check(struct request *r);
void control_lease_add(struct request *r);
void control_lease_list(struct request *r);
void control_lease_revoke(struct request *r);
void control_lease_revoked(struct request *r);
void control_lease_rows(struct request *r, const char *account);
/* control_session.c: sessions, events, status */
void control_session_list(struct request *r);
void control_session_check(struct request *r);
void control_session_end(struct request *r);
void control_event_list(struct request *r);
void control_event_follow(struct request *r);
void control_status(struct request *r);
void control_status_finish(struct request *r);
/* What changed lets people in who were refused a moment ago. */
void control_changed(struct request *r);

#endif
