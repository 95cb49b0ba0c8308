#include "net/tls.h"

#include "base/mem.h"
#include "base/secret.h"
#include "net/tls_common.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define GROUPS          "X25519:P-256:P-384"
#define SESSION_CONTEXT "postern"

/* A certificate, and beside it one of each other key type that is good for all of its names:
 * OpenSSL chooses what the client knows. */
struct identity {
    SSL_CTX *ctx;       /* owned */
    X509 *leaf;         /* owned */
    unsigned key_types; /* how many */
};

struct tls_server {
    struct identity *identities; /* owned; the first answers a client without SNI */
    size_t count;
};

/* Shared by all gates of the process, as a ticket is good at each of them. */
static uint8_t ticket_keys[TLS_TICKET_KEYS][TLS_TICKET_KEY];
static size_t ticket_key_count;
static EVP_CIPHER *ticket_cipher;

void tls_server_set_tickets(struct view keys)
{
    ticket_key_count = keys.n / TLS_TICKET_KEY;
    if (ticket_key_count > TLS_TICKET_KEYS)
        ticket_key_count = TLS_TICKET_KEYS;
    if (ticket_key_count != 0)
        memcpy(ticket_keys, keys.p, ticket_key_count * TLS_TICKET_KEY);
}

static bool set_mac(EVP_MAC_CTX *mac, const uint8_t *key)
{
    uint8_t copy[32];
    char digest[] = "SHA256";

    memcpy(copy, key, sizeof(copy));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, copy, sizeof(copy)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    const bool is_set = EVP_MAC_CTX_set_params(mac, params) == 1;
    secret_wipe(copy, sizeof(copy));
    return is_set;
}

