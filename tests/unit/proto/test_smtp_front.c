/* What the transcripts can't say of the submission front: that what was a secret is wiped, that a
 * credential is the same wherever the input is cut, that nothing goes on after its end. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/smtp/front_state.h"
#include "proto/smtp/smtp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BEHIND "MAIL FROM:<alice@example.org>\r\n"

static const struct front_conf conf = { .host = "mail.example.org",
                                        .portal_url = "",
                                        .is_tls = true };

static struct front *new_front(void)
{
    struct front *f = smtp_front_ops.create(&conf);

    assert_non_null(f);
    return f;
}

static struct front_event feed(struct front *f, const char *text, struct buf *out)
{
    size_t used;

    return smtp_front_ops.feed(f, view_text(text), &used, out);
}

static void test_credential_at_every_split(void **state)
{
    static const char *const dialogues[] = {
        "EHLO x\r\nAUTH PLAIN Ym9iAGFsaWNlACBzZSBjcmV0IA==\r\n" BEHIND,
        "EHLO x\r\nNOOP\r\nauth plain\r\nYm9iAGFsaWNlACBzZSBjcmV0IA==\r\n" BEHIND,
        "EHLO x\r\nAUTH LOGIN\r\nYWxpY2U=\r\nIHNlIGNyZXQg\r\n" BEHIND,
        "EHLO x\r\nAUTH LOGIN YWxpY2U=\r\nIHNlIGNyZXQg\r\n" BEHIND,
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(dialogues); i++)
        for (size_t at = 0; at <= strlen(dialogues[i]) - strlen(BEHIND); at++) {
            const struct view in = view_text(dialogues[i]);
            struct front *f = new_front();
            AUTO_BUF(out, 4096);
            size_t used = 0, rest = 0;
            struct front_event e = smtp_front_ops.feed(f, view_first(in, at), &used, &out);
            if (e.kind == FRONT_MORE)
                e = smtp_front_ops.feed(f, view_skip(in, used), &rest, &out);
            assert_int_equal(e.kind, FRONT_CREDENTIAL);
            assert_int_equal(used + rest, in.n - strlen(BEHIND));
            assert_true(view_is_equal(e.user, VIEW_LIT("alice")));
            assert_true(view_is_equal(e.secret, VIEW_LIT(" se cret ")));
            assert_true(view_is_equal(e.authorization, i < 2 ? VIEW_LIT("bob") : VIEW_NONE));
            smtp_front_ops.destroy(f);
        }
}

static void assert_wiped(const struct buf *b)
{
    assert_int_equal(b->n, 0);
    for (size_t i = 0; i < b->capacity; i++)
        assert_int_equal(b->p[i], 0);
}

static void test_wiped(void **state)
{
    static const char *const tries[] = {
        "EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
        "EHLO x\r\nAUTH LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\n",
    };

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(tries); i++) {
        struct front *f = new_front();
        AUTO_BUF(out, 4096);
        assert_int_equal(feed(f, tries[i / 2], &out).kind, FRONT_CREDENTIAL);
        if (i % 2 == 0)
            smtp_front_ops.answer(f, ANSWER_REFUSE_DEVICE, false, &out);
        else
            smtp_front_ops.accept(f, VIEW_NONE, false, &out);
        assert_wiped(&f->line.text);
        assert_wiped(&f->name);
        assert_wiped(&f->decoded);
        assert_wiped(&f->user);
        assert_wiped(&f->authorization);
        smtp_front_ops.destroy(f);
    }
}

static void test_judged_waits(void **state)
{
    struct front *f = new_front();
    AUTO_BUF(out, 4096);
    size_t used;

    (void)state;
    assert_int_equal(feed(f, "EHLO x\r\nAUTH PLAIN AGEAYg==\r\n", &out).kind, FRONT_CREDENTIAL);
    buf_clear(&out);
    assert_int_equal(smtp_front_ops.feed(f, VIEW_LIT("QUIT\r\n"), &used, &out).kind, FRONT_MORE);
    assert_int_equal(used, 0);
    assert_int_equal(out.n, 0);
    smtp_front_ops.answer(f, ANSWER_LATER, false, &out);
    assert_int_equal(feed(f, "QUIT\r\n", &out).kind, FRONT_CLOSE);
    smtp_front_ops.destroy(f);
}

static void test_end_is_final(void **state)
{
    struct front *f = new_front();
    AUTO_BUF(out, 4096);

    (void)state;
    assert_int_equal(feed(f, "QUIT\r\nEHLO x\r\n", &out).kind, FRONT_CLOSE);
    buf_clear(&out);
    const struct front_event e = feed(f, "EHLO x\r\nAUTH PLAIN AGEAYg==\r\n", &out);
    assert_int_equal(e.kind, FRONT_CLOSE);
    assert_string_equal(e.reason, "logout");
    smtp_front_ops.bye(f, "good-bye", &out);
    assert_int_equal(out.n, 0);
    smtp_front_ops.destroy(f);
    smtp_front_ops.destroy(NULL);
}

/* Between the reply to STARTTLS and the handshake nothing is obeyed, and nothing of it is left. */
static void test_octets_behind_starttls(void **state)
{
    const struct front_conf clear = { .host = "mail.example.org", .portal_url = "" };
    struct front *f = smtp_front_ops.create(&clear);
    AUTO_BUF(out, 4096);
    size_t used;

    (void)state;
    assert_non_null(f);
    assert_int_equal(feed(f, "EHLO x\r\nSTARTTLS\r\n", &out).kind, FRONT_STARTTLS);
    buf_clear(&out);
    assert_int_equal(smtp_front_ops.feed(f, VIEW_LIT("EHLO y\r\nAUTH PLA"), &used, &out).kind,
                     FRONT_MORE);
    assert_int_equal(used, 16);
    smtp_front_ops.tls_started(f, &out);
    assert_int_equal(feed(f, "IN AGEAYg==\r\n", &out).kind, FRONT_MORE);
    assert_string_equal(buf_cstr(&out), "500 5.5.2 Unknown command\r\n");
    smtp_front_ops.destroy(f);
}

/* What the upstreams offer may be more than a front has memory for: then there is no front. */
static void test_offer(void **state)
{
    static uint8_t lines[LIMIT_CAPABILITIES + 10];
    struct front_conf large = conf;

    (void)state;
    for (size_t i = 0; i + 5 <= sizeof(lines); i += 5)
        memcpy(lines + i, "DSN\r\n", 5);
    large.offer = view_of(lines, LIMIT_CAPABILITIES + 8);
    assert_null(smtp_front_ops.create(&large));
    large.offer = VIEW_LIT("DSN\r\n");
    for (unsigned long n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_null(smtp_front_ops.create(&large));
        mem_fail_at(0);
    }
}

/* Output that does not fit is the caller's to see (buf_is_ok), not ours to cut. */
static void test_no_room(void **state)
{
    struct front *f = new_front();
    AUTO_BUF(out, 20);

    (void)state;
    assert_int_equal(feed(f, "EHLO x\r\n", &out).kind, FRONT_MORE);
    assert_false(buf_is_ok(&out));
    smtp_front_ops.destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credential_at_every_split),
        cmocka_unit_test(test_wiped),
        cmocka_unit_test(test_judged_waits),
        cmocka_unit_test(test_end_is_final),
        cmocka_unit_test(test_octets_behind_starttls),
        cmocka_unit_test(test_offer),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
