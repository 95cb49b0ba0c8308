/* The commands of ManageSieve clients as a table: what comes of an input, whole, octet by octet and
 * with every cut; as the guard reads them (strict) and as the front does. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/sieve/command.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct sieve_word words[] = {
    { "NOOP", 0, { ARGUMENT_STRING }, true },
    { "BARE", 0, { ARGUMENT_NONE }, false },
    { "TWO", 0, { ARGUMENT_STRING, ARGUMENT_STRING }, false },
    { "SPACE", 0, { ARGUMENT_STRING, ARGUMENT_NUMBER }, false },
    { "PUT", 0, { ARGUMENT_STRING, ARGUMENT_SCRIPT }, false },
    { NULL, 0, { ARGUMENT_NONE }, false },
};
static const struct sieve_command_conf strict = { words, 200, 100, true };
static const struct sieve_command_conf mild = { words, 200, 100, false };

/* What came of it, one word after the other: "NOOP(text)", "PUT(name){5}", "?NAME" for an unknown
 * command, "wrong", and last "!reason" when it broke. */
struct row {
    const char *name, *input, *strict, *mild;
};

#define LONG   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONGER LONG LONG LONG LONG

static const struct row rows[] = {
    { "no argument", "BARE\r\n", "BARE()", "BARE()" },
    { "case plays no part", "bArE\r\n", "BARE()", "BARE()" },
    { "one after the other", "BARE\r\nNOOP\r\nBARE\r\n", "BARE() NOOP() BARE()",
      "BARE() NOOP() BARE()" },
    { "quoted", "NOOP \"a b\"\r\n", "NOOP(a b)", "NOOP(a b)" },
    { "escapes", "NOOP \"a\\\"b\\\\\"\r\n", "NOOP(a\"b\\)", "NOOP(a\"b\\)" },
    { "empty string", "NOOP \"\"\r\n", "NOOP()", "NOOP()" },
    { "literal", "NOOP {3+}\r\na\"b\r\n", "NOOP(a\"b)", "NOOP(a\"b)" },
    { "empty literal", "NOOP {0+}\r\n\r\nBARE\r\n", "NOOP() BARE()", "NOOP() BARE()" },
    { "literal with lines in it", "TWO {6+}\r\nBARE\r\n \"x\"\r\n", "TWO(BARE\r\n,x)",
      "TWO(BARE\r\n,x)" },
    { "two literals", "TWO {1+}\r\na {2+}\r\nbc\r\n", "TWO(a,bc)", "TWO(a,bc)" },
    { "a mark inside quotes is none", "TWO \"{5+}\" \"\"\r\n", "TWO({5+},)", "TWO({5+},)" },
    { "number", "SPACE \"a\" 4294967295\r\n", "SPACE(a,#4294967295)", "SPACE(a,#4294967295)" },
    { "number nought", "SPACE \"a\" 0\r\n", "SPACE(a,#0)", "SPACE(a,#0)" },
    { "script", "PUT \"a\" {5+}\r\n", "PUT(a){5}", "PUT(a){5}" },
    { "script of no octets", "PUT {1+}\r\na {0+}\r\n", "PUT(a){0}", "PUT(a){0}" },
    { "the longest script is one", "PUT \"a\" {4294967295+}\r\n", "PUT(a){4294967295}",
      "PUT(a){4294967295}" },
    { "quoted script", "PUT \"a\" \"keep;\t\"\r\n", "PUT(a,keep;\t)", "PUT(a,keep;\t)" },

    { "unknown", "OTHER\r\nBARE\r\n", "?OTHER BARE()", "?OTHER BARE()" },
    { "unknown with all kinds of arguments", "OTHER a=b \"c d\" {5+}\r\nBARE\r 17\r\nBARE\r\n",
      "?OTHER BARE()", "?OTHER BARE()" },
    { "unknown, its literal looks like commands", "OTHER {6+}\r\nBARE\r\n\r\nNOOP\r\n",
      "?OTHER NOOP()", "?OTHER NOOP()" },
    { "unknown with an empty literal", "OTHER {0+}\r\n {0+}\r\n\r\nBARE\r\n", "?OTHER BARE()",
      "?OTHER BARE()" },
    { "a longer word", "BAREBAREBAREBAREBARE\r\n", "?BAREBAREBAREBARE", "?BAREBAREBAREBARE" },
    { "a word with another before it", "1BARE\r\n", "?1BARE", "?1BARE" },
    { "unknown, literals at their bound",
      "OTHER {40+}\r\n0123456789012345678901234567890123456789"
      " {60+}\r\n012345678901234567890123456789012345678901234567890123456789\r\nBARE\r\n",
      "?OTHER BARE()", "?OTHER BARE()" },
    { "unknown, literals over their bound",
      "OTHER {40+}\r\n0123456789012345678901234567890123456789"
      " {61+}\r\n",
      "!too-long", "!too-long" },

    { "missing argument", "TWO \"a\"\r\nBARE\r\n", "!bad-arguments", "wrong BARE()" },
    { "needless argument", "BARE \"a\"\r\nBARE\r\n", "!bad-arguments", "wrong BARE()" },
    { "needless literal", "BARE {6+}\r\nBARE\r\n\r\nBARE\r\n", "!bad-arguments", "wrong BARE()" },
    { "a third argument", "TWO \"a\" \"b\" \"c\"\r\nBARE\r\n", "!bad-arguments", "wrong BARE()" },
    { "atom for a string", "NOOP a\r\nBARE\r\n", "!bad-arguments", "wrong BARE()" },
    { "string for a number", "SPACE \"a\" \"5\"\r\n", "!bad-arguments", "wrong" },
    { "number for a string", "NOOP 5\r\n", "!bad-arguments", "wrong" },
    { "number with zeros", "SPACE \"a\" 05\r\n", "!bad-number", "wrong" },
    { "number over 32 bits", "SPACE \"a\" 4294967296\r\n", "!bad-number", "wrong" },
    { "number far over", "SPACE \"a\" 99999999999999999999999999\r\n", "!bad-number", "wrong" },
    { "number and letters", "SPACE \"a\" 5x\r\n", "!bad-number", "wrong" },
    { "negative number", "SPACE \"a\" -5\r\n", "!bad-number", "wrong" },

    { "empty line", "\r\nBARE\r\n", "!empty-line", "wrong BARE()" },
    { "leading space", " BARE\r\nBARE\r\n", "!leading-space", "wrong BARE()" },
    { "leading tab", "\tBARE\r\n", "!bad-octet", "!bad-octet" },
    { "leading quote", "\"BARE\"\r\n", "!bad-octet", "!bad-octet" },
    { "trailing space", "BARE \r\nBARE\r\n", "!trailing-space", "wrong BARE()" },
    { "trailing space behind a string", "NOOP \"a\" \r\nBARE\r\n", "!trailing-space",
      "wrong BARE()" },
    { "two spaces", "NOOP  \"a\"\r\nBARE\r\n", "!two-spaces", "wrong BARE()" },
    { "tab for a space", "NOOP\t\"a\"\r\n", "!bad-octet", "!bad-octet" },
    { "tab for a space behind a string", "TWO \"a\"\t\"b\"\r\nBARE\r\n", "!bad-octet",
      "wrong BARE()" },
    { "no space", "NOOP\"a\"\r\n", "!bad-octet", "!bad-octet" },
    { "no space between strings", "TWO \"a\"\"b\"\r\nBARE\r\n", "!bad-octet", "wrong BARE()" },
    { "no space behind a literal", "TWO {1+}\r\na\"b\"\r\nBARE\r\n", "!bad-octet", "wrong BARE()" },
    { "a letter behind a string", "NOOP \"a\"BARE\r\nBARE\r\n", "!bad-octet", "wrong BARE()" },
    { "a word with an octet above 127", "BARE\xa0\r\n", "!bad-octet", "!bad-octet" },
    { "bracket behind the word", "BARE(\r\n", "!bad-octet", "!bad-octet" },
    { "an argument in brackets", "NOOP (a)\r\nBARE\r\n", "!bad-octet", "wrong BARE()" },
    { "an atom with an octet above 127", "OTHER \xc3\xa4\r\nBARE\r\n", "!bad-octet",
      "wrong BARE()" },
    { "a literal in a wrong line is nobody's", "NOOP  {5+}\r\n", "!two-spaces", "!bad-literal" },

    { "bare LF", "BARE\nNOOP\r\n", "!bare-lf", "!bare-lf" },
    { "bare LF first", "\n", "!bare-lf", "!bare-lf" },
    { "bare LF behind a string", "NOOP \"a\"\nBARE\r\n", "!bare-lf", "!bare-lf" },
    { "bare LF in a wrong line", "NOOP  x\nBARE\r\n", "!two-spaces", "!bare-lf" },
    { "bare CR", "BARE\rNOOP\r\n", "!bare-cr", "!bare-cr" },
    { "CR CR LF", "BARE\r\r\n", "!bare-cr", "!bare-cr" },
    { "NUL in a word", "BA\x01RE\r\n", "!nul", "!nul" },
    { "NUL in a quoted string", "NOOP \"\x01\"\r\n", "!nul", "!nul" },
    { "NUL in a wrong line", "NOOP  \x01\r\n", "!two-spaces", "!nul" },
    { "CR in a quoted string", "NOOP \"a\rb\"\r\n", "!line-in-quoted", "!line-in-quoted" },
    { "LF in a quoted string", "NOOP \"a\nb\"\r\n", "!line-in-quoted", "!line-in-quoted" },
    { "open quote", "NOOP \"a\r\n", "!line-in-quoted", "!line-in-quoted" },
    { "quoted string that ends in a backslash", "NOOP \"a\\\"\r\n", "!line-in-quoted",
      "!line-in-quoted" },
    { "backslash before another octet", "NOOP \"\\a\"\r\n", "!bad-quoted", "!bad-quoted" },

    { "synchronising literal", "NOOP {3}\r\n", "!synchronising-literal", "!synchronising-literal" },
    { "the same of an unknown command", "OTHER {3}\r\n", "!synchronising-literal",
      "!synchronising-literal" },
    { "minus", "NOOP {3-}\r\n", "!bad-literal", "!bad-literal" },
    { "leading zeros", "NOOP {00005+}\r\n", "!bad-literal", "!bad-literal" },
    { "two noughts", "NOOP {00+}\r\n", "!bad-literal", "!bad-literal" },
    { "size over 32 bits", "PUT \"a\" {4294967301+}\r\n", "!bad-literal", "!bad-literal" },
    { "size over 64 bits", "PUT \"a\" {18446744073709551621+}\r\n", "!bad-literal",
      "!bad-literal" },
    { "negative size", "NOOP {-1+}\r\n", "!bad-literal", "!bad-literal" },
    { "no size", "NOOP {+}\r\n", "!bad-literal", "!bad-literal" },
    { "nothing", "NOOP {}\r\n", "!bad-literal", "!bad-literal" },
    { "plus first", "NOOP {+5}\r\n", "!bad-literal", "!bad-literal" },
    { "two pluses", "NOOP {5++}\r\n", "!bad-literal", "!bad-literal" },
    { "space in the size", "NOOP {5 +}\r\n", "!bad-literal", "!bad-literal" },
    { "hexadecimal", "NOOP {0x5+}\r\n", "!bad-literal", "!bad-literal" },
    { "space behind the mark", "NOOP {5+} \r\n", "!bad-literal", "!bad-literal" },
    { "bare LF behind the mark", "NOOP {5+}\nhello\r\n", "!bare-lf", "!bare-lf" },
    { "CR CR LF behind the mark", "NOOP {5+}\r\r\n", "!bad-literal", "!bad-literal" },
    { "two braces", "NOOP {{5+}\r\n", "!bad-literal", "!bad-literal" },
    { "tilde", "NOOP ~{5+}\r\n", "!bad-arguments", "!bad-literal" },
    { "mark behind the word", "NOOP{5+}\r\n", "!bad-literal", "!bad-literal" },
    { "mark behind a string", "TWO \"a\"{5+}\r\n", "!bad-literal", "!bad-literal" },
    { "mark within an atom", "OTHER a{5+}\r\n", "!bad-literal", "!bad-literal" },

    { "a literal over the bound", "NOOP {300+}\r\n", "!too-long", "!too-long" },
    { "two literals over the bound", "TWO {100+}\r\n" LONG LONG " {100+}\r\n", "!too-long",
      "!too-long" },
    { "a word without end", LONGER LONG, "!too-long", "!too-long" },
    { "an atom without end", "OTHER " LONGER LONG, "!too-long", "!too-long" },
    { "a quoted string without end", "NOOP \"" LONGER LONG, "!too-long", "!too-long" },
    { "a wrong line without end", "NOOP \"a\"x" LONGER LONG, "!bad-octet", "!too-long" },
};

