/* The throttle by itself: what counts, what does not, and that its memory is bounded. */
#include "warden/throttle.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CAPACITY 512

static struct keys keys;
static uint64_t now_ms;

static struct throttle *make(uint32_t per_source, uint32_t per_account)
{
    const struct throttle_conf conf = {
        .keys = &keys,
        .per_source = per_source,
        .per_account = per_account,
        .window_s = 600,
        .prefix4 = 24,
        .prefix6 = 64,
        .capacity = CAPACITY,
    };
    struct throttle *t = throttle_new(&conf);

    memset(keys.remember, 7, sizeof(keys.remember));
    assert_non_null(t);
    now_ms = 1000;
    return t;
}

static struct throttle_try attempt(const char *source, const char *account, const char *secret)
{
    struct throttle_try a = { .account = view_text(account),
                              .secret = view_text(secret),
                              .protocol = 1 };

    assert_true(addr_parse(source, &a.source));
    return a;
}

static enum throttle_answer enter(struct throttle *t, const char *source, const char *account,
                                  const char *secret, struct throttle_ticket *ret)
{
    const struct throttle_try a = attempt(source, account, secret);

    return throttle_enter(t, &a, now_ms, ret);
}

/* One try, judged. */
static enum throttle_answer try(struct throttle *t, const char *source, const char *account,
                                const char *secret, enum throttle_result result)
{
    struct throttle_ticket k;
    const enum throttle_answer answer = enter(t, source, account, secret, &k);

    throttle_leave(t, &k, result, now_ms);
    return answer;
}

/* `n` wrong secrets, all different from all others. */
static size_t guess(struct throttle *t, const char *source, const char *account, size_t n)
{
    static unsigned serial;
    size_t judged = 0;

    for (size_t i = 0; i < n; i++) {
        char secret[32];
        (void)snprintf(secret, sizeof(secret), "guess %u", serial++);
        judged += try(t, source, account, secret, THROTTLE_BAD) == THROTTLE_PASS;
    }
    return judged;
}

static void test_account_limit(void **state)
{
    (void)state;
    struct throttle *t = make(1000, 10);
    char source[32];
    size_t judged = 0;

    /* From everywhere: what counts is the account. */
    for (int i = 0; i < 50; i++) {
        (void)snprintf(source, sizeof(source), "10.%d.0.1", i);
        judged += guess(t, source, "ann", 1);
    }
    assert_int_equal(judged, 10);
    assert_int_equal(try(t, "10.99.0.1", "bob", "x", THROTTLE_BAD), THROTTLE_PASS);
    now_ms += 60000; /* a tenth of the window: one more */
    assert_int_equal(guess(t, "10.1.0.1", "ann", 5), 1);
    now_ms += 600000;
    assert_int_equal(guess(t, "10.1.0.1", "ann", 50), 10);
    throttle_free(t);
}

static void test_source_limit(void **state)
{
    (void)state;
    struct throttle *t = make(20, 10);
    char account[32];
    size_t judged = 0;

    /* Spraying: one guess for each account. Neighbours of the prefix are one source. */
    for (int i = 0; i < 100; i++) {
        (void)snprintf(account, sizeof(account), "user%d", i);
        judged += guess(t, i % 2 == 0 ? "192.0.2.1" : "192.0.2.200", account, 1);
    }
    assert_int_equal(judged, 20);
    assert_int_equal(guess(t, "192.0.3.1", "user1", 1), 1);
    throttle_free(t);
}

static void test_ipv6_prefix(void **state)
{
    (void)state;
    struct throttle *t = make(3, 100);

    assert_int_equal(guess(t, "2001:db8::1", "a", 2), 2);
    assert_int_equal(guess(t, "2001:db8::ffff:1", "b", 2), 1);
    assert_int_equal(guess(t, "2001:db8:0:1::1", "c", 1), 1);
    throttle_free(t);
}

