/* guard_state.h: what the parts of the guard share. guard.c follows the client's commands,
 * guard_message.c the message, guard_server.c the upstream's replies. Private to the guard.
 *
 * The client's half as a drawing (the words on the arrows are what happened):
 *
 *   COMMAND ──DATA, EHLO, HELO, QUIT──▶ WAIT ──reply──▶ COMMAND
 *      ▲ ▲                               ├────354 to DATA──▶ MESSAGE ──CRLF.CRLF──▶ COMMAND
 *      │ │                               │                      └──bare CR, LF, NUL──▶ SWALLOW
 *      │ │                               └──221, 421──▶ OVER
 *      │ └───────────────n octets────────────── CHUNK ◀──────┐
 *      │                                                     │ all answered
 *      └──n octets── DROP ◀──all answered── QUIET ◀──BDAT── COMMAND
 *
 * A BDAT is sent only when all before it was answered and a recipient was accepted: a server that
 * refuses one may take its octets for commands (Exim does when the last greeting was HELO, and when
 * anything but BDAT has followed a BDAT: then none is sent up to the next MAIL).
 * Where a chunk ends does not depend on what it holds. But the upstream may hand the message on
 * with DATA, as it is: a bare CR, LF or NUL in it is as bad there as here. Only what was announced
 * as BODY=BINARYMIME (RFC 3030 §3), which never goes out with DATA, passes unseen; of another chunk
 * the rest goes nowhere, and the session ends behind it (SPOILT). */
#ifndef POSTERN_PROTO_SMTP_GUARD_STATE_H
#define POSTERN_PROTO_SMTP_GUARD_STATE_H

#include "proto/protocol.h"
#include "proto/smtp/guard_line.h"

/* Commands not answered yet, ours included. A client that pipelines more waits. */
#define SMTP_DUE_MAX 64

enum smtp_client {
    SMTP_CLIENT_COMMAND = 0, /* at the beginning of a command, or in it                         */
    SMTP_CLIENT_WAIT,        /* the reply to the last command says what comes next              */
    SMTP_CLIENT_QUIET,       /* a BDAT in `line` waits until all before it was answered         */
    SMTP_CLIENT_CHUNK,       /* `chunk_left` octets pass                                        */
    SMTP_CLIENT_DROP,        /* `chunk_left` octets of a refused chunk go nowhere               */
    SMTP_CLIENT_SPOILT,      /* the same of one that holds a bare CR, LF or NUL; then the end   */
    SMTP_CLIENT_MESSAGE,     /* in a message; where exactly: `message`                          */
    SMTP_CLIENT_SWALLOW,     /* in a refused message: nothing more goes to the upstream         */
    SMTP_CLIENT_OVER,        /* the upstream is about to close: nothing more goes to it         */
};

/* Where in a message the next octet is. DOT, DOT_CR and CR: these octets were kept back, since what
 * follows decides what becomes of them. */
enum smtp_message {
    SMTP_MESSAGE_START = 0, /* behind CRLF of the client, or behind the reply to DATA */
    SMTP_MESSAGE_DOT,       /* "." there                                             */
    SMTP_MESSAGE_DOT_CR,    /* "." CR there                                          */
    SMTP_MESSAGE_TEXT,      /* in a line                                             */
    SMTP_MESSAGE_CR,        /* behind CR                                             */
    SMTP_MESSAGE_BARE,      /* behind a bare CR or LF, which has become CRLF         */
};

struct guard {
    const char *reason;   /* not NULL: ended */
    const char *farewell; /* the better words for it: a reply with CRLF, or NULL */
    struct buf line;  /* the client's line, until it is complete and sent; owned, mostly empty */
    struct buf reply; /* the upstream's line, the same; or its whole reply to EHLO */
    char *senders;    /* owned; NULL: not held */
    uint32_t chunk_left;
    uint16_t code;       /* of the upstream's reply that is_open  */
    uint16_t reply_at;   /* where in `reply` the line begins that is not whole yet */
    uint16_t reply_last; /* where in `reply` the last line begins that passes  */
    uint8_t client;      /* enum smtp_client */
    uint8_t message;     /* enum smtp_message */
    uint8_t chunk_due;   /* enum smtp_due, as soon as the chunk has gone */

    bool is_normalised : 1;
    bool is_line_spent : 1;  /* `line` was handed out by the last step: empty it */
    bool is_reply_spent : 1; /* the same for `reply` */
    bool is_open : 1;        /* some lines of a reply have passed, the last has not */
    bool has_chunking : 1;   /* the login saw CHUNKING                                    */
    bool is_chunking : 1;    /* the answer to the last EHLO or HELO has it                */
    bool is_mail : 1;        /* in a transaction: MAIL was accepted …                     */
    bool is_rcpt : 1;        /* … and a recipient                                         */
    bool is_binarymime : 1;  /* offered, as is_chunking                                   */
    bool is_binary : 1;      /* the MAIL that was accepted announced BODY=BINARYMIME      */
    bool is_chunk_cr : 1;    /* the last octet of the chunks so far was CR                */
    bool is_begun : 1;       /* a chunk was sent since MAIL was accepted …                */
    bool is_interrupted : 1; /* … and another command behind it                           */

    uint8_t due_at, due_count;
    uint8_t due[SMTP_DUE_MAX]; /* enum smtp_due, a ring: in this order the client gets answers */
};

#define SMTP_GUARD_BARE "550 5.6.0 Message refused: it holds a bare CR, a bare LF or NUL\r\n"

/* Ends the session; the reason is for the log, the farewell (or NULL) for the client. */
struct guard_step smtp_guard_end(struct guard *g, const char *reason, const char *farewell);
/* The command is complete: an answer is due. There must be room. */
void smtp_guard_push(struct guard *g, enum smtp_due due);
/* The next answer is the gate's own, and nothing is in its way. */
bool smtp_guard_is_own_due(const struct guard *g);
/* One step in a message (MESSAGE, SWALLOW); in.n > 0. */
struct guard_step smtp_guard_message(struct guard *g, struct view in);
/* One step of the upstream's replies; in.n > 0. */
struct guard_step smtp_guard_reply(struct guard *g, struct view in);

#endif
