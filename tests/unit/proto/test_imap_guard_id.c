/* What becomes of the client's ID: towards an upstream that believes in it, and as a label. */
#include "guard_dialogue.h"

#include "base/limits.h"
#include "proto/imap/guard_id.h"
#include "proto/imap/imap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct guard_conf plain;

static struct guard_step feed_client(struct guard *g, const char *text)
{
    return imap_guard_ops.client(g, view_text(text));
}

static void label_is(const char *command, const char *label)
{
    struct guard *g = imap_guard_ops.create(&plain);

    assert_int_equal(imap_guard_ops.client_label(g).n, 0);
    assert_int_equal(feed_client(g, command).kind, GUARD_PASS);
    struct view v = imap_guard_ops.client_label(g);
    assert_true(view_is_equal(v, view_text(label)));
    assert_int_equal(imap_guard_ops.client_label(g).n, 0);
    (void)feed_client(g, command);
    assert_int_equal(imap_guard_ops.client_label(g).n, 0);
    imap_guard_ops.destroy(g);
}

static void labels(void **state)
{
    (void)state;
    label_is("a ID (\"name\" \"Thunderbird\" \"version\" \"115.0\")\r\n", "Thunderbird 115.0");
    label_is("a id (\"VERSION\" \"2\" \"os\" \"x\" \"NAME\" \"a\\\"b\tc\")\r\n", "a\"b?c 2");
    label_is("a ID NIL\r\n", "");
    label_is("a ID (\"os\" \"Linux\")\r\n", "");
    label_is("a ID (\"name\" NIL)\r\n", "");
    label_is("a ID (\"os\" NIL \"name\" \"x\")\r\n", "x");
    label_is("a ID (\"name\"\r\n", "");
}

/* ---- towards a trusting upstream ------------------------------------------------------ */

#define NO(tag) tag " NO [CANNOT] This command does not pass the gate\r\n"

static const struct dialogue trusting[] = {
    { "what RFC 2971 knows passes",
      { "T:", "C:a1 ID (\"name\" \"Thunderbird\" \"version\" \"115.0\")\r\na2 NOOP\r\n",
        "U:a1 ID (\"name\" \"Thunderbird\" \"version\" \"115.0\")\r\na2 NOOP\r\n",
        "S:* ID (\"name\" \"Dovecot\")\r\na1 OK\r\na2 OK\r\n",
        "D:* ID (\"name\" \"Dovecot\")\r\na1 OK\r\na2 OK\r\n" } },
    { "an origin does not",
      { "T:",
        "C:a1 ID (\"x-originating-ip\" \"10.0.0.1\" \"name\" \"x\" \"x-originating-port\" "
        "\"1\")\r\n",
        "U:a1 ID (\"name\" \"x\")\r\n" } },
    { "nothing else is left",
      { "T:", "C:a1 id (\"X-Originating-IP\" \"10.0.0.1\")\r\n", "U:a1 ID NIL\r\n" } },
    { "NIL", { "T:", "C:a1 ID nil\r\n", "U:a1 ID NIL\r\n" } },
    { "a field's name as a literal: the client that waits is refused",
      { "T:", "C:a1 ID ({16}\r\n", "U:", "D:" NO("a1"), "H:0", "C:a2 NOOP\r\n", "U:a2 NOOP\r\n" } },
    { "the one that does not is refused with its octets",
      { "T:", "C:a1 ID ({16+}\r\nx-originating-ip \"10.0.0.1\")\r\na2 NOOP\r\n", "U:a2 NOOP\r\n",
        "D:" NO("a1") } },
    { "a value as a literal",
      { "T:", "C:a1 ID (\"name\" {1+}\r\nx \"x-session-id\" {1+}\r\ny)\r\na2 NOOP\r\n",
        "U:a2 NOOP\r\n", "D:" NO("a1") } },
    { "what is not understood is refused, not guessed at",
      { "T:",
        "C:a1 ID (name x)\r\na2 ID\r\na3 ID (\"name\")\r\na4 ID (\"name\" \"x\") y\r\n"
        "a5 ID (\"n\\ame\" \"x\")\r\n",
        "U:", "D:" NO("a1") NO("a2") NO("a3") NO("a4") NO("a5") } },
    { "it is counted as a command",
      { "T:", "C:a1 ID (\"os\" \"x\")\r\na2 CREATE {1}\r\n", "U:a1 ID (\"os\" \"x\")\r\n", "H:1",
        "S:a1 OK\r\n", "D:a1 OK\r\n", "U:a2 CREATE {1}\r\n" } },
    { "another upstream hears what the client says",
      { "C:a1 ID (\"x-originating-ip\"  {8+}\r\n10.0.0.1)\r\n",
        "U:a1 ID (\"x-originating-ip\"  {8}\r\n", "S:+ \r\n", "U:10.0.0.1)\r\n" } },
};