static void test_same_secret_is_one_failure(void **state)
{
    (void)state;
    struct throttle *t = make(5, 5);

    /* A phone that has forgotten nothing: 288 times a day, for three days. */
    for (int i = 0; i < 864; i++) {
        assert_int_equal(try(t, "192.0.2.1", "ann", "old", THROTTLE_BAD), THROTTLE_PASS);
        assert_int_equal(try(t, "192.0.2.1", "ann", "old", THROTTLE_BAD), THROTTLE_KNOWN);
        now_ms += 300000;
    }
    assert_int_equal(guess(t, "192.0.2.1", "ann", 50), 5);
    throttle_free(t);
}

/* A client that tries one stale password over every protocol has failed once; what is remembered of
 * it is for the protocol, since another may be on where this one is off. */
static void test_same_secret_over_all_protocols(void **state)
{
    (void)state;
    struct throttle *t = make(0, 3);

    for (int round = 0; round < 4; round++) {
        for (uint8_t protocol = 1; protocol <= 4; protocol++) {
            struct throttle_try a = attempt("192.0.2.1", "ann", "stale");
            struct throttle_ticket k;
            a.protocol = protocol;
            assert_int_equal(throttle_enter(t, &a, now_ms, &k), THROTTLE_PASS);
            throttle_leave(t, &k, THROTTLE_BAD, now_ms);
            assert_int_equal(throttle_enter(t, &a, now_ms, &k), THROTTLE_KNOWN);
        }
    }
    assert_int_equal(guess(t, "192.0.2.1", "ann", 5), 2);
    struct throttle_try a = attempt("192.0.2.2", "ann", "right");
    struct throttle_ticket k;
    for (uint8_t protocol = 1; protocol <= 4; protocol++) {
        a.protocol = protocol; /* the limit is the account's, not a protocol's */
        assert_int_equal(throttle_enter(t, &a, now_ms, &k), THROTTLE_ACCOUNT);
    }
    throttle_free(t);
}

static void test_answers_are_for_the_place(void **state)
{
    (void)state;
    struct throttle *t = make(100, 100);
    struct throttle_try a = attempt("192.0.2.1", "ann", "x");
    struct throttle_ticket k;

    assert_int_equal(try(t, "192.0.2.1", "ann", "x", THROTTLE_BAD), THROTTLE_PASS);
    assert_int_equal(try(t, "192.0.2.1", "ann", "x", THROTTLE_BAD), THROTTLE_KNOWN);
    assert_int_equal(enter(t, "192.0.2.2", "ann", "x", &k), THROTTLE_PASS);
    throttle_leave(t, &k, THROTTLE_UNDECIDED, now_ms);
    assert_int_equal(enter(t, "192.0.2.1", "bob", "x", &k), THROTTLE_PASS);
    throttle_leave(t, &k, THROTTLE_UNDECIDED, now_ms);
    a.protocol = 2;
    assert_int_equal(throttle_enter(t, &a, now_ms, &k), THROTTLE_PASS);
    throttle_leave(t, &k, THROTTLE_UNDECIDED, now_ms);
    a.protocol = 1;
    a.client = VIEW_LIT("K-9");
    assert_int_equal(throttle_enter(t, &a, now_ms, &k), THROTTLE_PASS);
    throttle_leave(t, &k, THROTTLE_UNDECIDED, now_ms);
    /* A lease was made: it may be right now. */
    throttle_forget_answers(t);
    assert_int_equal(try(t, "192.0.2.1", "ann", "x", THROTTLE_UNDECIDED), THROTTLE_PASS);
    assert_int_equal(try(t, "192.0.2.1", "ann", "x", THROTTLE_BAD), THROTTLE_PASS);
    now_ms += THROTTLE_ANSWER_MS;
    assert_int_equal(try(t, "192.0.2.1", "ann", "x", THROTTLE_BAD), THROTTLE_PASS);
    throttle_free(t);
}

