/* What the transcripts can't say of the login towards a submission upstream: values that it refuses
 * to take, a machine that is fed after its end, an answer without room. */
#include "base/limits.h"
#include "proto/smtp/smtp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* VIEW_LIT is no constant to gcc. */
#define TEXT(s)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(s), sizeof(s) - 1                                                        \
    }

static const struct login_conf conf = {
    .host = "gate.example.org", .user = TEXT("alice"), .secret = TEXT("x"), .is_tls = true
};

static struct login *new_login(void)
{
    struct login *l = smtp_login_ops.create(&conf);

    assert_non_null(l);
    return l;
}

static void test_refused_values(void **state)
{
    static uint8_t many[LIMIT_SECRET + 1];
    static const char *const hosts[] = { NULL, "", "a b", "a\r\nRSET", "a\nb" };
    const struct view bad[] = {
        VIEW_LIT("a\r"),
        VIEW_LIT("\n"),
        VIEW_LIT("a\0b"),
        view_of(many, LIMIT_SECRET + 1),
    };

    (void)state;
    memset(many, 'x', sizeof(many));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct login_conf user = conf, secret = conf, authorization = conf;
        user.user = bad[i];
        secret.secret = bad[i];
        authorization.authorization = bad[i];
        assert_null(smtp_login_ops.create(&user));
        assert_null(smtp_login_ops.create(&secret));
        assert_null(smtp_login_ops.create(&authorization));
    }
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct login_conf host = conf;
        host.host = hosts[i];
        assert_null(smtp_login_ops.create(&host));
    }
}

static void test_end_is_final(void **state)
{
    struct login *l = new_login();
    AUTO_BUF(out, 1024);
    size_t used;

    (void)state;
    assert_int_equal(smtp_login_ops.feed(l, VIEW_LIT("* OK x\r\n"), &used, &out).kind,
                     LOGIN_UNAVAILABLE);
    const struct login_event again = smtp_login_ops.feed(l, VIEW_LIT("220 x\r\n"), &used, &out);
    assert_int_equal(again.kind, LOGIN_UNAVAILABLE);
    assert_string_equal(again.reason, "not an SMTP reply");
    assert_int_equal(used, 0);
    assert_int_equal(out.n, 0);
    smtp_login_ops.destroy(l);
    smtp_login_ops.destroy(NULL);
}

/* An answer that does not fit goes nowhere, rather than half of it. */
static void test_no_room(void **state)
{
    (void)state;
    for (size_t room = 1; room < 46; room++) {
        struct login *l = new_login();
        AUTO_BUF(out, room);
        size_t used;
        const struct login_event e =
            smtp_login_ops.feed(l, VIEW_LIT("220 x\r\n250-x\r\n250 AUTH PLAIN\r\n"), &used, &out);
        assert_int_equal(e.kind, LOGIN_UNAVAILABLE);
        smtp_login_ops.destroy(l);
    }
}

/* Wherever the replies are cut, what comes behind the last is left. */
static void test_done_at_every_split(void **state)
{
    const struct view in =
        VIEW_LIT("220 x\r\n250-x\r\n250-SIZE 1\r\n250 AUTH PLAIN\r\n235 ok\r\n421 x\r\n");

    (void)state;
    for (size_t at = 0; at <= in.n - 7; at++) {
        struct login *l = new_login();
        AUTO_BUF(out, 1024);
        size_t used = 0, rest = 0;
        struct login_event e = smtp_login_ops.feed(l, view_first(in, at), &used, &out);
        if (e.kind == LOGIN_MORE)
            e = smtp_login_ops.feed(l, view_skip(in, used), &rest, &out);
        assert_int_equal(e.kind, LOGIN_DONE);
        assert_int_equal(used + rest, in.n - 7);
        assert_true(view_is_equal(e.capabilities, VIEW_LIT("SIZE 1\r\nAUTH PLAIN\r\n")));
        assert_string_equal(buf_cstr(&out), "EHLO gate.example.org\r\nAUTH PLAIN AGFsaWNlAHg=\r\n");
        smtp_login_ops.destroy(l);
    }
}

/* TLS is begun by the caller; until then every octet is somebody else's. */
static void test_octets_before_handshake(void **state)
{
    struct login_conf starttls = conf;
    starttls.is_tls = false;
    starttls.is_starttls = true;
    struct login *l = smtp_login_ops.create(&starttls);
    AUTO_BUF(out, 1024);
    size_t used;

    (void)state;
    assert_non_null(l);
    assert_int_equal(
        smtp_login_ops
            .feed(l, VIEW_LIT("220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n"), &used, &out)
            .kind,
        LOGIN_STARTTLS);
    assert_int_equal(smtp_login_ops.feed(l, VIEW_NONE, &used, &out).kind, LOGIN_MORE);
    assert_int_equal(smtp_login_ops.feed(l, VIEW_LIT("2"), &used, &out).kind, LOGIN_UNAVAILABLE);
    smtp_login_ops.destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_end_is_final),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_done_at_every_split),
        cmocka_unit_test(test_octets_before_handshake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
