/* Command lines, right and wrong; and a table of commands that is whole. */
#include "cli/command.h"
#include "cli/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define WORDS 8

struct line {
    const char *words[WORDS];
};

/* Takes a line apart; returns the status, or -1 when it is right. */
static int parse(const struct line *l, struct invocation *ret)
{
    char copies[WORDS][64], *argv[WORDS];
    int argc = 0, status = -1;

    for (; argc < WORDS && l->words[argc] != NULL; argc++) {
        (void)snprintf(copies[argc], sizeof(copies[argc]), "%s", l->words[argc]);
        argv[argc] = copies[argc];
    }
    return command_parse(argc, argv, ret, &status) ? -1 : status;
}

static void test_right(void **state)
{
    static const struct {
        struct line line;
        enum command_id id;
        const char *operand;
    } cases[] = {
        { { { "serve" } }, COMMAND_SERVE, "" },
        { { { "serve", "-c", "/x" } }, COMMAND_SERVE, "" },
        { { { "--version" } }, COMMAND_VERSION, "" },
        { { { "account", "add", "anna" } }, COMMAND_ACCOUNT_ADD, "anna" },
        { { { "account", "add", "--json", "anna" } }, COMMAND_ACCOUNT_ADD, "anna" },
        { { { "account", "add", "--", "--json" } }, COMMAND_ACCOUNT_ADD, "--json" },
        { { { "account", "add", "-" } }, COMMAND_ACCOUNT_ADD, "-" },
        { { { "session", "list" } }, COMMAND_SESSION_LIST, "" },
        { { { "session", "list", "anna" } }, COMMAND_SESSION_LIST, "anna" },
        { { { "events", "-f", "--limit=3" } }, COMMAND_EVENTS, "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct invocation got;
        assert_int_equal(parse(&cases[i].line, &got), -1);
        assert_int_equal(got.command->id, cases[i].id);
        if (strcmp(cases[i].operand, "--json") == 0)
            assert_null(got.values[OPTION_JSON]);
    }
}

static void test_values(void **state)
{
    char a0[] = "app-password", a1[] = "add", a2[] = "anna", a3[] = "--label", a4[] = "my phone",
         a5[] = "-c/etc/x", a6[] = "--expires=90d", a7[] = "--no-check",
         a8[] = "--sender=printer@example.org";
    char *argv[] = { a0, a1, a2, a3, a4, a5, a6, a7, a8 };
    struct invocation i;
    int status = -1;

    (void)state;
    assert_true(command_parse(9, argv, &i, &status));
    assert_string_equal(i.operand, "anna");
    assert_string_equal(i.values[OPTION_LABEL], "my phone");
    assert_string_equal(i.values[OPTION_CONFIG], "/etc/x");
    assert_string_equal(i.values[OPTION_EXPIRES], "90d");
    assert_string_equal(i.values[OPTION_NO_CHECK], "");
    assert_string_equal(i.values[OPTION_SENDER], "printer@example.org");
    assert_null(i.values[OPTION_NETWORK]);
    assert_null(i.values[OPTION_JSON]);
}

static void test_wrong(void **state)
{
    static const struct line cases[] = {
        { { NULL } },
        { { "acount" } },
        { { "account" } },
        { { "account", "lst" } },
        { { "account", "add" } },
        { { "account", "add", "" } },
        { { "account", "add", "a", "b" } },
        { { "account", "add", "a", "--label", "x" } },
        { { "account", "list", "a" } },
        { { "account", "list", "--json=x" } },
        { { "account", "list", "-x" } },
        { { "account", "list", "-c" } },
        { { "events", "--limit" } },
        { { "events", "-fx" } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct invocation got;
        assert_int_equal(parse(&cases[i], &got), STATUS_USAGE);
    }
}

static void test_table(void **state)
{
    AUTO_BUF(all, 16384);

    (void)state;
    help_group("", &all);
    assert_true(buf_is_ok(&all));
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = command_at(i);
        char name[64];
        AUTO_BUF(own, 16384);
        assert_int_equal(c->id, i);
        assert_true(c->group[0] == 0 || command_group_sentence(c->group) != NULL);
        (void)snprintf(name, sizeof(name), "  %s%s%s ", c->group, c->group[0] == 0 ? "" : " ",
                       c->name);
        assert_non_null(strstr(buf_cstr(&all), name));
        help_command(c, &own);
        for (unsigned o = 0; o < OPTION_COUNT; o++)
            if ((c->options >> o & 1) != 0)
                assert_non_null(strstr(buf_cstr(&own), command_option(o)->name));
        assert_true((c->options >> OPTION_HELP & 1) != 0);
    }
    assert_null(command_at(COMMAND_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
