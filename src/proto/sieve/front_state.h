/* front_state.h: what the parts of the ManageSieve front share: front.c follows the octets,
 * front_command.c does what the commands say. Used by these two only. Pure; runs in: edge. */
#ifndef POSTERN_PROTO_SIEVE_FRONT_STATE_H
#define POSTERN_PROTO_SIEVE_FRONT_STATE_H

#include "base/limits.h"
#include "proto/protocol.h"
#include "proto/sieve/command.h"

enum state {
    STATE_COMMAND = 0, /* octets belong to a command, or to the answer to our challenge */
    STATE_TLS,         /* STARTTLS was agreed to: all octets are dropped                */
    STATE_JUDGED,      /* a credential was presented, its answer is to come             */
    STATE_CLOSED,
};

struct front {
    const char *host, *portal_url; /* borrowed for life */
    const char *close_reason;      /* static */
    struct sieve_command command;
    struct buf offer;               /* what the upstreams offer */
    struct buf decoded;             /* the SASL message; views of events lie here */
    struct buf user, authorization; /* prepared; and here */
    enum state state;
    uint16_t commands, bad_commands, tries;
    bool is_tls;
    bool is_answer; /* `command` is the answer to our challenge */
};

/* The commands that are understood, by whether TLS is on. */
const struct sieve_command_conf *sieve_front_commands(bool is_tls);
/* `word "text"`, or `word (code) "text"`: a whole status. */
void sieve_front_put(const char *word, const char *code, const char *text, struct buf *out);
/* The capabilities as they are now, and OK. */
void sieve_front_put_capabilities(const struct front *f, const char *text, struct buf *out);
/* What comes next is a new command: wipes the last one. */
void sieve_front_finish(struct front *f);
/* BYE with `text`, and no more; `reason` is for the log. Both static. */
struct front_event sieve_front_close(struct front *f, const char *text, const char *reason,
                                     struct buf *out);
struct front_event sieve_front_close_silently(struct front *f, const char *reason);
struct front_event sieve_front_close_no_memory(struct front *f, struct buf *out);

/* Does what f->command, which is whole, says. */
struct front_event sieve_front_run(struct front *f, struct buf *out);

#endif
