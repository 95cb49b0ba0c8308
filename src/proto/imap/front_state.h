/* front_state.h: what the parts of the IMAP front share: front.c takes lines and literals apart,
 * front_command.c does what the commands say. Used by these two only. Pure; runs in: edge. */
#ifndef POSTERN_PROTO_IMAP_FRONT_STATE_H
#define POSTERN_PROTO_IMAP_FRONT_STATE_H

#include "base/limits.h"
#include "proto/imap/front_parse.h"
#include "proto/protocol.h"

enum state {
    STATE_LINE = 0, /* octets belong to a line                                        */
    STATE_LITERAL,  /* to a literal that is kept                                      */
    STATE_SKIP,     /* to a literal of a refused command: counted, not kept           */
    STATE_TLS,      /* STARTTLS was agreed to: all octets are dropped                 */
    STATE_JUDGED,   /* a credential was presented, its answer is to come              */
    STATE_CLOSED,
};

enum expect {
    EXPECT_COMMAND = 0,
    EXPECT_ARGUMENTS, /* the rest of a command, behind a literal                      */
    EXPECT_SASL,      /* the client's answer to our "+"                               */
    EXPECT_REST,      /* the rest of a refused command, behind a literal              */
};

struct imap_front_command;

struct front {
    const char *host, *portal_url;            /* borrowed for life */
    const char *close_reason;                 /* static */
    const struct imap_front_command *command; /* its arguments or response are to come */
    struct buf line;                /* the command so far, without CRLF; views of events lie here */
    struct buf decoded;             /* the SASL message */
    struct buf user, authorization; /* prepared */
    struct imap_arguments arguments;
    enum state state;
    enum expect expect;
    struct imap_literal tail; /* the mark at the end of the line just taken, with is_tail */
    size_t segment;           /* in `line`: where the octets behind the last literal start */
    uint32_t literal;         /* octets still to come */
    uint32_t octets;          /* of this command so far, kept or not; at most LIMIT_IMAP_LINE */
    uint16_t commands, bad_commands, tries;
    bool is_tls, is_tail;
    bool is_cr; /* the last octet of the line was CR */
    uint8_t tag_n, client_n;
    uint8_t tag[LIMIT_IMAP_TAG];
    uint8_t client[LIMIT_CLIENT];
};

/* The capabilities that are offered now. */
const char *imap_front_capability(const struct front *f);
/* "tag text" or, when the command had no tag, "* text". */
void imap_front_tagged(const struct front *f, const char *text, struct buf *out);
/* What comes next is a new command: wipes the last one. */
void imap_front_finish(struct front *f);
/* BYE with `text`, and no more; `reason` is for the log. Both static. */
struct front_event imap_front_close(struct front *f, const char *text, const char *reason,
                                    struct buf *out);
struct front_event imap_front_close_silently(struct front *f, const char *reason);
struct front_event imap_front_close_no_memory(struct front *f, struct buf *out);

/* What a line asks for, by where it stands; all take it from f->line. */
struct front_event imap_front_command(struct front *f, struct buf *out);   /* a new command    */
struct front_event imap_front_arguments(struct front *f, struct buf *out); /* behind a literal */
struct front_event imap_front_sasl(struct front *f, struct buf *out);      /* a response       */

#endif
