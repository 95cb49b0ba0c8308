/* Views, buffers, secrets, addresses: what all the rest stands on. */
#include "base/addr.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void numbers_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        bool is_good;
        uint64_t value;
    } cases[] = {
        { "0", 9, true, 0 },
        { "9", 9, true, 9 },
        { "10", 9, false, 0 },
        { "4294967295", UINT32_MAX, true, UINT32_MAX },
        { "4294967296", UINT32_MAX, false, 0 },
        { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, false, 0 },
        { "99999999999999999999999", UINT64_MAX, false, 0 },
        { "", 9, false, 0 },
        { "-1", 9, false, 0 },
        { "1 ", 9, false, 0 },
        { "+1", 9, false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t n = 0;
        assert_int_equal(view_number(view_text(cases[i].text), cases[i].max, &n), cases[i].is_good);
        if (cases[i].is_good)
            assert_true(n == cases[i].value);
    }
}

static void a_buffer_never_exceeds_its_maximum(void **state)
{
    (void)state;
    AUTO_BUF(b, 100);

    for (int i = 0; i < 10; i++)
        buf_put_text(&b, "0123456789");
    assert_true(buf_is_ok(&b));
    assert_int_equal(b.n, 100);
    buf_put_octet(&b, 'x');
    assert_false(buf_is_ok(&b));
    buf_put_text(&b, "");
    assert_false(buf_is_ok(&b)); /* sticky */
    assert_int_equal(b.n, 100);
    buf_clear(&b);
    assert_true(buf_is_ok(&b));
    buf_printf(&b, "%d %s", 42, "words");
    assert_string_equal(buf_cstr(&b), "42 words");
    buf_consume(&b, 3);
    assert_string_equal(buf_cstr(&b), "words");
}

static void no_memory_is_an_error_not_a_crash(void **state)
{
    (void)state;
    AUTO_BUF(b, 1000);
    struct secret s = { 0 };

    mem_fail_at(1);
    buf_put_text(&b, "x");
    assert_false(buf_is_ok(&b));
    mem_fail_at(1);
    assert_int_equal(secret_set(&s, VIEW_LIT("x")), ERR_MEMORY);
    mem_fail_at(0);
}

static void secrets_compare_by_content(void **state)
{
    (void)state;
    struct secret s = { 0 };

    assert_int_equal(secret_set(&s, VIEW_LIT("correct horse")), ERR_OK);
    assert_true(secret_is_equal(secret_view(&s), VIEW_LIT("correct horse")));
    assert_false(secret_is_equal(secret_view(&s), VIEW_LIT("correct horsf")));
    assert_false(secret_is_equal(secret_view(&s), VIEW_LIT("correct")));
    assert_true(secret_is_equal(VIEW_NONE, VIEW_NONE));
    secret_done(&s);
}

static void networks_hold_their_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool is_held;
    } cases[] = {
        { "10.0.0.0/8", "10.255.0.1", true },         { "10.0.0.0/8", "11.0.0.1", false },
        { "192.0.2.7", "192.0.2.7", true },           { "192.0.2.7", "192.0.2.8", false },
        { "0.0.0.0/0", "203.0.113.9", true },         { "0.0.0.0/0", "2001:db8::1", false },
        { "2001:db8::/32", "2001:db8:1::1", true },   { "2001:db8::/32", "2001:db9::1", false },
        { "192.0.2.0/24", "::ffff:192.0.2.9", true }, { "192.0.2.128/25", "192.0.2.1", false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct network n;
        struct addr a;
        assert_true(network_parse(cases[i].network, &n));
        assert_true(addr_parse(cases[i].address, &a));
        assert_int_equal(network_holds(&n, &a), cases[i].is_held);
    }
}

static void what_is_no_network_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "x",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0/8",
        "::/129",
        "10.0.0.0/-1",
        "10.0.0.0/8 ",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3"
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct network n;
        assert_false(network_parse(cases[i], &n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_bounded),
        cmocka_unit_test(a_buffer_never_exceeds_its_maximum),
        cmocka_unit_test(no_memory_is_an_error_not_a_crash),
        cmocka_unit_test(secrets_compare_by_content),
        cmocka_unit_test(networks_hold_their_addresses),
        cmocka_unit_test(what_is_no_network_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
