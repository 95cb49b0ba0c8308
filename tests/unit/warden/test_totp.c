/* One-time codes: RFC 6238's vectors, the window, and how a code is told from a password. */
#include "base/mem.h"
#include "warden/factor/totp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* RFC 6238 Appendix B: "12345678901234567890", SHA-1. Its codes have eight digits; six are the last
 * six of those, as both are the same number modulo a power of ten. */
static const uint8_t SEED[TOTP_SEED_OCTETS + 1] = "12345678901234567890";
static const struct {
    int64_t now;
    const char *eight;
} vectors[] = {
    { 59, "94287082" },         { 1111111109, "07081804" }, { 1111111111, "14050471" },
    { 1234567890, "89005924" }, { 2000000000, "69279037" }, { 20000000000, "65353130" },
};

static bool fits(const char *code, int64_t now, uint64_t *ret_step)
{
    return totp_check(SEED, view_text(code), now, ret_step);
}

static void rfc_6238(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        uint64_t step = 0;
        assert_true(fits(vectors[i].eight + 2, vectors[i].now, &step));
        assert_int_equal(step, vectors[i].now / 30);
    }
}

static void one_step_either_way(void **state)
{
    const char *code = vectors[3].eight + 2;
    const int64_t start = vectors[3].now / 30 * 30;
    uint64_t step = 7;

    (void)state;
    assert_false(fits(code, start - 31, &step));
    assert_int_equal(step, 7);
    for (int64_t now = start - 30; now < start + 60; now++) {
        step = 0;
        assert_true(fits(code, now, &step));
        assert_int_equal(step, start / 30);
    }
    assert_false(fits(code, start + 60, &step));
}

static void odd_codes(void **state)
{
    static const char *const odd[] = { "",       "00592",  "0059244", "89005924",
                                       " 05924", "+05924", "00592a",  "\xd9\xa0\xd9\xa0\xd9\xa0" };
    uint64_t step = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        assert_false(fits(odd[i], vectors[3].now, &step));
    assert_false(fits("000000", vectors[3].now, &step));
    assert_false(fits(vectors[0].eight + 2, -59, &step));
    assert_false(fits(vectors[0].eight + 2, 0, &step));
    assert_false(fits("755224", 29, &step)); /* step 0 is what the store calls "none" */
    uint8_t other[TOTP_SEED_OCTETS];
    assert_int_equal(totp_make_seed(other), ERR_OK);
    assert_memory_not_equal(other, SEED, TOTP_SEED_OCTETS);
}

static void texts(void **state)
{
    AUTO_BUF(out, 512);

    (void)state;
    assert_int_equal(totp_secret_text(SEED, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    buf_clear(&out);
    assert_int_equal(totp_uri(SEED, "ann+x@example.org", "Post & Co: \xc3\xa4", &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "otpauth://totp/Post%20%26%20Co%3A%20%C3%A4:ann%2Bx%40example.org"
                        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
                        "&issuer=Post%20%26%20Co%3A%20%C3%A4&algorithm=SHA1&digits=6&period=30");
    AUTO_BUF(tiny, 16);
    assert_int_equal(totp_secret_text(SEED, &tiny), ERR_MEMORY);
    buf_clear(&tiny);
    assert_int_equal(totp_uri(SEED, "a", "b", &tiny), ERR_MEMORY);
}

static void splitting(void **state)
{
    static const struct {
        const char *secret, *password, *code;
    } cases[] = {
        { "secret123456", "secret", "123456" },
        { "secret,123456", "secret", "123456" },
        { "secret,,123456", "secret,", "123456" },
        { "secret1123456", "secret1", "123456" },
        { "x000000", "x", "000000" },
        { "1234567890123", "1234567", "890123" },
        { "secret 123456", "secret ", "123456" },
        { "secret12345", NULL, NULL },
        { "secret12345a", NULL, NULL },
        { "secret123456 ", NULL, NULL },
        { "123456", NULL, NULL },
        { ",123456", NULL, NULL },
        { "", NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct view password = VIEW_LIT("kept"), code = VIEW_NONE;
        bool is_split = totp_split(view_text(cases[i].secret), &password, &code);
        assert_int_equal(is_split, cases[i].code != NULL);
        if (is_split) {
            assert_true(view_is_equal(password, view_text(cases[i].password)));
            assert_true(view_is_equal(code, view_text(cases[i].code)));
        } else {
            assert_true(view_is_equal(password, VIEW_LIT("kept")));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_6238),  cmocka_unit_test(one_step_either_way),
        cmocka_unit_test(odd_codes), cmocka_unit_test(texts),
        cmocka_unit_test(splitting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
