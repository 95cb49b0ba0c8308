/* SASL PLAIN and SASLprep as tables; every allocation fails once. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/sasl/sasl.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LIT(s)                                                                                     \
    {                                                                                              \
        (const uint8_t *)("" s), sizeof(s) - 1                                                     \
    }
#define MESSAGE_MAX (2 + 2 * LIMIT_ACCOUNT + LIMIT_SECRET)

static void assert_view(struct view got, struct view expected)
{
    assert_int_equal(got.n, expected.n);
    if (got.n != 0)
        assert_memory_equal(got.p, expected.p, got.n);
}

static const struct {
    const char *name;
    struct view base64;
    enum err err;
    struct view authorization, user, secret;
} messages[] = {
    { "RFC 4616, first example", LIT("AHRpbQB0YW5zdGFhZnRhbnN0YWFm"), ERR_OK, LIT(""), LIT("tim"),
      LIT("tanstaaftanstaaf") },
    { "with authorization", LIT("VXJzZWwAS3VydAB4aXBqMzBwcXVlcw=="), ERR_OK, LIT("Ursel"),
      LIT("Kurt"), LIT("xipj30pques") },
    { "all empty", LIT("AAA="), ERR_OK, LIT(""), LIT(""), LIT("") },
    { "nothing", LIT(""), ERR_INVALID, LIT(""), LIT(""), LIT("") },
    { "padding alone", LIT("===="), ERR_INVALID, LIT(""), LIT(""), LIT("") },
    { "no padding", LIT("AAA"), ERR_INVALID, LIT(""), LIT(""), LIT("") },
    { "too much padding", LIT("AA=="), ERR_INVALID, LIT(""), LIT(""), LIT("") },
    { "bits behind the end", LIT("AAB="), ERR_INVALID, LIT(""), LIT(""), LIT("") },
    { "padding inside", LIT("AAA=AAAA"), ERR_INVALID, LIT(""), LIT(""), LIT("") },
    { "white space", LIT("AHRp\nQB0"), ERR_INVALID, LIT(""), LIT(""), LIT("") },
    { "URL-safe alphabet", LIT("AGFsaWNlAP-_"), ERR_INVALID, LIT(""), LIT(""), LIT("") },
    { "an octet over 127 (found by fuzzing)", LIT("AGFsaWNlAH\xb9="), ERR_INVALID, LIT(""), LIT(""),
      LIT("") },
    { "one NUL", LIT("YQBi"), ERR_INVALID, LIT(""), LIT(""), LIT("") },
    { "three NULs", LIT("AAAA"), ERR_INVALID, LIT(""), LIT(""), LIT("") },
};

static void test_plain_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        AUTO_BUF(decoded, MESSAGE_MAX);
        struct sasl_plain plain;
        print_message("  %s\n", messages[i].name);
        assert_int_equal(sasl_plain_decode(messages[i].base64, &decoded, &plain), messages[i].err);
        if (messages[i].err != ERR_OK)
            continue;
        assert_view(plain.authorization, messages[i].authorization);
        assert_view(plain.user, messages[i].user);
        assert_view(plain.secret, messages[i].secret);
        AUTO_BUF(again, LIMIT_IMAP_LINE);
        assert_int_equal(sasl_plain_encode(&plain, &again), ERR_OK);
        assert_view(buf_view(&again), messages[i].base64);
    }
}

static void test_plain_bounds(void **state)
{
    static uint8_t octets[LIMIT_SECRET + 1];
    AUTO_BUF(out, LIMIT_IMAP_LINE);
    AUTO_BUF(small, 8);
    AUTO_BUF(decoded, MESSAGE_MAX);
    AUTO_BUF(short_decoded, MESSAGE_MAX - 1);
    struct sasl_plain plain = { VIEW_NONE, VIEW_NONE, VIEW_NONE };

    (void)state;
    memset(octets, 'x', sizeof(octets));
    plain.authorization = view_of(octets, LIMIT_ACCOUNT);
    plain.user = view_of(octets, LIMIT_ACCOUNT);
    plain.secret = view_of(octets, LIMIT_SECRET);
    assert_int_equal(sasl_plain_encode(&plain, &small), ERR_TOO_LONG);
    assert_int_equal(sasl_plain_encode(&plain, &out), ERR_OK);
    assert_int_equal(sasl_plain_decode(buf_view(&out), &short_decoded, &plain), ERR_TOO_LONG);
    assert_int_equal(sasl_plain_decode(buf_view(&out), &decoded, &plain), ERR_OK);
    assert_int_equal(plain.secret.n, LIMIT_SECRET);
    plain.secret = view_of(octets, LIMIT_SECRET + 1);
    assert_int_equal(sasl_plain_encode(&plain, &out), ERR_TOO_LONG);
    plain.secret = view_of("a\0b", 3);
    assert_int_equal(sasl_plain_encode(&plain, &out), ERR_INVALID);
}

static void test_base64(void **state)
{
    static const struct {
        struct view octets, base64;
    } pairs[] = {
        { LIT(""), LIT("") },
        { LIT("f"), LIT("Zg==") },
        { LIT("fo"), LIT("Zm8=") },
        { LIT("foo"), LIT("Zm9v") },
        { LIT("\xff\0\r\n"), LIT("/wANCg==") },
    };
    static const char *const bad[] = { "Z", "Zg", "Zg=", "Zh==", "Zg== ", "=", "====", "Zm9v\n" };
    AUTO_BUF(small, 2);
    AUTO_BUF(out, 16);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        buf_clear(&out);
        assert_int_equal(sasl_base64_encode(pairs[i].octets, &out), ERR_OK);
        assert_view(buf_view(&out), pairs[i].base64);
        assert_int_equal(sasl_base64_decode(pairs[i].base64, &out), ERR_OK);
        assert_view(buf_view(&out), pairs[i].octets);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(sasl_base64_decode(view_text(bad[i]), &out), ERR_INVALID);
    assert_int_equal(sasl_base64_decode(VIEW_LIT("Zm8="), &small), ERR_OK);
    assert_int_equal(sasl_base64_decode(VIEW_LIT("Zm9v"), &small), ERR_TOO_LONG);
    buf_clear(&small);
    assert_int_equal(sasl_base64_encode(VIEW_LIT("f"), &small), ERR_TOO_LONG);
    assert_int_equal(small.n, 0);
}

static const struct {
    const char *name;
    struct view in;
    enum err err;
    struct view out;
} names[] = {
    { "empty", LIT(""), ERR_OK, LIT("") },
    { "ASCII stays", LIT("user"), ERR_OK, LIT("user") },
    { "case stays", LIT("USER x~"), ERR_OK, LIT("USER x~") },
    { "RFC 4013, soft hyphen", LIT("I\xc2\xadX"), ERR_OK, LIT("IX") },
    { "RFC 4013, feminine ordinal", LIT("\xc2\xaa"), ERR_OK, LIT("a") },
    { "RFC 4013, roman numeral", LIT("\xe2\x85\xa8"), ERR_OK, LIT("IX") },
    { "no-break space",
      LIT("a\xc2\xa0"
          "b"),
      ERR_OK, LIT("a b") },
    { "composition", LIT("mu\xcc\x88ller"), ERR_OK, LIT("m\xc3\xbcller") },
    { "RFC 4013, control", LIT("\x07"), ERR_DENIED, LIT("") },
    { "RFC 4013, bidirectional", LIT("\xd8\xa7\x31"), ERR_DENIED, LIT("") },
    { "delete", LIT("a\x7f"), ERR_DENIED, LIT("") },
    { "unassigned in Unicode 3.2", LIT("\xc8\xa1"), ERR_DENIED, LIT("") },
    { "NUL", LIT("a\0b"), ERR_INVALID, LIT("") },
    { "CR", LIT("a\r"), ERR_INVALID, LIT("") },
    { "LF", LIT("\n"), ERR_INVALID, LIT("") },
    { "stray continuation", LIT("\x80"), ERR_INVALID, LIT("") },
    { "cut short", LIT("\xe2\x85"), ERR_INVALID, LIT("") },
    { "overlong", LIT("\xc0\xaf"), ERR_INVALID, LIT("") },
    { "overlong, three", LIT("\xe0\x80\xaf"), ERR_INVALID, LIT("") },
    { "overlong, four", LIT("\xf0\x80\x80\xaf"), ERR_INVALID, LIT("") },
    { "surrogate", LIT("\xed\xa0\x80"), ERR_INVALID, LIT("") },
    { "behind the last", LIT("\xf4\x90\x80\x80"), ERR_INVALID, LIT("") },
    { "five octets", LIT("\xf8\x88\x80\x80\x80"), ERR_INVALID, LIT("") },
};

static void test_prep(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_BUF(out, LIMIT_ACCOUNT);
        print_message("  %s\n", names[i].name);
        assert_int_equal(sasl_prep(names[i].in, &out), names[i].err);
        assert_view(buf_view(&out), names[i].out);
    }
    AUTO_BUF(small, 3);
    assert_int_equal(sasl_prep(VIEW_LIT("user"), &small), ERR_TOO_LONG);
    assert_int_equal(sasl_prep(VIEW_LIT("\xc3\xbc\xc3\xbc"), &small), ERR_TOO_LONG);
}

/* What the profile refuses is a name that nobody has, not a mistake of the client. */
static void test_prep_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_BUF(out, LIMIT_ACCOUNT);
        struct view name = names[i].in;
        print_message("  %s\n", names[i].name);
        assert_int_equal(sasl_prep_name(&name, &out),
                         names[i].err == ERR_DENIED ? ERR_OK : names[i].err);
        assert_view(name, names[i].err == ERR_OK ? names[i].out : names[i].in);
    }
    AUTO_BUF(small, 3);
    struct view name = VIEW_LIT("user");
    assert_int_equal(sasl_prep_name(&name, &small), ERR_OK);
    assert_view(name, VIEW_LIT("user"));
}

static void test_no_memory(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 8; n++) {
        AUTO_BUF(decoded, MESSAGE_MAX);
        AUTO_BUF(encoded, LIMIT_IMAP_LINE);
        AUTO_BUF(prepared, LIMIT_ACCOUNT);
        struct sasl_plain plain;
        mem_fail_at(n);
        enum err e = sasl_plain_decode(view_text("AHRpbQB0YW5zdGFhZnRhbnN0YWFm"), &decoded, &plain);
        assert_true(e == ERR_OK || e == ERR_MEMORY);
        mem_fail_at(n);
        e = sasl_plain_encode(&(struct sasl_plain){ .user = VIEW_LIT("tim") }, &encoded);
        assert_true(e == ERR_OK || e == ERR_MEMORY);
        mem_fail_at(n);
        e = sasl_prep(VIEW_LIT("m\xc3\xbcller"), &prepared);
        assert_true(e == ERR_OK || e == ERR_MEMORY);
        mem_fail_at(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),       cmocka_unit_test(test_plain_decode),
        cmocka_unit_test(test_plain_bounds), cmocka_unit_test(test_prep),
        cmocka_unit_test(test_prep_name),    cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