static void tell(const struct sieve_command *c, enum sieve_command_kind kind, struct buf *out)
{
    if (out->n != 0)
        buf_put_octet(out, ' ');
    if (kind == COMMAND_BROKEN) {
        buf_printf(out, "!%s", c->reason);
        return;
    }
    if (c->is_wrong) {
        buf_put_text(out, "wrong");
        return;
    }
    if (c->word == NULL) {
        buf_put_octet(out, '?');
        buf_put(out, sieve_command_name(c));
        return;
    }
    buf_printf(out, "%s(", c->word->name);
    for (size_t i = 0; i < c->argument_count; i++) {
        if (i != 0)
            buf_put_octet(out, ',');
        if (c->word->arguments[i] == ARGUMENT_NUMBER)
            buf_printf(out, "#%u", c->number);
        else
            buf_put(out, sieve_command_string(c, i));
    }
    buf_put_octet(out, ')');
    if (kind == COMMAND_SCRIPT)
        buf_printf(out, "{%u}", c->number);
}

/* Feeds one piece; false: no more can come. */
static bool feed(struct sieve_command *c, struct view in, struct buf *out)
{
    while (in.n != 0) {
        uint8_t *copy = mem_alloc(in.n);
        size_t used;

        memcpy(copy, in.p, in.n);
        const enum sieve_command_kind kind = sieve_command_take(c, view_of(copy, in.n), &used);
        mem_free(copy);
        assert_true(used <= in.n && (used == in.n || kind != COMMAND_MORE));
        in = view_skip(in, used);
        if (kind == COMMAND_MORE)
            continue;
        tell(c, kind, out);
        if (kind == COMMAND_BROKEN || kind == COMMAND_SCRIPT)
            return false;
        sieve_command_reset(c);
        assert_false(sieve_command_is_begun(c));
        assert_null(c->strings.p);
    }
    return true;
}