PLAY_ALL(trusting)

static void built(void **state)
{
    static const struct {
        const char *arguments, *anew; /* NULL: not understood */
    } rows[] = {
        { "NIL", "NIL" },
        { "nil", "NIL" },
        { "()", "NIL" },
        { "( )", "NIL" },
        { "(\"name\" \"a\")", "(\"name\" \"a\")" },
        { " ( \"name\"  \"a\"  ) ", "(\"name\" \"a\")" },
        { "(\"name\"\"a\")", "(\"name\" \"a\")" },
        { "(\"name\" NIL \"OS\" nil)", "(\"name\" NIL \"OS\" NIL)" },
        { "(\"name\" \"a\" \"NAME\" \"b\")", "(\"name\" \"a\")" },
        { "(\"name\" \"a\\\"b\\\\\")", "(\"name\" \"a\\\"b\\\\\")" },
        { "(\"name\" \"\")", "(\"name\" \"\")" },
        { "(\"name\" \"\xc3\xa4\" \"os\" \"x\")", "(\"os\" \"x\")" },
        { "(\"name\" \"a\tb\" \"os\" \"x\")", "(\"os\" \"x\")" },
        { "(\"name\" \"a\" \"version\" \"b\" \"os\" \"c\" \"os-version\" \"d\" \"vendor\" \"e\" "
          "\"support-url\" \"f\" \"address\" \"g\" \"date\" \"h\" \"command\" \"i\" \"arguments\" "
          "\"j\" \"environment\" \"k\")",
          "(\"name\" \"a\" \"version\" \"b\" \"os\" \"c\" \"os-version\" \"d\" \"vendor\" \"e\" "
          "\"support-url\" \"f\" \"address\" \"g\" \"date\" \"h\" \"command\" \"i\" \"arguments\" "
          "\"j\" \"environment\" \"k\")" },
        { "(\"x-originating-ip\" \"a\" \"x-originating-port\" \"a\" \"x-connected-ip\" \"a\" "
          "\"x-connected-port\" \"a\" \"x-connected-name\" \"a\" \"x-proxy-ttl\" \"a\" "
          "\"x-session-id\" \"a\" \"x-session-ext-id\" \"a\" \"x-client-transport\" \"a\" "
          "\"x-forward-user\" \"a\" \"x-multiplex\" \"0\" \"X-VIA\" \"a\" \"x-anything\" \"a\" "
          "\"origin\" \"a\" \"client-ip\" \"a\")",
          "NIL" },
        { "(\"X-ORIGINATING-IP\" \"a\" \"x-Originating-Ip\" NIL \"vendor\" \"b\")",
          "(\"vendor\" \"b\")" },
        { "(\"name \" \"a\" \" name\" \"b\" \"name\\\\\" \"c\")", "NIL" },
        { "(\"name\" \"a\" \"x-\\originating-ip\" \"b\")", NULL },
        { "(\"name\" \"\\a\")", NULL },
        { "(\"name\")", NULL },
        { "(\"name\" \"a\"", NULL },
        { "(\"name\" \"a", NULL },
        { "(\"name\" \"a\\\")", NULL },
        { "(\"name\" a)", NULL },
        { "(name \"a\")", NULL },
        { "((\"name\" \"a\"))", NULL },
        { "(\"name\" (\"a\"))", NULL },
        { "(\"name\" NILx)", NULL },
        { "(NIL NIL)", NULL },
        { "(\"name\" \"a\"))", NULL },
        { "(\"name\" \"a\") (\"x-session-id\" \"b\")", NULL },
        { "NIL (\"x-session-id\" \"b\")", NULL },
        { "NILS", NULL },
        { "\"name\" \"a\"", NULL },
        { "", NULL },
        { " ", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF(out, 1024);
        const bool is_good = imap_guard_id_build(view_text(rows[i].arguments), &out);
        if (is_good != (rows[i].anew != NULL))
            fail_msg("%s: %d", rows[i].arguments, is_good);
        if (is_good)
            assert_string_equal(buf_cstr(&out), rows[i].anew);
    }
}

static bool build_of(size_t pairs, size_t octets, struct buf *out)
{
    AUTO_BUF(text, 1 << 20);

    for (size_t i = 0; i < pairs; i++) {
        buf_put_text(&text, i == 0 ? "(\"name\" \"" : " \"x\" \"");
        for (size_t k = 0; k < octets; k++)
            buf_put_octet(&text, 'v');
        buf_put_octet(&text, '"');
    }
    buf_put_octet(&text, ')');
    return imap_guard_id_build(buf_view(&text), out);
}

static void bounds(void **state)
{
    (void)state;
    AUTO_BUF(out, 8192);

    assert_true(build_of(LIMIT_IMAP_ID_PAIRS, 1, &out));
    assert_string_equal(buf_cstr(&out), "(\"name\" \"v\")");
    buf_clear(&out);
    assert_false(build_of(LIMIT_IMAP_ID_PAIRS + 1, 1, &out));
    buf_clear(&out);
    assert_true(build_of(1, 1024, &out));
    assert_int_equal(out.n, 1024 + sizeof("(\"name\" \"\")") - 1);
    buf_clear(&out);
    assert_true(build_of(1, 1025, &out));
    assert_string_equal(buf_cstr(&out), "NIL");
}

/* Every other string of a list is a field; a reader of its own, not the guard's. NIL has none. */
static void fields_are_known(const char *list)
{
    bool is_field = true;

    for (const char *p = list; *p != '\0'; p++) {
        if (*p == 'N')
            is_field = !is_field;
        if (*p != '"')
            continue;
        const char *from = p++;
        for (; *p != '"'; p++)
            p += *p == '\\';
        if (is_field)
            assert_true(strncasecmp(from, "\"name\"", 6) == 0 ||
                        strncasecmp(from, "\"os\"", 4) == 0);
        is_field = !is_field;
    }
}

/* Octets at random: whatever comes out names fields of RFC 2971 only, once each. */
static void nothing_else_comes_out(void **state)
{
    static const char *const words[] = { "(",   ")",        " ",      "\"",    "\\",
                                         "NIL", "\"name\"", "\"os\"", "\"x\"", "\"x-session-id\"" };
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 200000; round++) {
        AUTO_BUF(text, 256);
        AUTO_BUF(out, 256);
        buf_put_octet(&text, '(');
        for (int i = 0; i < 8; i++) {
            seed = seed * 1103515245u + 12345u;
            buf_put_text(&text, words[(seed >> 16) % COUNT_OF(words)]);
        }
        buf_put_octet(&text, ')');
        if (!imap_guard_id_build(buf_view(&text), &out))
            continue;
        AUTO_BUF(again, 256);
        assert_true(imap_guard_id_build(buf_view(&out), &again));
        assert_true(view_is_equal(buf_view(&out), buf_view(&again)));
        fields_are_known(buf_cstr(&out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trusting_dialogues),
        cmocka_unit_test(built),
        cmocka_unit_test(bounds),
        cmocka_unit_test(nothing_else_comes_out),
        cmocka_unit_test(labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