/* RFC 5077 §4 layout; 0: no ticket, 1: good, 2: good, but issue a new one. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_sealing)
{
    if (is_sealing == 1) {
        const uint8_t *key = ticket_keys[0];
        if (ticket_key_count == 0 || RAND_bytes(iv, EVP_CIPHER_get_iv_length(ticket_cipher)) != 1)
            return 0;
        memcpy(name, key, 16);
        return EVP_EncryptInit_ex2(cipher, ticket_cipher, key + 48, iv, NULL) == 1 &&
                       set_mac(mac, key + 16)
                   ? 1
                   : -1;
    }
    for (size_t i = 0; i < ticket_key_count; i++) {
        const uint8_t *key = ticket_keys[i];
        if (memcmp(name, key, 16) != 0) /* the name is public */
            continue;
        if (EVP_DecryptInit_ex2(cipher, ticket_cipher, key + 48, iv, NULL) != 1 ||
            !set_mac(mac, key + 16))
            return -1;
        /* A ticket of TLS 1.3 is spent by its use: without a new one every other login would be
         * full. */
        return i == 0 && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
    }
    return 0;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned int in_n, void *arg)
{
    const char *wanted = SSL_get_app_data(ssl);

    (void)arg;
    for (unsigned int i = 0; wanted != NULL && i < in_n; i += 1U + in[i]) {
        const struct view offered = view_of(in + i + 1, in[i]);
        if (i + 1U + in[i] <= in_n && view_is_equal(offered, view_text(wanted))) {
            *out = in + i + 1;
            *out_n = in[i];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    /* Another protocol's client: RFC 7301 §3.2, and the end of ALPACA. */
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_server *t = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    if (name == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    if (t->count == 1) /* nothing to choose from: spare the look into the certificate */
        return SSL_TLSEXT_ERR_OK;
    const struct identity *best = NULL;
    for (size_t i = 0; i < t->count; i++)
        if (X509_check_host(t->identities[i].leaf, name, 0, 0, NULL) == 1 &&
            (best == NULL || t->identities[i].key_types > best->key_types))
            best = &t->identities[i];
    /* An unknown name gets the first certificate: clients show a clearer error for it. */
    if (best == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    (void)SSL_set_SSL_CTX(ssl, best->ctx);
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *new_context(const struct tls_server_conf *conf, struct tls_server *t)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    const int minimum = conf->minimum == CONF_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

    if (ctx == NULL)
        return NULL;
    tls_common_setup(ctx);
    /* Our order counts, not the client's: an old program does not talk the gate into its worst.
     * What has no AES in hardware says so by putting ChaCha20 first, and gets it. */
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, t);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    if (SSL_CTX_set_min_proto_version(ctx, minimum) == 1 &&
        SSL_CTX_set_cipher_list(ctx, conf->ciphers) == 1 &&
        SSL_CTX_set_ciphersuites(ctx, conf->ciphersuites) == 1 &&
        SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 && SSL_CTX_set_dh_auto(ctx, 1) == 1 &&
        SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1 &&
        SSL_CTX_set_session_id_context(ctx, (const unsigned char *)SESSION_CONTEXT,
                                       sizeof(SESSION_CONTEXT) - 1) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

/* ---- certificates --------------------------------------------------------------------- */

static BIO *bio_of(struct view v)
{
    return BIO_new_mem_buf(v.p, (int)v.n);
}

static bool add_chain(SSL_CTX *ctx, BIO *pem)
{
    for (X509 *next; (next = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL;) {
        if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
            X509_free(next);
            return false;
        }
    }
    ERR_clear_error(); /* the end of the file is an error to PEM_read */
    return true;
}

static bool add_certificate(SSL_CTX *ctx, X509 *leaf, struct view certificate, struct view key)
{
    BIO *chain_pem = bio_of(certificate);
    BIO *key_pem = bio_of(key);
    X509 *again = chain_pem == NULL ? NULL : PEM_read_bio_X509(chain_pem, NULL, NULL, NULL);
    EVP_PKEY *pkey = key_pem == NULL ? NULL : PEM_read_bio_PrivateKey(key_pem, NULL, NULL, NULL);
    const bool is_added = again != NULL && pkey != NULL &&
                          SSL_CTX_use_certificate(ctx, leaf) == 1 &&
                          SSL_CTX_use_PrivateKey(ctx, pkey) == 1 && add_chain(ctx, chain_pem);

    X509_free(again);
    EVP_PKEY_free(pkey);
    BIO_free(chain_pem);
    BIO_free(key_pem);
    return is_added;
}

/* Is `other` good for every DNS name of `leaf`? A wildcard only where `other` has it too. */
static bool covers(X509 *other, X509 *leaf)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool is_covered = sk_GENERAL_NAME_num(names) > 0;

    for (int i = 0; is_covered && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        const char *text = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
        const size_t n = (size_t)ASN1_STRING_length(name->d.dNSName);
        is_covered = X509_check_host(other, text, n, 0, NULL) == 1;
    }
    GENERAL_NAMES_free(names);
    return is_covered;
}

static int key_type(X509 *leaf)
{
    return EVP_PKEY_get_base_id(X509_get0_pubkey(leaf));
}

static X509 *read_leaf(struct view certificate)
{
    BIO *pem = bio_of(certificate);
    X509 *leaf = pem == NULL ? NULL : PEM_read_bio_X509(pem, NULL, NULL, NULL);

    BIO_free(pem);
    return leaf;
}

/* The i-th certificate with those of other key types that may stand in for it. */
static bool make_identity(struct tls_server *t, const struct tls_server_conf *conf, X509 **leaves,
                          size_t i)
{
    struct identity *identity = &t->identities[i];
    int types[8] = { key_type(leaves[i]) };

    identity->ctx = new_context(conf, t);
    if (identity->ctx == NULL ||
        !add_certificate(identity->ctx, leaves[i], conf->certificates[i], conf->keys[i]))
        return false;
    (void)X509_up_ref(leaves[i]);
    identity->leaf = leaves[i];
    identity->key_types = 1;
    for (size_t other = 0; other < conf->count; other++) {
        bool is_new = identity->key_types < COUNT_OF(types) && covers(leaves[other], leaves[i]);
        for (unsigned k = 0; k < identity->key_types; k++)
            is_new = is_new && types[k] != key_type(leaves[other]);
        if (!is_new)
            continue;
        if (!add_certificate(identity->ctx, leaves[other], conf->certificates[other],
                             conf->keys[other]))
            return false;
        types[identity->key_types++] = key_type(leaves[other]);
    }
    return true;
}

static bool load_all(struct tls_server *t, const struct tls_server_conf *conf)
{
    X509 **leaves = mem_array(conf->count, sizeof(*leaves));
    bool is_loaded = leaves != NULL;

    for (size_t i = 0; is_loaded && i < conf->count; i++)
        is_loaded = (leaves[i] = read_leaf(conf->certificates[i])) != NULL;
    t->count = conf->count;
    for (size_t i = 0; is_loaded && i < conf->count; i++)
        is_loaded = make_identity(t, conf, leaves, i);
    for (size_t i = 0; leaves != NULL && i < conf->count; i++)
        X509_free(leaves[i]);
    mem_free(leaves);
    return is_loaded;
}

struct tls_server *tls_server_new(const struct tls_server_conf *conf, char *why)
{
    struct tls_server *t = NEW(tls_server);

    if (ticket_cipher == NULL)
        ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (t != NULL)
        t->identities = mem_array(conf->count, sizeof(*t->identities));
    if (ticket_cipher != NULL && t != NULL && t->identities != NULL && conf->count != 0 &&
        load_all(t, conf))
        return t;
    (void)tls_failure(NULL, why, 256);
    tls_server_free(t);
    return NULL;
}

void tls_server_free(struct tls_server *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; t->identities != NULL && i < t->count; i++) {
        SSL_CTX_free(t->identities[i].ctx);
        X509_free(t->identities[i].leaf);
    }
    mem_free(t->identities);
    mem_free(t);
}

SSL *tls_server_session(struct tls_server *t, const char *alpn)
{
    SSL *ssl = SSL_new(t->identities[0].ctx);
    union {
        const char *in;
        void *out;
    } wanted = { .in = alpn };

    if (ssl == NULL || SSL_set_app_data(ssl, wanted.out) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_accept_state(ssl);
    return ssl;
}
