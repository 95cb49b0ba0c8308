/* What the transcripts can't say of the ManageSieve login towards an upstream: values that it
 * refuses to take, long ones, a machine that is fed after its end, room. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/sieve/sieve.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GREETING "\"SASL\" \"PLAIN\"\r\nOK\r\n"

static void test_refused_values(void **state)
{
    static uint8_t many[LIMIT_SECRET + 1];
    const struct view bad[] = {
        VIEW_LIT("a\r"),
        VIEW_LIT("\n"),
        VIEW_LIT("a\0b"),
        view_of(many, LIMIT_SECRET + 1),
    };

    (void)state;
    memset(many, 'x', sizeof(many));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct login_conf user = { .user = bad[i] };
        struct login_conf secret = { .secret = bad[i] };
        struct login_conf authorization = { .authorization = bad[i] };
        assert_null(sieve_login_ops.create(&user));
        assert_null(sieve_login_ops.create(&secret));
        assert_null(sieve_login_ops.create(&authorization));
    }
}

static void test_end_is_final(void **state)
{
    const struct login_conf conf = { .user = VIEW_LIT("alice"),
                                     .secret = VIEW_LIT("x"),
                                     .is_tls = true };
    struct login *l = sieve_login_ops.create(&conf);
    AUTO_BUF(out, 1024);
    size_t used;

    (void)state;
    assert_non_null(l);
    assert_int_equal(sieve_login_ops.feed(l, VIEW_LIT("BYE\r\n"), &used, &out).kind,
                     LOGIN_UNAVAILABLE);
    const struct login_event again = sieve_login_ops.feed(l, VIEW_LIT(GREETING), &used, &out);
    assert_int_equal(again.kind, LOGIN_UNAVAILABLE);
    assert_string_equal(again.reason, "bye");
    assert_int_equal(used, 0);
    assert_int_equal(out.n, 0);
    sieve_login_ops.destroy(l);
}

/* An answer that does not fit goes nowhere, rather than half of it. */
static void test_no_room(void **state)
{
    const struct login_conf conf = { .user = VIEW_LIT("alice"),
                                     .secret = VIEW_LIT("x"),
                                     .is_tls = true };
    struct login *l = sieve_login_ops.create(&conf);
    AUTO_BUF(out, 30);
    size_t used;

    (void)state;
    assert_non_null(l);
    assert_int_equal(sieve_login_ops.feed(l, VIEW_LIT(GREETING), &used, &out).kind,
                     LOGIN_UNAVAILABLE);
    sieve_login_ops.destroy(l);
}

/* Quoted as long as RFC 5804 §4 permits, else a literal. */
static void test_lengths(void **state)
{
    static uint8_t many[LIMIT_SECRET];

    (void)state;
    memset(many, 'x', sizeof(many));
    for (size_t n = 755; n <= LIMIT_SECRET; n++) {
        const struct login_conf conf = { .user = VIEW_LIT("alice"),
                                         .secret = view_of(many, n),
                                         .is_tls = true };
        struct login *l = sieve_login_ops.create(&conf);
        AUTO_BUF(out, 4096);
        AUTO_BUF(head, 64);
        const size_t base64 = (7 + n + 2) / 3 * 4;
        size_t used;

        assert_int_equal(sieve_login_ops.feed(l, VIEW_LIT(GREETING), &used, &out).kind, LOGIN_MORE);
        if (base64 <= LIMIT_SIEVE_QUOTED)
            buf_put_text(&head, "AUTHENTICATE \"PLAIN\" \"");
        else
            buf_printf(&head, "AUTHENTICATE \"PLAIN\" {%zu+}\r\n", base64);
        assert_true(view_is_equal(view_first(buf_view(&out), head.n), buf_view(&head)));
        assert_int_equal(out.n, head.n + base64 + (base64 <= LIMIT_SIEVE_QUOTED ? 3 : 2));
        sieve_login_ops.destroy(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_end_is_final),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