/* A verdict that began before the change must not be remembered as if it had seen it. */
static void test_answers_of_before_a_change(void **state)
{
    (void)state;
    struct throttle *t = make(100, 100);
    struct throttle_ticket k;

    assert_int_equal(enter(t, "192.0.2.1", "ann", "x", &k), THROTTLE_PASS);
    throttle_forget_answers(t);
    throttle_leave(t, &k, THROTTLE_BAD, now_ms);
    assert_int_equal(try(t, "192.0.2.1", "ann", "x", THROTTLE_GOOD), THROTTLE_PASS);
    throttle_free(t);
}

static void test_success_empties_nothing(void **state)
{
    (void)state;
    struct throttle *t = make(1000, 10);

    assert_int_equal(guess(t, "192.0.2.1", "ann", 9), 9);
    assert_int_equal(try(t, "198.51.100.1", "ann", "right", THROTTLE_GOOD), THROTTLE_PASS);
    assert_int_equal(guess(t, "192.0.2.1", "ann", 9), 1);
    throttle_free(t);
}

static void test_familiar(void **state)
{
    (void)state;
    struct throttle *t = make(10, 10);

    assert_int_equal(try(t, "192.0.2.1", "ann", "right", THROTTLE_GOOD), THROTTLE_PASS);
    /* An attack on the account from elsewhere, and on others from the same office. */
    assert_int_equal(guess(t, "203.0.113.1", "ann", 20), 10);
    assert_int_equal(guess(t, "192.0.2.2", "bob", 5), 5);
    assert_int_equal(guess(t, "192.0.2.2", "eve", 20), 5);
    assert_int_equal(try(t, "192.0.2.1", "eve", "x", THROTTLE_BAD), THROTTLE_SOURCE);
    assert_int_equal(try(t, "198.51.100.1", "ann", "right", THROTTLE_GOOD), THROTTLE_ACCOUNT);
    assert_int_equal(try(t, "192.0.2.1", "ann", "right", THROTTLE_GOOD), THROTTLE_PASS);
    /* It is not free to guess for all that. */
    assert_int_equal(guess(t, "192.0.2.1", "ann", 30), 10);
    const struct addr attacked = attempt("203.0.113.1", "", "").source;
    throttle_befriend(t, VIEW_LIT("dan"), &attacked);
    assert_int_equal(try(t, "203.0.113.9", "dan", "x", THROTTLE_GOOD), THROTTLE_PASS);
    throttle_free(t);
}

static void test_devices(void **state)
{
    (void)state;
    struct throttle *t = make(10, 10);
    struct throttle_try a = attempt("192.0.2.1", "ann", "pst_wrong");
    struct throttle_ticket k;

    a.is_device = true;
    assert_int_equal(guess(t, "203.0.113.1", "ann", 20), 10);
    /* The account is under attack: its devices come in. */
    assert_int_equal(throttle_enter(t, &a, now_ms, &k), THROTTLE_PASS);
    throttle_leave(t, &k, THROTTLE_BAD, now_ms);
    for (int i = 0; i < 250; i++) {
        char secret[32];
        (void)snprintf(secret, sizeof(secret), "pst_%d", i);
        a.secret = view_text(secret);
        const enum throttle_answer answer = throttle_enter(t, &a, now_ms, &k);
        throttle_leave(t, &k, THROTTLE_BAD, now_ms);
        assert_int_equal(answer, i < 10 * THROTTLE_DEVICES - 1 ? THROTTLE_PASS : THROTTLE_SOURCE);
    }
    /* … but did not cost the account anything. */
    assert_int_equal(guess(t, "198.51.100.1", "bob", 20), 10);
    throttle_free(t);
}

/* A neighbour has used up the source's limit: an app password that was never seen from there is
 * judged for all that, and a wrong one makes the wait for passwords no longer. */
