/* cipher.h: tls.ciphers and tls.ciphersuites: unknown words, and what is too weak to serve.
 * Source: RFC 9325 §4.1 and §4.2 (no NULL, anonymous, export, RC4, static RSA), RFC 7465, RFC 9155.
 * Internal to src/config. Runs in: supervisor, cli. */
#ifndef POSTERN_CONFIG_CIPHER_H
#define POSTERN_CONFIG_CIPHER_H

#include "config/report.h"

void cipher_check(const struct config *c, struct report *r);

#endif
