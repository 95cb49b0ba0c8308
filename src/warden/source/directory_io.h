/* directory_io.h: a deadline for the octets of one LDAP connection, TLS handshake included.
 *
 * libldap sets the socket non-blocking for the handshake, and with GnuTLS (Debian's build) then
 * calls it again and again without waiting: a directory that accepts and says nothing costs a core
 * for ever. This puts a layer between socket and TLS that waits in poll(2), and fails at the
 * deadline. Internal to source/. Runs in: warden, any thread; one connection, one deadline. */
#ifndef POSTERN_WARDEN_SOURCE_DIRECTORY_IO_H
#define POSTERN_WARDEN_SOURCE_DIRECTORY_IO_H

#include "base/attr.h"

#include <ldap.h>
#include <stdbool.h>
#include <stdint.h>

/* Stands still, and lives longer than the handle. */
struct directory_deadline {
    int64_t at_ms; /* CLOCK_MONOTONIC */
    struct ldap_conncb callback;
};

/* Before the handle connects. */
MUST_USE bool directory_deadline_set(LDAP *ld, struct directory_deadline *d, uint32_t timeout_ms);
/* What is left; at least 1 ms, since 0 means "for ever" or "do not wait" to some calls. */
struct timeval directory_deadline_left(const struct directory_deadline *d);

#endif
