/* What ManageSieve servers say, as a table: the lines that come of an input, whole, octet by octet
 * and with every cut; and the contents of lines. */
#include "base/mem.h"
#include "proto/sieve/response.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* D data, O OK, N NO, B BYE; "!" it is bad; "." the last line goes on. */
static const struct {
    const char *name, *input, *lines;
} rows[] = {
    { "bare statuses", "OK\r\nNO\r\nBYE\r\n", "ONB" },
    { "case plays no part", "ok\r\nNo\r\nbYe\r\n", "ONB" },
    { "texts", "OK \"done\"\r\nNO \"\"\r\nBYE \"a b\"\r\n", "ONB" },
    { "codes", "OK (WARNINGS) \"x\"\r\nNO (QUOTA/MAXSIZE)\r\nBYE (TRYLATER) \"y\"\r\n", "ONB" },
    { "codes with arguments",
      "OK (TAG \"a)b\") \"Done\"\r\nOK (SASL \"AA==\")\r\n"
      "BYE (REFERRAL \"sieve://a\")\r\nNO (REFERRAL sieve://u;AUTH=PLAIN@h:1) \"x\"\r\n",
      "OOBN" },
    { "a literal in a code", "OK (TAG {5}\r\nOK\r\n)) \"Done\"\r\n", "O" },
    { "codes within codes", "NO (X (a \"b\" ({1}\r\n)) 5) ()) \"x\"\r\n", "N" },
    { "literal text", "NO {13}\r\nline 1\r\nOK\r\nx\r\nOK\r\n", "NO" },
    { "empty literal text", "NO {0}\r\n\r\nOK\r\n", "NO" },
    { "literal text behind a code", "OK (WARNINGS) {4}\r\nOK\r\n\r\n", "O" },
    { "text with quotes of its own, as of Cyrus", "NO (X) \"Script a\"b\\\" exists.\"\r\nOK\r\n",
      "NO" },
    { "text that looks like a literal", "OK \"{5}\"\r\nNO\r\n", "ON" },
    { "data", "\"a\"\r\n\"b\" ACTIVE\r\n\"c\" \"d\"\r\n", "DDD" },
    { "literals as data", "{5}\r\nOK\r\nx\r\n{1}\r\n\" {2}\r\n\r\n\r\n{0}\r\n ACTIVE\r\nOK\r\n",
      "DDDO" },
    { "escapes", "\"a\\\"\\\\\" \"\\\"\"\r\n", "D" },
    { "octets above 127", "\"\xc3\xa4\xff\"\r\nNO \"\xff\"\r\n", "DN" },
    { "the largest literal is one", "{4294967295}\r\nOK\r\n", "." },

    { "empty line", "\r\n", "!" },
    { "leading space", " OK\r\n", "!" },
    { "another word", "FINE\r\n", "!" },
    { "another short word", "YES\r\n", "!" },
    { "half a word", "N\r\n", "!" },
    { "IMAP", "* OK hello\r\n", "!" },
    { "POP3", "+OK hello\r\n", "!" },
    { "SMTP", "220 hello\r\n", "!" },
    { "bare LF", "OK\n", "!" },
    { "bare CR", "OK\rNO\r\n", "!" },
    { "NUL in a text", "OK \"\1\"\r\n", "!" },
    { "LF in a text", "OK \"a\nb\"\r\n", "!" },
    { "LF in data", "\"a\nb\"\r\n", "!" },
    { "CR in data", "\"a\rb\"\r\n", "!" },
    { "an atom for a text", "OK done\r\n", "!" },
    { "trailing space", "OK \r\n", "!" },
    { "two spaces", "OK  \"a\"\r\n", "!" },
    { "no space", "OK\"a\"\r\n", "!" },
    { "a code behind a text", "OK {1}\r\na (X)\r\n", "!" },
    { "two codes", "OK (X) (Y)\r\n", "!" },
    { "two texts", "OK {1}\r\na \"b\"\r\n", "!" },
    { "an open code", "OK (X\r\n", "!" },
    { "a closed one too many", "OK (X))\r\n", "!" },
    { "brackets without end", "OK (((((((((\r\n", "!" },
    { "a code as data", "\"a\" (X)\r\n", "!" },
    { "three strings", "\"a\" \"b\" \"c\"\r\n", "!" },
    { "a client's literal", "{5+}\r\n", "!" },
    { "leading zeros", "{05}\r\n", "!" },
    { "no size", "{}\r\n", "!" },
    { "over 32 bits", "{4294967296}\r\n", "!" },
    { "bare LF behind the mark", "{5}\nhello\r\n", "!" },
    { "octets behind a literal", "{5}\r\nhelloOK\r\n", "!" },
};

