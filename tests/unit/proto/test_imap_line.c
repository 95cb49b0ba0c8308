/* The grammar of a line before login: heads, marks of literals and their numbers. */
#include "proto/imap/front_parse.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *line;
    bool is_literal, is_sync, is_over;
    uint32_t n;
} tails[] = {
    { "{0}", true, true, false, 0 },
    { "{0+}", true, false, false, 0 },
    { "a LOGIN {4096}", true, true, false, 4096 },
    { "a LOGIN {4097}", true, true, true, 0 },
    { "a LOGIN {4097+}", true, false, true, 0 },
    { "{0000000000000000000000004096+}", true, false, false, 4096 },
    { "{4294967296}", true, true, true, 0 },
    { "{4294967301+}", true, false, true, 0 },
    { "{18446744073709551616}", true, true, true, 0 },
    { "{18446744073709551621+}", true, false, true, 0 },
    { "{99999999999999999999999999999999999999}", true, true, true, 0 },
    { "~{5}", true, true, false, 5 },
    { "{5} {6+}", true, false, false, 6 },
    { "", false, false, false, 0 },
    { "}", false, false, false, 0 },
    { "+}", false, false, false, 0 },
    { "5}", false, false, false, 0 },
    { "{}", false, false, false, 0 },
    { "{+}", false, false, false, 0 },
    { "{-1}", false, false, false, 0 },
    { "{1-}", false, false, false, 0 },
    { "{1++}", false, false, false, 0 },
    { "{ 1}", false, false, false, 0 },
    { "{1} ", false, false, false, 0 },
    { "{0x10}", false, false, false, 0 },
};

static void test_tail(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        struct imap_literal literal;
        print_message("  %s\n", tails[i].line);
        assert_int_equal(imap_parse_tail(view_text(tails[i].line), LIMIT_IMAP_LITERAL, &literal),
                         tails[i].is_literal);
        if (!tails[i].is_literal)
            continue;
        assert_int_equal(literal.is_sync, tails[i].is_sync);
        assert_int_equal(literal.is_over, tails[i].is_over);
        if (!literal.is_over)
            assert_int_equal(literal.n, tails[i].n);
    }
}

static const struct {
    const char *line, *tag, *name; /* no tag: not a command */
    size_t rest;
} heads[] = {
    { "a1 NOOP", "a1", "NOOP", 7 },
    { "a1 LOGIN x y", "a1", "LOGIN", 8 },
    { "a1", "a1", "", 2 },
    { "a1 ", "a1", "", 3 },
    { "a1  NOOP", "a1", "", 3 },
    { "a]:.1 NOOP", "a]:.1", "NOOP", 10 },
    { "", NULL, NULL, 0 },
    { " NOOP", NULL, NULL, 0 },
    { "a+ NOOP", NULL, NULL, 0 },
    { "a* NOOP", NULL, NULL, 0 },
    { "a\tNOOP", NULL, NULL, 0 },
    { "a{1} NOOP", NULL, NULL, 0 },
    { "\xc3\xbc NOOP", NULL, NULL, 0 },
};

static void test_head(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct view tag, name;
        size_t rest;
        print_message("  %s\n", heads[i].line);
        assert_int_equal(imap_parse_head(view_text(heads[i].line), &tag, &name, &rest),
                         heads[i].tag != NULL);
        if (heads[i].tag == NULL)
            continue;
        assert_true(view_is_equal(tag, view_text(heads[i].tag)));
        assert_true(view_is_equal(name, view_text(heads[i].name)));
        assert_int_equal(rest, heads[i].rest);
    }
}

static void test_foreign(void **state)
{
    static const char *const foreign[] = { "GET / HTTP/1.1", "post /", "EHLO x",
                                           "USER x",         "QUIT",   "SSH-2.0-x" };
    static const char *const ours[] = { "", "a1 GET", "GETX NOOP", "A1 NOOP", " GET" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(foreign); i++)
        assert_true(imap_parse_is_foreign(view_text(foreign[i])));
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        assert_false(imap_parse_is_foreign(view_text(ours[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_foreign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
