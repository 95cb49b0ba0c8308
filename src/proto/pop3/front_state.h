/* front_state.h: what the parts of the POP3 front share: front.c takes lines and answers,
 * front_command.c does what the commands say. Used by these two only. Pure; runs in: edge. */
#ifndef POSTERN_PROTO_POP3_FRONT_STATE_H
#define POSTERN_PROTO_POP3_FRONT_STATE_H

#include "proto/line/line.h"
#include "proto/protocol.h"

enum pop3_front_state {
    POP3_FRONT_COMMAND = 0, /* octets belong to a command                             */
    POP3_FRONT_SASL,        /* to the response to our "+"                             */
    POP3_FRONT_TLS,         /* STLS was agreed to: all octets are dropped             */
    POP3_FRONT_JUDGED,      /* a credential was presented, its answer is to come      */
    POP3_FRONT_CLOSED,
};

struct front {
    const char *host, *portal_url;  /* borrowed for life */
    const char *close_reason;       /* static */
    struct line line;               /* views of events lie here */
    struct buf offer;               /* CAPA lines of the upstreams that may be shown */
    struct buf name;                /* what USER said, for the PASS behind it */
    struct buf decoded;             /* the SASL message */
    struct buf user, authorization; /* prepared */
    enum pop3_front_state state;
    uint16_t commands, bad_commands, tries;
    bool is_tls;
    bool is_named; /* the last command was USER */
};

/* "+OK text" or "-ERR text", as the text says. */
void pop3_front_say(const char *text, struct buf *out);
/* What comes next is a new command: wipes the last one. */
void pop3_front_finish(struct front *f);
/* No more; `reason` is for the log. With `text`: says so first. All static. */
struct front_event pop3_front_close(struct front *f, const char *reason);
struct front_event pop3_front_close_saying(struct front *f, const char *text, const char *reason,
                                           struct buf *out);

/* What a line asks for; both take it from f->line. */
struct front_event pop3_front_command(struct front *f, struct buf *out);
struct front_event pop3_front_sasl(struct front *f, struct buf *out);

#endif
