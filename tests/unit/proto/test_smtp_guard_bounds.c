/* What the guard holds at its bounds, passes in one step, owns when it is idle, and does without
 * memory. What passes at all is the business of test_smtp_guard.c. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/smtp/guard_state.h"
#include "proto/smtp/smtp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct guard_conf plain,
    chunking = { .capabilities = { (const uint8_t *)"PIPELINING\r\nCHUNKING\r\nDSN\r\n", 27 } };

static struct guard_step feed_client(struct guard *g, const char *text)
{
    return smtp_guard_ops.client(g, view_text(text));
}

static void holds_above_64_outstanding(void **state)
{
    (void)state;
    struct guard *g = smtp_guard_ops.create(&plain);

    for (int i = 0; i < 40; i++)
        assert_int_equal(feed_client(g, "RCPT TO:<a@b>\r\n").kind, GUARD_PASS);
    for (int i = 40; i < SMTP_DUE_MAX; i++)
        assert_int_equal(feed_client(g, "AUTH\r\n").kind, GUARD_PUT);
    assert_int_equal(feed_client(g, "NOOP\r\n").kind, GUARD_HOLD);
    assert_int_equal(feed_client(g, "AUTH\r\n").kind, GUARD_HOLD);
    assert_int_equal(smtp_guard_ops.server(g, view_text("250 ok\r\n")).kind, GUARD_PASS);
    assert_int_equal(feed_client(g, "NOOP\r\nNOOP\r\n").n, 6);
    assert_int_equal(feed_client(g, "NOOP\r\n").kind, GUARD_HOLD);
    smtp_guard_ops.destroy(g);
}

/* `n` octets, CRLF included, that begin with `word`. */
static void line_of(struct buf *line, const char *word, size_t n)
{
    buf_clear(line);
    buf_put_text(line, word);
    while (line->n + 2 < n)
        buf_put_octet(line, 'x');
    buf_put(line, VIEW_LIT("\r\n"));
}

static void lines_at_their_bounds(void **state)
{
    (void)state;
    AUTO_BUF(line, 4096);

    for (size_t over = 0; over < 2; over++) {
        struct guard *g = smtp_guard_ops.create(&plain);
        line_of(&line, "NOOP ", LIMIT_SMTP_COMMAND + over);
        struct guard_step s = smtp_guard_ops.client(g, buf_view(&line));
        assert_int_equal(s.kind, over == 0 ? GUARD_PASS : GUARD_PUT);
        if (over != 0) {
            s = smtp_guard_ops.server(g, VIEW_NONE);
            assert_true(view_is_equal(s.put, VIEW_LIT("500 5.5.2 Line too long\r\n")));
        }
        smtp_guard_ops.destroy(g);

        g = smtp_guard_ops.create(&plain);
        line_of(&line, "MAIL FROM:<a@b> ENVID=", LIMIT_SMTP_GUARD_LINE + over);
        s = smtp_guard_ops.client(g, buf_view(&line));
        assert_int_equal(s.kind, over == 0 ? GUARD_PASS : GUARD_END);
        smtp_guard_ops.destroy(g);

        g = smtp_guard_ops.create(&plain);
        for (size_t i = 0; i < line.n; i++)
            s = smtp_guard_ops.client(g, view_of(line.p + i, 1));
        assert_int_equal(s.kind, over == 0 ? GUARD_PUT : GUARD_END);
        assert_true(over == 1 || s.put.n == line.n);
        assert_true(over == 0 || strcmp(s.reason, "line-too-long") == 0);
        smtp_guard_ops.destroy(g);
    }
}

static void reply_at_its_bound(void **state)
{
    (void)state;
    AUTO_BUF(line, 4096);

    for (size_t over = 0; over < 2; over++) {
        for (size_t piece = 1; piece < 3000; piece += 2900) {
            struct guard *g = smtp_guard_ops.create(&plain);
            struct guard_step s = feed_client(g, "NOOP\r\n");
            line_of(&line, "250 ", LIMIT_SMTP_REPLY + over);
            for (size_t i = 0; i < line.n && s.kind != GUARD_END; i += piece)
                s = smtp_guard_ops.server(g, view_first(view_skip(buf_view(&line), i), piece));
            assert_int_equal(s.kind == GUARD_END, over);
            smtp_guard_ops.destroy(g);
        }
    }
}

