#include "config/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>

#define CHAIN_MAX 32 /* certificates of one file: more is a bundle of authorities, not a chain */

const char *pem_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return reason == NULL ? "unknown reason" : reason;
}

static BIO *open_pem(struct report *r, const struct config *c, const char *path, const char *file)
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
    report_setting(r, c, path, "%s: %s: %s", file, fd < 0 ? strerror(why) : "no memory",
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

static X509 *read_first(struct report *r, const struct config *c, const char *path,
                        const char *file, BIO *bio)
{
    X509 *x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);

    if (x == NULL)
        report_setting(r, c, path,
                       "%s: no certificate (%s): write a PEM file with the certificate first, then "
                       "its chain",
                       file, pem_reason());
    return x;
}

X509 *pem_certificate(struct report *r, const struct config *c, const char *path, const char *file)
{
    BIO *bio = open_pem(r, c, path, file);
    X509 *x = bio == NULL ? NULL : read_first(r, c, path, file, bio);

    BIO_free(bio);
    return x;
}

/* Is what PEM_read stopped at the end of the file? To it that is an error like any other. */
static bool is_end(void)
{
    const unsigned long last = ERR_peek_last_error();

    return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

/* Appends what follows the first. False: it was reported. */
static bool read_others(struct report *r, const struct config *c, const char *path,
                        const char *file, BIO *bio, STACK_OF(X509) * chain)
{
    X509 *x;

    ERR_clear_error();
    while ((x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        if (sk_X509_num(chain) < CHAIN_MAX && sk_X509_push(chain, x) > 0)
            continue;
        X509_free(x);
        report_setting(r, c, path,
                       "%s: more than %d certificates: write the certificate and its chain only",
                       file, CHAIN_MAX);
        return false;
    }
    if (is_end()) {
        ERR_clear_error();
        return true;
    }
    report_setting(r, c, path, "%s: certificate %d is broken (%s): write the chain anew", file,
                   sk_X509_num(chain) + 1, pem_reason());
    return false;
}

STACK_OF(X509) *
    pem_chain(struct report *r, const struct config *c, const char *path, const char *file)
{
    BIO *bio = open_pem(r, c, path, file);
    X509 *first = bio == NULL ? NULL : read_first(r, c, path, file, bio);
    STACK_OF(X509) *chain = first == NULL ? NULL : sk_X509_new_null();

    if (first != NULL && (chain == NULL || sk_X509_push(chain, first) <= 0)) {
        X509_free(first);
        sk_X509_free(chain);
        chain = NULL;
        report_setting(r, c, path, "no memory");
    }
    if (chain != NULL && !read_others(r, c, path, file, bio, chain)) {
        sk_X509_pop_free(chain, X509_free);
        chain = NULL;
    }
    BIO_free(bio);
    return chain;
}

EVP_PKEY *pem_key(struct report *r, const struct config *c, const char *path, const char *file)
{
    BIO *bio = open_pem(r, c, path, file);

    if (bio == NULL)
        return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key == NULL)
        report_setting(r, c, path,
                       "%s: no private key (%s): write a PEM file with a key without passphrase",
                       file, pem_reason());
    return key;
}
