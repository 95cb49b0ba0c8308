/* What of an upstream's capabilities passes the gate, and the strings that they are written in. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/sieve/capability.h"
#include "proto/sieve/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OWN_TLS   "\"IMPLEMENTATION\" \"Postern\"\r\n\"SASL\" \"PLAIN\"\r\n"
#define OWN_CLEAR "\"IMPLEMENTATION\" \"Postern\"\r\n\"SASL\" \"\"\r\n\"STARTTLS\"\r\n"
#define VERSION   "\"VERSION\" \"1.0\"\r\n"

static const struct {
    const char *name, *list, *passed;
} rows[] = {
    { "nothing is known", "", "\"SIEVE\" \"\"\r\n" VERSION },
    { "what Dovecot says",
      "\"IMPLEMENTATION\" \"Dovecot\"\r\n\"SIEVE\" \"fileinto reject\"\r\n\"NOTIFY\" \"mailto\"\r\n"
      "\"SASL\" \"PLAIN LOGIN\"\r\n\"STARTTLS\"\r\n\"VERSION\" \"1.0\"\r\n\"XCLIENT\"\r\n",
      "\"SIEVE\" \"fileinto reject\"\r\n\"NOTIFY\" \"mailto\"\r\n" VERSION },
    { "what Cyrus says",
      "\"IMPLEMENTATION\" \"Cyrus timsieved\"\r\n\"VERSION\" \"1.0\"\r\n\"SASL\" \"PLAIN\"\r\n"
      "\"SIEVE\" \"extlists\"\r\n\"EXTLISTS\" \"urn:x\"\r\n\"OWNER\" \"joe\"\r\n"
      "\"UNAUTHENTICATE\"\r\n",
      "\"SIEVE\" \"extlists\"\r\n\"EXTLISTS\" \"urn:x\"\r\n" VERSION },
    { "case and order play no part",
      "\"mAxReDirects\" \"4\"\r\n\"language\" \"de\"\r\n\"Sieve\" \"x\"\r\n\"version\" \"1.0\"\r\n",
      "\"SIEVE\" \"x\"\r\n\"MAXREDIRECTS\" \"4\"\r\n\"LANGUAGE\" \"de\"\r\n" VERSION },
    { "an upstream from before the RFC", "\"SIEVE\" \"x\"\r\n", "\"SIEVE\" \"x\"\r\n" },
    { "each once",
      "\"SIEVE\" \"x\"\r\n\"SIEVE\" \"y\"\r\n\"VERSION\" \"1.0\"\r\n\"VERSION\" \"1.0\"\r\n",
      "\"SIEVE\" \"x\"\r\n" VERSION },
    { "quotes stay quoted", "\"SIEVE\" \"a\\\"b\\\\\"\r\n", "\"SIEVE\" \"a\\\"b\\\\\"\r\n" },
    { "other octets go as a literal", "\"LANGUAGE\" \"\xc3\xa4\"\r\n",
      "\"SIEVE\" \"\"\r\n\"LANGUAGE\" {2}\r\n\xc3\xa4\r\n" },
    { "no value", "\"NOTIFY\"\r\n", "\"SIEVE\" \"\"\r\n\"NOTIFY\" \"\"\r\n" },
    { "what is no list", "SIEVE\r\n\"SIEVE\r\n", "\"SIEVE\" \"\"\r\n" },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int is_tls = 0; is_tls < 2; is_tls++) {
            AUTO_BUF(out, 8192);
            AUTO_BUF(expected, 8192);

            sieve_capability_put(view_text(rows[i].list), is_tls != 0, &out);
            buf_printf(&expected, "%s%s", is_tls != 0 ? OWN_TLS : OWN_CLEAR, rows[i].passed);
            if (strcmp(buf_cstr(&out), buf_cstr(&expected)) != 0)
                fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
        }
}

/* However much an upstream says, the greeting fits into what the edge sends at once. */
static void test_longest(void **state)
{
    static const char *const names[] = { "SIEVE", "NOTIFY", "MAXREDIRECTS", "EXTLISTS",
                                         "LANGUAGE" };

    (void)state;
    for (size_t length = 100; length < LIMIT_CAPABILITIES; length += 37) {
        AUTO_BUF(list, 1 << 20);
        AUTO_BUF(out, LIMIT_CAPABILITIES - LIMIT_HOST - 32);

        for (size_t i = 0; i < COUNT_OF(names); i++) {
            buf_printf(&list, "\"%s\" \"", names[i]);
            for (size_t n = 0; n < length; n++)
                buf_put_octet(&list, n % 2 == 0 ? '\\' : '"');
            buf_put_text(&list, length % 2 == 0 ? "\"\r\n" : "\\\"\r\n");
        }
        sieve_capability_put(buf_view(&list), false, &out);
        assert_true(buf_is_ok(&out));
    }
}

