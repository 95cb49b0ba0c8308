/* Which capabilities pass the gate. */
#include "proto/imap/capability.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *word;
    bool passes;
} words[] = {
    { "IMAP4rev1", true },
    { "IDLE", true },
    { "LITERAL+", true },
    { "ID", true },
    { "NAMESPACE", true },
    { "AUTHX", true },
    { "COMPRESSOR", true },
    { "SASL-IRX", true },
    { "X", true },
    { "STARTTLS", false },
    { "StartTLS", false },
    { "LOGINDISABLED", false },
    { "AUTH=PLAIN", false },
    { "auth=", false },
    { "SASL-IR", false },
    { "LOGIN-REFERRALS", false },
    { "UNAUTHENTICATE", false },
    { "COMPRESS=DEFLATE", false },
    { "XCLIENT", false },
    { "XFORWARD", false },
    { "XPROXYREUSE", false },
    { "", false },
    { "A]B", false },
    { "A\"B", false },
    { "A B", false },
    { "A\tB", false },
    { "A\x7f", false },
    { "\xc3\xbc", false },
    { "A{1}", false },
    { "A\r\n", false },
};

static void test_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        print_message("  %s\n", words[i].word);
        assert_int_equal(imap_capability_passes(view_text(words[i].word)), words[i].passes);
    }
}

static const struct {
    const char *list, *filtered;
} lists[] = {
    { "", "" },
    { "IMAP4rev1", "IMAP4rev1" },
    { "IMAP4rev1 AUTH=PLAIN IDLE", "IMAP4rev1 IDLE" },
    { "AUTH=PLAIN IMAP4rev1 STARTTLS", "IMAP4rev1" },
    { "AUTH=PLAIN", "" },
    { "  IMAP4rev1   IDLE ", "IMAP4rev1 IDLE" },
    { "IMAP4rev1] a OK [ALERT", "a OK [ALERT" }, /* no "]": it can't end the response code */
};

static void test_filter(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        AUTO_BUF(out, 256);
        imap_capability_filter(view_text(lists[i].list), &out);
        assert_string_equal(buf_cstr(&out), lists[i].filtered);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_filter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
