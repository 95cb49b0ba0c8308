#include "net/stream.h"

#include "net/tls_socket.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#define REKEYINGS_MAX 64 /* of one session */

/* The readiness that the wishes come down to. */
static uint8_t needed(const struct stream *s)
{
    uint8_t events = 0;

    if ((s->wanted & STREAM_READ) != 0)
        events |= s->is_read_blocked_on_write ? STREAM_WRITE : STREAM_READ;
    if ((s->wanted & STREAM_WRITE) != 0)
        events |= s->is_write_blocked_on_read ? STREAM_READ : STREAM_WRITE;
    return events;
}

/* News that are not wanted now are kept: is_readable. A write is always tried before it is waited
 * for. */
static void on_event(struct watch *w, struct readiness e)
{
    struct stream *s = (struct stream *)(void *)w;
    const uint8_t ready =
        (uint8_t)((e.is_readable ? STREAM_READ : 0) | (e.is_writable ? STREAM_WRITE : 0));

    s->is_readable = s->is_readable || e.is_readable;
    s->is_ending = s->is_ending || e.is_ending;
    s->is_broken = s->is_broken || e.is_broken;
    if (e.is_broken || (ready & needed(s)) != 0)
        s->on_ready(s);
}

static void on_watch_closed(struct watch *w)
{
    struct stream *s = (struct stream *)(void *)w;

    s->on_closed(s);
}

static void init(struct stream *s, struct poller *p)
{
    *s = (struct stream){ .watch = { .on_event = on_event, .on_closed = on_watch_closed, .fd = -1 },
                          .poller = p,
                          .is_readable = true };
}

enum err stream_open(struct stream *s, struct poller *p, int fd)
{
    init(s, p);
    const enum err e = poller_add(p, &s->watch, fd);
    if (e != ERR_OK)
        (void)close(fd);
    return e;
}

void stream_take(struct stream *s, struct poller *p, struct watch *from)
{
    init(s, p);
    poller_hand_over(p, from, &s->watch);
}

void stream_close(struct stream *s)
{
    if (s->is_closing || s->watch.fd < 0)
        return;
    s->is_closing = true;
    if (s->ssl != NULL) {
        /* A peer that has said its last word needs none of ours. To OpenSSL it counts as said all
         * the same, or it would spoil the session for those that resume it. */
        if (SSL_is_init_finished(s->ssl) && !s->is_shut && SSL_get_shutdown(s->ssl) == 0)
            (void)SSL_shutdown(s->ssl);
        SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN);
        SSL_free(s->ssl);
        s->ssl = NULL;
        ERR_clear_error();
    }
    poller_close(s->poller, &s->watch);
}

/* OpenSSL goes on inside one SSL_read for as long as such messages come, 40 µs each: a single
 * client could keep everybody else waiting. Honest ones rekey once in many gigabytes. */
static void on_tls_message(int is_sent, int version, int type, const void *message, size_t n,
                           SSL *ssl, void *owner)
{
    struct stream *s = owner;
    const uint8_t *p = message;

    (void)version;
    const bool is_rekeying =
        is_sent == 0 && type == SSL3_RT_HANDSHAKE && n != 0 && p[0] == SSL3_MT_KEY_UPDATE;
    const bool is_renegotiating =
        is_sent != 0 && type == SSL3_RT_ALERT && n == 2 && p[1] == SSL_AD_NO_RENEGOTIATION;
    if (!is_rekeying && !is_renegotiating)
        return;
    if (s->rekeyings < REKEYINGS_MAX)
        s->rekeyings++;
    else
        SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN); /* SSL_read says that the peer has ended */
}

bool stream_start_tls(struct stream *s, SSL *ssl)
{
    if (ssl == NULL || !tls_socket_attach(ssl, s)) {
        SSL_free(ssl);
        return false;
    }
    s->ssl = ssl;
    SSL_set_msg_callback(ssl, on_tls_message);
    SSL_set_msg_callback_arg(ssl, s);
    return true;
}

