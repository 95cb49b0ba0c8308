/* The schema: from nothing, from every older version, and not from what is not ours; and what the
 * login path's lookup costs. */
#include "test_store_scratch.h"

#include "warden/store/sql.h"
#include "warden/store/sqlite_schema.h"

#include <sqlite3.h>

static int set_up(void **state)
{
    struct scratch *x = NEW(scratch);

    assert_non_null(x);
    scratch_make(x);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    scratch_remove(*state);
    mem_free(*state);
    return 0;
}

static sqlite3 *open_raw(const char *path)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
                     SQLITE_OK);
    return db;
}

static void run_raw(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* All rows of a statement's first column, each with a line feed. */
static void text_of(sqlite3 *db, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *st = NULL;
    size_t n = 0;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    out[0] = '\0';
    while (sqlite3_step(st) == SQLITE_ROW && n < size)
        n += (size_t)snprintf(out + n, size - n, "%s\n", (const char *)sqlite3_column_text(st, 0));
    assert_true(n < size);
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
}

static enum err open_store(const struct scratch *x)
{
    const struct store_conf conf = { "sqlite", x->db, 2 };
    struct store *s = NULL;
    enum err e = store_open(&conf, &s);

    store_free(s);
    return e;
}

static void is_idempotent(void **state)
{
    const struct scratch *x = *state;
    char first[16384], second[16384], version[32];

    assert_int_equal(open_store(x), ERR_OK);
    sqlite3 *db = open_raw(x->db);
    text_of(db, "SELECT sql FROM sqlite_schema ORDER BY name", first, sizeof(first));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(open_store(x), ERR_OK);
    db = open_raw(x->db);
    text_of(db, "SELECT sql FROM sqlite_schema ORDER BY name", second, sizeof(second));
    text_of(db, "PRAGMA user_version", version, sizeof(version));
    assert_string_equal(first, second);
    assert_int_equal(strtol(version, NULL, 10), sqlite_schema_version());
    text_of(db, "PRAGMA journal_mode", version, sizeof(version));
    assert_string_equal(version, "wal\n");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A database of each older version, with something in it, becomes one of ours and keeps it. */
static void upgrades_from_every_version(void **state)
{
    const struct scratch *x = *state;
    struct store_account a = { 0 };

    for (int version = 1; version < sqlite_schema_version(); version++) {
        sqlite3 *db = open_raw(x->db);
        assert_int_equal(sqlite_schema_upgrade(db, version), ERR_OK);
        run_raw(db, "INSERT INTO account (name, created_at) VALUES ('old@example.org', 5)");
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        struct store *s = scratch_open(x, 2);
        assert_int_equal(store_account_find(s, "old@example.org", &a), ERR_OK);
        assert_int_equal(a.created_at, 5);
        struct store_write w = { .kind = STORE_WRITE_EVENT, .event = { .at = 1 } };
        assert_int_equal(store_write(s, &w, 1), ERR_OK);
        store_free(s);
        assert_int_equal(unlink(x->db), 0);
    }
}

static const char insert_old[] =
    "INSERT INTO account (name, created_at) VALUES ('old@example.org', 5);"
    "INSERT INTO app_password (id, account_id, label, protocols, network, created_at, expires_at,"
    " verifier, sealed) VALUES ('old', 1, 'phone', 2, '192.0.2.0/24', 6, 7, zeroblob(32), x'01')";

/* App passwords of before there were senders are what they were, and held to none. */
static void old_app_passwords_have_no_sender(void **state)
{
    const struct scratch *x = *state;
    struct store_app_password p = { .sender = "?" };

    sqlite3 *db = open_raw(x->db);
    assert_int_equal(sqlite_schema_upgrade(db, 2), ERR_OK);
    run_raw(db, insert_old);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct store *s = scratch_open(x, 2);
    assert_int_equal(store_app_password_find(s, "old", &p), ERR_OK);
    assert_string_equal(p.sender, "");
    assert_string_equal(p.network, "192.0.2.0/24");
    assert_int_equal(p.protocols, 2);
    assert_int_equal(p.created_at, 6);
    assert_int_equal(p.expires_at, 7);
    assert_int_equal(p.sealed_n, 1);
    p = scratch_app_password("new", "old@example.org");
    assert_int_equal(store_app_password_add(s, &p), ERR_OK);
    assert_int_equal(store_app_password_find(s, "new", &p), ERR_OK);
    assert_string_equal(p.sender, "printer@example.org");
    store_free(s);
}

static void refuses_what_is_newer_or_not_ours(void **state)
{
    const struct scratch *x = *state;
    char tables[256];

    sqlite3 *db = open_raw(x->db);
    run_raw(db, "CREATE TABLE theirs (x)");
    assert_int_equal(open_store(x), ERR_DENIED);
    text_of(db, "SELECT name FROM sqlite_schema", tables, sizeof(tables));
    assert_string_equal(tables, "theirs\n");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(unlink(x->db), 0);

    assert_int_equal(open_store(x), ERR_OK);
    db = open_raw(x->db);
    run_raw(db, "PRAGMA user_version = 1000");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(open_store(x), ERR_DENIED);
    assert_int_equal(unlink(x->db), 0);

    FILE *f = fopen(x->db, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        (void)fputs("not a database\n", f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(open_store(x), ERR_IO);
}

static void every_statement_compiles(void **state)
{
    const struct scratch *x = *state;

    assert_int_equal(open_store(x), ERR_OK);
    sqlite3 *db = open_raw(x->db);
    for (int q = 0; q < SQL_QUERY_COUNT; q++) {
        sqlite3_stmt *st = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, sql_text((enum sql_query)q), -1, &st, NULL),
                         SQLITE_OK);
        assert_true(sqlite3_column_count(st) <= SQL_COLUMNS_MAX);
        /* "$1" is the first in order, as PostgreSQL numbers them. */
        for (int i = 1; i <= sqlite3_bind_parameter_count(st); i++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "$%d", i);
            assert_string_equal(sqlite3_bind_parameter_name(st, i), name);
        }
        assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The detail column of EXPLAIN QUERY PLAN says SEARCH for an index and SCAN for a walk. */
static void assert_no_scan(sqlite3 *db, enum sql_query q)
{
    char sql[2048];
    sqlite3_stmt *st = NULL;
    int rows = 0;

    (void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", sql_text(q));
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    for (; sqlite3_step(st) == SQLITE_ROW; rows++) {
        const char *detail = (const char *)sqlite3_column_text(st, 3);
        assert_null(strstr(detail, "SCAN "));
    }
    assert_true(rows > 0);
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
}

static void logins_look_up_by_index(void **state)
{
    const struct scratch *x = *state;

    assert_int_equal(open_store(x), ERR_OK);
    sqlite3 *db = open_raw(x->db);
    assert_no_scan(db, SQL_APP_PASSWORD_FIND);
    assert_no_scan(db, SQL_ACCOUNT_FIND);
    assert_no_scan(db, SQL_TOTP_FIND);
    assert_no_scan(db, SQL_TOTP_CLAIM);
    assert_no_scan(db, SQL_APP_PASSWORD_USED);
    assert_no_scan(db, SQL_SESSION_CLOSED);
    assert_no_scan(db, SQL_SESSIONS_CLOSE_ALL);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* No interface reads sessions yet, so the table itself is looked at. */
static void sessions_are_kept(void **state)
{
    const struct scratch *x = *state;
    struct store_write w[] = {
        { .kind = STORE_WRITE_SESSION_OPENED, .session = { .id = "a", .opened_at = 1 } },
        { .kind = STORE_WRITE_SESSION_OPENED, .session = { .id = "b", .opened_at = 2 } },
        { .kind = STORE_WRITE_SESSION_CLOSED,
          .session = { .id = "a",
                       .closed_at = 9,
                       .octets_up = 3,
                       .octets_down = 4,
                       .reason = "client left" } },
    };
    char text[512];
    const char *sql = "SELECT id || ' ' || opened_at || ' ' || closed_at || ' ' || octets_up || ' '"
                      " || octets_down || ' ' || reason FROM session ORDER BY id";

    struct store *s = scratch_open(x, 2);
    sqlite3 *db = open_raw(x->db);
    assert_int_equal(store_write(s, w, COUNT_OF(w)), ERR_OK);
    text_of(db, sql, text, sizeof(text));
    assert_string_equal(text, "a 1 9 3 4 client left\nb 2 0 0 0 \n");
    assert_int_equal(store_sessions_close_all(s, 20, "restart"), ERR_OK);
    text_of(db, sql, text, sizeof(text));
    assert_string_equal(text, "a 1 9 3 4 client left\nb 2 20 0 0 restart\n");
    assert_int_equal(store_write(s, &w[1], 1), ERR_OK); /* an edge tells it again */
    text_of(db, sql, text, sizeof(text));
    assert_string_equal(text, "a 1 9 3 4 client left\nb 2 0 0 0 \n");
    assert_int_equal(store_prune(s, 100), ERR_OK);
    text_of(db, sql, text, sizeof(text));
    assert_string_equal(text, "b 2 0 0 0 \n");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_idempotent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(upgrades_from_every_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_app_passwords_have_no_sender, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_is_newer_or_not_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_statement_compiles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(logins_look_up_by_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sessions_are_kept, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
