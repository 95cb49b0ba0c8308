/* Alias sources without a server: a file, an SQLite database, what is taken for an address; and
 * that what is out of service is never an empty answer. A real directory and a real PostgreSQL are
 * an integration test. */
#include "test_store_scratch.h"

#include "base/log.h"
#include "warden/alias/alias.h"
#include "warden/alias/alias_kinds.h"
#include "warden/source/turn.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <time.h>

#define ROOM 16384

static struct scratch x;
static char path[192], sql_url[256], query[256];
static struct config c;

static int set_up(void **state)
{
    (void)state;
    log_open("test", LOG_FORMAT_TEXT, LOG_ERROR);
    scratch_make(&x);
    (void)snprintf(path, sizeof(path), "%s/aliases", x.folder);
    (void)snprintf(sql_url, sizeof(sql_url), "sqlite:%s", path);
    COPY(query, "SELECT address FROM aliases WHERE account = $1");
    static char domain[] = "example.org", dn[] = "", filter[] = "(mail={user})",
                attribute[] = "mail";
    c = (struct config){ .domain = domain };
    c.aliases.file = path;
    c.aliases.ldap.bind_dn = dn;
    c.aliases.ldap.filter = filter;
    c.aliases.ldap.attribute = attribute;
    c.aliases.ldap.timeout_ms = 600;
    c.aliases.sql.url = sql_url;
    c.aliases.sql.query = query;
    c.aliases.sql.timeout_ms = 600;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&x);
    return 0;
}

static struct alias_source *open_source(enum conf_aliases kind)
{
    struct alias_source *src = NULL;

    c.aliases.source = kind;
    assert_int_equal(alias_open(&c, &src), ERR_OK);
    assert_non_null(src);
    return src;
}

static void expect(struct alias_source *src, const char *account, const char *addresses)
{
    AUTO_BUF(out, ROOM);

    assert_int_equal(alias_lookup(src, view_text(account), &out), ERR_OK);
    assert_string_equal(buf_cstr(&out), addresses);
}

static void expect_error(struct alias_source *src, enum err e)
{
    AUTO_BUF(out, ROOM);

    assert_int_equal(alias_lookup(src, VIEW_LIT("ann@example.org"), &out), e);
}

/* Under another name and renamed, as careful administrators do, so that a reader sees all of it. */
static void write_file(const char *text)
{
    char other[200];

    (void)snprintf(other, sizeof(other), "%s.new", path);
    FILE *f = fopen(other, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rename(other, path), 0);
}

/* ---- what is an address --------------------------------------------------------------- */