static void test_add(void **state)
{
    static const struct {
        const char *line, *kept;
    } lines[] = {
        { "\"A\"\r\n", "\"A\"\r\n" },
        { "\"A\" \"b\"\r\n", "\"A\" \"b\"\r\n" },
        { "{1}\r\nA {3}\r\nb\"c\r\n", "\"A\" \"b\\\"c\"\r\n" },
        { "\"A\" {3}\r\na\r\n\r\n", "" },
        { "\"A\" \"\"\r\n", "\"A\" \"\"\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        AUTO_BUF(list, 256);
        sieve_capability_add(view_text(lines[i].line), &list);
        assert_true(view_is_equal(buf_view(&list), view_text(lines[i].kept)));
    }
    AUTO_BUF(full, 4);
    sieve_capability_add(VIEW_LIT("\"A\" \"b\"\r\n"), &full);
    assert_false(buf_is_ok(&full));
    for (unsigned long n = 1; n < 4; n++) {
        AUTO_BUF(list, 256);
        mem_fail_at(n);
        sieve_capability_add(VIEW_LIT("\"A\" \"b\"\r\n"), &list);
        mem_fail_at(0);
        assert_false(buf_is_ok(&list));
    }
}

static void test_words(void **state)
{
    (void)state;
    assert_true(sieve_capability_has_word(VIEW_LIT("LOGIN plain"), VIEW_LIT("PLAIN")));
    assert_false(sieve_capability_has_word(VIEW_LIT("PLAINER XPLAIN"), VIEW_LIT("PLAIN")));
    assert_false(sieve_capability_has_word(VIEW_NONE, VIEW_LIT("PLAIN")));
}

static void test_text(void **state)
{
    static const char *const good[] = {
        "",
        "a b",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "+\xe2\x82\xac+",
    };
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xc3",
        "\xc3(",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xe2\x82",
        "\xe2\x82(",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "a\tb",
        "a\rb",
        "a\nb",
        "\x7f",
        "\x1f",
        "\xf0\x90\x80",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(sieve_is_text(view_text(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (sieve_is_text(view_text(bad[i])))
            fail_msg("row %zu is taken for text", i);
    assert_false(sieve_is_text(VIEW_LIT("a\0b")));
}

static void test_strings(void **state)
{
    AUTO_BUF(out, 8192);
    AUTO_BUF(text, 8192);

    (void)state;
    sieve_put_string(VIEW_LIT("a\"b\\c"), SIEVE_TO_SERVER, &out);
    assert_string_equal(buf_cstr(&out), "\"a\\\"b\\\\c\"");
    buf_clear(&out);
    sieve_put_string(VIEW_LIT("a\r\n"), SIEVE_TO_SERVER, &out);
    assert_string_equal(buf_cstr(&out), "{3+}\r\na\r\n");
    buf_clear(&out);
    sieve_put_string(VIEW_LIT("\xc3\xa4"), SIEVE_TO_CLIENT, &out);
    assert_string_equal(buf_cstr(&out), "{2}\r\n\xc3\xa4");
    for (size_t i = 0; i < LIMIT_SIEVE_QUOTED; i++)
        buf_put_octet(&text, 'x');
    buf_clear(&out);
    sieve_put_string(buf_view(&text), SIEVE_TO_SERVER, &out);
    assert_int_equal(out.n, LIMIT_SIEVE_QUOTED + 2);
    text.p[0] = '"'; /* now one octet too many between the quotes */
    buf_clear(&out);
    sieve_put_string(buf_view(&text), SIEVE_TO_SERVER, &out);
    assert_int_equal(out.p[0], '{');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_longest),
        cmocka_unit_test(test_add),  cmocka_unit_test(test_words),
        cmocka_unit_test(test_text), cmocka_unit_test(test_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