static void play(const struct row *row, const struct sieve_command_conf *conf, size_t cut)
{
    AUTO_BUF(out, 4096);
    AUTO_BUF(in, 4096);
    struct sieve_command c;
    const char *expected = conf->is_strict ? row->strict : row->mild;
    bool is_on = true;

    buf_put_text(&in, row->input);
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] == 1)
            in.p[i] = 0;
    sieve_command_init(&c, conf);
    if (cut == 0) {
        for (size_t i = 0; i < in.n && is_on; i++)
            is_on = feed(&c, view_of(in.p + i, 1), &out);
    } else {
        is_on = feed(&c, view_first(buf_view(&in), cut), &out);
        if (is_on)
            (void)feed(&c, view_skip(buf_view(&in), cut), &out);
    }
    if (!view_is_equal(buf_view(&out), view_text(expected)))
        fail_msg("%s (cut %zu, %s): expected \"%s\", got \"%s\"", row->name, cut,
                 conf->is_strict ? "strict" : "mild", expected, buf_cstr(&out));
    sieve_command_done(&c);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t cut = 0; cut <= strlen(rows[i].input); cut++) {
            play(&rows[i], &strict, cut);
            play(&rows[i], &mild, cut);
        }
}

/* RFC 5804 §4: at most 1024 octets between the quotes, the backslashes among them. */
static void test_longest_quoted(void **state)
{
    static const struct sieve_command_conf wide = { words, 4096, 4096, true };

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        AUTO_BUF(in, 4096);
        AUTO_BUF(out, 4096);
        struct sieve_command c;

        buf_put_text(&in, "NOOP \"");
        for (size_t i = 0; i < LIMIT_SIEVE_QUOTED / 2; i++)
            buf_put_text(&in, "\\\"");
        buf_put_text(&in, over == 0 ? "\"\r\n" : "x\"\r\n");
        sieve_command_init(&c, &wide);
        (void)feed(&c, buf_view(&in), &out);
        if (over == 0)
            assert_int_equal(out.n, sizeof("NOOP()") - 1 + LIMIT_SIEVE_QUOTED / 2);
        else
            assert_string_equal(buf_cstr(&out), "!too-long");
        sieve_command_done(&c);
    }
}

