/* alias.h: as which addresses does an account send, beside its own name? Asked of a file, a
 * directory (LDAP) or a database (SQLite, PostgreSQL).
 *
 * A lookup blocks (disk, network): it runs on the thread pool, never on the loop, several at once.
 * What a source cannot answer is an error, never an empty answer: the session is then let in later,
 * not held to too little or to nothing. What its administrator has to know is logged here: that a
 * source is out of service and that it is back, once each, and the first value that is no address.
 * Owns: all that it needs; the configuration may go after alias_open. Database URLs and passwords
 * are never logged. Runs in: warden, any thread. */
#ifndef POSTERN_WARDEN_ALIAS_ALIAS_H
#define POSTERN_WARDEN_ALIAS_ALIAS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

struct alias_source;

/* CONF_ALIASES_NONE: ERR_OK and *ret = NULL. A file, directory or database that is out of order
 * does not fail here but makes the lookups fail until it is mended. ERR_INVALID: it cannot be one:
 * no URL of a kind that is known. */
MUST_USE enum err alias_open(const struct config *c, struct alias_source **ret);
void alias_free(struct alias_source *src); /* NULL is fine; no lookup is under way */
/* Does a lookup wait for others (a network), rather than for a disk? */
bool alias_is_slow(const struct alias_source *src); /* NULL is fine */
/* Appends " address" for each, in ASCII lower case; "@domain" stands for all of a domain. `account`
 * is normalised. ERR_TOO_LONG: more than `out` holds; ERR_MEMORY; ERR_IO: out of service. After an
 * error what was appended is of no use. */
MUST_USE enum err alias_lookup(struct alias_source *src, struct view account, struct buf *out);

#endif
