/* What the transcripts can't say of the login towards an upstream: values that it refuses to take,
 * and a machine that is fed after its end. */
#include "base/limits.h"
#include "proto/imap/imap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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
        assert_null(imap_login_ops.create(&user));
        assert_null(imap_login_ops.create(&secret));
        assert_null(imap_login_ops.create(&authorization));
    }
}

static void test_end_is_final(void **state)
{
    const struct login_conf conf = { .user = VIEW_LIT("alice"),
                                     .secret = VIEW_LIT("x"),
                                     .is_tls = true };
    struct login *l = imap_login_ops.create(&conf);
    AUTO_BUF(out, 1024);
    size_t used;

    (void)state;
    assert_non_null(l);
    assert_int_equal(imap_login_ops.feed(l, VIEW_LIT("* PREAUTH x\r\n"), &used, &out).kind,
                     LOGIN_UNAVAILABLE);
    const struct login_event again =
        imap_login_ops.feed(l, VIEW_LIT("* OK [CAPABILITY AUTH=PLAIN SASL-IR] x\r\n"), &used, &out);
    assert_int_equal(again.kind, LOGIN_UNAVAILABLE);
    assert_string_equal(again.reason, "preauth");
    assert_int_equal(used, 0);
    assert_int_equal(out.n, 0);
    imap_login_ops.destroy(l);
}

/* An answer that does not fit goes nowhere, rather than half of it. */
static void test_no_room(void **state)
{
    const struct login_conf conf = { .user = VIEW_LIT("alice"),
                                     .secret = VIEW_LIT("x"),
                                     .is_tls = true };
    struct login *l = imap_login_ops.create(&conf);
    AUTO_BUF(out, 30);
    size_t used;

    (void)state;
    assert_non_null(l);
    const struct login_event e =
        imap_login_ops.feed(l, VIEW_LIT("* OK [CAPABILITY AUTH=PLAIN SASL-IR] x\r\n"), &used, &out);
    assert_int_equal(e.kind, LOGIN_UNAVAILABLE);
    imap_login_ops.destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_end_is_final),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