static void test_answer(void **state)
{
    static const struct {
        const char *input, *string; /* NULL: wrong */
    } answers[] = {
        { "\"AGEAYg==\"\r\n", "AGEAYg==" },
        { "{8+}\r\nAGEAYg==\r\n", "AGEAYg==" },
        { "\"*\"\r\n", "*" },
        { "*\r\n", NULL },
        { "\r\n", NULL },
        { "\"a\" \"b\"\r\n", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct sieve_command c;
        size_t used;

        sieve_command_init(&c, &mild);
        sieve_command_expect_answer(&c);
        assert_int_equal(sieve_command_take(&c, view_text(answers[i].input), &used), COMMAND_WHOLE);
        assert_int_equal(used, strlen(answers[i].input));
        assert_int_equal(c.is_wrong, answers[i].string == NULL);
        if (!c.is_wrong)
            assert_true(view_is_equal(sieve_command_string(&c, 0), view_text(answers[i].string)));
        sieve_command_done(&c);
    }
}

static void test_no_memory(void **state)
{
    struct sieve_command c;
    size_t used;

    (void)state;
    sieve_command_init(&c, &strict);
    mem_fail_at(1);
    assert_int_equal(sieve_command_take(&c, VIEW_LIT("NOOP \"a\"\r\n"), &used), COMMAND_BROKEN);
    mem_fail_at(0);
    assert_string_equal(c.reason, "no-memory");
    assert_int_equal(sieve_command_take(&c, VIEW_LIT("BARE\r\n"), &used), COMMAND_BROKEN);
    assert_int_equal(used, 0);
    sieve_command_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_longest_quoted),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
