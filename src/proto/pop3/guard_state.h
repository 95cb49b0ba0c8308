/* guard_state.h: what the two halves of the guard share. guard.c follows the client, guard_server.c
 * the upstream. Private to the guard. */
#ifndef POSTERN_PROTO_POP3_GUARD_STATE_H
#define POSTERN_PROTO_POP3_GUARD_STATE_H

#include "proto/pop3/guard_line.h"
#include "proto/protocol.h"

enum pop3_guard_server {
    POP3_GUARD_START = 0, /* between two replies                                         */
    POP3_GUARD_STATUS,    /* in a status line                                            */
    POP3_GUARD_TEXT,      /* in the lines behind one, up to CRLF "." CRLF                */
    POP3_GUARD_CAPA,      /* in those of CAPA, each collected in `held`                  */
};

/* Replies that `expected` has room for. A client that pipelines more waits. */
#define POP3_GUARD_OUTSTANDING 32

struct guard {
    const char *reason; /* not NULL: ended */
    struct buf line;    /* the client's line, until it is complete; owned, mostly empty         */
    struct buf held;    /* a line of the upstream's CAPA reply; owned, mostly empty             */
    uint64_t expected;  /* enum pop3_reply of the outstanding replies, the next in the low bits */
    uint32_t octets;    /* of the status line, or of the lines of CAPA, so far                  */
    uint8_t outstanding;
    uint8_t server;         /* enum pop3_guard_server */
    uint8_t end;            /* octets of CRLF "." CRLF that a text ends in so far */
    bool is_ok : 1;         /* STATUS: it begins with '+' */
    bool is_parting : 1;    /* STATUS: nobody has asked for it */
    bool is_cr : 1;         /* STATUS: the last octet was CR */
    bool is_quitting : 1;   /* QUIT went up, and its reply is to come */
    bool is_line_spent : 1; /* `line` was handed out by the last step: empty it */
    bool is_held_spent : 1; /* the same for `held` */
};

/* Ends the session; the reason is for the log. */
struct guard_step pop3_guard_end(struct guard *g, const char *reason);
/* The ops' server half. */
struct guard_step pop3_guard_server_step(struct guard *g, struct view in);

#endif
