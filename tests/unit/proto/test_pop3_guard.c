/* What the transcripts can't say of the POP3 guard: what it makes of each line, how large its steps
 * are, what it keeps, and what has gone to the client when a reply turns out to be none. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/pop3/capability.h"
#include "proto/pop3/guard_state.h"
#include "proto/pop3/pop3.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct guard_conf plain;

/* ---- lines ---------------------------------------------------------------------------- */

static void test_lines(void **state)
{
    static const struct {
        const char *line;
        enum pop3_reply reply;
    } rows[] = {
        { "STAT", POP3_REPLY_LINE },
        { "stat", POP3_REPLY_LINE },
        { "LIST", POP3_REPLY_TEXT },
        { "LIST 1", POP3_REPLY_LINE },
        { "UIDL", POP3_REPLY_TEXT },
        { "UIDL 1", POP3_REPLY_LINE },
        { "RETR 1", POP3_REPLY_TEXT },
        { "RETR 0", POP3_REPLY_TEXT },
        { "TOP 1 0", POP3_REPLY_TEXT },
        { "DELE 1", POP3_REPLY_LINE },
        { "NOOP", POP3_REPLY_LINE },
        { "RSET", POP3_REPLY_LINE },
        { "QUIT", POP3_REPLY_LINE },
        { "CAPA", POP3_REPLY_CAPA },
        { "LANG", POP3_REPLY_TEXT },
        { "LANG en", POP3_REPLY_LINE },
        { "LANG *", POP3_REPLY_LINE },
        { "UTF8", POP3_REPLY_LINE },
        { "", POP3_REPLY_OWN },
        { " ", POP3_REPLY_OWN },
        { " STAT", POP3_REPLY_OWN },
        { "STAT ", POP3_REPLY_OWN },
        { "STAT\t", POP3_REPLY_OWN },
        { "LIST\t1", POP3_REPLY_OWN },
        { "LIST ", POP3_REPLY_OWN },
        { "RETR", POP3_REPLY_OWN },
        { "RETR 4294967296", POP3_REPLY_OWN },
        { "RETR 99999999999999999999", POP3_REPLY_OWN },
        { "RETR 1 ", POP3_REPLY_OWN },
        { "TOP 1", POP3_REPLY_OWN },
        { "TOP 1 ", POP3_REPLY_OWN },
        { "TOP  1", POP3_REPLY_OWN },
        { "LANG ", POP3_REPLY_OWN },
        { "LANG -", POP3_REPLY_OWN },
        { "LANG **", POP3_REPLY_OWN },
        { "USER a", POP3_REPLY_OWN },
        { "PASS a", POP3_REPLY_OWN },
        { "APOP a b", POP3_REPLY_OWN },
        { "AUTH", POP3_REPLY_OWN },
        { "STLS", POP3_REPLY_OWN },
        { "XCLIENT A=B", POP3_REPLY_OWN },
        { "XTND", POP3_REPLY_OWN },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (pop3_guard_line(view_text(rows[i].line)) != rows[i].reply)
            fail_msg("\"%s\"", rows[i].line);
}

static void test_capabilities(void **state)
{
    AUTO_BUF(out, 1024);

    (void)state;
    pop3_capability_filter(VIEW_LIT("TOP\r\nstls\r\nExpire 1 USER\r\nUSER\r\nTOPS\r\nTOP \x80\r\n"
                                    "UIDL\nLANG\r\nUTF8\r\nPIPELINING"),
                           &out);
    assert_string_equal(buf_cstr(&out), "TOP\r\nExpire 1 USER\r\nLANG\r\n");
    assert_false(pop3_capability_passes(VIEW_NONE));
    assert_false(pop3_capability_passes(VIEW_LIT("TOP\r")));
}

/* ---- steps ---------------------------------------------------------------------------- */

static struct guard *start(const char *commands)
{
    struct guard *g = pop3_guard_ops.create(&plain);
    const struct view in = view_text(commands);

    assert_non_null(g);
    if (in.n != 0) {
        const struct guard_step s = pop3_guard_ops.client(g, in);
        assert_int_equal(s.kind, GUARD_PASS);
        assert_int_equal(s.n, in.n);
    }
    return g;
}

/* All that goes down of a reply that is cut in two at `at`; *ret_reason as the guard ends. */
static void hear(struct guard *g, struct view reply, size_t at, struct buf *out,
                 const char **ret_reason)
{
    struct view in = view_first(reply, at);

    *ret_reason = NULL;
    for (int half = 0; half < 2 && *ret_reason == NULL;) {
        const struct guard_step s = pop3_guard_ops.server(g, in);
        if (s.kind == GUARD_PASS)
            buf_put(out, view_first(in, s.n));
        else if (s.kind == GUARD_PUT)
            buf_put(out, s.put);
        else if (s.kind == GUARD_END)
            *ret_reason = s.reason;
        in = view_skip(in, s.n);
        if (s.kind != GUARD_MORE)
            continue;
        in = view_skip(reply, at);
        half++;
    }
}

/* Nothing behind the octet that can't be of a reply has gone to the client. */
static void test_nonsense(void **state)
{
    static const struct {
        const char *reply, *seen, *reason;
    } rows[] = {
        { "+OKAY\r\n", "+OK", "upstream-nonsense" },
        { "+ok\r\n", "+", "upstream-nonsense" },
        { "-ERROR\r\n", "-ERR", "upstream-nonsense" },
        { "+OK a\nb\r\n", "+OK a", "upstream-nonsense" },
        { "+OK a\rb\r\n", "+OK a\r", "upstream-nonsense" },
        { "+OK\r\r\n", "+OK\r", "upstream-nonsense" },
        { "+\r\n", "+", "upstream-nonsense" },
        { "\r\n", "", "upstream-nonsense" },
        { "* OK\r\n", "", "upstream-nonsense" },
        { "+OK\t1\r\n", "+OK", "upstream-nonsense" },
        { "+OK 1 2\r\n.\r\n", "+OK 1 2\r\n", "unasked-reply" },
        { "+OK 1 2\r\n-ERR a\r\n+OK\r\n", "+OK 1 2\r\n-ERR a\r\n", "upstream-parted" },
        { "+OK 1 2\r\n-OK\r\n", "+OK 1 2\r\n-", "upstream-nonsense" },
        { "+OK 1 2\r\n", "+OK 1 2\r\n", NULL },
        { "-ERR\r\n", "-ERR\r\n", NULL },
        { "+OK \xff\x01\r\n", "+OK \xff\x01\r\n", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t at = 0; at <= strlen(rows[i].reply); at++) {
            struct guard *g = start("STAT\r\n");
            AUTO_BUF(out, 64);
            const char *reason;
            hear(g, view_text(rows[i].reply), at, &out, &reason);
            assert_true(view_is_equal(buf_view(&out), view_text(rows[i].seen)));
            assert_true((reason == NULL) == (rows[i].reason == NULL));
            if (reason != NULL)
                assert_string_equal(reason, rows[i].reason);
            pop3_guard_ops.destroy(g);
        }
}

/* The end of a text is CRLF "." CRLF, wherever the input is cut, and nothing like it. */
static void test_text_end(void **state)
{
    static const char *const texts[] = {
        ".\r\n",
        "a\r\n.\r\n",
        "\r\n.\r\n",
        "..\r\n.\r\n",
        "\r\r\n.\r\n",
        ".\r\r\n.\r\n",
        "\n.\r\n\r.\r\n.\n.\r.\r\n\r\n.\r\r\n.\r.\r\n\r\n.\r\n",
        "................\r\n.\r\n",
        "a\r\n..\r\n.a\r\n . \r\n.\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO_BUF(reply, 256);
        buf_printf(&reply, "+OK\r\n%s-ERR x\r\n", texts[i]);
        for (size_t at = 0; at <= reply.n; at++) {
            struct guard *g = start("RETR 1\r\nNOOP\r\n");
            AUTO_BUF(out, 256);
            const char *reason;
            hear(g, buf_view(&reply), at, &out, &reason);
            if (reason != NULL || !view_is_equal(buf_view(&out), buf_view(&reply)))
                fail_msg("text %zu cut at %zu: %s", i, at, reason);
            assert_int_equal(g->outstanding, 0);
            pop3_guard_ops.destroy(g);
        }
        /* Not before its last octet. */
        struct guard *g = start("RETR 1\r\n");
        AUTO_BUF(out, 256);
        const char *reason;
        hear(g, view_first(buf_view(&reply), 5 + strlen(texts[i]) - 1), 3, &out, &reason);
        assert_null(reason);
        assert_int_equal(g->outstanding, 1);
        pop3_guard_ops.destroy(g);
    }
}

/* A message passes in runs as large as the input, together with what stands around it. */
static void test_runs_are_large(void **state)
{
    static uint8_t many[LIMIT_PIPE_BUFFER];
    struct guard *g = start("RETR 1\r\nRETR 2\r\nNOOP\r\n");
    AUTO_BUF(mixed, 256);

    (void)state;
    memset(many, 'x', sizeof(many));
    for (size_t i = 0; i + 80 < sizeof(many); i += 80)
        memcpy(many + i, "x.\r\n.a\r\n", 8);
    assert_int_equal(pop3_guard_ops.server(g, VIEW_LIT("+OK\r\n")).n, 5);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pop3_guard_ops.server(g, view_of(many, sizeof(many))).n, sizeof(many));
    buf_put_text(&mixed, "\r\n.\r\n+OK\r\ntext\r\n.\r\n+OK\r\n");
    const struct guard_step s = pop3_guard_ops.server(g, buf_view(&mixed));
    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, mixed.n);
    pop3_guard_ops.destroy(g);
}

