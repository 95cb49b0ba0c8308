/* What the transcripts can't say of the ManageSieve front: that a refused main password is answered
 * in the same octets whatever it was, and how much it holds of a client. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/sieve/front_state.h"
#include "proto/sieve/sieve.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct front *make(bool is_tls, const char *url)
{
    const struct front_conf conf = { .host = "mail.example.org",
                                     .portal_url = url,
                                     .is_tls = is_tls };
    struct front *f = sieve_front_ops.create(&conf);

    assert_non_null(f);
    return f;
}

static struct front_event feed(struct front *f, struct view in, struct buf *out)
{
    size_t used;

    return sieve_front_ops.feed(f, in, &used, out);
}

static void test_refusals_are_the_same(void **state)
{
    static const char *const credentials[] = {
        "AUTHENTICATE \"PLAIN\" \"AGEAYg==\"\r\n",             /* a, b */
        "authenticate \"plain\" {8+}\r\nAGEAYg==\r\n",         /* the same in other words */
        "AUTHENTICATE \"PLAIN\" \"eABhbGljZQBzZWNyZXQ=\"\r\n", /* x, alice, secret */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(credentials); i++)
        for (int is_alert = 0; is_alert < 2; is_alert++) {
            struct front *f = make(true, "https://p\"x");
            AUTO_BUF(out, 4096);

            assert_int_equal(feed(f, view_text(credentials[i]), &out).kind, FRONT_CREDENTIAL);
            sieve_front_ops.answer(f, ANSWER_REFUSE_PASSWORD, is_alert != 0, &out);
            assert_string_equal(buf_cstr(&out), "NO \"Mail programs need an app password here: "
                                                "https://p\\\"x\"\r\n");
            sieve_front_ops.destroy(f);
        }
}

/* Between two commands nothing of a client's is kept. */
static void test_nothing_is_kept(void **state)
{
    struct front *f = make(true, "");
    AUTO_BUF(out, 4096);

    (void)state;
    assert_int_equal(feed(f, VIEW_LIT("AUTHENTICATE \"PLAIN\" \"AGEAYg==\"\r\n"), &out).kind,
                     FRONT_CREDENTIAL);
    assert_int_not_equal(f->decoded.n, 0);
    sieve_front_ops.answer(f, ANSWER_LATER, false, &out);
    assert_int_equal(f->decoded.n, 0);
    assert_int_equal(f->user.n, 0);
    assert_null(f->command.strings.p);
    sieve_front_ops.destroy(f);
}

/* A client that has presented a credential is not heard before the answer. */
static void test_judged(void **state)
{
    struct front *f = make(true, "");
    AUTO_BUF(out, 4096);
    size_t used;

    (void)state;
    assert_int_equal(feed(f, VIEW_LIT("AUTHENTICATE \"PLAIN\" \"AGEAYg==\"\r\n"), &out).kind,
                     FRONT_CREDENTIAL);
    assert_int_equal(sieve_front_ops.feed(f, VIEW_LIT("NOOP\r\n"), &used, &out).kind, FRONT_MORE);
    assert_int_equal(used, 0);
    sieve_front_ops.bye(f, "Server is shutting down", &out);
    assert_string_equal(buf_cstr(&out), "BYE (TRYLATER) \"Server is shutting down\"\r\n");
    sieve_front_ops.destroy(f);
}

/* Octets of a command that is not looked at are counted, not kept. */
static void test_swallowed(void **state)
{
    struct front *f = make(false, "");
    AUTO_BUF(out, 8192);
    AUTO_BUF(in, 8192);

    (void)state;
    buf_printf(&in, "AUTHENTICATE \"PLAIN\" {%d+}\r\n", LIMIT_FRONT_LINE);
    for (int i = 0; i < LIMIT_FRONT_LINE; i++)
        buf_put_octet(&in, 'A');
    assert_int_equal(feed(f, buf_view(&in), &out).kind, FRONT_MORE);
    assert_null(f->command.strings.p);
    assert_int_equal(out.n, 0);
    assert_int_equal(feed(f, VIEW_LIT("\r\n"), &out).kind, FRONT_MORE);
    assert_string_equal(buf_cstr(&out),
                        "NO (ENCRYPT-NEEDED) \"TLS is required: send STARTTLS first\"\r\n");
    buf_clear(&out);
    const struct front_event e = feed(f, VIEW_LIT("AUTHENTICATE \"PLAIN\" {4096+}\r\n"), &out);
    assert_int_equal(e.kind, FRONT_MORE);
    sieve_front_ops.destroy(f);
}

static void test_create_without_memory(void **state)
{
    const struct front_conf conf = { .host = "a", .portal_url = "", .offer = VIEW_LIT("x") };

    (void)state;
    for (unsigned long n = 1; n < 3; n++) {
        mem_fail_at(n);
        assert_null(sieve_front_ops.create(&conf));
        mem_fail_at(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_are_the_same),
        cmocka_unit_test(test_nothing_is_kept),
        cmocka_unit_test(test_judged),
        cmocka_unit_test(test_swallowed),
        cmocka_unit_test(test_create_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
