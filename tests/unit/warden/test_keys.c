/* The key file, sealing and keyed hashes. */
#include "test_store_scratch.h"

#include "base/secret.h"
#include "warden/factor/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#define OTHER_SECRET VIEW_LIT("another app password")
#define APP_SECRET   VIEW_LIT("pst_0123456789")
#define CONTEXT      VIEW_LIT("app-password:0123456789:ann@example.org")
#define PLAIN        VIEW_LIT("correct horse battery staple")

struct fixture {
    struct scratch scratch;
    struct keys k;
};

static int set_up(void **state)
{
    struct fixture *f = NEW(fixture);

    assert_non_null(f);
    scratch_make(&f->scratch);
    assert_int_equal(keys_load(f->scratch.key, &f->k), ERR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    keys_done(&f->k);
    scratch_remove(&f->scratch);
    mem_free(f);
    return 0;
}

/* ---- the file ---- */

static void makes_the_file_once(void **state)
{
    struct fixture *f = *state;
    struct keys again, zero = { 0 };
    struct stat st;

    assert_int_equal(stat(f->scratch.key, &st), 0);
    assert_int_equal(st.st_size, 32);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(keys_load(f->scratch.key, &again), ERR_OK);
    assert_memory_equal(&again, &f->k, sizeof(again));
    assert_memory_not_equal(again.seal, again.verify, 32);
    assert_memory_not_equal(again.seal, again.remember, 32);
    keys_done(&again);
    assert_memory_equal(&again, &zero, sizeof(again));
}

static void refuses_odd_files(void **state)
{
    struct fixture *f = *state;
    struct keys k = { .seal = { 9 } };

    for (mode_t bit = 1; bit <= 040; bit <<= 1) {
        assert_int_equal(chmod(f->scratch.key, 0600 | bit), 0);
        assert_int_equal(keys_load(f->scratch.key, &k), ERR_DENIED);
    }
    assert_int_equal(chmod(f->scratch.key, 0600), 0);
    assert_int_equal(truncate(f->scratch.key, 33), 0);
    assert_int_equal(keys_load(f->scratch.key, &k), ERR_INVALID);
    assert_int_equal(truncate(f->scratch.key, 31), 0);
    assert_int_equal(keys_load(f->scratch.key, &k), ERR_INVALID);
    assert_int_equal(truncate(f->scratch.key, 0), 0); /* never filled in */
    assert_int_equal(keys_load(f->scratch.key, &k), ERR_INVALID);
    assert_int_equal(keys_load(f->scratch.folder, &k), ERR_INVALID);
    assert_int_equal(keys_load("/nowhere/at/all/key", &k), ERR_IO);
    assert_int_equal(k.seal[0], 9); /* untouched */
}

/* Several that start at once must agree on one key. */
static void starts_at_once_agree(void **state)
{
    struct fixture *f = *state;
    struct keys k, first;
    int fd[2], status = 0;

    assert_int_equal(unlink(f->scratch.key), 0);
    assert_int_equal(pipe(fd), 0);
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            bool is_told = keys_load(f->scratch.key, &k) == ERR_OK &&
                           write(fd[1], &k, sizeof(k)) == (ssize_t)sizeof(k);
            _exit(is_told ? 0 : 1);
        }
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(read(fd[0], &k, sizeof(k)), sizeof(k));
        if (i == 0)
            first = k;
        assert_memory_equal(&k, &first, sizeof(k));
        assert_true(wait(&status) > 0 && status == 0);
    }
    (void)close(fd[0]);
    (void)close(fd[1]);
}

/* ---- sealing ---- */

static void seal_into(const struct fixture *f, struct view secret, struct view plain,
                      struct buf *sealed)
{
    buf_clear(sealed);
    assert_int_equal(keys_seal(&f->k, secret, CONTEXT, plain, sealed), ERR_OK);
}

static void opens_what_it_sealed(void **state)
{
    struct fixture *f = *state;
    uint8_t octets[LIMIT_SECRET + 1];
    AUTO_BUF(sealed, STORE_SEALED);
    AUTO_BUF(plain, LIMIT_SECRET);

    memset(octets, 0x80, sizeof(octets)); /* what padding is made of */
    for (size_t n = 0; n <= LIMIT_SECRET; n += n < 130 ? 1 : 149) {
        seal_into(f, n % 2 == 0 ? APP_SECRET : VIEW_NONE, view_of(octets, n), &sealed);
        buf_clear(&plain);
        assert_int_equal(keys_open(&f->k, n % 2 == 0 ? APP_SECRET : VIEW_NONE, CONTEXT,
                                   buf_view(&sealed), &plain),
                         ERR_OK);
        assert_int_equal(plain.n, n);
        assert_true(n == 0 || memcmp(plain.p, octets, n) == 0);
    }
    assert_int_equal(keys_seal(&f->k, VIEW_NONE, CONTEXT, view_of(octets, sizeof(octets)), &sealed),
                     ERR_TOO_LONG);
    seal_into(f, APP_SECRET, view_of(octets, LIMIT_SECRET), &sealed);
}

