/* stream.h: one end of a session: a socket, TLS on it or not, and what its owner waits for.
 * OpenSSL keeps the descriptor (one copy less); the poller only says when it is ready.
 *
 * Owns: the descriptor and the SSL object. The struct is embedded in its owner, whose memory may
 * only be freed after on_closed, which the poller calls later. Runs in: edge, on its loop's thread.
 * No allocation in read and write beyond OpenSSL's own. */
#ifndef POSTERN_NET_STREAM_H
#define POSTERN_NET_STREAM_H

#include "base/view.h"
#include "net/poller.h"

#include <openssl/ssl.h>
#include <sys/types.h>

enum { STREAM_READ = 1, STREAM_WRITE = 2 };

/* What stream_read and stream_write return when it is not a number of octets above 0. */
enum { STREAM_AGAIN = 0, STREAM_EOF = -1, STREAM_FAILED = -2 };

enum stream_handshake { HANDSHAKE_AGAIN = 0, HANDSHAKE_DONE, HANDSHAKE_FAILED };

struct stream {
    struct watch watch;    /* holds the descriptor, owned; first, so that a watch is its stream */
    struct poller *poller; /* borrowed */
    SSL *ssl;              /* owned; NULL: clear */
    void *owner;           /* borrowed */
    /* The socket is ready for something that was wanted, or broken. Read or write until AGAIN. */
    void (*on_ready)(struct stream *s);
    void (*on_closed)(struct stream *s); /* the memory may go */
    uint8_t wanted;                      /* STREAM_READ | STREAM_WRITE: what the owner waits for */
    bool is_read_blocked_on_write;       /* TLS: a read needs the socket to be writable, … */
    bool is_write_blocked_on_read;       /* … or the other way round */
    bool is_readable; /* the kernel may have octets: false saves the call that would say AGAIN */
    bool is_write_watched; /* a write has blocked once: the poller reports that too */
    bool is_ending;        /* the peer has announced its end: read until it comes */
    bool is_broken; /* the kernel has reported an error or a reset, which it does only once */
    bool is_closing;
    bool is_shut;      /* our side has ended */
    uint8_t rekeyings; /* TLS: how often the peer has asked for new keys or a new handshake */
};

/* Takes `fd` (non-blocking). ERR_IO: the descriptor is closed, the struct is as after on_closed. */
MUST_USE enum err stream_open(struct stream *s, struct poller *p, int fd);
/* Takes the descriptor of a watch, which is done with then. */
void stream_take(struct stream *s, struct poller *p, struct watch *from);
/* Idempotent. Sends close_notify if TLS is up, without waiting. */
void stream_close(struct stream *s);

/* Begins TLS on the socket; takes `ssl` (NULL: made without memory). false: no memory. */
MUST_USE bool stream_start_tls(struct stream *s, SSL *ssl);
MUST_USE enum stream_handshake stream_handshake(struct stream *s);

ssize_t stream_read(struct stream *s, uint8_t *to, size_t n);
/* May take less than all. After AGAIN the same octets must be offered again. */
ssize_t stream_write(struct stream *s, const uint8_t *from, size_t n);
/* Half-close: no more octets from our side; reading goes on. */
void stream_shut(struct stream *s);

/* What to wait for, after a read or write has said AGAIN. */
static inline void stream_want(struct stream *s, uint8_t wanted)
{
    s->wanted = wanted;
}

/* Octets that OpenSSL holds already, for which no readiness will come. */
static inline bool stream_has_pending(const struct stream *s)
{
    return s->ssl != NULL && SSL_has_pending(s->ssl) == 1;
}

#endif
