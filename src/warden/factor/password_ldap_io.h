/* password_ldap_io.h: a deadline for the octets of one LDAP connection, TLS handshake included.
 *
 * libldap sets the socket non-blocking for the handshake, and with GnuTLS (Debian's build) then
 * calls it again and again without waiting: a directory that accepts and says nothing costs a core
 * for ever. This puts a layer between socket and TLS that waits in poll(2), and fails at the
 * deadline. Internal to factor/. Runs in: warden, any thread; one check, one deadline. */
#ifndef POSTERN_WARDEN_FACTOR_PASSWORD_LDAP_IO_H
#define POSTERN_WARDEN_FACTOR_PASSWORD_LDAP_IO_H

#include "base/attr.h"

#include <ldap.h>
#include <stdbool.h>
#include <stdint.h>

/* Stands still, and lives longer than the handle. */
struct ldap_deadline {
    int64_t at_ms; /* CLOCK_MONOTONIC */
    struct ldap_conncb callback;
};

/* Before the handle connects. */
MUST_USE bool ldap_deadline_set(LDAP *ld, struct ldap_deadline *d, uint32_t timeout_ms);
/* What is left; at least 1 ms, since 0 means "for ever" or "do not wait" to some calls. */
struct timeval ldap_deadline_left(const struct ldap_deadline *d);

#endif
