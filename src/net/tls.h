/* tls.h: TLS towards clients (tls_server) and towards upstreams (tls_client), on OpenSSL 3.
 * Source: RFC 8446, RFC 5246, RFC 5077 and RFC 8446 §4.6.1 (tickets), RFC 7301 (ALPN), RFC 6066
 * (SNI), RFC 9525 (names), RFC 7469 §2.4 (pins). Runs in: edge, one thread. No files: PEM comes as
 * text. */
#ifndef POSTERN_NET_TLS_H
#define POSTERN_NET_TLS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/view.h"
#include "config/config.h"

#include <openssl/ssl.h>

#define TLS_TICKET_KEY  80 /* name 16, HMAC 32, AES 32 */
#define TLS_TICKET_KEYS 4

/* ---- towards clients ---- */
struct tls_server;

struct tls_server_conf {
    const struct view *certificates; /* PEM chains */
    const struct view *keys;         /* PEM keys, one for each */
    size_t count;
    enum conf_minimum minimum;
    const char *ciphers, *ciphersuites;
};

/* NULL: `why` (at least 256 octets) says what OpenSSL thought of it. */
MUST_USE struct tls_server *tls_server_new(const struct tls_server_conf *conf, char *why);
void tls_server_free(struct tls_server *t);
/* `keys`: newest first, TLS_TICKET_KEY octets each; the first seals, all open. Process-wide. */
void tls_server_set_tickets(struct view keys);
/* `alpn` (e.g. "imap") is what a client that offers ALPN must offer (NULL: it may offer none);
 * borrowed for ever. */
MUST_USE SSL *tls_server_session(struct tls_server *t, const char *alpn); /* NULL: no memory */

/* ---- towards upstreams ---- */
struct tls_client;

struct tls_client_conf {
    struct view ca;               /* PEM; empty: the system's, read before the sandbox */
    const struct text_list *pins; /* not empty: instead of the CA; borrowed */
};

MUST_USE struct tls_client *tls_client_new(const struct tls_client_conf *conf, char *why);
void tls_client_free(struct tls_client *t);
/* Verifies `host` (name or address). Resumes the last session with the same host, if there is one.
 */
MUST_USE SSL *tls_client_session(struct tls_client *t, const char *host);
/* After the handshake: with pins, is the peer's key one of them? Without: true. */
MUST_USE bool tls_client_is_trusted(struct tls_client *t, SSL *ssl);

/* A short phrase of why the handshake failed, from OpenSSL's queue (emptied) and the verification.
 */
const char *tls_failure(const SSL *ssl, char *text, size_t size);

#endif