/* Between commands and between replies the guard owns nothing but itself. */
static void test_idle_owns_nothing(void **state)
{
    struct guard *g = start("");
    static const char commands[] = "CAPA\r\nSTLS\r\n";

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(commands); i++)
        assert_int_equal(pop3_guard_ops.client(g, view_of(commands + i, 1)).kind, GUARD_PUT);
    assert_int_equal(pop3_guard_ops.client(g, VIEW_NONE).kind, GUARD_MORE);
    assert_null(g->line.p);
    struct view in = VIEW_LIT("+OK\r\nTOP\r\nSTLS\r\n.\r\n");
    while (in.n != 0)
        in = view_skip(in, pop3_guard_ops.server(g, in).n);
    assert_int_equal(pop3_guard_ops.server(g, in).kind, GUARD_PUT); /* STLS is refused */
    assert_int_equal(pop3_guard_ops.server(g, in).kind, GUARD_MORE);
    assert_null(g->held.p);
    pop3_guard_ops.destroy(g);
}

static void test_end_is_final(void **state)
{
    struct guard *g = start("");

    (void)state;
    assert_int_equal(pop3_guard_ops.client(g, VIEW_LIT("STAT\nPASS x\r\n")).kind, GUARD_END);
    assert_string_equal(pop3_guard_ops.client(g, VIEW_LIT("STAT\r\n")).reason, "bare-lf");
    assert_string_equal(pop3_guard_ops.server(g, VIEW_LIT("+OK\r\n")).reason, "bare-lf");
    pop3_guard_ops.destroy(g);
}

static void test_no_memory(void **state)
{
    struct guard *g = start("STAT\r\nCAPA\r\n");

    (void)state;
    assert_int_equal(pop3_guard_ops.server(g, VIEW_LIT("+OK\r\n+OK\r\n")).n, 10);
    mem_fail_at(1);
    assert_string_equal(pop3_guard_ops.server(g, VIEW_LIT("TOP\r\n")).reason, "no-memory");
    pop3_guard_ops.destroy(g);
    g = start("");
    mem_fail_at(1);
    assert_string_equal(pop3_guard_ops.client(g, VIEW_LIT("STA")).reason, "no-memory");
    pop3_guard_ops.destroy(g);
    mem_fail_at(1);
    assert_null(pop3_guard_ops.create(&plain));
    mem_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),          cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_nonsense),       cmocka_unit_test(test_text_end),
        cmocka_unit_test(test_runs_are_large), cmocka_unit_test(test_idle_owns_nothing),
        cmocka_unit_test(test_end_is_final),   cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
