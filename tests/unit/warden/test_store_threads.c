/* Many threads on one store: what may be taken once is taken once, and nothing is lost. */
#include "test_store_scratch.h"

#include <pthread.h>

#define THREADS 8
#define ROUNDS  40

struct crowd {
    struct store *s;
    pthread_barrier_t start;
    unsigned number; /* under the barrier: each thread takes one */
    unsigned wins[ROUNDS];
    unsigned bad; /* unexpected results */
    pthread_mutex_t mutex;
};

static void note(struct crowd *c, int round, enum err e)
{
    CHECK(pthread_mutex_lock(&c->mutex) == 0);
    if (e == ERR_OK)
        c->wins[round]++;
    else if (e != ERR_EXISTS)
        c->bad++;
    CHECK(pthread_mutex_unlock(&c->mutex) == 0);
}

static void meet(struct crowd *c)
{
    (void)pthread_barrier_wait(&c->start);
}

static void *claim(void *arg)
{
    struct crowd *c = arg;

    for (int i = 0; i < ROUNDS; i++) {
        meet(c);
        note(c, i, store_totp_claim(c->s, "ann@example.org", (uint64_t)i + 1));
    }
    return NULL;
}

static void *bind(void *arg)
{
    struct crowd *c = arg;

    for (int i = 0; i < ROUNDS; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "p%d", i);
        meet(c);
        note(c, i, store_app_password_bind(c->s, id, "10.0.0.0/24", ""));
    }
    return NULL;
}

static void *add(void *arg)
{
    struct crowd *c = arg;

    for (int i = 0; i < ROUNDS; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "u%d@example.org", i);
        meet(c);
        note(c, i, store_account_add(c->s, name, NOW));
    }
    return NULL;
}

/* Writers and readers of everything at once. */
static void *mix(void *arg)
{
    struct crowd *c = arg;

    CHECK(pthread_mutex_lock(&c->mutex) == 0);
    unsigned me = c->number++;
    CHECK(pthread_mutex_unlock(&c->mutex) == 0);
    meet(c);
    for (int i = 0; i < ROUNDS; i++) {
        struct store_write w[2] = { { .kind = STORE_WRITE_EVENT, .event = { .at = NOW } },
                                    { .kind = STORE_WRITE_SESSION_OPENED } };
        struct store_app_password p = scratch_app_password("", "ann@example.org"), q;
        enum err e;

        (void)snprintf(p.id, sizeof(p.id), "m%u.%d", me, i);
        (void)snprintf(w[1].session.id, sizeof(w[1].session.id), "s%u.%d", me, i);
        e = store_app_password_add(c->s, &p);
        if (e == ERR_OK)
            e = store_app_password_find(c->s, p.id, &q);
        if (e == ERR_OK && memcmp(p.sealed, q.sealed, p.sealed_n) != 0)
            e = ERR_INVALID;
        if (e == ERR_OK)
            e = store_write(c->s, w, COUNT_OF(w));
        if (e == ERR_OK && i % 2 == 0)
            e = store_app_password_revoke(c->s, p.id);
        note(c, i, e);
    }
    return NULL;
}

static void run(const char *what, struct scratch *x, void *(*body)(void *), unsigned wins_a_round)
{
    pthread_t threads[THREADS];
    struct crowd c = { .mutex = PTHREAD_MUTEX_INITIALIZER };

    c.s = scratch_open(x, 3); /* fewer than there are threads */
    if (strcmp(what, "bind") == 0) {
        for (int i = 0; i < ROUNDS; i++) {
            struct store_app_password p = scratch_app_password("", "ann@example.org");
            (void)snprintf(p.id, sizeof(p.id), "p%d", i);
            assert_int_equal(store_app_password_add(c.s, &p), ERR_OK);
        }
    }
    assert_int_equal(pthread_barrier_init(&c.start, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, &c), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)pthread_barrier_destroy(&c.start);
    assert_int_equal(c.bad, 0);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(c.wins[i], wins_a_round);
    store_free(c.s);
}

static int set_up(void **state)
{
    struct scratch *x = NEW(scratch);

    assert_non_null(x);
    scratch_make(x);
    struct store *s = scratch_open(x, 2);
    assert_int_equal(store_account_add(s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_totp_set(s, "ann@example.org", VIEW_LIT("x"), NOW), ERR_OK);
    store_free(s);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    scratch_remove(*state);
    mem_free(*state);
    return 0;
}

static void a_code_counts_once(void **state)
{
    run("claim", *state, claim, 1);
}

static void binds_for_one_only(void **state)
{
    run("bind", *state, bind, 1);
}

static void names_are_unique(void **state)
{
    run("add", *state, add, 1);
}

static bool count_app_password(void *arg, const struct store_app_password *p)
{
    (void)p;
    ++*(unsigned *)arg;
    return true;
}

static bool count_event(void *arg, const struct store_event *e)
{
    (void)e;
    ++*(unsigned *)arg;
    return true;
}

static void nothing_is_lost(void **state)
{
    unsigned app_passwords = 0, events = 0;

    run("mix", *state, mix, THREADS);
    struct store *s = scratch_open(*state, 2);
    assert_int_equal(store_app_password_list(s, "", count_app_password, &app_passwords), ERR_OK);
    assert_int_equal(app_passwords, THREADS * ROUNDS / 2);
    assert_int_equal(store_event_list(s, "", 0, 100000, count_event, &events), ERR_OK);
    assert_int_equal(events, THREADS * ROUNDS);
    store_free(s);
}

/* Two stores on one file are two processes as far as SQLite can tell. */
static void two_stores_share_a_file(void **state)
{
    struct store *a = scratch_open(*state, 2), *b = scratch_open(*state, 2);
    struct store_account found = { 0 };

    for (uint64_t step = 1; step < 20; step++) {
        struct store *first = step % 2 == 0 ? a : b, *second = step % 2 == 0 ? b : a;
        assert_int_equal(store_totp_claim(first, "ann@example.org", step), ERR_OK);
        assert_int_equal(store_totp_claim(second, "ann@example.org", step), ERR_EXISTS);
    }
    assert_int_equal(store_account_enable(a, "ann@example.org", false), ERR_OK);
    assert_int_equal(store_account_find(b, "ann@example.org", &found), ERR_OK);
    assert_false(found.is_enabled);
    store_free(a);
    store_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_code_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(binds_for_one_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_unique, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_stores_share_a_file, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
