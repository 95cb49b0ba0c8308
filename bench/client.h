/* client.h: one client session of the load generator: connects, logs in, then sends what it
 * is told and says what came back.
 * Owns:    its link. Borrows user and password until it is logged in.
 * Use:     client_start(), then client_advance() on each epoll event until CLIENT_WAIT; after any
 *          other event the caller may queue a command with client_send() and must call again.
 * Errors:  CLIENT_LOST and CLIENT_REFUSED are final: call client_close(). */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "link.h"

enum client_event {
    CLIENT_WAIT,      /* nothing more now */
    CLIENT_LOGGED_IN, /* the login was taken */
    CLIENT_DONE,      /* what was sent last was done */
    CLIENT_CONTINUE,  /* "+" or 354 */
    CLIENT_REFUSED,   /* a negative reply, or a greeting that is not good */
    CLIENT_LOST,      /* closed, failed, or talking nonsense */
};

enum client_stage {
    CLIENT_CLOSED,
    CLIENT_HANDSHAKE,
    CLIENT_GREETING,
    CLIENT_HELLO, /* EHLO or USER was sent */
    CLIENT_LOGIN,
    CLIENT_OPEN
};

struct client;

/* How a protocol is spoken; speech.c. */
struct client_speech {
    const char *name; /* as after --protocol */
    const char *logout;
    const char *upload_end; /* what follows an upload's octets */
    /* One reply line without CRLF, NUL-terminated. CLIENT_WAIT means "of no interest". */
    enum client_event (*take_line)(struct client *c, const char *line, size_t length);
    /* Says that an upload of so many octets is to come; CLIENT_CONTINUE asks for them. */
    void (*begin_upload)(struct client *c, uint64_t octets);
};

const struct client_speech *client_speech(const char *name); /* NULL: none */

struct client_conf {
    struct sockaddr_in source, target;
    SSL_CTX *tls; /* borrowed; NULL: plain */
    const struct client_speech *speech;
    const char *user, *password; /* borrowed */
};

enum {
    CLIENT_LINE_OCTETS = 4096,    /* longest reply line: capabilities are below 1 KiB */
    CLIENT_COMMAND_OCTETS = 1024, /* longest command: LOGIN */
};

struct client {
    struct link link;
    enum client_stage stage;
    const struct client_speech *speech;
    unsigned replies_ahead; /* positive replies that do not end what was asked */
    const char *user, *password;
    uint64_t started_ns;     /* for the caller */
    uint64_t fetched_octets; /* of literals, all compared with what the backend sends */
    uint64_t literal_left, literal_at;
    uint64_t upload_left; /* octets that follow `out` */
    size_t out_length, out_sent, in_length;
    char out[CLIENT_COMMAND_OCTETS];
    char in[CLIENT_LINE_OCTETS];
};

/* False when no socket is to be had (the caller looks at errno). */
bool client_start(struct client *c, const struct client_conf *conf);
enum client_event client_advance(struct client *c);
/* Queues a command, CRLF included. The one before must have been answered. */
void client_send(struct client *c, const char *text);
/* Queues `octets` and what ends an upload. */
void client_upload(struct client *c, uint64_t octets);
void client_close(struct client *c);

#endif
