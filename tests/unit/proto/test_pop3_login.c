/* What the transcripts can't say of the login towards a POP3 upstream: values that it refuses to
 * take, a machine that is fed after its end, and answers that do not fit. */
#include "base/limits.h"
#include "proto/pop3/pop3.h"

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
        assert_null(pop3_login_ops.create(&user));
        assert_null(pop3_login_ops.create(&secret));
        assert_null(pop3_login_ops.create(&authorization));
    }
    pop3_login_ops.destroy(NULL);
}

/* Feeds `said` cut in two at `at`; stops at the first event. */
static struct login_event hear(struct login *l, struct view said, size_t at, struct buf *out)
{
    struct login_event e = { .kind = LOGIN_MORE };
    size_t used;

    for (int half = 0; half < 2 && e.kind == LOGIN_MORE; half++)
        e = pop3_login_ops.feed(l, half == 0 ? view_first(said, at) : view_skip(said, at), &used,
                                out);
    return e;
}

static void test_end_is_final(void **state)
{
    const struct login_conf conf = { .user = VIEW_LIT("alice"),
                                     .secret = VIEW_LIT("x"),
                                     .is_tls = true };
    struct login *l = pop3_login_ops.create(&conf);
    AUTO_BUF(out, 1024);
    size_t used;

    (void)state;
    assert_non_null(l);
    assert_int_equal(pop3_login_ops.feed(l, VIEW_LIT("-ERR x\r\n"), &used, &out).kind,
                     LOGIN_UNAVAILABLE);
    const struct login_event again =
        pop3_login_ops.feed(l, VIEW_LIT("+OK\r\n+OK\r\nUSER\r\n.\r\n+OK\r\n"), &used, &out);
    assert_int_equal(again.kind, LOGIN_UNAVAILABLE);
    assert_string_equal(again.reason, "the upstream greets with an error");
    assert_int_equal(used, 0);
    assert_int_equal(out.n, 0);
    pop3_login_ops.destroy(l);
}

/* An answer that does not fit goes nowhere, rather than half of it. */
static void test_no_room(void **state)
{
    const struct login_conf conf = { .user = VIEW_LIT("alice"),
                                     .secret = VIEW_LIT("x"),
                                     .is_tls = true };
    struct login *l = pop3_login_ops.create(&conf);
    AUTO_BUF(out, 20);

    (void)state;
    assert_non_null(l);
    const struct login_event e = hear(l, VIEW_LIT("+OK\r\n+OK\r\nSASL PLAIN\r\n.\r\n"), 0, &out);
    assert_int_equal(e.kind, LOGIN_UNAVAILABLE);
    pop3_login_ops.destroy(l);
}

/* The octets behind the reply to STLS are found whether they come with it or after it. */
static void test_octets_behind_stls(void **state)
{
    const struct view said = VIEW_LIT("+OK\r\n+OK\r\nSTLS\r\n.\r\n+OK\r\n+");

    (void)state;
    for (size_t at = 0; at <= said.n; at++) {
        const struct login_conf conf = { .user = VIEW_LIT("alice"),
                                         .secret = VIEW_LIT("x"),
                                         .is_starttls = true };
        struct login *l = pop3_login_ops.create(&conf);
        AUTO_BUF(out, 1024);
        size_t used;
        assert_non_null(l);
        struct login_event e = hear(l, said, at, &out);
        if (at == said.n - 1) {
            assert_int_equal(e.kind, LOGIN_STARTTLS);
            e = pop3_login_ops.feed(l, VIEW_LIT("+"), &used, &out);
        }
        assert_int_equal(e.kind, LOGIN_UNAVAILABLE);
        assert_string_equal(e.reason, "octets behind the reply to STLS");
        assert_string_equal(buf_cstr(&out), "CAPA\r\nSTLS\r\n");
        pop3_login_ops.destroy(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_end_is_final),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_octets_behind_stls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
