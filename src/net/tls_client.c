#include "net/tls.h"

#include "base/limits.h"
#include "base/mem.h"
#include "net/tls_common.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"
#define SESSIONS  16 /* hosts whose last session is kept for resumption */

struct remembered {
    char host[LIMIT_HOST + 1];
    SSL_SESSION *session; /* owned */
};

struct tls_client {
    SSL_CTX *ctx;                 /* owned */
    const struct text_list *pins; /* borrowed */
    struct remembered sessions[SESSIONS];
    size_t next;
};

static struct remembered *remembered_for(struct tls_client *t, const char *host)
{
    for (size_t i = 0; i < SESSIONS; i++)
        if (t->sessions[i].session != NULL && strcmp(t->sessions[i].host, host) == 0)
            return &t->sessions[i];
    return NULL;
}

/* The upstream's handshake costs more than all else in a login: keep its newest ticket. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const char *host = SSL_get_app_data(ssl);
    struct remembered *r = host == NULL ? NULL : remembered_for(t, host);

    if (host == NULL)
        return 0;
    if (r == NULL) {
        r = &t->sessions[t->next];
        t->next = (t->next + 1) % SESSIONS;
        (void)snprintf(r->host, sizeof(r->host), "%s", host);
    }
    SSL_SESSION_free(r->session);
    r->session = session;
    return 1; /* ours now */
}

static bool load_ca(SSL_CTX *ctx, struct view pem)
{
    if (pem.n == 0)
        return SSL_CTX_load_verify_file(ctx, SYSTEM_CA) == 1;
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    size_t count = 0;
    bool is_good = bio != NULL;

    for (X509 *ca; is_good && (ca = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;) {
        is_good = X509_STORE_add_cert(store, ca) == 1;
        X509_free(ca);
        count++;
    }
    ERR_clear_error();
    BIO_free(bio);
    return is_good && count != 0;
}

struct tls_client *tls_client_new(const struct tls_client_conf *conf, char *why)
{
    struct tls_client *t = NEW(tls_client);
    const bool is_pinned = conf->pins != NULL && conf->pins->n != 0;

    if (t == NULL || (t->ctx = SSL_CTX_new(TLS_client_method())) == NULL ||
        SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1 ||
        (!is_pinned && !load_ca(t->ctx, conf->ca))) {
        (void)tls_failure(NULL, why, 256);
        tls_client_free(t);
        return NULL;
    }
    tls_common_setup(t->ctx);
    t->pins = is_pinned ? conf->pins : NULL;
    (void)SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(t->ctx, is_pinned ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_session_cache_mode(t->ctx,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, on_new_session);
    (void)SSL_CTX_set_app_data(t->ctx, t);
    return t;
}

void tls_client_free(struct tls_client *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < SESSIONS; i++)
        SSL_SESSION_free(t->sessions[i].session);
    SSL_CTX_free(t->ctx);
    mem_free(t);
}

/* RFC 9525: a name is matched against the certificate's names, an address against its addresses. */
static bool set_host(SSL *ssl, const char *host)
{
    struct addr address;

    if (addr_parse(host, &address))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

SSL *tls_client_session(struct tls_client *t, const char *host)
{
    SSL *ssl = SSL_new(t->ctx);
    const struct remembered *last = remembered_for(t, host);
    union {
        const char *in;
        void *out;
    } name = { .in = host };

    if (ssl == NULL || !set_host(ssl, host) || SSL_set_app_data(ssl, name.out) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    /* OpenSSL spends a session of TLS 1.3 by its use. Many logins at once share the newest ticket:
     * all that it gives away is that the same gate is calling. */
    SSL_SESSION *copy = last == NULL ? NULL : SSL_SESSION_dup(last->session);
    if (copy != NULL)
        (void)SSL_set_session(ssl, copy);
    SSL_SESSION_free(copy);
    SSL_set_connect_state(ssl);
    return ssl;
}

bool tls_client_is_trusted(struct tls_client *t, SSL *ssl)
{
    if (t->pins == NULL)
        return SSL_get_verify_result(ssl) == X509_V_OK;
    X509 *peer = SSL_get0_peer_certificate(ssl);
    uint8_t hash[32];
    unsigned int n = 0;
    char pin[8 + 48] = "sha256/";
    if (peer == NULL)
        return false;
    unsigned char *spki = NULL;
    const int spki_n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(peer), &spki);
    const bool is_hashed =
        spki_n > 0 && EVP_Digest(spki, (size_t)spki_n, hash, &n, EVP_sha256(), NULL) == 1;
    OPENSSL_free(spki);
    if (!is_hashed)
        return false;
    (void)EVP_EncodeBlock((unsigned char *)pin + 7, hash, (int)n);
    for (size_t i = 0; i < t->pins->n; i++)
        if (strcmp(t->pins->items[i], pin) == 0)
            return true;
    return false;
}