static void lengths_tell_little(void **state)
{
    struct fixture *f = *state;
    AUTO_BUF(one, STORE_SEALED);
    AUTO_BUF(two, STORE_SEALED);

    seal_into(f, APP_SECRET, VIEW_LIT("x"), &one);
    seal_into(f, APP_SECRET, VIEW_LIT("a password of forty-two octets, or about so"), &two);
    assert_int_equal(one.n, two.n);
    assert_true(one.n <= 128); /* a TOTP seed fits into struct store_totp */
    seal_into(f, APP_SECRET, VIEW_LIT("x"), &two);
    assert_memory_not_equal(one.p, two.p, one.n); /* nor does sameness */
}

static enum err open_with(const struct keys *k, struct view secret, struct view context,
                          struct view sealed)
{
    AUTO_BUF(plain, LIMIT_SECRET);
    enum err e = keys_open(k, secret, context, sealed, &plain);

    assert_true(e == ERR_OK || plain.n == 0);
    return e;
}

static void opens_for_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct keys other = f->k;
    AUTO_BUF(sealed, STORE_SEALED);

    seal_into(f, APP_SECRET, PLAIN, &sealed);
    struct view s = buf_view(&sealed);
    assert_int_equal(open_with(&f->k, APP_SECRET, CONTEXT, s), ERR_OK);
    assert_int_equal(open_with(&f->k, OTHER_SECRET, CONTEXT, s), ERR_DENIED);
    assert_int_equal(open_with(&f->k, VIEW_NONE, CONTEXT, s), ERR_DENIED);
    /* Moved to another account's row. */
    assert_int_equal(
        open_with(&f->k, APP_SECRET, VIEW_LIT("app-password:0123456789:bob@example.org"), s),
        ERR_DENIED);
    assert_int_equal(open_with(&f->k, APP_SECRET, VIEW_NONE, s), ERR_DENIED);
    /* The database and every app password, without the key file. */
    other.seal[31] ^= 1;
    assert_int_equal(open_with(&other, APP_SECRET, CONTEXT, s), ERR_DENIED);
    for (size_t i = 0; i < sealed.n; i++) { /* every octet counts */
        sealed.p[i] ^= 0x40;
        assert_int_equal(open_with(&f->k, APP_SECRET, CONTEXT, s), ERR_DENIED);
        sealed.p[i] ^= 0x40;
    }
    for (size_t n = 0; n < sealed.n; n++)
        assert_int_equal(open_with(&f->k, APP_SECRET, CONTEXT, view_first(s, n)), ERR_DENIED);
}

static void full_buffers(void **state)
{
    struct fixture *f = *state;
    AUTO_BUF(sealed, STORE_SEALED);
    AUTO_BUF(tiny, 8);

    assert_int_equal(keys_seal(&f->k, APP_SECRET, CONTEXT, PLAIN, &tiny), ERR_TOO_LONG);
    seal_into(f, APP_SECRET, PLAIN, &sealed);
    buf_clear(&tiny);
    assert_int_equal(keys_open(&f->k, APP_SECRET, CONTEXT, buf_view(&sealed), &tiny), ERR_TOO_LONG);
}

static void every_allocation_fails_once(void **state)
{
    struct fixture *f = *state;
    unsigned long n = 1;

    for (enum err e = ERR_MEMORY; e != ERR_OK; n++) {
        AUTO_BUF(sealed, STORE_SEALED);
        mem_fail_at(n);
        e = keys_seal(&f->k, APP_SECRET, CONTEXT, PLAIN, &sealed);
        mem_fail_at(0);
        assert_true(e == ERR_OK || (e == ERR_MEMORY && sealed.n == 0));
    }
    assert_int_equal(n - 1, 4); /* padding, cipher text, buffer; then it works */
    AUTO_BUF(sealed, STORE_SEALED);
    seal_into(f, APP_SECRET, PLAIN, &sealed);
    n = 1;
    for (enum err e = ERR_MEMORY; e != ERR_OK; n++) {
        AUTO_BUF(plain, LIMIT_SECRET);
        mem_fail_at(n);
        e = keys_open(&f->k, APP_SECRET, CONTEXT, buf_view(&sealed), &plain);
        mem_fail_at(0);
        assert_true(e == ERR_OK || (e == ERR_MEMORY && plain.n == 0));
    }
    assert_int_equal(n - 1, 3);
}

static void remembering(void **state)
{
    struct fixture *f = *state;
    struct keys other = f->k;
    uint8_t a[16], b[16];

    keys_remember(&f->k, VIEW_LIT("ab"), VIEW_LIT("c"), a);
    keys_remember(&f->k, VIEW_LIT("ab"), VIEW_LIT("c"), b);
    assert_memory_equal(a, b, sizeof(a));
    keys_remember(&f->k, VIEW_LIT("a"), VIEW_LIT("bc"), b);
    assert_memory_not_equal(a, b, sizeof(a));
    other.remember[0] ^= 1;
    keys_remember(&other, VIEW_LIT("ab"), VIEW_LIT("c"), b);
    assert_memory_not_equal(a, b, sizeof(a));
    keys_remember(&f->k, VIEW_NONE, VIEW_NONE, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_the_file_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_odd_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(starts_at_once_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(opens_what_it_sealed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lengths_tell_little, set_up, tear_down),
        cmocka_unit_test_setup_teardown(opens_for_nobody_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_buffers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_allocation_fails_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(remembering, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