static void watch_writing(struct stream *s)
{
    if (s->is_write_watched)
        return;
    s->is_write_watched = true;
    poller_watch_writing(s->poller, &s->watch);
}

/* What a failed call of OpenSSL came to; notes which readiness it waits for. */
static ssize_t tls_result(struct stream *s, int r, bool *is_blocked, int other)
{
    const int saved = errno;
    const int e = SSL_get_error(s->ssl, r);

    *is_blocked = e == other;
    if (e == SSL_ERROR_WANT_READ)
        s->is_readable = false;
    else if (e == SSL_ERROR_WANT_WRITE)
        watch_writing(s);
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return STREAM_AGAIN;
    if (e == SSL_ERROR_ZERO_RETURN)
        return STREAM_EOF;
    if (e == SSL_ERROR_SSL &&
        ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return STREAM_EOF;
    }
    ERR_clear_error();
    return e == SSL_ERROR_SYSCALL && saved == 0 ? STREAM_EOF : STREAM_FAILED;
}

enum stream_handshake stream_handshake(struct stream *s)
{
    errno = 0;
    const int r = SSL_do_handshake(s->ssl);
    if (r == 1) {
        ERR_clear_error(); /* what is left there would be taken for a later fault of another session
                            */
        return HANDSHAKE_DONE;
    }
    const int e = SSL_get_error(s->ssl, r);
    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
        return HANDSHAKE_FAILED; /* the error queue is the caller's, for the log */
    if (e == SSL_ERROR_WANT_WRITE)
        watch_writing(s);
    stream_want(s, e == SSL_ERROR_WANT_READ ? STREAM_READ : STREAM_WRITE);
    return HANDSHAKE_AGAIN;
}

static ssize_t read_clear(struct stream *s, uint8_t *to, size_t n)
{
    ssize_t r;

    do
        r = recv(s->watch.fd, to, n, 0);
    while (r < 0 && errno == EINTR);
    if (r > 0)
        return r;
    if (r == 0)
        return STREAM_EOF;
    if (errno == EAGAIN)
        s->is_readable = false;
    return errno == EAGAIN ? STREAM_AGAIN : STREAM_FAILED;
}

ssize_t stream_read(struct stream *s, uint8_t *to, size_t n)
{
    if (!s->is_readable && !stream_has_pending(s))
        return STREAM_AGAIN;
    if (s->ssl == NULL)
        return read_clear(s, to, n);
    errno = 0;
    const int r = SSL_read(s->ssl, to, (int)n);
    if (r > 0) {
        s->is_read_blocked_on_write = false;
        return r;
    }
    return tls_result(s, r, &s->is_read_blocked_on_write, SSL_ERROR_WANT_WRITE);
}

static ssize_t write_clear(struct stream *s, const uint8_t *from, size_t n)
{
    ssize_t r;

    do
        r = send(s->watch.fd, from, n, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    if (r > 0)
        return r;
    if (r < 0 && errno != EAGAIN)
        return STREAM_FAILED;
    watch_writing(s);
    return STREAM_AGAIN;
}

ssize_t stream_write(struct stream *s, const uint8_t *from, size_t n)
{
    if (s->ssl == NULL)
        return write_clear(s, from, n);
    errno = 0;
    const int r = SSL_write(s->ssl, from, (int)n);
    if (r > 0) {
        s->is_write_blocked_on_read = false;
        return r;
    }
    const ssize_t result = tls_result(s, r, &s->is_write_blocked_on_read, SSL_ERROR_WANT_READ);
    return result == STREAM_EOF ? STREAM_FAILED : result;
}

void stream_shut(struct stream *s)
{
    if (s->is_shut || s->watch.fd < 0 || s->is_closing)
        return;
    s->is_shut = true;
    if (s->ssl != NULL && SSL_shutdown(s->ssl) < 0)
        ERR_clear_error();
    (void)shutdown(s->watch.fd, SHUT_WR);
}
