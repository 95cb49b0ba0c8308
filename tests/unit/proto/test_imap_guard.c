/* The guard's bounds, farewells and memory. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/imap/guard_state.h"
#include "proto/imap/imap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct guard_conf plain;

static struct guard_step feed_client(struct guard *g, const char *text)
{
    return imap_guard_ops.client(g, view_text(text));
}

static void holds_above_256_outstanding(void **state)
{
    (void)state;
    struct guard *g = imap_guard_ops.create(&plain);

    for (int i = 0; i < 256; i++)
        assert_int_equal(feed_client(g, "a NOOP\r\n").kind, GUARD_PASS);
    assert_int_equal(feed_client(g, "a NOOP\r\n").kind, GUARD_HOLD);
    assert_int_equal(imap_guard_ops.server(g, view_text("a OK\r\n")).kind, GUARD_PASS);
    assert_int_equal(feed_client(g, "a NOOP\r\n").kind, GUARD_PASS);
    imap_guard_ops.destroy(g);
}

static void line_at_its_bound(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        for (size_t piece = 1; piece < 1 << 17; piece = piece == 1 ? 4096 : piece * 32) {
            struct guard *g = imap_guard_ops.create(&plain);
            size_t n = LIMIT_IMAP_GUARD_LINE + over, at = 0;
            uint8_t *line = mem_alloc(n);
            struct guard_step s = { .kind = GUARD_MORE };

            memset(line, 'x', n);
            memcpy(line, "a1 X ", 5);
            memcpy(line + n - 2, "\r\n", 2);
            while (at < n && s.kind != GUARD_END) {
                s = imap_guard_ops.client(g, view_of(line + at, n - at < piece ? n - at : piece));
                at += s.n;
            }
            if (over == 0) {
                assert_true(s.kind == GUARD_PASS || s.put.n == n);
            } else {
                assert_int_equal(s.kind, GUARD_END);
                assert_string_equal(s.reason, "line-too-long");
            }
            mem_free(line);
            imap_guard_ops.destroy(g);
        }
    }
}

static void capability_over_its_bound(void **state)
{
    (void)state;
    struct guard *g = imap_guard_ops.create(&plain);
    size_t n = LIMIT_IMAP_CAPABILITY + 64;
    uint8_t *line = mem_alloc(n);

    memset(line, 'X', n);
    memcpy(line, "* CAPABILITY ", 13);
    struct guard_step s = imap_guard_ops.server(g, view_of(line, n));
    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, 13);
    s = imap_guard_ops.server(g, view_of(line + 13, n - 13));
    assert_int_equal(s.kind, GUARD_END);
    assert_string_equal(s.reason, "upstream-capability");
    mem_free(line);
    imap_guard_ops.destroy(g);
}

/* Bulk passes in one step for each input, however many lines and literals are in it. */
static void bulk_passes_in_one_step(void **state)
{
    (void)state;
    struct guard *g = imap_guard_ops.create(&plain);
    const char *text =
        "* 1 FETCH (BODY[] {3}\r\nabc)\r\n* 2 FETCH (BODY[] {3}\r\nabc)\r\n* SEARCH 1";
    struct guard_step s = imap_guard_ops.server(g, view_text(text));

    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, strlen(text));
    imap_guard_ops.destroy(g);
}

static void says_bye_between_responses_only(void **state)
{
    (void)state;
    struct guard *g = imap_guard_ops.create(&plain);
    AUTO_BUF(out, 128);

    imap_guard_ops.bye(g, "going", &out);
    assert_string_equal(buf_cstr(&out), "* BYE going\r\n");
    buf_clear(&out);
    const char *const parts[] = { "*", " ", "1 FETCH (X {3}", "\r\n", "ab", "c", ")\r" };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        (void)imap_guard_ops.server(g, view_text(parts[i]));
        imap_guard_ops.bye(g, "going", &out);
        assert_int_equal(out.n, 0);
    }
    (void)imap_guard_ops.server(g, view_text("\n"));
    imap_guard_ops.bye(g, "going", &out);
    assert_string_equal(buf_cstr(&out), "* BYE going\r\n");
    imap_guard_ops.destroy(g);
}

