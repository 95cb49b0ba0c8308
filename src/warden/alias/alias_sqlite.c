#include "base/mem.h"
#include "warden/alias/alias_kinds.h"
#include "warden/source/turn.h"

#include <sqlite3.h>

#define STEPS_BETWEEN 1000 /* instructions of SQLite's machine between two looks at the clock */
#define BUSY_MS       50   /* between two looks at the clock while a writer is at work */

/* Nothing of the file's own is run, and no file is written, not even a temporary one. */
static const char settings[] = "PRAGMA query_only = ON;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA cell_size_check = ON;";

struct alias_sqlite {
    char *path, *query; /* owned */
    uint32_t timeout_ms;
    struct turn turn;
    /* with the turn: */
    sqlite3 *db;      /* owned; NULL: not open */
    sqlite3_stmt *st; /* owned */
};

static int is_over(void *arg)
{
    const struct alias_sqlite *s = arg;

    return turn_left_ms(&s->turn) == 0;
}

static int on_busy(void *arg, int times)
{
    struct alias_sqlite *s = arg;
    const int left = turn_left_ms(&s->turn);

    (void)times;
    if (left == 0)
        return 0;
    (void)sqlite3_sleep(left < BUSY_MS ? left : BUSY_MS);
    return 1;
}

static void close_file(struct alias_sqlite *s)
{
    (void)sqlite3_finalize(s->st);
    (void)sqlite3_close(s->db);
    s->st = NULL;
    s->db = NULL;
}

static enum err fail(struct alias_sqlite *s, struct alias_answer *a, int rc)
{
    close_file(s);
    return alias_fail(a, "%s", sqlite3_errstr(rc));
}

/* Does somebody else's file lie there now? */
static bool is_moved(struct alias_sqlite *s)
{
    int moved = 0;

    return sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK ||
           moved != 0;
}

static enum err prepare(struct alias_sqlite *s, struct alias_answer *a)
{
    const char *tail = NULL;
    const int rc = sqlite3_prepare_v2(s->db, s->query, -1, &s->st, &tail);

    if (rc != SQLITE_OK)
        return fail(s, a, rc);
    const bool is_one = s->st != NULL && tail[strspn(tail, " \t\r\n;")] == '\0';
    if (is_one && sqlite3_stmt_readonly(s->st) && sqlite3_bind_parameter_count(s->st) == 1 &&
        sqlite3_bind_parameter_index(s->st, "$1") == 1 && sqlite3_column_count(s->st) > 0)
        return ERR_OK;
    close_file(s);
    return alias_fail(a, "the query is not one that reads, with $1 for the account");
}

static enum err open_file(struct alias_sqlite *s, struct alias_answer *a)
{
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    int rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (rc != SQLITE_OK)
        return fail(s, a, rc);
    (void)sqlite3_busy_handler(s->db, on_busy, s);
    sqlite3_progress_handler(s->db, STEPS_BETWEEN, is_over, s);
    rc = sqlite3_exec(s->db, settings, NULL, NULL, NULL);
    return rc == SQLITE_OK ? prepare(s, a) : fail(s, a, rc);
}

static enum err ask(struct alias_sqlite *s, struct view account, struct alias_answer *a)
{
    int rc = sqlite3_bind_text64(s->st, 1, (const char *)account.p, account.n, SQLITE_STATIC,
                                 SQLITE_UTF8);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(s->st);
        if (rc != SQLITE_ROW || sqlite3_column_type(s->st, 0) == SQLITE_NULL)
            continue;
        const void *p = sqlite3_column_blob(s->st, 0);
        const int n = sqlite3_column_bytes(s->st, 0);
        if (!alias_put(a, view_of(p, p == NULL ? 0 : (size_t)n)))
            break;
    }
    (void)sqlite3_reset(s->st);
    (void)sqlite3_clear_bindings(s->st);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? ERR_OK : fail(s, a, rc);
}

enum err alias_sqlite_lookup(struct alias_sqlite *s, struct view account, struct alias_answer *a)
{
    if (!turn_take(&s->turn, s->timeout_ms))
        return alias_fail(a, "lookups before this one have taken all the time");
    if (s->db != NULL && is_moved(s))
        close_file(s);
    enum err e = s->db == NULL ? open_file(s, a) : ERR_OK;
    if (e == ERR_OK)
        e = ask(s, account, a);
    turn_give(&s->turn);
    return e;
}

void alias_sqlite_free(struct alias_sqlite *s)
{
    if (s == NULL)
        return;
    close_file(s);
    turn_done(&s->turn);
    mem_free(s->path);
    mem_free(s->query);
    mem_free(s);
}

AUTO_DEFINE(alias_sqlite)

enum err alias_sqlite_new(const struct config *c, struct alias_sqlite **ret)
{
    const char *path = config_sqlite_path(c->aliases.sql.url);

    if (path == NULL || *path != '/' || c->aliases.sql.query == NULL)
        return ERR_INVALID;
    AUTO(alias_sqlite) s = NEW(alias_sqlite);
    if (s == NULL)
        return ERR_MEMORY;
    turn_init(&s->turn);
    s->timeout_ms = c->aliases.sql.timeout_ms;
    s->path = mem_text(path);
    s->query = mem_text(c->aliases.sql.query);
    if (s->path == NULL || s->query == NULL)
        return ERR_MEMORY;
    *ret = TAKE(s);
    return ERR_OK;
}