static char letter(const struct sieve_response *r, enum sieve_response_kind kind)
{
    if (kind != RESPONSE_STATUS)
        return kind == RESPONSE_DATA ? 'D' : '!';
    return r->status == SIEVE_OK ? 'O' : r->status == SIEVE_BYE ? 'B' : 'N';
}

static bool feed(struct sieve_response *r, struct view in, struct buf *out)
{
    while (in.n != 0) {
        uint8_t *copy = mem_alloc(in.n);
        size_t used;

        memcpy(copy, in.p, in.n);
        const enum sieve_response_kind kind = sieve_response_take(r, view_of(copy, in.n), &used);
        mem_free(copy);
        assert_true(used <= in.n && (used == in.n || kind != RESPONSE_MORE));
        in = view_skip(in, used);
        if (kind == RESPONSE_MORE)
            continue;
        buf_put_octet(out, (uint8_t)letter(r, kind));
        if (kind == RESPONSE_BAD)
            return false;
        assert_true(sieve_response_is_start(r));
    }
    return true;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF(in, 4096);
        buf_put_text(&in, rows[i].input);
        for (size_t at = 0; at < in.n; at++)
            if (in.p[at] == 1)
                in.p[at] = 0;
        for (size_t cut = 0; cut <= in.n; cut++) {
            struct sieve_response r = { 0 };
            AUTO_BUF(out, 64);
            bool is_on = true;

            for (size_t at = 0; cut == 0 && at < in.n && is_on; at++)
                is_on = feed(&r, view_of(in.p + at, 1), &out);
            if (cut != 0 && feed(&r, view_first(buf_view(&in), cut), &out))
                (void)feed(&r, view_skip(buf_view(&in), cut), &out);
            if (!sieve_response_is_start(&r) && view_find(buf_view(&out), '!') == out.n)
                buf_put_octet(&out, '.');
            if (strcmp(buf_cstr(&out), rows[i].lines) != 0)
                fail_msg("%s (cut %zu): expected %s, got %s", rows[i].name, cut, rows[i].lines,
                         buf_cstr(&out));
        }
    }
}

/* A name of LISTSCRIPTS may hold quotes and backslashes as they are; the line's end is what counts.
 */
static void test_listing(void **state)
{
    static const char input[] =
        "\"a\"b\"\r\n\"a\\\"\r\n\"{5}\" ACTIVE\r\n{1}\r\n\" ACTIVE\r\nOK\r\n";
    struct sieve_response r = { .is_listing = true };
    AUTO_BUF(out, 64);

    (void)state;
    assert_true(feed(&r, view_text(input), &out));
    assert_string_equal(buf_cstr(&out), "DDDDO");
    assert_true(r.is_listing);
    buf_clear(&out);
    assert_false(feed(&r, VIEW_LIT("\"a\nb\"\r\n"), &out));
}

static void test_contents(void **state)
{
    struct view line = VIEW_LIT("\"a\\\"b\" {3}\r\n\"\r\n\r\n");
    AUTO_BUF(first, 64);
    AUTO_BUF(second, 64);

    (void)state;
    assert_true(sieve_line_take_string(&line, &first));
    assert_string_equal(buf_cstr(&first), "a\"b");
    assert_true(sieve_line_take_string(&line, &second));
    assert_string_equal(buf_cstr(&second), "\"\r\n");
    assert_false(sieve_line_take_string(&line, &second));
    assert_true(view_is_equal(line, VIEW_LIT("\r\n")));
}

static void test_codes(void **state)
{
    static const struct {
        const char *line, *code;
    } codes[] = {
        { "NO\r\n", "" },
        { "NO \"(TRYLATER)\"\r\n", "" },
        { "NO (TRYLATER)\r\n", "TRYLATER" },
        { "NO (QUOTA/MAXSIZE) \"x\"\r\n", "QUOTA/MAXSIZE" },
        { "BYE (REFERRAL \"sieve://a\") \"x\"\r\n", "REFERRAL" },
        { "NO (\"TRYLATER\")\r\n", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        assert_true(
            view_is_equal(sieve_line_code(view_text(codes[i].line)), view_text(codes[i].code)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_listing),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