static void offers_over_their_bound(void **state)
{
    (void)state;
    struct guard *g = smtp_guard_ops.create(&plain);
    struct guard_step s = feed_client(g, "EHLO x\r\n");
    size_t n = 0;

    for (; s.kind != GUARD_END && n < 2000; n++)
        s = smtp_guard_ops.server(g, view_text("250-SIZE 10000000\r\n"));
    assert_string_equal(s.reason, "upstream-capabilities");
    assert_true(n > LIMIT_CAPABILITIES / 20);
    smtp_guard_ops.destroy(g);

    g = smtp_guard_ops.create(&plain); /* what is left out does not count */
    s = feed_client(g, "EHLO x\r\n");
    for (n = 0; n < 2000; n++)
        s = smtp_guard_ops.server(g, view_text("250-XCLIENT 10000000\r\n"));
    assert_int_equal(s.kind, GUARD_PUT);
    smtp_guard_ops.destroy(g);
}

static void groups_pass_in_one_step(void **state)
{
    (void)state;
    struct guard *g = smtp_guard_ops.create(&plain);
    const char *up = "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n";
    const char *down = "250 a\r\n250 b\r\n550-c\r\n550 d\r\n354 e\r\n";

    struct guard_step s = feed_client(g, up);
    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, strlen(up));
    s = smtp_guard_ops.server(g, view_text(down));
    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, strlen(down));
    smtp_guard_ops.destroy(g);
}

static void is_tiny_when_idle(void **state)
{
    (void)state;
    struct guard *g = smtp_guard_ops.create(&chunking);

    assert_true(sizeof(struct guard) <= 208);
    (void)feed_client(g, "NO");
    (void)feed_client(g, "OP\r\n");
    (void)smtp_guard_ops.server(g, view_text("250 o"));
    (void)smtp_guard_ops.server(g, view_text("k\r\n"));
    (void)feed_client(g, "EHLO x\r\n");
    (void)smtp_guard_ops.server(g, view_text("250-m\r\n"));
    (void)smtp_guard_ops.server(g, view_text("250 DSN\r\n"));
    (void)feed_client(g, "BDAT 0\r\n");
    (void)feed_client(g, "");
    (void)smtp_guard_ops.server(g, VIEW_NONE);
    (void)feed_client(g, "");
    (void)smtp_guard_ops.server(g, VIEW_NONE);
    assert_null(g->reason);
    assert_int_equal(g->due_count, 0);
    assert_null(g->line.p);
    assert_null(g->reply.p);
    smtp_guard_ops.destroy(g);
}

/* Without memory the session ends; nothing passes that would not have passed otherwise. */
static void every_allocation_fails_once(void **state)
{
    (void)state;
    static const char *const client[] = { "XCLI", "ENT LOGIN=x\r\n", "BDAT 1\r\nx", "EHLO x\r\n" };
    const struct guard_conf with = { .is_sender_held = true, .senders = VIEW_LIT("a@b") };

    for (unsigned long n = 1; n < 12; n++) {
        mem_fail_at(n);
        struct guard *g = smtp_guard_ops.create(&with);
        for (size_t i = 0; g != NULL && i < COUNT_OF(client); i++) {
            struct view in = view_text(client[i]);
            struct guard_step s = { .kind = GUARD_PASS };
            while (s.kind == GUARD_PASS || s.kind == GUARD_PUT) {
                s = smtp_guard_ops.client(g, in);
                assert_true(s.kind != GUARD_PASS || i == 3);
                assert_int_equal(s.put.n, 0);
                in = view_skip(in, s.n);
            }
            s.kind = GUARD_PASS;
            struct view down = i == 3 ? view_text("250-m\r\n250 XCLIENT x\r\n") : VIEW_NONE;
            while (s.kind == GUARD_PASS || s.kind == GUARD_PUT) {
                s = smtp_guard_ops.server(g, down);
                down = view_skip(down, s.n);
            }
        }
        smtp_guard_ops.destroy(g);
        mem_fail_at(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_above_64_outstanding),  cmocka_unit_test(lines_at_their_bounds),
        cmocka_unit_test(reply_at_its_bound),          cmocka_unit_test(offers_over_their_bound),
        cmocka_unit_test(groups_pass_in_one_step),     cmocka_unit_test(is_tiny_when_idle),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
