/* pki.h: a folder with keys and certificates of every kind, good and bad, made for a test. */
#ifndef POSTERN_TESTS_CONFIG_PKI_H
#define POSTERN_TESTS_CONFIG_PKI_H

#include "given.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#define PKI_FILES_MAX 64

static char pki_folder[] = "/tmp/postern-pki-XXXXXX";
static char pki_names[PKI_FILES_MAX][32];
static size_t pki_count;

/* Of a certificate; zeros: signed by itself with SHA-256, no names, good for an hour. */
struct pki_kind {
    EVP_PKEY *key;
    const char *san; /* "DNS:a.example, IP:127.0.0.1" */
    long from_s, until_s;
    const EVP_MD *digest;
    X509 *issuer;
    EVP_PKEY *issuer_key;
    const char *subject;
    bool is_ca;
};

static inline FILE *pki_open(const char *name)
{
    char path[2200];

    assert_true(pki_count < PKI_FILES_MAX);
    (void)snprintf(pki_names[pki_count++], sizeof(pki_names[0]), "%s", name);
    (void)snprintf(path, sizeof(path), "%s/%s", pki_folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    return f;
}

static inline void pki_write_key(const char *name, EVP_PKEY *key, const char *passphrase)
{
    FILE *f = pki_open(name);
    void *phrase = passphrase == NULL ? NULL : (void *)(uintptr_t)passphrase;

    assert_non_null(key);
    assert_int_equal(PEM_write_PrivateKey(f, key, phrase == NULL ? NULL : EVP_aes_128_cbc(), NULL,
                                          0, NULL, phrase),
                     1);
    assert_int_equal(fclose(f), 0);
}

static inline void pki_extend(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static inline X509 *pki_make(const struct pki_kind *k)
{
    X509 *x = X509_new();
    static long serial;

    assert_non_null(x);
    assert_int_equal(X509_set_version(x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), k->from_s == 0 ? -60 : k->from_s));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), k->until_s == 0 ? 3600 : k->until_s));
    const char *subject = k->subject == NULL ? "test" : k->subject;
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                                                (const unsigned char *)subject, -1, -1, 0),
                     1);
    X509_NAME *issuer = X509_get_subject_name(k->issuer == NULL ? x : k->issuer);
    assert_int_equal(X509_set_issuer_name(x, issuer), 1);
    assert_int_equal(X509_set_pubkey(x, k->key), 1);
    if (k->san != NULL)
        pki_extend(x, NID_subject_alt_name, k->san);
    if (k->is_ca)
        pki_extend(x, NID_basic_constraints, "critical,CA:TRUE");
    EVP_PKEY *by = k->issuer_key == NULL ? k->key : k->issuer_key;
    const bool is_pure = EVP_PKEY_is_a(by, "ED25519"); /* hashes by itself */
    const EVP_MD *digest = k->digest == NULL ? EVP_sha256() : k->digest;
    if (X509_sign(x, by, is_pure ? NULL : digest) <= 0)
        fail_msg("%s, %s: not signed", EVP_PKEY_get0_type_name(by), subject);
    return x;
}

/* As many as there are before the NULL. */
static inline void pki_write_chain(const char *name, X509 *const *chain)
{
    FILE *f = pki_open(name);

    for (; *chain != NULL; chain++)
        assert_int_equal(PEM_write_X509(f, *chain), 1);
    assert_int_equal(fclose(f), 0);
}

static inline void pki_write(const char *name, const struct pki_kind *k)
{
    X509 *x = pki_make(k);

    pki_write_chain(name, (X509 *[]){ x, NULL });
    X509_free(x);
}

static inline int pki_tear_down(void **state)
{
    char path[2200];

    (void)state;
    for (size_t i = 0; i < pki_count; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", pki_folder, pki_names[i]);
        (void)unlink(path);
    }
    return rmdir(pki_folder);
}

/* A configuration whose files are looked at. */
struct pki_case {
    const char *tls;      /* inside of tls: { … }, with ~ for the folder */
    const char *rest;     /* behind it */
    const char *expected; /* NULL: all is right */
    size_t count;         /* of problems; 0: any */
};

static inline struct config *pki_given(const struct pki_case *t)
{
    AUTO_BUF(text, 8192);

    buf_put_text(&text, "tls: { ");
    for (const char *p = t->tls; *p != 0; p++)
        if (*p == '~')
            buf_put_text(&text, pki_folder);
        else
            buf_put_octet(&text, (uint8_t)*p);
    buf_printf(&text, " };\n" GATES UPSTREAMS "%s\n", t->rest == NULL ? "" : t->rest);
    return given(buf_cstr(&text));
}

static inline void pki_check(const struct pki_case *t)
{
    struct config_error errors[32];
    bool is_said = false;
    AUTO(config) c = pki_given(t);
    const size_t n = config_check_files(c, errors, COUNT_OF(errors));

    for (size_t i = 0; i < n && i < COUNT_OF(errors) && t->expected != NULL; i++)
        is_said = is_said || strstr(errors[i].text, t->expected) != NULL;
    if (t->expected == NULL ? n != 0 : !is_said || (t->count != 0 && n != t->count))
        fail_msg("%s\n%s\n%s: %zu problems, the first: %s", t->tls, t->rest == NULL ? "" : t->rest,
                 t->expected == NULL ? "right" : t->expected, n, n == 0 ? "" : errors[0].text);
}

#endif
