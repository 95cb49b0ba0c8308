/* Configurations from any octets. Asserted: a text is either refused with at least one problem, or
 * what is shown of it, to whomever, is taken again and shows the same; every account has a policy.
 */
#include "config/config.h"

#define TEXT_MAX  16384
#define SHOWN_MAX 4194304 /* defaults of many members make a short text long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig 1.5 forgets a half-read string when the syntax is wrong; the program reads a
 * configuration a few times in its life. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static void check_shown(const struct config *c, enum config_role role)
{
    struct config_error error;
    size_t n = 0;
    AUTO_BUF(first, SHOWN_MAX);
    AUTO_BUF(second, SHOWN_MAX);
    AUTO_BUF(json, SHOWN_MAX);

    CHECK(config_show(c, role, false, &first) == ERR_OK);
    CHECK(config_show(c, role, true, &json) == ERR_OK);
    AUTO(config) again = config_parse(buf_cstr(&first), &error, 1, &n);
    CHECK(again != NULL && n == 0);
    CHECK(config_show(again, role, false, &second) == ERR_OK);
    CHECK(view_is_equal(buf_view(&first), buf_view(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_error errors[4] = { 0 };
    size_t n = 0;
    AUTO_BUF(text, TEXT_MAX);

    buf_put(&text, view_of(data, size));
    const char *copy = buf_cstr(&text);
    /* Files that the text names are not the fuzzer's to read. */
    if (copy == NULL || strlen(copy) != size || strstr(copy, "@include") != NULL)
        return 0;
    AUTO(config) c = config_parse(copy, errors, 4, &n);
    CHECK((c == NULL) == (n != 0));
    CHECK(c != NULL || errors[0].text[0] != 0);
    if (c == NULL)
        return 0;
    for (int role = CONFIG_FOR_ALL; role <= CONFIG_FOR_EYES; role++)
        check_shown(c, (enum config_role)role);
    CHECK(config_policy(c, view_of(data, size < 64 ? size : 64)) != NULL);
    return 0;
}
