/* test_verdict_rig.h: a whole warden without processes, sockets and threads: a store on disk, a
 * clock that the test turns, jobs that run at once, and edges whose frames the test sees. */
#ifndef POSTERN_TESTS_VERDICT_RIG_H
#define POSTERN_TESTS_VERDICT_RIG_H

#include "test_store_scratch.h"
#include "warden/core.h"
#include "warden/docket.h"
#include "warden/link.h"
#include "warden/sessions.h"

#define RIG_FRAMES 256
#define RIG_NOW    1800000000 /* 2027-01-15, seconds since 1970 */

/* The last frames that the warden sent to an edge, decoded by copy. */
struct rig_frame {
    enum wire_number number;
    uint64_t session;
    uint8_t verdict, answer, protocol; /* protocol: of a probe */
    bool is_alert, is_sender_held;
    char senders[512];
    char account[STORE_NAME];
    char credential[LIMIT_NAME + 1];
    char user[STORE_NAME], authorization[STORE_NAME], secret[LIMIT_SECRET + 1];
};

struct rig {
    struct scratch scratch;
    uv_loop_t loop;
    struct warden w;
    struct link *edge; /* one that has said hello */
    struct rig_frame frames[RIG_FRAMES];
    size_t count;
    uint64_t next_session;
};

extern struct rig rig;

enum rig_source { RIG_UPSTREAM = 0, RIG_FILE, RIG_ALIASES };

/* Accounts, policies and upstreams are told apart by domain; see the .c file. */
void rig_open(enum rig_source source);
void rig_close(void);
void rig_pass_s(uint32_t seconds); /* both clocks */
struct link *rig_edge(uint32_t number);

void rig_account(const char *name);
/* An app password of `account`; its text lives until the next rig_close. */
const char *rig_app_password(const char *account, const char *mailbox_password,
                             const struct store_app_password *like);
/* Enrols TOTP; the code of `offset` steps from now. */
void rig_totp(const char *account, uint8_t seed[20]);
void rig_code(const uint8_t seed[20], int offset, char code[7]);
uint64_t rig_lease(const char *account, const char *network, const char *device);

struct rig_question {
    const char *user, *secret, *source, *client, *authorization;
    uint64_t session; /* 0: a new one */
    uint8_t protocol; /* 0: imap */
};
struct wire_question rig_question(const struct rig_question *q);
/* Asks by `edge` and gives the frame that came back. The edge is not at fault. */
struct rig_frame rig_ask(struct link *edge, const struct rig_question *q);
struct rig_expected {
    enum verdict verdict;
    enum answer answer;
    enum reason reason, observed;
    const char *user, *secret, *authorization, *credential; /* what goes upstream; NULL: any */
    const char *senders;                                    /* NULL: any; "": not held */
};
/* Judges without an edge, so that the reason can be seen. */
void rig_judge(const char *name, const struct rig_question *q, const struct rig_expected *x);
void rig_outcome(struct link *edge, uint64_t session, enum outcome result);
const struct rig_frame *rig_last(enum wire_number number); /* NULL: none */
size_t rig_sent(enum wire_number number);                  /* frames of that kind so far */
/* Events of `kind` in the store whose reason is `reason` (NULL: any). */
size_t rig_events(const char *kind, const char *reason);
bool rig_take(struct link *edge, enum wire_number number, const void *message);

#endif
