/* guard_state.h: what the two halves of the guard share. guard.c follows the client, guard_server.c
 * the upstream. Private to the guard.
 *
 * The client's half as a drawing (the words on the arrows are what happened):
 *
 *   COMMAND ──line with marker──▶ QUIET ──nothing outstanding──▶ ASKED ──"+"──▶ LITERAL ──n──▶ REST
 *      ▲ ▲                                                         │             ▲               │
 *      │ └──────────tagged reply to {n}────────────────────────────┤             └──marker, "+"──┤
 *      │                                    tagged reply to {n+}   ▼                             │
 *      ├◀───────────────── end of line ── DROP_REST ◀──n── DROP_LITERAL                          │
 *      ├◀────────────────────────────────────────────────────────── end of line ─────────────────┘
 *      └──"IDLE"──▶ QUIET ──▶ ASKED ──"+"──▶ IDLE ──"DONE"──▶ COMMAND
 *
 *   ASKED ──tagged reply to a literal inside a list──▶ UNSURE
 *
 * Only COMMAND lines are judged by their command word; a refused one stays or is dropped. */
#ifndef POSTERN_PROTO_IMAP_GUARD_STATE_H
#define POSTERN_PROTO_IMAP_GUARD_STATE_H

#include "proto/protocol.h"

enum guard_client {
    GUARD_CLIENT_COMMAND = 0,  /* at the first line of a command, or in it                       */
    GUARD_CLIENT_QUIET,        /* `line` waits until every earlier command is answered           */
    GUARD_CLIENT_ASKED,        /* `line` was sent; the upstream says next what it made of it     */
    GUARD_CLIENT_LITERAL,      /* `client_left` octets of a literal pass                         */
    GUARD_CLIENT_REST,         /* in the line behind a literal                                   */
    GUARD_CLIENT_DROP_LITERAL, /* as LITERAL and REST, of a command that was refused: it         */
    GUARD_CLIENT_DROP_REST,    /*   goes nowhere                                                 */
    GUARD_CLIENT_IDLE,         /* the upstream idles; DONE is awaited                            */
    GUARD_CLIENT_UNSURE,       /* whatever comes next ends the session                           */
};

enum guard_server {
    GUARD_SERVER_START = 0,       /* between two responses                                       */
    GUARD_SERVER_STAR,            /* behind "*"                                                  */
    GUARD_SERVER_TAG,             /* in a tag                                                    */
    GUARD_SERVER_WORD,            /* in the word behind "* " or the tag                          */
    GUARD_SERVER_CODE_OPEN,       /* behind the word of a status response                        */
    GUARD_SERVER_CODE,            /* in the word of a response code                              */
    GUARD_SERVER_TEXT,            /* in a line that holds no literal                             */
    GUARD_SERVER_DATA,            /* in a line that may end in a literal                         */
    GUARD_SERVER_LITERAL,         /* `server_left` octets of a literal pass                      */
    GUARD_SERVER_CAPABILITY,      /* in the list of "* CAPABILITY"; collected in `held`          */
    GUARD_SERVER_CODE_CAPABILITY, /* in the list of "[CAPABILITY"; collected in `held`           */
    GUARD_SERVER_ENABLED,         /* in the list of "* ENABLED"; collected in `held`             */
    GUARD_SERVER_SWALLOW,         /* in a "+" that the client did not ask for                    */
};

/* The longest word that matters is CAPABILITY; one more octet tells other words from it. */
#define GUARD_WORD 11

struct guard {
    const char *reason; /* not NULL: ended */
    struct buf line;    /* the client's line, until it is complete and sent; owned, mostly empty  */
    struct buf tag;     /* of a command with a literal, of IDLE; or the answer to a refused one   */
    struct buf held;    /* a list of words of the upstream; owned, mostly empty */
    struct buf *label;  /* owned: what ID said, until it is asked for; mostly NULL                */
    uint64_t server_left;
    uint64_t server_size; /* digits of a possible marker so far */
    uint32_t client_left; /* of the literal that passes, is dropped or was asked for              */
    int32_t depth;        /* brackets that are open in the command with a literal                 */
    uint16_t outstanding; /* commands forwarded less tagged replies seen                          */
    uint8_t client;       /* enum guard_client */
    uint8_t server;       /* enum guard_server */
    uint8_t place;        /* enum guard_place */

    bool is_utf8 : 1;         /* the upstream has ENABLED UTF8=ACCEPT (RFC 6855) */
    bool is_trusting : 1;     /* the upstream believes what ID says of the client */
    bool is_line_spent : 1;   /* `line` was handed out by the last step: empty it */
    bool is_held_spent : 1;   /* the same for `held` */
    bool is_tag_spent : 1;    /* the same for `tag`  */
    bool is_nonsync : 1;      /* the literal asked for does not wait in the client's view   */
    bool is_idle : 1;         /* the line asked for is IDLE                                  */
    bool is_first : 1;        /* QUIET: the line is the first one of its command             */
    bool is_answered : 1;     /* REST: the tagged reply came before the end of the command   */
    bool is_refused : 1;      /* DROP_*: it was the gate that refused: an answer is due      */
    bool is_answer_ready : 1; /* `tag` holds a whole answer of the gate for the client     */
    bool is_stray_done : 1;   /* the upstream ended an IDLE: a DONE may still be on its way  */
    bool is_stuttering : 1;   /* until all is answered, "+" may be repeated and means nothing    */
    bool is_labelled : 1;     /* the label was given out once */

    bool is_tagged : 1;  /* this response line is a tagged one                          */
    bool is_own_tag : 1; /* … so far with the tag in `tag`                              */
    bool is_plus : 1;    /* this response line is a continuation request                */
    bool is_cr : 1;      /* the last octet of the response line was CR                  */
    uint8_t marker;      /* how far a literal marker got in the response line           */
    uint8_t marker_digits;
    uint8_t tag_n;  /* octets of the tag of the response line                      */
    uint8_t word_n; /* octets of the word; more than GUARD_WORD: another word      */
    char word[GUARD_WORD + 1];
};

/* Ends the session; the reason is for the log. */
struct guard_step imap_guard_end(struct guard *g, const char *reason);
/* A whole tagged reply, or "+" line, has come from the upstream: what it means for the client. */
void imap_guard_tagged(struct guard *g);
void imap_guard_continue(struct guard *g);
/* The ops' server half. */
struct guard_step imap_guard_server_step(struct guard *g, struct view in);

#endif
