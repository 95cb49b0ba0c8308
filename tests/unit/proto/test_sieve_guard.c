/* What the transcripts can't say of the ManageSieve guard: bounds, bulk, buffers, memory; and what
 * an upstream that says no too early gets to see. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/sieve/guard_state.h"
#include "proto/sieve/sieve.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct guard_conf plain;

static struct guard_step client(struct guard *g, const char *text)
{
    return sieve_guard_ops.client(g, view_text(text));
}

static struct guard_step server(struct guard *g, const char *text)
{
    return sieve_guard_ops.server(g, view_text(text));
}

/* Feeds all of it; what goes on is appended to `out`. Returns the last step. */
static struct guard_step run(struct guard *g, bool is_client, struct view in, struct buf *out)
{
    struct guard_step s;

    for (;;) {
        s = is_client ? sieve_guard_ops.client(g, in) : sieve_guard_ops.server(g, in);
        if (s.kind != GUARD_PASS && s.kind != GUARD_PUT)
            return s;
        buf_put(out, s.kind == GUARD_PASS ? view_first(in, s.n) : s.put);
        in = view_skip(in, s.n);
    }
}

static void test_outstanding(void **state)
{
    struct guard *g = sieve_guard_ops.create(&plain);

    (void)state;
    for (int i = 0; i < GUARD_OUTSTANDING; i++)
        assert_int_equal(client(g, "NOOP\r\n").kind, GUARD_PUT);
    assert_int_equal(client(g, "NOOP\r\n").kind, GUARD_HOLD);
    assert_int_equal(server(g, "OK\r\n").kind, GUARD_PASS);
    assert_int_equal(client(g, "NO").kind, GUARD_PUT);
    assert_int_equal(client(g, "OP\r\n").kind, GUARD_PUT);
    assert_int_equal(client(g, "NOOP\r\n").kind, GUARD_HOLD);
    sieve_guard_ops.destroy(g);
}

/* Whatever is in flight, the answers are told apart: the ring of what is awaited goes round. */
static void test_ring(void **state)
{
    struct guard *g = sieve_guard_ops.create(&plain);
    AUTO_BUF(up, 1 << 16);
    AUTO_BUF(down, 1 << 20);
    AUTO_BUF(expected, 1 << 20);

    (void)state;
    for (int i = 0; i < 100; i++) {
        (void)run(g, true, VIEW_LIT("LISTSCRIPTS\r\nGETSCRIPT \"a\"\r\nCAPABILITY\r\nNOOP\r\n"),
                  &up);
        (void)run(g, false,
                  VIEW_LIT("\"a\" ACTIVE\r\nOK\r\n{4}\r\nOK\r\n\r\nOK\r\n"
                           "\"SIEVE\" \"x\"\r\n\"OWNER\" \"joe\"\r\nOK\r\nOK\r\n"),
                  &down);
        buf_put_text(&expected, "\"a\" ACTIVE\r\nOK\r\n{4}\r\nOK\r\n\r\nOK\r\n"
                                "\"IMPLEMENTATION\" \"Postern\"\r\n\"SASL\" \"PLAIN\"\r\n"
                                "\"SIEVE\" \"x\"\r\nOK\r\nOK\r\n");
    }
    assert_null(g->reason);
    assert_true(view_is_equal(buf_view(&down), buf_view(&expected)));
    sieve_guard_ops.destroy(g);
}

static void put_many(struct buf *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_put_octet(b, 'n');
}

/* A name as long as the RFC wants it taken, however it is written; and one octet more. */
static void test_longest_name(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++)
        for (int is_quoted = 0; is_quoted < 2; is_quoted++) {
            struct guard *g = sieve_guard_ops.create(&plain);
            AUTO_BUF(in, 4096);
            AUTO_BUF(up, 4096);

            buf_put_text(&in, "GETSCRIPT ");
            if (is_quoted != 0)
                buf_put_text(&in, "\"");
            else
                buf_printf(&in, "{%zu+}\r\n", LIMIT_SIEVE_NAME + over);
            put_many(&in, LIMIT_SIEVE_NAME + over);
            buf_put_text(&in, is_quoted != 0 ? "\"\r\n" : "\r\n");
            (void)run(g, true, buf_view(&in), &up);
            if (over == 0)
                assert_int_equal(up.n, sizeof("GETSCRIPT \"\"\r\n") - 1 + LIMIT_SIEVE_NAME);
            else
                assert_string_equal(g->reason, "bad-string");
            sieve_guard_ops.destroy(g);
        }
}

