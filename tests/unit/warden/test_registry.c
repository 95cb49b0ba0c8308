/* The registry against a plain list that does the same, and its small promises. */
#include "warden/registry.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define IDS      4000
#define ACCOUNTS 37
#define HOLDERS  5

static struct registry_holder holders[HOLDERS];

static void account_name(uint64_t id, char name[STORE_NAME])
{
    (void)snprintf(name, STORE_NAME, "user%u@example.org", (unsigned)(id * 7 % ACCOUNTS));
}

static void test_empty(void **state)
{
    (void)state;
    struct registry *r = registry_new();

    assert_non_null(r);
    assert_null(registry_find(r, 0));
    assert_null(registry_next(r, NULL));
    assert_null(registry_first_of(r, "ann"));
    assert_int_equal(registry_count_of(r, "ann"), 0);
    registry_free(r);
    registry_free(NULL);
}

static size_t walk(const struct registry *r)
{
    size_t n = 0;

    for (struct session *s = registry_next(r, NULL); s != NULL; s = registry_next(r, s))
        n++;
    return n;
}

static void check(const struct registry *r, const bool *is_there)
{
    size_t n = 0, of_holders = 0;
    uint32_t of_accounts = 0;

    for (uint64_t id = 0; id < IDS; id++) {
        const struct session *s = registry_find(r, id << 32 | id);
        char name[STORE_NAME];
        assert_int_equal(s != NULL, is_there[id]);
        n += is_there[id];
        account_name(id, name);
        if (s != NULL) {
            assert_string_equal(session_account(s), name);
            assert_ptr_equal(s->holder, &holders[id % HOLDERS]);
        }
    }
    for (size_t i = 0; i < HOLDERS; i++)
        of_holders += holders[i].count;
    for (uint64_t a = 0; a < ACCOUNTS; a++) {
        char name[STORE_NAME];
        account_name(a, name);
        of_accounts += registry_count_of(r, name);
    }
    assert_int_equal(registry_count(r), n);
    assert_int_equal(walk(r), n);
    assert_int_equal(of_holders, n);
    assert_int_equal(of_accounts, n);
}

static void test_against_a_list(void **state)
{
    (void)state;
    static bool is_there[IDS];
    struct registry *r = registry_new();
    uint32_t random = 12345;

    for (int i = 0; i < 30000; i++) {
        random = random * 1664525 + 1013904223;
        const uint64_t id = (random >> 8) % IDS;
        char name[STORE_NAME];
        account_name(id, name);
        if (!is_there[id]) {
            struct session *s = registry_add(r, &holders[id % HOLDERS], id << 32 | id, name);
            assert_non_null(s);
            session_set_client(s, VIEW_LIT("Mail\r\n\x01 1.0"));
            assert_string_equal(s->client, "Mail??? 1.0");
        } else {
            registry_remove(r, registry_find(r, id << 32 | id));
        }
        is_there[id] = !is_there[id];
        if (i % 5000 == 0)
            check(r, is_there);
    }
    check(r, is_there);
    for (size_t i = 0; i < HOLDERS; i++)
        while (holders[i].first != NULL)
            registry_remove(r, holders[i].first);
    assert_int_equal(registry_count(r), 0);
    registry_free(r);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct registry *r = registry_new();
    struct session *s = NULL;

    for (unsigned long n = 1; s == NULL && n < 10; n++) {
        mem_fail_at(n);
        s = registry_add(r, &holders[0], 1, "ann@example.org");
        mem_fail_at(0);
        assert_int_equal(registry_count(r), s != NULL);
    }
    registry_remove(r, s);
    registry_free(r);
    r = NULL;
    for (unsigned long n = 1; r == NULL && n < 10; n++) {
        mem_fail_at(n);
        r = registry_new();
        mem_fail_at(0);
    }
    registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_against_a_list),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
