/* front_state.h: what the parts of the submission front share: front.c takes the input apart and
 * answers credentials, front_command.c does what the lines say. Used by these two only. Pure; runs
 * in: edge. */
#ifndef POSTERN_PROTO_SMTP_FRONT_STATE_H
#define POSTERN_PROTO_SMTP_FRONT_STATE_H

#include "proto/line/line.h"
#include "proto/protocol.h"

enum state {
    STATE_LINE = 0,
    STATE_TLS,    /* STARTTLS was agreed to: all octets are dropped    */
    STATE_JUDGED, /* a credential was presented, its answer is to come */
    STATE_CLOSED,
};

enum expect {
    EXPECT_COMMAND = 0,
    EXPECT_PLAIN,  /* the message of AUTH PLAIN    */
    EXPECT_USER,   /* the user name of AUTH LOGIN  */
    EXPECT_SECRET, /* and its password             */
};

struct front {
    const char *host, *portal_url;  /* borrowed for life */
    const char *close_reason;       /* static */
    struct line line;               /* a command or a response */
    struct buf offer;               /* of the upstreams, as lines with CRLF: only what may pass */
    struct buf name;                /* the user name of AUTH LOGIN, decoded */
    struct buf decoded;             /* the message of AUTH PLAIN, the password of AUTH LOGIN */
    struct buf user, authorization; /* prepared */
    enum state state;
    enum expect expect;
    uint16_t commands, bad_commands, tries;
    bool is_tls;
    bool is_extended; /* EHLO was said since the greeting, since TLS began, since HELO */
};

/* What comes next is a new command: wipes the last one. */
void smtp_front_finish(struct front *f);
/* 421 with `code` (RFC 3463) and `text`, and no more; `reason` is for the log. All static. */
struct front_event smtp_front_close(struct front *f, const char *code, const char *text,
                                    const char *reason, struct buf *out);
struct front_event smtp_front_close_silently(struct front *f, const char *reason);
struct front_event smtp_front_close_no_memory(struct front *f, struct buf *out);

/* What a whole line asks for, by what was expected. */
struct front_event smtp_front_line(struct front *f, struct buf *out);
/* The line so far belongs to an exchange of credentials. */
bool smtp_front_is_auth(const struct front *f);

#endif
