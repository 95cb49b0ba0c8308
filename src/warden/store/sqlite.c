/* The SQLite driver of sql.h. WAL with synchronous=FULL: a commit that returned is on the disk, and
 * readers never wait for the writer. */
#include "base/mem.h"
#include "warden/store/sql.h"
#include "warden/store/sqlite_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

struct sql {
    sqlite3 *db;                               /* owned */
    sqlite3_stmt *statements[SQL_QUERY_COUNT]; /* owned; prepared when first used */
};

/* The order matters: waiting comes first, so that the rest of them can wait.
 *  secure_delete:  what was revoked does not stay behind in free pages
 *  temp_store:     a sandboxed warden has no folder for temporary files
 *  trusted_schema: a database from elsewhere cannot call functions by its schema */
static const char SETTINGS[] = "PRAGMA busy_timeout = 5000;"
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA foreign_keys = ON;"
                               "PRAGMA secure_delete = ON;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA journal_size_limit = 4194304;";

static enum err error_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_TOOBIG:
        return ERR_TOO_LONG;
    case SQLITE_CONSTRAINT:
        return rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ? ERR_EXISTS
                                                                                    : ERR_INVALID;
    default:
        return ERR_IO;
    }
}

/* ---- life ---- */

static void sqlite_close(struct sql *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(c->statements); i++)
        (void)sqlite3_finalize(c->statements[i]);
    (void)sqlite3_close(c->db);
    mem_free(c);
}

static void sql_free(struct sql *c)
{
    sqlite_close(c);
}

AUTO_DEFINE(sql)

/* Made by us, since SQLite would let the umask decide who may read it. Its name reaches the disk
 * now: later flushes of SQLite's are of the file's content. */
static enum err make_file(const char *path)
{
    char copy[PATH_MAX];
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno == EEXIST ? ERR_OK : ERR_IO;
    (void)close(fd);
    int n = snprintf(copy, sizeof(copy), "%s", path);
    if (n < 0 || (size_t)n >= sizeof(copy))
        return ERR_TOO_LONG;
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ERR_IO;
    enum err e = fsync(fd) == 0 ? ERR_OK : ERR_IO;
    (void)close(fd);
    return e;
}

static enum err sqlite_open(const struct store_conf *conf, bool is_first, struct sql **ret)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    enum err e = is_first ? make_file(conf->path) : ERR_OK;
    if (e != ERR_OK)
        return e;
    AUTO(sql) c = NEW(sql);
    if (c == NULL)
        return ERR_MEMORY;
    int rc = sqlite3_open_v2(conf->path, &c->db, flags, NULL);
    if (rc != SQLITE_OK)
        return error_of(rc);
    rc = sqlite3_exec(c->db, SETTINGS, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return error_of(rc);
    if (is_first)
        e = sqlite_schema_upgrade(c->db, sqlite_schema_version());
    if (e == ERR_OK)
        *ret = TAKE(c);
    return e;
}

/* ---- statements ---- */

static enum err prepare(struct sql *c, enum sql_query q, sqlite3_stmt **ret)
{
    if (c->statements[q] == NULL) {
        int rc = sqlite3_prepare_v3(c->db, sql_text(q), -1, SQLITE_PREPARE_PERSISTENT,
                                    &c->statements[q], NULL);
        if (rc != SQLITE_OK)
            return error_of(rc);
    }
    *ret = c->statements[q];
    return ERR_OK;
}

/* SQLite takes a NULL pointer for NULL, which none of our columns may hold. */
static const void *octets_of(struct view v)
{
    return v.p == NULL ? (const void *)"" : v.p;
}

static int bind(sqlite3_stmt *st, const struct sql_value *args, size_t n)
{
    int rc = SQLITE_OK;

    CHECK(sqlite3_bind_parameter_count(st) == (int)n);
    for (int i = 0; i < (int)n && rc == SQLITE_OK; i++) {
        const struct sql_value *a = &args[i];
        switch (a->kind) {
        case SQL_INTEGER:
            rc = sqlite3_bind_int64(st, i + 1, a->integer);
            break;
        case SQL_TEXT:
            rc = sqlite3_bind_text64(st, i + 1, octets_of(a->octets), a->octets.n, SQLITE_STATIC,
                                     SQLITE_UTF8);
            break;
        case SQL_BLOB:
            rc = sqlite3_bind_blob64(st, i + 1, octets_of(a->octets), a->octets.n, SQLITE_STATIC);
            break;
        }
    }
    return rc;
}

static struct sql_value cell_of(sqlite3_stmt *st, int column)
{
    int kind = sqlite3_column_type(st, column);

    if (kind == SQLITE_INTEGER)
        return SQL_INT(sqlite3_column_int64(st, column));
    const void *p = sqlite3_column_blob(st, column);
    int n = sqlite3_column_bytes(st, column);
    struct view octets = view_of(p, p == NULL ? 0 : (size_t)n);
    return (struct sql_value){ .kind = kind == SQLITE_BLOB ? SQL_BLOB : SQL_TEXT,
                               .octets = octets };
}

/* Steps to the end even if nobody wants the rows: a writing statement is done only then. */
static int step_all(sqlite3_stmt *st, const struct sql_call *call)
{
    struct sql_value cells[SQL_COLUMNS_MAX] = { 0 };
    int columns = sqlite3_column_count(st);
    bool is_wanted = call->each != NULL;
    int rc;

    CHECK(columns <= SQL_COLUMNS_MAX);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        for (int i = 0; i < columns && is_wanted; i++)
            cells[i] = cell_of(st, i);
        if (is_wanted && !call->each(call->arg, cells)) {
            is_wanted = false;
            if (sqlite3_stmt_readonly(st))
                return SQLITE_OK;
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static enum err sqlite_run(struct sql *c, const struct sql_call *call, uint64_t *ret_changes)
{
    sqlite3_stmt *st = NULL;

    enum err e = prepare(c, call->query, &st);
    if (e != ERR_OK)
        return e;
    int rc = bind(st, call->args, call->arg_count);
    if (rc == SQLITE_OK)
        rc = step_all(st, call);
    if (rc == SQLITE_OK && ret_changes != NULL)
        *ret_changes = (uint64_t)sqlite3_changes64(c->db);
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    return error_of(rc);
}

/* ---- transactions ---- */

static enum err sqlite_begin(struct sql *c)
{
    return error_of(sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
}

static enum err sqlite_commit(struct sql *c)
{
    return error_of(sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL));
}

static void sqlite_rollback(struct sql *c)
{
    /* After some failures SQLite has rolled back already. */
    if (sqlite3_get_autocommit(c->db) == 0)
        (void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
}

const struct sql_driver sql_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .run = sqlite_run,
};