static void test_devices_beside_a_guesser(void **state)
{
    (void)state;
    struct throttle *t = make(10, 1000);
    struct throttle_try a = attempt("192.0.2.2", "new", "pst_good");
    struct throttle_ticket k;
    char secret[32];

    a.is_device = true;
    assert_int_equal(guess(t, "192.0.2.1", "ann", 50), 10);
    assert_int_equal(throttle_enter(t, &a, now_ms, &k), THROTTLE_PASS);
    throttle_leave(t, &k, THROTTLE_GOOD, now_ms);
    a.account = VIEW_LIT("other");
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(secret, sizeof(secret), "pst_%d", i);
        a.secret = view_text(secret);
        const enum throttle_answer answer = throttle_enter(t, &a, now_ms, &k);
        throttle_leave(t, &k, THROTTLE_BAD, now_ms);
        assert_int_equal(answer, i < 10 * THROTTLE_DEVICES ? THROTTLE_PASS : THROTTLE_SOURCE);
    }
    assert_int_equal(guess(t, "192.0.2.1", "ann", 1), 0);
    now_ms += 300000; /* half the window */
    assert_int_equal(guess(t, "192.0.2.1", "ann", 50), 5);
    assert_int_equal(throttle_enter(t, &a, now_ms, &k), THROTTLE_PASS);
    throttle_leave(t, &k, THROTTLE_UNDECIDED, now_ms);
    throttle_free(t);
}

static void test_guesses_at_once(void **state)
{
    (void)state;
    struct throttle *t = make(1000, 10);
    struct throttle_ticket k[30];
    size_t judged = 0;

    for (size_t i = 0; i < COUNT_OF(k); i++) {
        char secret[32];
        (void)snprintf(secret, sizeof(secret), "g%zu", i);
        judged += enter(t, "192.0.2.1", "ann", secret, &k[i]) == THROTTLE_PASS;
    }
    assert_int_equal(judged, 10);
    for (size_t i = 0; i < COUNT_OF(k); i++)
        throttle_leave(t, &k[i], THROTTLE_UNDECIDED, now_ms);
    assert_int_equal(guess(t, "192.0.2.1", "ann", 30), 10);
    throttle_free(t);
}

static void test_one_client_many_connections(void **state)
{
    (void)state;
    struct throttle *t = make(10, 3);
    struct throttle_ticket k[20], again;

    for (size_t i = 0; i < COUNT_OF(k); i++)
        assert_int_equal(enter(t, "192.0.2.1", "ann", "right", &k[i]), THROTTLE_PASS);
    for (size_t i = 0; i < COUNT_OF(k); i++)
        throttle_leave(t, &k[i], THROTTLE_GOOD, now_ms);
    throttle_leave(t, &k[0], THROTTLE_BAD, now_ms); /* left already: nothing */
    for (size_t i = 0; i < COUNT_OF(k); i++)
        assert_int_equal(enter(t, "203.0.113.1", "bob", "wrong", &k[i]), THROTTLE_PASS);
    for (size_t i = 0; i < COUNT_OF(k); i++)
        throttle_leave(t, &k[i], THROTTLE_BAD, now_ms);
    /* One failure, and nothing is left in flight: two more may be judged at once. */
    assert_int_equal(enter(t, "203.0.113.1", "bob", "w2", &k[0]), THROTTLE_PASS);
    assert_int_equal(enter(t, "203.0.113.1", "bob", "w3", &k[1]), THROTTLE_PASS);
    assert_int_equal(enter(t, "203.0.113.1", "bob", "w4", &again), THROTTLE_ACCOUNT);
    throttle_free(t);
}

static void test_office_comes_back(void **state)
{
    (void)state;
    struct throttle *t = make(5, 5);
    struct throttle_ticket k[200];
    size_t passed = 0;

    for (size_t i = 0; i < COUNT_OF(k); i++) {
        char account[32];
        (void)snprintf(account, sizeof(account), "user%zu", i);
        passed += enter(t, "192.0.2.1", account, "right", &k[i]) == THROTTLE_PASS;
    }
    assert_int_equal(passed, THROTTLE_BURST + 5);
    for (size_t i = 0; i < COUNT_OF(k); i++)
        throttle_leave(t, &k[i], THROTTLE_GOOD, now_ms);
    throttle_free(t);
}

