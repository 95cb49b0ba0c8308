/* What is known of stale app passwords, and for how long. */
#include "warden/stale.h"

#include "base/mem.h"
#include "warden/memo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DAY_MS 86400000U

static struct keys keys;

static struct stale *make(size_t capacity)
{
    struct stale *s = stale_new(&keys, capacity);

    memset(keys.remember, 7, sizeof(keys.remember));
    assert_non_null(s);
    return s;
}

static void test_remembered(void **state)
{
    (void)state;
    struct stale *s = make(8);

    assert_false(stale_holds(s, "phone", 1000));
    stale_refused(s, "phone", 1000);
    assert_true(stale_holds(s, "phone", 1000));
    assert_true(stale_holds(s, "phone", 1000 + STALE_MS - 1));
    assert_false(stale_holds(s, "tablet", 1000));
    /* One asks for all. */
    assert_false(stale_holds(s, "phone", 1000 + STALE_MS));
    assert_true(stale_holds(s, "phone", 1000 + STALE_MS));
    assert_true(stale_holds(s, "phone", 1000 + STALE_MS + STALE_ASK_MS - 1));
    /* It never came back: the next one. */
    assert_false(stale_holds(s, "phone", 1000 + STALE_MS + STALE_ASK_MS));
    stale_taken(s, "phone");
    assert_false(stale_holds(s, "phone", 1000 + STALE_MS + STALE_ASK_MS));
    stale_free(s);
    stale_free(NULL);
}

static void test_forgotten(void **state)
{
    (void)state;
    struct stale *s = make(8);

    stale_refused(s, "phone", 1000);
    stale_forget(s);
    assert_false(stale_holds(s, "phone", 1001));
    stale_refused(s, "phone", 1002); /* from the beginning: a quarter of an hour */
    assert_true(stale_holds(s, "phone", 1001 + STALE_MS));
    assert_false(stale_holds(s, "phone", 1002 + STALE_MS));
    stale_free(s);
}

/* Ten connections, every five minutes, all day. */
static void test_a_phone_s_day(void **state)
{
    (void)state;
    struct stale *s = make(8);
    unsigned asked = 0;

    for (uint64_t at = 1; at < DAY_MS; at += 300000) {
        unsigned together = 0;
        for (int i = 0; i < 10; i++)
            together += !stale_holds(s, "phone", at);
        for (unsigned i = 0; i < together; i++)
            stale_refused(s, "phone", at + 2000 + i);
        asked += together;
    }
    /* All ten at the very first, then 15, 30, 60, 120, 240, 240 … minutes later one. */
    assert_int_equal(asked, 10 + 8);
    stale_free(s);
}

static void test_bounded(void **state)
{
    (void)state;
    struct stale *s = make(3);
    char id[16];

    for (int i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        stale_refused(s, id, 1000);
    }
    assert_true(stale_holds(s, "99", 1000));
    assert_false(stale_holds(s, "1", 1000));
    stale_free(s);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct stale *s = NULL;

    for (unsigned long n = 1; s == NULL && n < 20; n++) {
        mem_fail_at(n);
        s = stale_new(&keys, 4);
    }
    mem_fail_at(0);
    assert_non_null(s);
    stale_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remembered),    cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_a_phone_s_day), cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
