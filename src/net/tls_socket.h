/* tls_socket.h: how OpenSSL reads and writes a stream's socket. As OpenSSL's own socket BIO, but a
 * read that got less than it asked for tells the stream that the kernel holds no more, which saves
 * the read that would only say EAGAIN. Source: epoll(7), questions and answers, 9. Runs in: edge.
 */
#ifndef POSTERN_NET_TLS_SOCKET_H
#define POSTERN_NET_TLS_SOCKET_H

#include "base/attr.h"
#include "net/stream.h"

/* Gives `ssl` the stream's socket. false: no memory. */
MUST_USE bool tls_socket_attach(SSL *ssl, struct stream *s);

#endif
