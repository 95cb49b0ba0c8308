#include "net/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events);

/* The events of the socket that the wishes come down to. */
static uint8_t needed(const struct stream *s)
{
    uint8_t events = 0;

    if ((s->wanted & STREAM_READ) != 0)
        events |= s->is_read_blocked_on_write ? STREAM_WRITE : STREAM_READ;
    if ((s->wanted & STREAM_WRITE) != 0)
        events |= s->is_write_blocked_on_read ? STREAM_READ : STREAM_WRITE;
    return events;
}

static void watch(struct stream *s, uint8_t events)
{
    if (events == s->watched || s->is_closing)
        return;
    s->watched = events;
    (void)uv_poll_start(&s->poll,
                        ((events & STREAM_READ) != 0 ? UV_READABLE : 0) |
                            ((events & STREAM_WRITE) != 0 ? UV_WRITABLE : 0),
                        on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream *s = poll->data;
    const uint8_t need = needed(s);
    const uint8_t ready = (uint8_t)(((events & UV_READABLE) != 0 ? STREAM_READ : 0) |
                                    ((events & UV_WRITABLE) != 0 ? STREAM_WRITE : 0));

    /* On an error libuv has stopped watching: the next read or write will say what it is. */
    if (status < 0)
        s->watched = 0;
    if (status < 0 || (ready & need) != 0)
        s->on_ready(s);
    else
        watch(s, need); /* woken for what nobody waits for: only now is it worth a system call */
}

void stream_want(struct stream *s, uint8_t wanted)
{
    s->wanted = wanted;
    const uint8_t need = needed(s);
    if ((need & (uint8_t)~s->watched) != 0)
        watch(s, need);
}

enum err stream_open(struct stream *s, uv_loop_t *loop, int fd)
{
    if (uv_poll_init(loop, &s->poll, fd) != 0) {
        (void)close(fd);
        s->fd = -1;
        return ERR_MEMORY;
    }
    s->fd = fd;
    s->ssl = NULL;
    s->wanted = s->watched = 0;
    s->is_read_blocked_on_write = s->is_write_blocked_on_read = false;
    s->is_closing = s->is_shut = false;
    s->poll.data = s;
    return ERR_OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;

    (void)close(s->fd);
    s->fd = -1;
    s->on_closed(s);
}

void stream_close(struct stream *s)
{
    if (s->is_closing || s->fd < 0)
        return;
    s->is_closing = true;
    if (s->ssl != NULL) {
        if (SSL_is_init_finished(s->ssl) && !s->is_shut)
            (void)SSL_shutdown(s->ssl);
        SSL_free(s->ssl);
        s->ssl = NULL;
        ERR_clear_error();
    }
    uv_close((uv_handle_t *)&s->poll, on_handle_closed);
}

void stream_start_tls(struct stream *s, SSL *ssl)
{
    s->ssl = ssl;
}

/* What a failed call of OpenSSL came to; notes which readiness it waits for. */
static ssize_t tls_result(struct stream *s, int r, bool *is_blocked, int other)
{
    const int saved = errno;
    const int e = SSL_get_error(s->ssl, r);

    *is_blocked = e == other;
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
    if (r == 1)
        return HANDSHAKE_DONE;
    const int e = SSL_get_error(s->ssl, r);
    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
        return HANDSHAKE_FAILED; /* the error queue is the caller's, for the log */
    stream_want(s, e == SSL_ERROR_WANT_READ ? STREAM_READ : STREAM_WRITE);
    return HANDSHAKE_AGAIN;
}

static ssize_t clear_result(ssize_t n, bool is_read)
{
    if (n > 0)
        return n;
    if (n == 0)
        return is_read ? STREAM_EOF : STREAM_AGAIN;
    return errno == EAGAIN || errno == EINTR ? STREAM_AGAIN : STREAM_FAILED;
}

ssize_t stream_read(struct stream *s, uint8_t *to, size_t n)
{
    if (s->ssl == NULL)
        return clear_result(recv(s->fd, to, n, 0), true);
    errno = 0;
    const int r = SSL_read(s->ssl, to, (int)n);
    if (r > 0) {
        s->is_read_blocked_on_write = false;
        return r;
    }
    return tls_result(s, r, &s->is_read_blocked_on_write, SSL_ERROR_WANT_WRITE);
}

ssize_t stream_write(struct stream *s, const uint8_t *from, size_t n)
{
    if (s->ssl == NULL)
        return clear_result(send(s->fd, from, n, MSG_NOSIGNAL), false);
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
    if (s->is_shut || s->fd < 0 || s->is_closing)
        return;
    s->is_shut = true;
    if (s->ssl != NULL && SSL_shutdown(s->ssl) < 0)
        ERR_clear_error();
    (void)shutdown(s->fd, SHUT_WR);
}
