/* certificate.h: the certificates of the gates: what no client should have to take. Weak, wrong and
 * expired ones are refused before they serve, at a start as at a reload.
 * Source: RFC 5280 (times, names), RFC 9525 §2 and §6.3 (DNS names in subjectAltName only), RFC
 * 9155 and RFC 6194 (no MD5, no SHA-1), RFC 9325 §4.5 and the CA/Browser Forum's baseline
 * requirements §6.1.5 (RSA of 2048 bits, P-256), RFC 8446 §4.4.2 (the order of a chain). Internal
 * to src/config. Reads files and the clock. Runs in: supervisor, cli. */
#ifndef POSTERN_CONFIG_CERTIFICATE_H
#define POSTERN_CONFIG_CERTIFICATE_H

#include "config/report.h"

void certificate_check(const struct config *c, struct report *r);
/* Those that are good but not for much longer; what cannot be read is passed over. */
void certificate_check_expiring(const struct config *c, struct report *r);

#endif
