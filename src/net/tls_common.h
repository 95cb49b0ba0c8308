/* tls_common.h: what both sides of the gate set on a context. Private to net/tls_*.c. */
#ifndef POSTERN_NET_TLS_COMMON_H
#define POSTERN_NET_TLS_COMMON_H

#include <openssl/ssl.h>

void tls_common_setup(SSL_CTX *ctx);

#endif
