/* What the transcripts can't say of the POP3 front: that nothing goes on after its end, that what
 * was a secret is wiped, and that a credential is the same wherever the input is cut. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/pop3/front_state.h"
#include "proto/pop3/pop3.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct front_conf conf = { .host = "mail.example.org",
                                        .portal_url = "",
                                        .is_tls = true };

static struct front_event feed(struct front *f, struct view in, size_t *ret_used, struct buf *out)
{
    return pop3_front_ops.feed(f, in, ret_used, out);
}

static void test_credential_at_every_split(void **state)
{
    static const char *const dialogues[] = {
        "USER alice\r\nPASS  se cret \r\nSTAT\r\n",
        "CAPA\r\nuser alice\r\npass  se cret \r\nSTAT\r\n",
        "AUTH PLAIN AGFsaWNlACBzZSBjcmV0IA==\r\nSTAT\r\n",
        "AUTH PLAIN\r\nAGFsaWNlACBzZSBjcmV0IA==\r\nSTAT\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(dialogues); i++)
        for (size_t at = 0; at <= strlen(dialogues[i]) - 6; at++) {
            const struct view in = view_text(dialogues[i]);
            struct front *f = pop3_front_ops.create(&conf);
            AUTO_BUF(out, 4096);
            size_t used = 0, rest = 0;
            assert_non_null(f);
            struct front_event e = feed(f, view_first(in, at), &used, &out);
            if (e.kind == FRONT_MORE)
                e = feed(f, view_skip(in, used), &rest, &out);
            assert_int_equal(e.kind, FRONT_CREDENTIAL);
            assert_int_equal(used + rest, in.n - 6);
            assert_true(view_is_equal(e.user, VIEW_LIT("alice")));
            assert_true(view_is_equal(e.secret, VIEW_LIT(" se cret ")));
            assert_int_equal(e.authorization.n, 0);
            pop3_front_ops.destroy(f);
        }
}

static void test_judged_waits(void **state)
{
    struct front *f = pop3_front_ops.create(&conf);
    AUTO_BUF(out, 4096);
    size_t used;

    (void)state;
    assert_non_null(f);
    assert_int_equal(feed(f, VIEW_LIT("USER a\r\nPASS b\r\n"), &used, &out).kind, FRONT_CREDENTIAL);
    buf_clear(&out);
    assert_int_equal(feed(f, VIEW_LIT("QUIT\r\n"), &used, &out).kind, FRONT_MORE);
    assert_int_equal(used, 0);
    assert_int_equal(out.n, 0);
    pop3_front_ops.answer(f, ANSWER_REFUSE_DEVICE, false, &out);
    for (size_t i = 0; i < f->line.text.capacity; i++)
        assert_int_equal(f->line.text.p[i], 0);
    assert_int_equal(f->name.n, 0);
    assert_int_equal(feed(f, VIEW_LIT("QUIT\r\n"), &used, &out).kind, FRONT_CLOSE);
    pop3_front_ops.destroy(f);
}

static void test_end_is_final(void **state)
{
    struct front *f = pop3_front_ops.create(&conf);
    AUTO_BUF(out, 4096);
    size_t used;

    (void)state;
    assert_non_null(f);
    assert_int_equal(feed(f, VIEW_LIT("QUIT\r\nUSER a\r\nPASS b\r\n"), &used, &out).kind,
                     FRONT_CLOSE);
    buf_clear(&out);
    const struct front_event e = feed(f, VIEW_LIT("USER a\r\nPASS b\r\n"), &used, &out);
    assert_int_equal(e.kind, FRONT_CLOSE);
    assert_string_equal(e.reason, "logout");
    pop3_front_ops.bye(f, "good-bye", &out);
    assert_int_equal(out.n, 0);
    pop3_front_ops.destroy(f);
    pop3_front_ops.destroy(NULL);
}

/* What the upstreams offer may be more than a front has memory for: then there is no front. */
static void test_offer(void **state)
{
    static uint8_t lines[LIMIT_CAPABILITIES + 10];
    struct front_conf large = conf;

    (void)state;
    for (size_t i = 0; i + 5 <= sizeof(lines); i += 5)
        memcpy(lines + i, "TOP\r\n", 5);
    large.offer = view_of(lines, LIMIT_CAPABILITIES + 8);
    assert_null(pop3_front_ops.create(&large));
    large.offer = VIEW_LIT("TOP\r\n");
    for (unsigned long n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_null(pop3_front_ops.create(&large));
        mem_fail_at(0);
    }
    struct front *f = pop3_front_ops.create(&large);
    assert_non_null(f);
    assert_int_equal(pop3_front_ops.client(f).n, 0);
    pop3_front_ops.destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credential_at_every_split),
        cmocka_unit_test(test_judged_waits),
        cmocka_unit_test(test_end_is_final),
        cmocka_unit_test(test_offer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
