/* sqlite_schema.h: the schema of the SQLite driver, as numbered steps that only ever get longer.
 * Internal to store/. Runs in: warden, at start. */
#ifndef POSTERN_WARDEN_STORE_SQLITE_SCHEMA_H
#define POSTERN_WARDEN_STORE_SQLITE_SCHEMA_H

#include "base/attr.h"
#include "base/err.h"

struct sqlite3;

/* Applies what is missing up to `version`, each step in a transaction with its number. ERR_DENIED:
 * the database is of a newer program, or not ours. Any other error leaves it at the last step that
 * was done. */
MUST_USE enum err sqlite_schema_upgrade(struct sqlite3 *db, int version);
/* How many steps there are: the version of a database that is up to date. */
int sqlite_schema_version(void);

#endif
