#include "config/report.h"
#include "config/url.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define RSA_BITS_MIN 2048 /* CA/Browser Forum, Mozilla's intermediate profile */

struct files {
    const struct config *c;
    struct report *r;
};

static const char *ssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return reason == NULL ? "unknown reason" : reason;
}

/* Opens a PEM file; NULL: it was reported. */
static BIO *open_pem(const struct files *f, const char *path, const char *file)
{
    const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const int why = errno;
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "r");
    BIO *bio = stream == NULL ? NULL : BIO_new_fp(stream, BIO_CLOSE);

    if (bio != NULL)
        return bio;
    if (stream != NULL)
        (void)fclose(stream);
    else if (fd >= 0)
        (void)close(fd);
    report_setting(f->r, f->c, path, "%s: %s: %s", file, fd < 0 ? strerror(why) : "no memory",
                   fd < 0 && why == EACCES ? "run as root, or let this user read it"
                                           : "write the path of a PEM file");
    return NULL;
}

/* A key file must not ask for a passphrase: nobody is there to type it. */
static int no_passphrase(char *buf, int size, int is_writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    (void)arg;
    return 0;
}

/* ---- certificates --------------------------------------------------------------------- */

static X509 *read_certificate(const struct files *f, const char *path, const char *file)
{
    BIO *bio = open_pem(f, path, file);

    if (bio == NULL)
        return NULL;
    X509 *x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (x == NULL)
        report_setting(f->r, f->c, path,
                       "%s: no certificate (%s): write a PEM file with the certificate first, then "
                       "its chain",
                       file, ssl_reason());
    return x;
}

static EVP_PKEY *read_key(const struct files *f, const char *path, const char *file)
{
    BIO *bio = open_pem(f, path, file);

    if (bio == NULL)
        return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key == NULL)
        report_setting(f->r, f->c, path,
                       "%s: no private key (%s): write a PEM file with a key without passphrase",
                       file, ssl_reason());
    return key;
}

static void check_times(const struct files *f, const char *file, const X509 *x)
{
    if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
        report_setting(f->r, f->c, "tls.certificate", "%s: has expired: renew it", file);
    if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
        report_setting(f->r, f->c, "tls.certificate",
                       "%s: is not valid yet: set the clock, or use another", file);
}

static void check_strength(const struct files *f, const char *file, X509 *x)
{
    EVP_PKEY *key = X509_get0_pubkey(x);

    if (key != NULL && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
        report_setting(f->r, f->c, "tls.certificate",
                       "%s: an RSA key of %d bits: make one of at least %d, or of ECDSA", file,
                       EVP_PKEY_get_bits(key), RSA_BITS_MIN);
}

static void check_pair(const struct files *f, const char *certificate, const char *key_file)
{
    X509 *x = read_certificate(f, "tls.certificate", certificate);
    EVP_PKEY *key = read_key(f, "tls.key", key_file);

    if (x != NULL) {
        check_times(f, certificate, x);
        check_strength(f, certificate, x);
    }
    if (x != NULL && key != NULL && X509_check_private_key(x, key) != 1) {
        ERR_clear_error();
        report_setting(f->r, f->c, "tls.key",
                       "%s: not the key of %s: list keys in the order of the certificates",
                       key_file, certificate);
    }
    X509_free(x);
    EVP_PKEY_free(key);
}

/* ---- ciphers -------------------------------------------------------------------------- */

static bool is_weak(const SSL_CIPHER *cipher)
{
    static const int bad_ciphers[] = { NID_undef,   NID_rc4,      NID_des_cbc, NID_des_ede3_cbc,
                                       NID_rc2_cbc, NID_idea_cbc, NID_seed_cbc };
    const int nid = SSL_CIPHER_get_cipher_nid(cipher);

    for (size_t i = 0; i < COUNT_OF(bad_ciphers); i++)
        if (nid == bad_ciphers[i])
            return true;
    return SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null ||
           SSL_CIPHER_get_digest_nid(cipher) == NID_md5 || SSL_CIPHER_get_bits(cipher, NULL) < 128;
}

static void check_ciphers(const struct files *f)
{
    const struct config *c = f->c;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context == NULL) {
        report_setting(f->r, c, "tls.ciphers", "no memory");
        return;
    }
    if (SSL_CTX_set_ciphersuites(context, c->tls.ciphersuites) != 1)
        report_setting(f->r, c, "tls.ciphersuites",
                       "not taken by OpenSSL (%s): leave it out, or see "
                       "openssl-ciphers(1)",
                       ssl_reason());
    if (SSL_CTX_set_cipher_list(context, c->tls.ciphers) != 1)
        report_setting(f->r, c, "tls.ciphers",
                       "not taken by OpenSSL (%s): leave it out, or see "
                       "openssl-ciphers(1)",
                       ssl_reason());
    STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(context);
    for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(list, i);
        if (is_weak(cipher))
            report_setting(f->r, c, "tls.ciphers", "%s protects nothing: take it out",
                           SSL_CIPHER_get_name(cipher));
    }
    SSL_CTX_free(context);
}

/* ---- the rest ------------------------------------------------------------------------- */

static void check_ca(const struct files *f, const char *path, const char *file)
{
    if (file[0] != 0)
        X509_free(read_certificate(f, path, file));
}

static void check_readable(const struct files *f, const char *path, const char *file)
{
    if (file[0] != 0 && access(file, R_OK) != 0)
        report_setting(f->r, f->c, path, "%s: %s: write the path of a file that can be read", file,
                       strerror(errno));
}

static void check_user(const struct files *f, const char *path, const char *user)
{
    if (user[0] == 0 || strspn(user, "0123456789") == strlen(user))
        return;
    if (getpwnam(user) == NULL)
        report_setting(f->r, f->c, path, "no user \"%s\": make it with adduser --system %s", user,
                       user);
}

size_t config_check_files(const struct config *c, struct config_error *errors, size_t max)
{
    struct report r = { .errors = errors, .max = max };
    const struct files f = { .c = c, .r = &r };

    for (size_t i = 0; i < c->tls.certificate.n && i < c->tls.key.n; i++)
        check_pair(&f, c->tls.certificate.items[i], c->tls.key.items[i]);
    check_ciphers(&f);
    for (size_t i = 0; i < c->upstream_count; i++) {
        AUTO_BUF(path, 256);
        buf_printf(&path, "upstreams.%s.ca", c->upstreams[i].name);
        const char *text = buf_cstr(&path);
        check_ca(&f, text == NULL ? "upstreams" : text, c->upstreams[i].ca);
    }
    check_ca(&f, "password.ldap.ca", c->password.ldap.ca);
    check_readable(&f, "password.file", c->password.file);
    check_user(&f, "users.edge", c->users.edge);
    check_user(&f, "users.warden", c->users.warden);
    return r.n;
}
