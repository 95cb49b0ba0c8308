/* No memory at any moment: every allocation of SQLite's and of ours fails once. What was told to be
 * done is done, what failed can be done again, and nothing is half done. */
#include "test_store_scratch.h"

#include <sqlite3.h>

static sqlite3_mem_methods real;
static unsigned long fail_at; /* 0: none; counts down */

static bool is_failing(void)
{
    return fail_at != 0 && --fail_at == 0;
}

static void *weak_malloc(int n)
{
    return is_failing() ? NULL : real.xMalloc(n);
}

static void *weak_realloc(void *p, int n)
{
    return is_failing() ? NULL : real.xRealloc(p, n);
}

/* Before SQLite starts, hence before any test. */
static bool weaken_sqlite(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) != SQLITE_OK)
        return false;
    sqlite3_mem_methods weak = real;
    weak.xMalloc = weak_malloc;
    weak.xRealloc = weak_realloc;
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &weak) == SQLITE_OK &&
           sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK; /* so that all are counted */
}

static bool is_a_failure(enum err e)
{
    return e == ERR_MEMORY || e == ERR_IO || e == ERR_BUSY;
}

static void opening(void **state)
{
    struct scratch x;
    unsigned long n = 0, failures = 0;
    bool is_done = false;

    (void)state;
    scratch_make(&x);
    while (!is_done) {
        const struct store_conf conf = { "sqlite", x.db, 2 };
        struct store *s = NULL;
        fail_at = ++n;
        enum err e = store_open(&conf, &s);
        is_done = fail_at != 0; /* not reached: all of them have had their turn */
        fail_at = 0;
        assert_true(e == ERR_OK || is_a_failure(e));
        failures += e != ERR_OK;
        store_free(s);
        if (!is_done)
            (void)unlink(x.db);
    }
    assert_true(failures > 20);
    for (n = 1;; n++) { /* ours */
        const struct store_conf conf = { "sqlite", x.db, 2 };
        struct store *s = NULL;
        mem_fail_at(n);
        enum err e = store_open(&conf, &s);
        mem_fail_at(0);
        store_free(s);
        if (e == ERR_OK)
            break;
        assert_int_equal(e, ERR_MEMORY);
    }
    assert_true(n > 1);
    scratch_remove(&x);
}

static enum err add_account(struct store *s)
{
    return store_account_add(s, "new@example.org", NOW);
}

static enum err find_app_password(struct store *s)
{
    struct store_app_password p;
    enum err e = store_app_password_find(s, "one", &p);

    if (e == ERR_OK) {
        const struct store_app_password q = scratch_app_password("one", "ann@example.org");
        assert_string_equal(p.account, q.account);
        assert_memory_equal(p.sealed, q.sealed, q.sealed_n);
    }
    return e;
}

static enum err claim(struct store *s)
{
    return store_totp_claim(s, "ann@example.org", 7);
}

static enum err bind(struct store *s)
{
    return store_app_password_bind(s, "one", "10.0.0.0/8", "");
}

static enum err write_batch(struct store *s)
{
    struct store_write w[3] = { { .kind = STORE_WRITE_EVENT },
                                { .kind = STORE_WRITE_SESSION_OPENED, .session = { .id = "s" } },
                                { .kind = STORE_WRITE_EVENT } };
    enum err e = store_write(s, w, COUNT_OF(w));

    assert_true(e == ERR_OK || (w[0].event.id == 0 && w[2].event.id == 0));
    return e;
}

static bool count_event(void *arg, const struct store_event *e)
{
    (void)e;
    ++*(unsigned *)arg;
    return true;
}

static enum err revoke_one(struct store *s)
{
    return store_app_password_revoke(s, "one");
}

static enum err remove_account(struct store *s)
{
    return store_account_remove(s, "ann@example.org");
}

static enum err lease(struct store *s)
{
    struct store_lease l = { .device = "d", .account = "ann@example.org", .expires_at = NOW + 1 };
    uint64_t id = 0;
    enum err e = store_lease_add(s, &l, &id);

    assert_true((e == ERR_OK) == (id != 0));
    return e == ERR_OK ? store_lease_revoke(s, id, &l) : e;
}

/* A database with something in it, as octets: quicker to copy than to make. */
struct template
{
    uint8_t *p; /* owned */
    size_t n;
};

static struct template template_make(void)
{
    const struct store_app_password p = scratch_app_password("one", "ann@example.org");
    struct template t = { 0 };
    struct scratch x;
    struct stat st;

    scratch_make(&x);
    struct store *s = scratch_open(&x, 2);
    assert_int_equal(store_account_add(s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_app_password_add(s, &p), ERR_OK);
    assert_int_equal(store_totp_set(s, "ann@example.org", VIEW_LIT("x"), NOW), ERR_OK);
    store_free(s); /* the last to close brings the log into the file */
    assert_int_equal(stat(x.db, &st), 0);
    t.n = (size_t)st.st_size;
    t.p = mem_alloc(t.n);
    FILE *f = fopen(x.db, "r");
    assert_true(f != NULL && t.p != NULL && fread(t.p, 1, t.n, f) == t.n);
    (void)fclose(f);
    scratch_remove(&x);
    return t;
}

static void put_copy(const struct scratch *x, const struct template *t)
{
    FILE *f = fopen(x->db, "w");

    assert_true(f != NULL && fwrite(t->p, 1, t->n, f) == t->n);
    assert_int_equal(fclose(f), 0);
}

/* An operation whose n-th allocation fails, on a store of its own: statements are not prepared yet.
 */
static bool fails_at(unsigned long n, enum err (*operate)(struct store *), struct scratch *x,
                     const struct template *t)
{
    unsigned events = 0;

    put_copy(x, t);
    struct store *s = scratch_open(x, 2);

    fail_at = n;
    enum err e = operate(s);
    bool is_reached = fail_at == 0;
    fail_at = 0;
    assert_true(e == ERR_OK || is_a_failure(e));
    /* Again: either it had not been done, or it had and says so. */
    enum err again = operate(s);
    if (e != ERR_OK)
        assert_true(again == ERR_OK || again == ERR_EXISTS);
    else if (operate == claim || operate == bind || operate == add_account)
        assert_int_equal(again, ERR_EXISTS);
    else if (operate == revoke_one || operate == remove_account)
        assert_int_equal(again, ERR_NOT_FOUND);
    else
        assert_int_equal(again, ERR_OK);
    assert_int_equal(store_event_list(s, "", 0, 99, count_event, &events), ERR_OK);
    if (operate == write_batch)
        assert_int_equal(events, e == ERR_OK ? 4 : 2);
    store_free(s);
    return is_reached;
}

static void operating(void **state)
{
    enum err (*const operations[])(struct store *) = {
        add_account, find_app_password, claim, bind, write_batch, revoke_one, remove_account, lease,
    };
    struct template t = template_make();
    struct scratch x;

    (void)state;
    scratch_make(&x);
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        unsigned long n = 1;
        while (fails_at(n, operations[i], &x, &t))
            n++;
        assert_true(n > 2);
    }
    scratch_remove(&x);
    mem_free(t.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening),
        cmocka_unit_test(operating),
    };

    /* Thousands of databases, of which none need survive: in memory, where there is such a place.
     */
    if (access("/dev/shm", W_OK) == 0 && setenv("TMPDIR", "/dev/shm", 1) != 0)
        return 1;
    return weaken_sqlite() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
