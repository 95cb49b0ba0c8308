/* Which lines of an upstream's reply to EHLO pass the gate. */
#include "proto/smtp/capability.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *line;
    bool passes;
} lines[] = {
    { "PIPELINING", true },
    { "SIZE", true },
    { "SIZE 35651584", true },
    { "size 1", true },
    { "8BITMIME", true },
    { "SMTPUTF8", true },
    { "CHUNKING", true },
    { "BINARYMIME", true },
    { "DSN", true },
    { "DELIVERBY 240", true },
    { "FUTURERELEASE 864000 2030-01-01T00:00:00Z", true },
    { "MT-PRIORITY MIXER", true },
    { "REQUIRETLS", true },
    { "LIMITS MAILMAX=10 RCPTMAX=20", true },
    { "ENHANCEDSTATUSCODES", true },
    { "VRFY", false },
    { "EXPN", false },
    { "HELP", false },
    { "ETRN", false },
    { "ATRN", false },
    { "BURL imap", false },
    { "CHECKPOINT", false },
    { "STARTTLS", false },
    { "AUTH PLAIN", false },
    { "AUTH=PLAIN", false },
    { "XCLIENT NAME ADDR", false },
    { "XFORWARD NAME", false },
    { "X-EXPS GSSAPI", false },
    { "SIZEX", false },
    { "SIZE=1", false },
    { "", false },
    { " SIZE", false },
    { "SIZE ", false },
    { "SIZE  1", false },
    { "SIZE\t1", false },
    { "SIZE 1\r\nAUTH PLAIN", false },
    { "SIZE \x7f", false },
    { "SIZE \xc3\xbc", false },
};

static void test_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        print_message("  %s\n", lines[i].line);
        assert_int_equal(smtp_capability_passes(view_text(lines[i].line)), lines[i].passes);
    }
}

static void test_take(void **state)
{
    struct view rest = VIEW_LIT("SIZE 1\r\n\r\nDSN\nHELP");
    static const char *const taken[] = { "SIZE 1", "", "DSN", "HELP" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        assert_true(view_is_equal(smtp_capability_take(&rest), view_text(taken[i])));
    assert_int_equal(rest.n, 0);
    assert_int_equal(smtp_capability_take(&rest).n, 0);
}

static void test_keyword(void **state)
{
    (void)state;
    assert_true(view_is_equal(smtp_capability_keyword(VIEW_LIT("SIZE 1")), VIEW_LIT("SIZE")));
    assert_true(view_is_equal(smtp_capability_keyword(VIEW_LIT("DSN")), VIEW_LIT("DSN")));
    assert_int_equal(smtp_capability_keyword(VIEW_NONE).n, 0);
}

static void barred_and_passing(void **state)
{
    (void)state;
    static const char *const passing[] = {
        "PIPELINING",          "SIZE",    "SIZE 1000", "size 1", "DSN", "LIMITS RCPTMAX=5",
        "ENHANCEDSTATUSCODES", "8BITMIME"
    };
    static const char *const barred[] = { "",          "AUTH PLAIN", "AUTH=PLAIN", "STARTTLS",
                                          "XCLIENT x", "SIZES",      "SIZE=1",     "SIZE\t1",
                                          "DSN \xff",  " DSN",       "ETRN",       "BURL imap",
                                          "XFORWARD",  "VRFY",       "HELP" };

    for (size_t i = 0; i < COUNT_OF(passing); i++)
        assert_true(smtp_capability_passes(view_text(passing[i])));
    for (size_t i = 0; i < COUNT_OF(barred); i++)
        assert_false(smtp_capability_passes(view_text(barred[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(barred_and_passing),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_keyword),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
