/* link.h: one end of a TCP connection of the benchmark, plain or TLS, never blocking.
 * Owns:    descriptor and SSL object; link_close() gives both back and may be called again.
 * Errors:  LINK_WAIT is "not now": come back on the next epoll event. LINK_BAD is final.
 * For:     backend.c and load.c. OpenSSL is the only dependency. */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum link_result {
    LINK_BAD = -2,
    LINK_WAIT = -1,
    LINK_END = 0, /* the other side closed; positive values are octets */
};

enum { LINK_SUITE_OCTETS = 96 };

struct link {
    int fd;
    SSL *ssl; /* NULL: plain */
};

/* Parses "127.0.0.1:1143"; false when it is not an IPv4 address with a port. */
bool link_parse_address(const char *text, struct sockaddr_in *ret_address);

/* A listening, non-blocking socket, or -1 with errno. */
int link_listen(const struct sockaddr_in *address);

/* Accepts one connection; `tls` NULL means plain. LINK_WAIT when none is waiting. */
int link_accept(struct link *l, int listener, SSL_CTX *tls);

/* Begins to connect from `source` (port 0: the kernel picks) to `target`. */
int link_connect(struct link *l, const struct sockaddr_in *source, const struct sockaddr_in *target,
                 SSL_CTX *tls);

/* 1 when the TLS handshake is over (at once when plain), LINK_WAIT or LINK_BAD. */
int link_handshake(struct link *l);

ssize_t link_read(struct link *l, void *to, size_t size);
ssize_t link_write(struct link *l, const void *from, size_t size);
void link_close(struct link *l);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384 X25519", or "plain". */
void link_suite(const struct link *l, char ret_text[LINK_SUITE_OCTETS]);

/* Contexts with the same settings on both sides. NULL: the reason is on standard error. */
SSL_CTX *link_server_context(const char *certificate, const char *key);
SSL_CTX *link_client_context(const char *ca, const char *version);

uint64_t link_now_ns(void);

/* Raises the soft limit of descriptors to the hard one and returns it. */
unsigned long link_raise_descriptors(void);

#endif
