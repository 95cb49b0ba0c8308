/* pem.h: PEM files with certificates and keys, as OpenSSL reads them. Whatever is NULL was reported
 * at the setting `path`. Internal to src/config. Runs in: supervisor, cli. */
#ifndef POSTERN_CONFIG_PEM_H
#define POSTERN_CONFIG_PEM_H

#include "config/report.h"

#include <openssl/x509.h>

/* The first of a file; X509_free. */
MUST_USE X509 *pem_certificate(struct report *r, const struct config *c, const char *path,
                               const char *file);
/* All of a file, at least one; sk_X509_pop_free. */
MUST_USE STACK_OF(X509) *
    pem_chain(struct report *r, const struct config *c, const char *path, const char *file);
/* EVP_PKEY_free. */
MUST_USE EVP_PKEY *pem_key(struct report *r, const struct config *c, const char *path,
                           const char *file);

/* What OpenSSL said last, in its words; its queue is empty then. */
const char *pem_reason(void);

#endif
