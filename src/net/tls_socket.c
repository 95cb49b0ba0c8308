#include "net/tls_socket.h"

#include <errno.h>
#include <openssl/bio.h>
#include <sys/socket.h>

static BIO_METHOD *method; /* one a process, for ever */

static int on_read(BIO *bio, char *to, int n)
{
    struct stream *s = BIO_get_data(bio);
    ssize_t r;

    BIO_clear_retry_flags(bio);
    if (!s->is_readable) {
        BIO_set_retry_read(bio);
        return -1;
    }
    do
        r = recv(s->watch.fd, to, (size_t)n, 0);
    while (r < 0 && errno == EINTR);
    /* With the peer's end already announced a short read is not the last: the next says "end". */
    if (r > 0 && r < n && !s->is_ending)
        s->is_readable = false;
    if (r < 0 && errno == EAGAIN)
        BIO_set_retry_read(bio);
    return (int)r;
}

static int on_write(BIO *bio, const char *from, int n)
{
    const struct stream *s = BIO_get_data(bio);
    ssize_t r;

    BIO_clear_retry_flags(bio);
    do
        r = send(s->watch.fd, from, (size_t)n, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno == EAGAIN)
        BIO_set_retry_write(bio);
    return (int)r;
}

static long on_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0; /* nothing is held back */
}

bool tls_socket_attach(SSL *ssl, struct stream *s)
{
    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "postern socket");
        if (method == NULL || BIO_meth_set_read(method, on_read) != 1 ||
            BIO_meth_set_write(method, on_write) != 1 || BIO_meth_set_ctrl(method, on_control) != 1)
            return false;
    }
    BIO *bio = BIO_new(method);
    if (bio == NULL)
        return false;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return true;
}