static void is_tiny_when_idle(void **state)
{
    (void)state;
    struct guard *g = imap_guard_ops.create(&plain);

    assert_true(sizeof(struct guard) <= 200);
    (void)feed_client(g, "a1 NO");
    (void)feed_client(g, "OP\r\n");
    (void)imap_guard_ops.server(g, view_text("* CAPABILITY IDLE"));
    (void)imap_guard_ops.server(g, view_text(" IDLE"));
    (void)imap_guard_ops.server(g, view_text("\r\na1 OK\r\n"));
    (void)imap_guard_ops.server(g, view_text("a1 OK\r\n"));
    (void)feed_client(g, "a2 CREATE {1+}\r\n");
    (void)imap_guard_ops.server(g, view_text("+ \r\n"));
    (void)feed_client(g, "x\r\n");
    (void)feed_client(g, "\r\n");
    (void)feed_client(g, "a3 STARTTLS\r\n");
    (void)imap_guard_ops.server(g, VIEW_NONE);
    (void)feed_client(g, "");
    assert_null(g->reason);
    assert_null(g->line.p);
    assert_null(g->tag.p);
    assert_null(g->held.p);
    assert_null(g->label);
    imap_guard_ops.destroy(g);
}

/* Without memory the session ends; nothing passes that would not have passed otherwise. */
static void every_allocation_fails_once(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 12; n++) {
        static const char *const client[] = { "a1 LO", "GIN {1+}\r\nx\r\n",
                                              "a2 ID (\"name\" \"x\")\r\n", "a3 CREATE {1+}\r\n" };
        mem_fail_at(n);
        struct guard *g = imap_guard_ops.create(&plain);
        for (size_t i = 0; g != NULL && i < COUNT_OF(client); i++) {
            struct view in = view_text(client[i]);
            struct guard_step s = { .kind = GUARD_PASS };
            while (s.kind == GUARD_PASS || s.kind == GUARD_PUT) {
                s = imap_guard_ops.client(g, in);
                if (s.kind == GUARD_PUT && s.put.n > 0)
                    assert_memory_equal(s.put.p, "a3 CREATE {1}\r\n", s.put.n);
                in = view_skip(in, s.n);
            }
            s.kind = GUARD_PASS;
            struct view down =
                i == 2 ? view_text("a2 OK [CAPABILITY COMPRESS=DEFLATE] \r\n") : VIEW_NONE;
            while (s.kind == GUARD_PASS || s.kind == GUARD_PUT) {
                s = imap_guard_ops.server(g, down);
                down = view_skip(down, s.n);
            }
        }
        imap_guard_ops.destroy(g);
        mem_fail_at(0);
    }
}

/* What the guard would refuse or say anew does not pass because there was no memory for it. */
static void nothing_passes_for_want_of_memory(void **state)
{
    static const struct guard_conf trusting = { .is_trusting = true };
    static const char *const pieces[] = {
        "a ID (\"x-originating-ip\" \"1\" \"name\" \"x\")\r\n",
        "b ID (\"x-origi",
        "nating-ip\" \"1\")\r\n",
        "c ID ({16+}\r\nx-originating-ip \"1\")\r\n",
        "d LOGIN {3+}\r\nabc {5+}\r\nLOGIN\r\n",
        "e UNAUTH",
        "ENTICATE\r\n",
        "f XANY x b LOGIN c d\r\n",
        "g URLFETCH {5+}\r\nLOGIN\r\n",
        "h APPEND x UTF8 (~{5+}\r\nLOGIN)\r\n",
    };

    (void)state;
    for (unsigned long n = 1; n < 40; n++) {
        char up[1024] = "";
        mem_fail_at(n);
        struct guard *g = imap_guard_ops.create(&trusting);
        for (size_t i = 0; g != NULL && i < COUNT_OF(pieces); i++) {
            struct view in = view_text(pieces[i]);
            struct guard_step s = { .kind = GUARD_PASS };
            for (int turn = 0; turn < 20 && s.kind != GUARD_END; turn++) {
                s = imap_guard_ops.client(g, in);
                const struct view out = s.kind == GUARD_PASS ? view_first(in, s.n) : s.put;
                if (s.kind == GUARD_PASS || s.kind == GUARD_PUT)
                    (void)strncat(up, out.n == 0 ? "" : (const char *)out.p, out.n);
                in = view_skip(in, s.n);
                (void)imap_guard_ops.server(g, VIEW_NONE);
            }
        }
        imap_guard_ops.destroy(g);
        mem_fail_at(0);
        assert_null(strstr(up, "originating"));
        assert_null(strstr(up, "LOGIN"));
        assert_null(strstr(up, "UNAUTH"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_above_256_outstanding),
        cmocka_unit_test(line_at_its_bound),
        cmocka_unit_test(capability_over_its_bound),
        cmocka_unit_test(bulk_passes_in_one_step),
        cmocka_unit_test(says_bye_between_responses_only),
        cmocka_unit_test(is_tiny_when_idle),
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(nothing_passes_for_want_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