static void test_alerts_and_news(void **state)
{
    (void)state;
    struct throttle *t = make(5, 5);
    const struct addr here = attempt("192.0.2.1", "", "").source;
    const struct addr there = attempt("203.0.113.1", "", "").source;

    assert_true(throttle_alert(t, VIEW_LIT("ann"), &here, now_ms));
    assert_false(throttle_alert(t, VIEW_LIT("ann"), &here, now_ms));
    assert_true(throttle_alert(t, VIEW_LIT("ann"), &there, now_ms));
    assert_true(throttle_alert(t, VIEW_LIT("nobody"), &here, now_ms));
    now_ms += THROTTLE_ALERT_MS - 1;
    assert_false(throttle_alert(t, VIEW_LIT("ann"), &here, now_ms));
    now_ms++;
    assert_true(throttle_alert(t, VIEW_LIT("ann"), &here, now_ms));
    assert_true(throttle_is_news(t, &here, now_ms));
    assert_false(throttle_is_news(t, &here, now_ms + 59999));
    assert_true(throttle_is_news(t, &here, now_ms + 60000));
    throttle_free(t);
}

static void test_bounded(void **state)
{
    (void)state;
    struct throttle *t = make(1000, 1000);

    for (unsigned i = 0; i < 20 * CAPACITY; i++) {
        char source[32], account[32];
        (void)snprintf(source, sizeof(source), "10.%u.%u.1", i / 256 % 256, i % 256);
        (void)snprintf(account, sizeof(account), "user%u", i);
        (void)guess(t, source, account, 1);
        (void)try(t, source, account, "right", THROTTLE_GOOD);
        const struct addr from = attempt(source, "", "").source;
        (void)throttle_alert(t, view_text(account), &from, now_ms);
        assert_true(throttle_count(t) <= 8 * CAPACITY);
    }
    throttle_free(t);
}

static void test_no_limits(void **state)
{
    (void)state;
    struct throttle *t = make(0, 0);

    assert_int_equal(guess(t, "192.0.2.1", "ann", 1000), 1000);
    throttle_free(t);
}

static void test_no_memory(void **state)
{
    (void)state;
    const struct throttle_conf conf = { .keys = &keys, .capacity = 16 };
    struct throttle *t = NULL;

    for (unsigned long n = 1; t == NULL && n < 100; n++) {
        mem_fail_at(n);
        t = throttle_new(&conf);
    }
    mem_fail_at(0);
    assert_non_null(t);
    throttle_free(t);
}

static void test_memo(void **state)
{
    (void)state;
    struct memo *m = memo_new(3, sizeof(uint32_t));
    uint8_t key[MEMO_KEY] = { 0 };

    for (uint8_t i = 1; i <= 3; i++) {
        key[0] = i;
        *(uint32_t *)memo_put(m, key) = i;
    }
    key[0] = 1; /* used: 2 is now the oldest */
    assert_int_equal(*(uint32_t *)memo_find(m, key), 1);
    key[0] = 17; /* another bucket or the same: room for it is made by 2 */
    assert_int_equal(*(uint32_t *)memo_put(m, key), 0);
    assert_int_equal(memo_count(m), 3);
    key[0] = 2;
    assert_null(memo_find(m, key));
    key[0] = 3;
    assert_int_equal(*(uint32_t *)memo_find(m, key), 3);
    key[0] = 1;
    assert_int_equal(*(uint32_t *)memo_put(m, key), 1);
    memo_free(m);
    memo_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account_limit),
        cmocka_unit_test(test_source_limit),
        cmocka_unit_test(test_ipv6_prefix),
        cmocka_unit_test(test_same_secret_is_one_failure),
        cmocka_unit_test(test_same_secret_over_all_protocols),
        cmocka_unit_test(test_answers_are_for_the_place),
        cmocka_unit_test(test_answers_of_before_a_change),
        cmocka_unit_test(test_success_empties_nothing),
        cmocka_unit_test(test_familiar),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_devices_beside_a_guesser),
        cmocka_unit_test(test_guesses_at_once),
        cmocka_unit_test(test_one_client_many_connections),
        cmocka_unit_test(test_office_comes_back),
        cmocka_unit_test(test_alerts_and_news),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_no_limits),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_memo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
