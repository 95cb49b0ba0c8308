#include "warden/store/sqlite_schema.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>

#define APPLICATION_ID 0x50737472 /* "Pstr": file(1) and we know whose database it is */

/* Step n makes version n + 1. A released step is never edited. Adding a table to an old database
 * and making a new one must come to the same schema, so new databases run all steps too. */
static const char *const steps[] = {
    /* 1: accounts and what proves them */
    "CREATE TABLE account ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL UNIQUE,"
    " is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),"
    " created_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE app_password ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " label TEXT NOT NULL,"
    " protocols INTEGER NOT NULL,"
    " network TEXT NOT NULL,"
    " created_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL,"
    " bound_network TEXT NOT NULL DEFAULT '',"
    " bound_device TEXT NOT NULL DEFAULT '',"
    " last_used_at INTEGER NOT NULL DEFAULT 0,"
    " last_source TEXT NOT NULL DEFAULT '',"
    " last_client TEXT NOT NULL DEFAULT '',"
    " verifier BLOB NOT NULL CHECK (length(verifier) = 32),"
    " sealed BLOB NOT NULL) STRICT;"
    "CREATE INDEX app_password_account ON app_password (account_id);"
    "CREATE TABLE totp ("
    " account_id INTEGER PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,"
    " sealed BLOB NOT NULL,"
    " last_step INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE invitation ("
    " token_hash BLOB NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),"
    " account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " created_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX invitation_account ON invitation (account_id);"
    "CREATE TABLE lease ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    " network TEXT NOT NULL,"
    " device TEXT NOT NULL,"
    " created_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL,"
    " CHECK (network <> '' OR device <> '')) STRICT;"
    "CREATE INDEX lease_account ON lease (account_id, expires_at);",

    /* 2: what happened */
    "CREATE TABLE event ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " at INTEGER NOT NULL,"
    " kind TEXT NOT NULL,"
    " account TEXT NOT NULL,"
    " source TEXT NOT NULL,"
    " gate TEXT NOT NULL,"
    " protocol TEXT NOT NULL,"
    " client TEXT NOT NULL,"
    " credential TEXT NOT NULL,"
    " reason TEXT NOT NULL,"
    " actor TEXT NOT NULL) STRICT;"
    "CREATE INDEX event_account ON event (account, id);"
    "CREATE INDEX event_at ON event (at);"
    "CREATE TABLE session ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " account TEXT NOT NULL,"
    " gate TEXT NOT NULL,"
    " protocol TEXT NOT NULL,"
    " source TEXT NOT NULL,"
    " client TEXT NOT NULL,"
    " credential TEXT NOT NULL,"
    " opened_at INTEGER NOT NULL,"
    " closed_at INTEGER NOT NULL DEFAULT 0,"
    " octets_up INTEGER NOT NULL DEFAULT 0,"
    " octets_down INTEGER NOT NULL DEFAULT 0,"
    " reason TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;"
    "CREATE INDEX session_closed ON session (closed_at);",

    /* 3: the one address as which an app password may submit mail */
    "ALTER TABLE app_password ADD COLUMN sender TEXT NOT NULL DEFAULT '';",
};

int sqlite_schema_version(void)
{
    return (int)COUNT_OF(steps);
}

/* Reads a pragma that is one number; false: the database cannot be read. */
static bool read_number(sqlite3 *db, const char *sql, int *ret)
{
    sqlite3_stmt *st = NULL;
    bool is_read =
        sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW;

    if (is_read)
        *ret = sqlite3_column_int(st, 0);
    (void)sqlite3_finalize(st);
    return is_read;
}

static enum err apply(sqlite3 *db, int step)
{
    char stamp[96];

    (void)snprintf(stamp, sizeof(stamp), "PRAGMA user_version = %d; PRAGMA application_id = %d;",
                   step + 1, APPLICATION_ID);
    if (sqlite3_exec(db, steps[step], NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, stamp, NULL, NULL, NULL) != SQLITE_OK)
        return ERR_IO;
    return ERR_OK;
}

/* Inside the transaction, so that two that start at once do not both apply a step. */
static enum err next_step(sqlite3 *db, int wanted, bool *ret_is_done)
{
    int version = 0, application = 0, objects = 0;

    if (!read_number(db, "PRAGMA user_version", &version) ||
        !read_number(db, "PRAGMA application_id", &application) ||
        !read_number(db, "SELECT count(*) FROM sqlite_schema", &objects))
        return ERR_IO;
    bool is_new = version == 0 && application == 0 && objects == 0;
    if (!is_new && application != APPLICATION_ID)
        return ERR_DENIED;
    if (version < 0 || version > sqlite_schema_version())
        return ERR_DENIED;
    *ret_is_done = version >= wanted;
    return *ret_is_done ? ERR_OK : apply(db, version);
}

enum err sqlite_schema_upgrade(sqlite3 *db, int version)
{
    for (bool is_done = false; !is_done;) {
        if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
            return (sqlite3_errcode(db) & 0xff) == SQLITE_BUSY ? ERR_BUSY : ERR_IO;
        enum err e = next_step(db, version, &is_done);
        if (e == ERR_OK && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
            e = ERR_IO;
        if (e != ERR_OK) {
            (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            return e;
        }
    }
    return ERR_OK;
}