static void addresses(void **state)
{
    static const struct {
        const char *text, *taken; /* NULL: skipped */
    } rows[] = {
        { "ann@example.org", " ann@example.org" },
        { "Ann@Example.ORG", " ann@example.org" },
        { "@example.org", " @example.org" },
        { "j\xc3\xb6rg@b\xc3\xbc.example", " j\xc3\xb6rg@b\xc3\xbc.example" },
        { "a+b=c/d@e", " a+b=c/d@e" },
        { "", NULL },
        { "ann", NULL },
        { "ann@", NULL },
        { "@", NULL },
        { "@@", NULL },
        { "a@b@c", NULL },
        { "@a@b", NULL },
        { "a b@c", NULL },
        { " a@c", NULL },
        { "a@c ", NULL },
        { "a@c\n", NULL },
        { "a\t@c", NULL },
        { "a@c\x7f", NULL },
        { "a@c d@e", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF(out, ROOM);
        struct alias_answer a = { .out = &out };
        assert_true(alias_put(&a, view_text(rows[i].text)));
        if ((a.skipped == 0) != (rows[i].taken != NULL))
            fail_msg("%s", rows[i].text);
        const char *text = buf_cstr(&out);
        assert_string_equal(text, rows[i].taken == NULL ? "" : rows[i].taken);
    }
    AUTO_BUF(out, ROOM);
    struct alias_answer a = { .out = &out };
    assert_true(alias_put(&a, view_of("a\0@c", 4)));
    assert_int_equal(a.skipped, 1);
    char longest[LIMIT_ACCOUNT + 2];
    memset(longest, 'a', sizeof(longest));
    longest[1] = '@';
    assert_true(alias_put(&a, view_of(longest, LIMIT_ACCOUNT)));
    assert_int_equal(a.skipped, 1);
    assert_true(alias_put(&a, view_of(longest, LIMIT_ACCOUNT + 1)));
    assert_int_equal(a.skipped, 2);
}

static void no_more_than_its_room(void **state)
{
    AUTO_BUF(out, 20);
    struct alias_answer a = { .out = &out };

    (void)state;
    assert_true(alias_put(&a, VIEW_LIT("ann@b.cde"))); /* 10 with its space */
    assert_true(alias_put(&a, VIEW_LIT("bob@b.cde"))); /* to the last octet */
    assert_false(alias_put(&a, VIEW_LIT("c@d")));
    assert_true(a.is_full);
    assert_false(alias_put(&a, VIEW_LIT("")));
    assert_string_equal(buf_cstr(&out), " ann@b.cde bob@b.cde");
}

/* ---- file ----------------------------------------------------------------------------- */

static void file_lines(void **state)
{
    (void)state;
    write_file("# who sends as whom\n"
               "  # a comment that begins late\n"
               "\n"
               " \t\n"
               "Sales@Example.org  ann@example.org, Bob@Example.Org\n"
               "@ann.example\tann\r\n"
               "info@example.org ann@example.org,bob@example.org ,cem\n"
               "nobody@example.org\n"
               "not-an-address ann\n"
               "hash@example.org #ann\n"
               "other@elsewhere.test ann@elsewhere.test\n"
               "last@example.org,bob");
    struct alias_source *src = open_source(CONF_ALIASES_FILE);
    assert_false(alias_is_slow(src));
    expect(src, "ann@example.org", " sales@example.org info@example.org @ann.example");
    expect(src, "bob@example.org", " sales@example.org info@example.org last@example.org");
    expect(src, "cem@example.org", " info@example.org");
    expect(src, "#ann@example.org", " hash@example.org");
    expect(src, "dan@example.org", "");
    /* "ann" in the file is ann of our domain, of no other. */
    expect(src, "ann@elsewhere.test", " other@elsewhere.test");
    expect(src, "ann@elsewhere.example.org", "");
    expect(src, "an@example.org", "");
    alias_free(src);
}

static void file_that_goes_on(void **state)
{
    (void)state;
    write_file("sales@example.org ann\ninfo@example.org bob,\n   ann\n");
    struct alias_source *src = open_source(CONF_ALIASES_FILE);
    expect_error(src, ERR_IO);
    write_file("sales@example.org ann\ninfo@example.org bob, ann\n");
    expect(src, "ann@example.org", " sales@example.org info@example.org");
    alias_free(src);
}

static void file_that_changes(void **state)
{
    (void)state;
    struct alias_source *src = open_source(CONF_ALIASES_FILE);
    expect_error(src, ERR_IO); /* there is none */
    write_file("a@example.org ann\n");
    expect(src, "ann@example.org", " a@example.org");
    write_file("b@example.org ann\n");
    expect(src, "ann@example.org", " b@example.org");
    FILE *f = fopen(path, "a"); /* in place, at once */
    assert_non_null(f);
    assert_true(fputs("c@example.org ann\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    expect(src, "ann@example.org", " b@example.org c@example.org");
    write_file("");
    expect(src, "ann@example.org", "");
    assert_int_equal(unlink(path), 0);
    expect_error(src, ERR_IO);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_error(src, ERR_IO);
    assert_int_equal(rmdir(path), 0);
    alias_free(src);
}

static void file_with_nul_and_long_words(void **state)
{
    (void)state;
    static char word[300];
    static const char nul[] = "a\0b@example.org ann\n";
    FILE *f = fopen(path, "w");

    memset(word, 'x', sizeof(word) - 1);
    assert_non_null(f);
    assert_int_equal(fwrite(nul, 1, sizeof(nul) - 1, f), sizeof(nul) - 1);
    (void)fprintf(f, "%s@example.org ann\nlong@example.org %s\nsane@example.org ann", word, word);
    assert_int_equal(fclose(f), 0);
    struct alias_source *src = open_source(CONF_ALIASES_FILE);
    expect(src, "ann@example.org", " sane@example.org");
    alias_free(src);
}

static void file_of_many(void **state)
{
    (void)state;
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    for (int i = 0; i < 3000; i++)
        (void)fprintf(f, "alias%04d@example.org ann, user%04d\n", i, i);
    assert_int_equal(fclose(f), 0);
    struct alias_source *src = open_source(CONF_ALIASES_FILE);
    expect(src, "user0000@example.org", " alias0000@example.org");
    expect(src, "user1499@example.org", " alias1499@example.org");
    expect(src, "user2999@example.org", " alias2999@example.org");
    expect(src, "user3000@example.org", "");
    expect_error(src, ERR_TOO_LONG);
    alias_free(src);
}

/* ---- SQLite --------------------------------------------------------------------------- */

static void run_sql(const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static const char some_rows[] =
    "CREATE TABLE aliases (account TEXT, address TEXT);"
    "INSERT INTO aliases VALUES ('ann@example.org', 'Sales@example.org'),"
    " ('ann@example.org', NULL), ('ann@example.org', 'nonsense'), ('ann@example.org', 7),"
    " ('ann@example.org', x'61406200'), ('ann@example.org', '@ann.example'),"
    " ('bob@example.org', 'bob@b.example'), ('o''x@example.org', 'quoted@b.example')";

static void sqlite_rows(void **state)
{
    (void)state;
    run_sql(some_rows);
    struct alias_source *src = open_source(CONF_ALIASES_SQL);
    assert_false(alias_is_slow(src));
    for (int i = 0; i < 2; i++) {
        expect(src, "ann@example.org", " sales@example.org @ann.example");
        expect(src, "bob@example.org", " bob@b.example");
        expect(src, "o'x@example.org", " quoted@b.example");
        expect(src, "' OR 1=1 --@example.org", "");
    }
    run_sql("UPDATE aliases SET address = 'new@b.example' WHERE account = 'bob@example.org'");
    expect(src, "bob@example.org", " new@b.example");
    alias_free(src);
}

/* Restored from a backup: another file under the old name. */
static void sqlite_file_replaced(void **state)
{
    (void)state;
    char other[256];

    run_sql(some_rows);
    struct alias_source *src = open_source(CONF_ALIASES_SQL);
    expect(src, "bob@example.org", " bob@b.example");
    (void)snprintf(other, sizeof(other), "%s.old", path);
    assert_int_equal(rename(path, other), 0);
    expect_error(src, ERR_IO); /* none made in its place */
    assert_int_equal(access(path, F_OK), -1);
    run_sql("CREATE TABLE aliases (account TEXT, address TEXT);"
            "INSERT INTO aliases VALUES ('bob@example.org', 'restored@b.example')");
    expect(src, "bob@example.org", " restored@b.example");
    alias_free(src);
}

static void sqlite_is_never_written(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "DELETE FROM aliases WHERE account = $1",
        "UPDATE aliases SET address = 'x@y' WHERE account = $1 RETURNING address",
        "SELECT address FROM aliases",                    /* everybody's */
        "SELECT address FROM aliases WHERE account = ?1", /* not as it is written here */
        "SELECT address FROM aliases WHERE account = $2",
        "SELECT address FROM aliases WHERE account = $1 OR account = $2",
        "SELECT address FROM aliases WHERE account = $1; DROP TABLE aliases",
        "SELECT address FROM nowhere WHERE account = $1",
        "SELECT",
        "",
    };

    run_sql(some_rows);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)snprintf(query, sizeof(query), "%s", bad[i]);
        struct alias_source *src = open_source(CONF_ALIASES_SQL);
        expect_error(src, ERR_IO);
        alias_free(src);
    }
    COPY(query, "SELECT address FROM aliases WHERE account = $1 AND $1 <> '' ; \n");
    struct alias_source *src = open_source(CONF_ALIASES_SQL);
    expect(src, "bob@example.org", " bob@b.example");
    alias_free(src);
}

static void sqlite_too_many(void **state)
{
    (void)state;
    run_sql("CREATE TABLE aliases (account TEXT, address TEXT);"
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
            "INSERT INTO aliases SELECT 'ann@example.org', 'alias' || i || '@example.org' FROM n");
    struct alias_source *src = open_source(CONF_ALIASES_SQL);
    expect_error(src, ERR_TOO_LONG);
    expect(src, "bob@example.org", "");
    alias_free(src);
}

static int64_t now_ms(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void expect_late(struct alias_source *src)
{
    const int64_t start = now_ms();

    expect_error(src, ERR_IO);
    const int64_t waited = now_ms() - start;
    assert_true(waited >= 500 && waited < 3000);
}

static void sqlite_ends_in_time(void **state)
{
    (void)state;
    sqlite3 *db = NULL;

    run_sql(some_rows);
    /* a query without an end */
    COPY(query, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                "SELECT i FROM n WHERE i < 0 AND $1 <> ''");
    struct alias_source *src = open_source(CONF_ALIASES_SQL);
    expect_late(src);
    alias_free(src);
    /* a writer that does not end */
    COPY(query, "SELECT address FROM aliases WHERE account = $1");
    src = open_source(CONF_ALIASES_SQL);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    expect_late(src);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    expect(src, "bob@example.org", " bob@b.example");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    alias_free(src);
}

static void sqlite_not_a_database(void **state)
{
    (void)state;
    struct alias_source *src = open_source(CONF_ALIASES_SQL);

    expect_error(src, ERR_IO); /* there is none, and none is made */
    assert_int_equal(access(path, F_OK), -1);
    for (int i = 0; i < 3; i++)
        write_file("this is not a database, and has more octets than a header of one has: "
                   "SQLite looks at one hundred of them before it says so, at the least");
    expect_error(src, ERR_IO);
    assert_int_equal(unlink(path), 0);
    run_sql(some_rows);
    expect(src, "bob@example.org", " bob@b.example");
    alias_free(src);
}

static void *look_up_often(void *arg)
{
    for (int i = 0; i < 100; i++)
        expect(arg, "ann@example.org", " sales@example.org @ann.example");
    return NULL;
}

static void several_at_once(void **state)
{
    (void)state;
    pthread_t threads[4];

    run_sql(some_rows);
    c.aliases.sql.timeout_ms = 20000;
    struct alias_source *src = open_source(CONF_ALIASES_SQL);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_up_often, src), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    alias_free(src);
}

static void *take_in_vain(void *arg)
{
    static bool is_taken;

    is_taken = turn_take(arg, 200);
    return &is_taken;
}

static void turns_end(void **state)
{
    (void)state;
    struct turn t;
    pthread_t other;
    void *is_taken = NULL;

    turn_init(&t);
    assert_true(turn_take(&t, 100000));
    assert_true(turn_left_ms(&t) > 90000);
    const int64_t start = now_ms();
    assert_int_equal(pthread_create(&other, NULL, take_in_vain, &t), 0);
    assert_int_equal(pthread_join(other, &is_taken), 0);
    assert_false(*(bool *)is_taken);
    assert_true(now_ms() - start >= 190);
    turn_give(&t);
    assert_true(turn_take(&t, 0));
    assert_int_equal(turn_left_ms(&t), 0);
    turn_give(&t);
    turn_done(&t);
}

/* ---- servers that are not there ------------------------------------------------------- */

static void urls(void **state)
{
    static const struct {
        enum conf_aliases kind;
        const char *url;
        bool is_good;
    } rows[] = {
        { CONF_ALIASES_SQL, "postgresql://a:b@c/d", true },
        { CONF_ALIASES_SQL, "postgres:///d?host=/run", true },
        { CONF_ALIASES_SQL, "postgresql://a/b?nonsense=1", true }, /* each lookup fails */
        { CONF_ALIASES_SQL, "postgresql", false },
        { CONF_ALIASES_SQL, "host=a password=b", false },
        { CONF_ALIASES_SQL, "mysql://a", false },
        { CONF_ALIASES_SQL, "", false },
        { CONF_ALIASES_SQL, "sqlite:", false },
        { CONF_ALIASES_SQL, "sqlite:relative", false },
        { CONF_ALIASES_SQL, "sqlite:/absolute", true },
        { CONF_ALIASES_LDAP, "ldaps://a", true },
        { CONF_ALIASES_LDAP, "ldap://a", true },
        { CONF_ALIASES_LDAP, "ldapi://%2frun%2fldapi", true },
        { CONF_ALIASES_LDAP, "ldaps://a ldap://b", false },
        { CONF_ALIASES_LDAP, "http://a", false },
        { CONF_ALIASES_LDAP, "", false },
        { CONF_ALIASES_FILE, "", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char url[64], nothing[] = "";
        struct alias_source *src = NULL;
        COPY(url, rows[i].url);
        c.aliases.source = rows[i].kind;
        c.aliases.ldap.url = c.aliases.sql.url = url;
        c.aliases.file = nothing;
        const enum err e = alias_open(&c, &src);
        if (e != (rows[i].is_good ? ERR_OK : ERR_INVALID))
            fail_msg("%s", rows[i].url);
        assert_int_equal(src != NULL, rows[i].is_good);
        alias_free(src);
    }
    struct alias_source *src = NULL;
    c.aliases.source = CONF_ALIASES_NONE;
    assert_int_equal(alias_open(&c, &src), ERR_OK);
    assert_null(src);
    assert_false(alias_is_slow(NULL));
    alias_free(NULL);
}

static int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(a);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

/* Nobody listens; then somebody who accepts and says nothing, for ever. */
static void servers_that_are_none(void **state)
{
    static const struct {
        enum conf_aliases kind;
        const char *before, *behind; /* of the port */
    } rows[] = {
        { CONF_ALIASES_SQL, "postgresql://postern:geheim@127.0.0.1:", "/mail" },
        { CONF_ALIASES_SQL, "postgresql://postern:geheim@127.0.0.1:", "/mail?sslmode=disable" },
        { CONF_ALIASES_LDAP, "ldap://127.0.0.1:", "" },
        { CONF_ALIASES_LDAP, "ldaps://127.0.0.1:", "" },
    };
    uint16_t port = 0;
    const int fd = listen_somewhere(&port);

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        char url[128];
        if (i == COUNT_OF(rows))
            assert_int_equal(listen(fd, 16), 0);
        (void)snprintf(url, sizeof(url), "%s%u%s", rows[i % COUNT_OF(rows)].before, port,
                       rows[i % COUNT_OF(rows)].behind);
        c.aliases.ldap.url = c.aliases.sql.url = url;
        char nothing[] = "";
        c.aliases.ldap.base = c.aliases.ldap.ca = c.aliases.ldap.bind_password = nothing;
        struct alias_source *src = open_source(rows[i % COUNT_OF(rows)].kind);
        assert_true(alias_is_slow(src));
        if (i < COUNT_OF(rows))
            expect_error(src, ERR_IO);
        else
            expect_late(src);
        alias_free(src);
    }
    (void)close(fd);
}

/* ---- what is logged ------------------------------------------------------------------- */

static size_t count(const char *text, const char *word)
{
    size_t n = 0;

    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        n++;
    return n;
}

/* An outage is told once, and its end; the database's password never. */
static void tells_once(void **state)
{
    char log[160], text[8192] = "";

    (void)state;
    (void)snprintf(log, sizeof(log), "%s/log", x.folder);
    const int saved = dup(STDERR_FILENO);
    const int fd = open(log, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
    assert_true(saved >= 0 && fd >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    log_open("test", LOG_FORMAT_TEXT, LOG_DEBUG);
    struct alias_source *src = open_source(CONF_ALIASES_FILE);
    for (int i = 0; i < 3; i++)
        expect_error(src, ERR_IO);
    write_file("bad ann\n@example.org ann\n");
    for (int i = 0; i < 3; i++)
        expect(src, "ann@example.org", " @example.org");
    assert_int_equal(unlink(path), 0);
    expect_error(src, ERR_IO);
    alias_free(src);
    char url[] = "postgresql://postern:geheim@127.0.0.1:1/mail";
    c.aliases.sql.url = url;
    src = open_source(CONF_ALIASES_SQL);
    expect_error(src, ERR_IO);
    alias_free(src);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    (void)close(fd);
    assert_int_equal(count(text, "alias-source-failed"), 3);
    assert_int_equal(count(text, "alias-source-back"), 1);
    assert_int_equal(count(text, "alias-values-skipped"), 1);
    assert_int_equal(count(text, "geheim"), 0);
}

/* ---- memory --------------------------------------------------------------------------- */

static void no_memory_is_no_answer(void **state)
{
    static const enum conf_aliases kinds[] = { CONF_ALIASES_FILE, CONF_ALIASES_SQL };

    (void)state;
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        bool is_through = false;
        (void)unlink(path);
        if (kinds[k] == CONF_ALIASES_FILE)
            write_file("sales@example.org ann\n");
        else
            run_sql(some_rows);
        for (unsigned long n = 1; !is_through; n++) {
            AUTO_BUF(out, ROOM);
            struct alias_source *src = NULL;
            c.aliases.source = kinds[k];
            mem_fail_at(n);
            enum err e = alias_open(&c, &src);
            if (e == ERR_OK)
                e = alias_lookup(src, VIEW_LIT("ann@example.org"), &out);
            is_through = e == ERR_OK;
            mem_fail_at(0);
            if (is_through)
                assert_true(out.n > 0);
            alias_free(src);
            assert_true(n < 100);
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(no_more_than_its_room),
        TEST(file_lines),
        TEST(file_that_goes_on),
        TEST(file_that_changes),
        TEST(file_with_nul_and_long_words),
        TEST(file_of_many),
        TEST(sqlite_rows),
        TEST(sqlite_file_replaced),
        TEST(sqlite_is_never_written),
        TEST(sqlite_too_many),
        TEST(sqlite_ends_in_time),
        TEST(sqlite_not_a_database),
        TEST(several_at_once),
        cmocka_unit_test(turns_end),
        TEST(urls),
        TEST(servers_that_are_none),
        TEST(tells_once),
        TEST(no_memory_is_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
