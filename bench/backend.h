/* backend.h: what the parts of the benchmark's mail server share: the session, and the dialects
 * that it speaks. backend.c does the input and output, backend_*.c what the lines mean.
 * A session is owned by backend.c; a dialect writes to `reply` with backend_say() and sets what is
 * due next. One thread. */
#ifndef BENCH_BACKEND_H
#define BENCH_BACKEND_H

#include "link.h"

enum {
    LINE_OCTETS = 4096,  /* longest command line; a SASL response is below 1 KiB */
    REPLY_OCTETS = 1024, /* the longest reply is the one to SELECT */
    TAG_OCTETS = 64,     /* clients use about five */
};

enum expect { EXPECT_COMMAND, EXPECT_SASL, EXPECT_DONE };

struct session;

struct dialect {
    const char *name; /* as after --protocol */
    const char *greeting;
    /* One line without its CRLF, NUL-terminated. */
    void (*take_line)(struct session *s, const char *line, size_t length);
    void (*end_stream)(struct session *s); /* says what follows the message */
};

struct session {
    const struct dialect *dialect;
    struct link link;
    bool is_ready;         /* the TLS handshake is over and the greeting is out */
    bool is_closing;       /* close when `reply` is out */
    enum expect expect;    /* what the next line is */
    bool is_rest;          /* the next line is what follows a literal */
    bool is_message;       /* octets up to <CRLF>.<CRLF> are a message to swallow */
    char tail[4];          /* its last octets */
    uint64_t literal_left; /* octets of a literal still to swallow */
    uint64_t stream_left;  /* octets of the message still to send */
    bool is_stream_tail;   /* end_stream is due when they are out */
    char tag[TAG_OCTETS];
    char verb[16];
    size_t in_length, reply_length, reply_sent;
    char in[LINE_OCTETS];
    char reply[REPLY_OCTETS];
};

extern const struct dialect backend_imap, backend_pop3, backend_smtp;

void backend_say(struct session *s, const char *text);
/* Somebody is logged in: counts it. */
void backend_logged_in(void);
/* Begins to send the message. */
void backend_stream(struct session *s);
uint64_t backend_message_octets(void);
/* Copies the word at `text` and returns what stands behind it and its space. */
const char *backend_take_word(const char *text, char *to, size_t size);

#endif
