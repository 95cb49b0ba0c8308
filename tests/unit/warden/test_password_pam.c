/* PAM without a stack of our own, which only root could set up: names and services that never get
 * as far. What real stacks answer is an integration test. */
#include "base/mem.h"
#include "base/view.h"
#include "warden/factor/password_kinds.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static enum password_result ask(const char *service, struct view account, struct view secret)
{
    const char *reason = NULL;
    enum password_result r = password_pam_check(service, "example.org", account, secret, &reason);

    assert_non_null(reason);
    return r;
}

static void a_missing_service_is_later(void **state)
{
    (void)state;
    assert_int_equal(ask("postern-no-such-service", VIEW_LIT("ann@example.org"), VIEW_LIT("x")),
                     PASSWORD_LATER);
}

static void odd_names_are_not_asked_about(void **state)
{
    static const char *const odd[] = {
        "-v", "--help@example.org", "a/../b@example.org", "a b", "a:b", "a\nb", "a\x7f", "\t"
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        assert_int_equal(ask("postern-no-such-service", view_text(odd[i]), VIEW_LIT("x")),
                         PASSWORD_WRONG);
    assert_int_equal(ask("postern-no-such-service", VIEW_LIT("ann"), VIEW_LIT("x\0y")),
                     PASSWORD_WRONG);
}

static void local_names(void **state)
{
    static const struct {
        const char *account, *domain, *name;
    } cases[] = {
        { "ann@example.org", "example.org", "ann" },
        { "ann@EXAMPLE.org", "example.org", "ann" },
        { "ann@elsewhere.example", "example.org", "ann@elsewhere.example" },
        { "ann@example.org.evil", "example.org", "ann@example.org.evil" },
        { "ann@x@example.org", "example.org", "ann@x@example.org" },
        { "@example.org", "example.org", "@example.org" },
        { "ann", "example.org", "ann" },
        { "ann@", "", "ann@" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_true(view_is_equal(password_local_name(view_text(cases[i].account), cases[i].domain),
                                  view_text(cases[i].name)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_service_is_later),
        cmocka_unit_test(odd_names_are_not_asked_about),
        cmocka_unit_test(local_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
