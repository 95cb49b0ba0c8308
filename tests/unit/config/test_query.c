/* Which policy and which upstream an account gets. */
#include "given.h"

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *account;
        bool does_fit;
    } cases[] = {
        { "*", "", true },
        { "*", "anna@example.org", true },
        { "anna@example.org", "anna@example.org", true },
        { "anna@example.org", "Anna@Example.ORG", true },
        { "anna@example.org", "anna@example.or", false },
        { "anna@example.org", "anna@example.orga", false },
        { "*@example.org", "anna@example.org", true },
        { "*@example.org", "anna@sub.example.org", false },
        { "*@example.org", "anna@example.org.evil.net", false },
        { "*example.org", "anna@badexample.org", true },
        { "a*@*.org", "anna@example.org", true },
        { "a*@*.org", "berta@example.org", false },
        { "a**a", "aa", true },
        { "a*b*c", "aXbXbc", true },
        { "a*b*c", "aXbX", false },
        { "", "", true },
        { "", "a", false },
        { "*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (config_pattern_fits(cases[i].pattern, view_text(cases[i].account)) != cases[i].does_fit)
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].account);
}

static void test_policy(void **state)
{
    AUTO(config)
    c = given(WHOLE "policies: {\n"
                    "  default: { };\n"
                    "  chair: { accounts = \"chair@board.example.org\"; };\n"
                    "  board: { accounts = [ \"*@board.example.org\", \"boss@x.org\" ]; };\n"
                    "};\n");

    (void)state;
    assert_string_equal(config_policy(c, VIEW_LIT("chair@board.example.org"))->name, "chair");
    assert_string_equal(config_policy(c, VIEW_LIT("any@board.example.org"))->name, "board");
    assert_string_equal(config_policy(c, VIEW_LIT("boss@x.org"))->name, "board");
    assert_string_equal(config_policy(c, VIEW_LIT("anna@x.org"))->name, "default");
    assert_string_equal(config_policy(c, VIEW_NONE)->name, "default");
}

static void test_route(void **state)
{
    AUTO(config)
    c = given(TLS GATES "upstreams: {\n"
                        "  others: { imap = \"imaps://a\"; };\n"
                        "  two: { imap = \"imaps://b\"; domains = [ \"x.org\", \"y.org\" ]; };\n"
                        "};\n");
    AUTO(config)
    narrow =
        given(TLS GATES "upstreams: { u: { imap = \"imaps://a\"; domains = \"x.org\"; }; };\n");

    (void)state;
    assert_string_equal(config_route(c, VIEW_LIT("anna@x.org"))->name, "two");
    assert_string_equal(config_route(c, VIEW_LIT("anna@Y.ORG"))->name, "two");
    assert_string_equal(config_route(c, VIEW_LIT("anna@sub.x.org"))->name, "others");
    assert_string_equal(config_route(c, VIEW_LIT("x.org"))->name, "others");
    assert_string_equal(config_route(c, VIEW_LIT("x.org@z.org"))->name, "others");
    assert_null(config_route(narrow, VIEW_LIT("anna@z.org")));
    assert_null(config_route(narrow, VIEW_LIT("anna")));
}

static void test_names(void **state)
{
    AUTO(config) c = given(WHOLE);

    (void)state;
    assert_ptr_equal(config_gate(c, VIEW_LIT("imaps")), &c->gates[0]);
    assert_null(config_gate(c, VIEW_LIT("imap")));
    assert_ptr_equal(config_upstream(c, VIEW_LIT("mail")), &c->upstreams[0]);
    assert_null(config_upstream(c, VIEW_NONE));
    config_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_route),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
