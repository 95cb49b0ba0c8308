/* Durations, addresses and names, at their edges. */
#include "given.h"

#include "config/nearest.h"
#include "config/url.h"
#include "config/value.h"

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        bool is_right;
        uint64_t ms;
    } cases[] = {
        { "0s", true, 0 },
        { "500ms", true, 500 },
        { "30s", true, 30000 },
        { "5m", true, 300000 },
        { "8h", true, 28800000 },
        { "30d", true, 2592000000 },
        { "2w", true, 1209600000 },
        { "", false, 0 },
        { "30", false, 0 },
        { "s", false, 0 },
        { "-1s", false, 0 },
        { "1.5s", false, 0 },
        { "1 s", false, 0 },
        { "1S", false, 0 },
        { "1sm", false, 0 },
        { " 1s", false, 0 },
        { "+1s", false, 0 },
        { "18446744073709551616ms", false, 0 },
        { "99999999999999999w", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t ms = 0;
        if (value_duration_parse(cases[i].text, &ms) != cases[i].is_right || ms != cases[i].ms)
            fail_msg("\"%s\": %llu ms", cases[i].text, (unsigned long long)ms);
    }
}

/* What is shown reads back as the same. */
static void test_durations_shown(void **state)
{
    static const uint64_t cases[] = { 0,     1,       999,      1000,      1500,       60000,
                                      90000, 3600000, 86400000, 604800000, 34560000000 };
    char text[24];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t ms = 1;
        assert_true(value_duration_parse(value_duration(cases[i], text), &ms));
        assert_true(ms == cases[i]);
    }
    assert_string_equal(value_duration(2100000, text), "35m");
    assert_string_equal(value_duration(34560000000, text), "400d");
}

static void test_listen(void **state)
{
    struct addr a;
    bool is_any;

    (void)state;
    assert_true(config_listen("*:993", &a, &is_any));
    assert_true(is_any);
    assert_int_equal(a.port, 993);
    assert_true(config_listen("192.0.2.1:1", &a, &is_any));
    assert_false(is_any);
    assert_int_equal(a.octets, 4);
    assert_true(config_listen("[2001:db8::1]:65535", &a, &is_any));
    assert_int_equal(a.octets, 16);
    assert_int_equal(a.port, 65535);
    assert_false(config_listen("", &a, &is_any));
    assert_false(config_listen(":1", &a, &is_any));
    assert_false(config_listen("[*]:1", &a, &is_any));
    assert_false(config_listen("[::1]", &a, &is_any));
    assert_false(config_listen("[::1]1", &a, &is_any));
    assert_false(config_listen("192.0.2.1:1 ", &a, &is_any));
}

static void test_hosts(void **state)
{
    AUTO_BUF(label, 400);

    (void)state;
    assert_true(url_is_host(VIEW_LIT("mail.example.org")));
    assert_true(url_is_host(VIEW_LIT("a-b_c.1")));
    assert_false(url_is_host(VIEW_LIT("")));
    assert_false(url_is_host(VIEW_LIT("a..b")));
    assert_false(url_is_host(VIEW_LIT(".a")));
    assert_false(url_is_host(VIEW_LIT("-a")));
    assert_false(url_is_host(VIEW_LIT("a b")));
    assert_false(url_is_host(VIEW_LIT("a\r\nb")));
    for (int i = 0; i < 64; i++)
        buf_put_octet(&label, 'a');
    assert_true(url_is_host(view_first(buf_view(&label), 63)));
    assert_false(url_is_host(buf_view(&label)));
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance(VIEW_LIT("listen"), VIEW_LIT("listen"), 3), 0);
    assert_int_equal(nearest_distance(VIEW_LIT("listen"), VIEW_LIT("lisetn"), 3), 1);
    assert_int_equal(nearest_distance(VIEW_LIT("listen"), VIEW_LIT("lissten"), 3), 1);
    assert_int_equal(nearest_distance(VIEW_LIT("listen"), VIEW_LIT("lstn"), 3), 2);
    assert_int_equal(nearest_distance(VIEW_LIT(""), VIEW_LIT("ab"), 3), 2);
    assert_int_equal(nearest_distance(VIEW_LIT("listen"), VIEW_LIT("zzzzzzzzzzz"), 3), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations), cmocka_unit_test(test_durations_shown),
        cmocka_unit_test(test_listen),    cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
