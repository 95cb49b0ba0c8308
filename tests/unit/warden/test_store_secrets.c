/* A copy of the database gives nothing away: its files are searched for every secret that went in,
 * and neither a copy with another key file nor one with a guessed app password opens anything. */
#include "test_store_scratch.h"

#include "base/buf.h"
#include "warden/factor/app_password.h"
#include "warden/factor/totp.h"

#include <fcntl.h>

#define MAILBOX_PASSWORD "Tr0ub4dor&3-of-ann"
#define FILES_MAX        4

struct copy {
    uint8_t *p; /* owned */
    size_t n;
};

/* Every file of the folder but the key, as a thief of the database would have it. */
static struct copy steal(const struct scratch *x)
{
    static const char *const names[FILES_MAX] = { "postern.db", "postern.db-wal", "postern.db-shm",
                                                  "postern.db-journal" };
    struct copy c = { .p = mem_alloc(8 << 20) };

    assert_non_null(c.p);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", x->folder, names[i]);
        FILE *f = fopen(path, "r");
        if (f == NULL)
            continue;
        c.n += fread(c.p + c.n, 1, (8 << 20) - c.n, f);
        (void)fclose(f);
    }
    assert_true(c.n > 4096 && c.n < 8 << 20);
    return c;
}

static void assert_absent(const struct copy *c, struct view secret)
{
    assert_null(memmem(c->p, c->n, secret.p, secret.n));
}

static void search(const struct scratch *x, const struct app_password *p, const uint8_t *seed)
{
    struct copy c = steal(x);
    AUTO_BUF(base32, 64);

    assert_non_null(memmem(c.p, c.n, "ann@example.org", 15)); /* it is the right file */
    assert_absent(&c, VIEW_LIT(MAILBOX_PASSWORD));
    assert_absent(&c, view_text(p->text));
    for (size_t i = 14; i + 8 <= strlen(p->text); i++) /* no eight letters of its secret part */
        assert_absent(&c, view_of(p->text + i, 8));
    assert_absent(&c, view_of(seed, 8));
    assert_int_equal(totp_secret_text(seed, &base32), ERR_OK);
    assert_absent(&c, view_first(buf_view(&base32), 12));
    mem_free(c.p);
}

static void fill(struct store *s, const struct keys *k, const struct app_password *p,
                 const uint8_t *seed)
{
    struct store_app_password row = scratch_app_password(p->public, "ann@example.org");
    AUTO_BUF(sealed, STORE_SEALED);

    assert_int_equal(store_account_add(s, "ann@example.org", NOW), ERR_OK);
    app_password_verifier(k, p, row.verifier);
    assert_int_equal(keys_seal(k, view_text(p->text), VIEW_LIT("app-password ann@example.org"),
                               VIEW_LIT(MAILBOX_PASSWORD), &sealed),
                     ERR_OK);
    row.sealed_n = sealed.n;
    memcpy(row.sealed, sealed.p, sealed.n);
    assert_int_equal(store_app_password_add(s, &row), ERR_OK);
    buf_clear(&sealed);
    assert_int_equal(keys_seal(k, VIEW_NONE, VIEW_LIT("totp ann@example.org"),
                               view_of(seed, TOTP_SEED_OCTETS), &sealed),
                     ERR_OK);
    assert_int_equal(store_totp_set(s, "ann@example.org", buf_view(&sealed), NOW), ERR_OK);
}

static bool opens(struct store *s, const struct keys *k, const struct app_password *p)
{
    struct store_app_password row = { 0 };
    AUTO_BUF(plain, LIMIT_SECRET);

    assert_int_equal(store_app_password_find(s, p->public, &row), ERR_OK);
    return keys_open(k, view_text(p->text), VIEW_LIT("app-password ann@example.org"),
                     view_of(row.sealed, row.sealed_n), &plain) == ERR_OK &&
           view_is_equal(buf_view(&plain), VIEW_LIT(MAILBOX_PASSWORD));
}

static void the_database_alone_tells_nothing(void **state)
{
    struct scratch x;
    struct keys k, other;
    struct app_password p, guess;
    uint8_t seed[TOTP_SEED_OCTETS];
    char other_key[200];

    (void)state;
    scratch_make(&x);
    assert_int_equal(keys_load(x.key, &k), ERR_OK);
    (void)snprintf(other_key, sizeof(other_key), "%s.other", x.key);
    assert_int_equal(keys_load(other_key, &other), ERR_OK);
    app_password_make(&p);
    assert_int_equal(totp_make_seed(seed), ERR_OK);
    struct store *s = scratch_open(&x, 2);
    fill(s, &k, &p, seed);
    search(&x, &p, seed); /* while it runs, with its log */

    assert_true(opens(s, &k, &p));
    assert_false(opens(s, &other, &p));
    app_password_make(&guess);
    memcpy(guess.public, p.public, sizeof(guess.public));
    assert_false(opens(s, &k, &guess));

    assert_int_equal(store_app_password_revoke(s, p.public), ERR_OK);
    store_free(s);
    search(&x, &p, seed); /* and at rest */
    keys_done(&k);
    keys_done(&other);
    scratch_remove(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_database_alone_tells_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