static void test_longest_script(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct guard *g = sieve_guard_ops.create(&plain);
        AUTO_BUF(in, 4096);
        AUTO_BUF(up, 4096);

        buf_printf(&in, "CHECKSCRIPT {%zu+}\r\n", (size_t)LIMIT_SIEVE_SCRIPT + over);
        (void)run(g, true, buf_view(&in), &up);
        if (over == 0)
            assert_true(view_is_equal(buf_view(&up), buf_view(&in)));
        else
            assert_string_equal(g->reason, "script-too-long");
        sieve_guard_ops.destroy(g);
    }
}

/* A script passes in one step for each input, whatever is in it. */
static void test_bulk(void **state)
{
    struct guard *g = sieve_guard_ops.create(&plain);
    static const uint8_t octets[20000];
    const struct view in = view_of(octets, sizeof(octets));
    AUTO_BUF(up, 4096);

    (void)state;
    (void)run(g, true, VIEW_LIT("PUTSCRIPT \"a\" {30000+}\r\n"), &up);
    struct guard_step s = sieve_guard_ops.client(g, in);
    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, 20000);
    s = sieve_guard_ops.client(g, in);
    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, 10000);
    (void)run(g, true, VIEW_LIT("\r\nGETSCRIPT \"a\"\r\n"), &up);
    assert_int_equal(server(g, "OK\r\n{30000}\r\n").n, sizeof("OK\r\n{30000}\r\n") - 1);
    s = sieve_guard_ops.server(g, in);
    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, 20000);
    sieve_guard_ops.destroy(g);
}

/* NO before the script has come: what the upstream still gets of it can be no command. */
static void test_early_no(void **state)
{
    struct guard *g = sieve_guard_ops.create(&plain);
    AUTO_BUF(script, 1 << 16);
    AUTO_BUF(up, 1 << 16);
    AUTO_BUF(down, 4096);

    (void)state;
    while (script.n < 30000)
        buf_put_text(&script, "UNAUTHENTICATE\r\n");
    (void)run(g, true, VIEW_LIT("PUTSCRIPT \"a\" {30000+}\r\nabc"), &up);
    buf_clear(&up);
    (void)run(g, false, VIEW_LIT("NO (QUOTA) \"no\"\r\n"), &down);
    assert_string_equal(buf_cstr(&down), "NO (QUOTA) \"no\"\r\n");
    (void)run(g, true, view_first(buf_view(&script), 29997), &up);
    assert_int_equal(up.n, 29997);
    for (size_t i = 0; i < up.n; i++)
        assert_int_equal(up.p[i], ' ');
    buf_clear(&up);
    (void)run(g, true, VIEW_LIT("\r\nCHECKSCRIPT {3+}\r\nabc\r\n"), &up);
    assert_string_equal(buf_cstr(&up), "\r\nCHECKSCRIPT {3+}\r\nabc\r\n");
    sieve_guard_ops.destroy(g);
}

/* A refused command's literals: all of them together have a bound. */
static void test_swallowed(void **state)
{
    static const uint8_t octets[4096];
    struct guard *g = sieve_guard_ops.create(&plain);
    AUTO_BUF(up, 4096);
    size_t left = LIMIT_SIEVE_SCRIPT;

    (void)state;
    (void)run(g, true, VIEW_LIT("XCLIENT {4194304+}\r\n"), &up);
    while (left > 0) {
        const struct guard_step s = sieve_guard_ops.client(g, view_of(octets, sizeof(octets)));
        assert_int_equal(s.kind, GUARD_PUT);
        assert_int_equal(s.put.n, 0);
        left -= s.n;
    }
    (void)run(g, true, VIEW_LIT(" {1+}\r\n"), &up);
    assert_string_equal(g->reason, "too-long");
    assert_int_equal(up.n, 0);
    sieve_guard_ops.destroy(g);
}

static void test_capabilities_over_their_bound(void **state)
{
    struct guard *g = sieve_guard_ops.create(&plain);
    AUTO_BUF(line, 1 << 16);
    AUTO_BUF(out, 1 << 16);

    (void)state;
    buf_put_text(&line, "\"SIEVE\" \"");
    put_many(&line, LIMIT_CAPABILITIES);
    (void)run(g, true, VIEW_LIT("CAPABILITY\r\n"), &out);
    buf_clear(&out);
    assert_int_equal(run(g, false, buf_view(&line), &out).kind, GUARD_END);
    assert_string_equal(g->reason, "upstream-capability");
    assert_int_equal(out.n, 0);
    sieve_guard_ops.destroy(g);
}

