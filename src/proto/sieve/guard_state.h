/* guard_state.h: what the two halves of the guard share. guard.c follows the client, guard_server.c
 * the upstream. Private to the guard.
 *
 * The client's half as a drawing:
 *
 *   COMMAND ──head of PUTSCRIPT, CHECKSCRIPT──▶ SCRIPT ──n octets──▶ TAIL ──CR──▶ TAIL_CR
 *      │ ▲                                                                          │ LF
 *      │ └──────────────────────────────────────────────────────────────────────────┘
 *      └──LOGOUT──▶ OVER
 *
 * Nothing of a command goes upstream before it is whole (up to a script's octets), and then in our
 * own words, built anew from what it says: one way to write each command, whatever the client's.
 *
 * What servers do when they refuse a command at its script, so that the client's octets are still
 * that literal's for us: Dovecot 2.3 (sieve_max_script_size, quotas, a bad name) says NO as soon as
 * it has read the literal's size, Cyrus 3.6 (sieve_maxscriptsize) when it has read its octets; both
 * swallow these and the rest of the line. That holds because nothing else can be wrong with the
 * line: behind a name that is not UTF-8 (Dovecot) or not ASCII between its quotes (Cyrus) they
 * throw away one line only, and read the script as commands. Should another server do so for the
 * script's size, its first octets are past mending; from the NO on it gets spaces in place of the
 * others.
 */
#ifndef POSTERN_PROTO_SIEVE_GUARD_STATE_H
#define POSTERN_PROTO_SIEVE_GUARD_STATE_H

#include "proto/protocol.h"
#include "proto/sieve/command.h"
#include "proto/sieve/response.h"

/* A client that pipelines more than this waits for answers. */
#define GUARD_OUTSTANDING 32

enum guard_client {
    GUARD_CLIENT_COMMAND = 0, /* at the beginning of a command, or in it          */
    GUARD_CLIENT_SCRIPT,      /* `script_left` octets of a script pass            */
    GUARD_CLIENT_TAIL,        /* behind them: CR must come                        */
    GUARD_CLIENT_TAIL_CR,     /* and LF                                           */
    GUARD_CLIENT_OVER,        /* behind LOGOUT: what comes is dropped             */
};

/* What the answer to a command may hold. */
enum guard_answer {
    GUARD_ANSWER_STATUS = 0,
    GUARD_ANSWER_LIST,       /* LISTSCRIPTS: lines of data                        */
    GUARD_ANSWER_SCRIPT,     /* GETSCRIPT: one line of data                       */
    GUARD_ANSWER_CAPABILITY, /* lines that are held, and written anew             */
};

struct guard {
    const char *reason; /* not NULL: ended; static */
    struct sieve_command command;
    struct sieve_response response;
    struct buf put;  /* what the last step handed out; owned, mostly empty */
    struct buf held; /* the upstream's capabilities so far; owned, mostly empty */
    uint32_t script_left;
    uint8_t client; /* enum guard_client */
    uint8_t first, outstanding;
    uint8_t answers[GUARD_OUTSTANDING]; /* a ring: enum guard_answer of what is not yet answered */
    bool is_line_held : 1;   /* this line of the upstream goes into `held`                     */
    bool is_script_seen : 1; /* GETSCRIPT's line has come                                      */
    bool is_listed : 1;      /* the capabilities of this answer were handed out                */
    bool is_answer_due : 1;  /* a command was refused by the gate: NO when it is its turn      */
    bool is_blank : 1;       /* SCRIPT: refused already, spaces go in place of its octets      */
    bool is_bye : 1;         /* the upstream has said BYE                                      */
};

/* Ends the session; the reason is for the log. */
struct guard_step sieve_guard_end(struct guard *g, const char *reason);
/* The whole status of the command that is outstanding longest has come. */
void sieve_guard_answered(struct guard *g, enum sieve_status status);
/* The ops' server half. */
struct guard_step sieve_guard_server_step(struct guard *g, struct view in);
/* What is to be answered next; outstanding > 0. */
enum guard_answer sieve_guard_awaited(const struct guard *g);
/* Does the gate's own answer come next? */
bool sieve_guard_is_own_turn(const struct guard *g);

#endif
