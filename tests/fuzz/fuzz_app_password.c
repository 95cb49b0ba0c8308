/* App passwords and passwords with codes from octets of strangers. Asserted: what parses is in the
 * one form, parses again to itself, and looks like one; a split never leaves its input. */
#include "warden/factor/app_password.h"
#include "warden/factor/totp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parsed(struct view text)
{
    struct app_password p = { 0 }, again = { 0 };

    if (!app_password_parse(text, &p))
        return;
    CHECK(app_password_is_like(text));
    CHECK(strlen(p.text) == 41 && strncmp(p.text, "pst_", 4) == 0);
    CHECK(strlen(p.public) == 10 && strncmp(p.text + 4, p.public, 10) == 0);
    CHECK(strspn(p.text + 4, "0123456789abcdefghjkmnpqrstvwxyz") == 37);
    CHECK(app_password_parse(view_text(p.text), &again));
    CHECK(strcmp(p.text, again.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_of(data, size), password = VIEW_NONE, code = VIEW_NONE;

    check_parsed(text);
    if (totp_split(text, &password, &code)) {
        CHECK(password.p == data && password.n > 0);
        CHECK(code.n == TOTP_DIGITS && code.p + code.n == data + size);
        CHECK(password.p + password.n <= code.p);
    }
    return 0;
}