static void test_bye(void **state)
{
    static const char *const parts[] = { "\"a", "\" ACT", "IVE\r", "\n{3", "}\r\na", "b", "c" };
    struct guard *g = sieve_guard_ops.create(&plain);
    AUTO_BUF(out, 128);

    (void)state;
    sieve_guard_ops.bye(g, "going", &out);
    assert_string_equal(buf_cstr(&out), "BYE \"going\"\r\n");
    (void)client(g, "LISTSCRIPTS\r\n");
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        assert_int_equal(server(g, parts[i]).kind, GUARD_PASS);
        buf_clear(&out);
        sieve_guard_ops.bye(g, "going", &out);
        assert_int_equal(out.n, 0);
    }
    (void)server(g, "\r\n");
    sieve_guard_ops.bye(g, "going", &out);
    assert_string_equal(buf_cstr(&out), "BYE \"going\"\r\n");
    (void)server(g, "BYE \"bored\"\r\n");
    buf_clear(&out);
    sieve_guard_ops.bye(g, "going", &out);
    assert_int_equal(out.n, 0);
    sieve_guard_ops.destroy(g);
}

static void test_idle(void **state)
{
    struct guard *g = sieve_guard_ops.create(&plain);
    AUTO_BUF(out, 1 << 16);

    (void)state;
    assert_true(sizeof(struct guard) <= 320);
    (void)run(g, true, VIEW_LIT("noop {3"), &out);
    (void)run(g, true, VIEW_LIT("+}\r\nabc"), &out);
    assert_non_null(g->command.strings.p);
    (void)run(g, true, VIEW_LIT("\r\nCAPABILITY\r\nPUTSCRIPT \"a\" {3+}\r\na"), &out);
    (void)run(g, false, VIEW_LIT("OK\r\n\"SIEVE\" "), &out);
    assert_non_null(g->held.p);
    (void)run(g, false, VIEW_LIT("\"\"\r\nOK\r\nNO\r\n"), &out);
    (void)run(g, true, VIEW_LIT("bc\r\nXCLIENT {3+}\r\nabc\r\n"), &out);
    (void)run(g, false, VIEW_NONE, &out);
    (void)run(g, true, VIEW_LIT("CAPABILITY\r\n"), &out);
    (void)run(g, false, VIEW_LIT("\"SIEVE\" \"\"\r\nNO\r\n"), &out);
    (void)client(g, "");
    assert_null(g->reason);
    assert_null(g->command.strings.p);
    assert_null(g->put.p);
    assert_null(g->held.p);
    sieve_guard_ops.destroy(g);
}

/* Without memory the session ends; nothing passes that would not have passed otherwise. */
static void test_no_memory(void **state)
{
    static const char in[] = "NOOP {1+}\r\na\r\nCAPABILITY\r\nCHECKSCRIPT \"keep;\"\r\n"
                             "PUTSCRIPT \"a\" {3+}\r\na\r\n\r\n";
    static const char whole[] = "NOOP \"a\"\r\nCAPABILITY\r\nCHECKSCRIPT {5+}\r\nkeep;\r\n"
                                "PUTSCRIPT \"a\" {3+}\r\na\r\n\r\n";

    (void)state;
    for (unsigned long n = 1; n < 24; n++) {
        AUTO_BUF(up, 4096);
        AUTO_BUF(down, 4096);

        buf_put_text(&up, "       "); /* takes its room before an allocation is to fail */
        buf_put_text(&down, "       ");
        for (int i = 0; i < 12; i++)
            buf_put(&down, VIEW_LIT("                                "));
        for (int i = 0; i < 12; i++)
            buf_put(&up, VIEW_LIT("                                "));
        buf_clear(&up);
        buf_clear(&down);
        mem_fail_at(n);
        struct guard *g = sieve_guard_ops.create(&plain);
        if (g != NULL) {
            (void)run(g, true, view_text(in), &up);
            (void)run(g, false, VIEW_LIT("OK\r\n\"SIEVE\" \"x\"\r\nOK\r\nOK\r\nNO\r\n"), &down);
            assert_true(view_is_equal(buf_view(&up), view_first(view_text(whole), up.n)));
            assert_true(g->reason == NULL || strcmp(g->reason, "no-memory") == 0 ||
                        strcmp(g->reason, "upstream-capability") == 0);
        }
        mem_fail_at(0);
        sieve_guard_ops.destroy(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outstanding),  cmocka_unit_test(test_ring),
        cmocka_unit_test(test_longest_name), cmocka_unit_test(test_longest_script),
        cmocka_unit_test(test_bulk),         cmocka_unit_test(test_early_no),
        cmocka_unit_test(test_swallowed),    cmocka_unit_test(test_capabilities_over_their_bound),
        cmocka_unit_test(test_bye),          cmocka_unit_test(test_idle),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
