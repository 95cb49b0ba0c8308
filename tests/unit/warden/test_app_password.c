/* The form of app passwords: what people mistype is forgiven or caught. */
#include "base/secret.h"
#include "warden/factor/app_password.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define LETTERS 41 /* with the prefix */
static const char ALPHABET[] = "0123456789abcdefghjkmnpqrstvwxyz";

static bool parses_to(const char *text, const char *expected)
{
    struct app_password p = { 0 };
    bool is_good = app_password_parse(view_text(text), &p);

    if (is_good && expected != NULL) {
        assert_string_equal(p.text, expected);
        assert_memory_equal(p.public, expected + 4, 10);
        assert_int_equal(strlen(p.public), 10);
    }
    return is_good;
}

static void made_ones_parse(void **state)
{
    struct app_password p;
    unsigned seen[36][32] = { 0 };

    (void)state;
    for (int i = 0; i < 4000; i++) {
        app_password_make(&p);
        assert_int_equal(strlen(p.text), LETTERS);
        assert_true(parses_to(p.text, p.text));
        assert_true(app_password_is_like(view_text(p.text)));
        for (size_t j = 0; j < 36; j++)
            seen[j][strchr(ALPHABET, p.text[4 + j]) - ALPHABET]++;
    }
    /* 26 letters behind the public part, each of 32 values as often as any other: 130 bits. An even
     * chance gives 125 of each; 60 and 200 are beyond 6 standard deviations. */
    for (size_t j = 0; j < 36; j++) {
        for (size_t v = 0; v < 32; v++)
            assert_true(seen[j][v] > 60 && seen[j][v] < 200);
    }
    app_password_done(&p);
    assert_int_equal(p.text[0], '\0');
}

static void every_wrong_letter_is_caught(void **state)
{
    struct app_password p;

    (void)state;
    app_password_make(&p);
    for (size_t i = 4; i < LETTERS; i++) {
        for (size_t v = 0; v < 32; v++) {
            char typo[64];
            (void)snprintf(typo, sizeof(typo), "%s", p.text);
            if (typo[i] == ALPHABET[v])
                continue;
            typo[i] = ALPHABET[v];
            assert_false(parses_to(typo, NULL));
        }
    }
}

/* Neighbours that changed places: all but 0 and z, which Luhn cannot tell apart. */
static void changed_places_are_caught(void **state)
{
    struct app_password p;

    (void)state;
    for (int n = 0; n < 50; n++) {
        app_password_make(&p);
        for (size_t i = 4; i + 1 < LETTERS; i++) {
            char typo[64];
            char a = p.text[i], b = p.text[i + 1];
            if (a == b || (a == '0' && b == 'z') || (a == 'z' && b == '0'))
                continue;
            (void)snprintf(typo, sizeof(typo), "%s", p.text);
            typo[i] = b;
            typo[i + 1] = a;
            assert_false(parses_to(typo, NULL));
        }
    }
}

static void spelling_is_forgiven(void **state)
{
    /* A fixed one with all of the letters that are misread. */
    static const char good[] = "pst_0o1il0123456789abcdefghjkmnpqrstvwxy";
    char text[64] = "", variant[256];
    struct app_password p;

    (void)state;
    for (size_t v = 0; v < 32 && text[0] == '\0'; v++) { /* find its check letter */
        (void)snprintf(variant, sizeof(variant), "%s%c", good, ALPHABET[v]);
        if (app_password_parse(view_text(variant), &p))
            (void)snprintf(text, sizeof(text), "%s", p.text);
    }
    assert_int_equal(strlen(text), LETTERS);
    assert_memory_equal(text, "pst_001110123456789abcdefghjkmnpqrstvwxy", 40);

    size_t n = 0;
    for (size_t i = 0; text[i] != '\0'; i++) { /* spread, in capitals */
        variant[n++] = (char)toupper((unsigned char)text[i]);
        variant[n++] = i % 2 == 0 ? '-' : ' ';
    }
    variant[n] = '\0';
    assert_true(parses_to(variant, text));
    (void)snprintf(variant, sizeof(variant), "  PST_OOILI%s- ", text + 9);
    assert_true(parses_to(variant, text));
    assert_true(app_password_is_like(VIEW_LIT("P-S T_")));
}

static void others_are_refused(void **state)
{
    struct app_password p, q = { .text = "kept" };
    char text[128];

    (void)state;
    app_password_make(&p);
    static const char *const odd[] = { "", "pst", "pst_", "pst-", "PST_-- ", "secret", "xst_0" };
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        assert_false(parses_to(odd[i], NULL));
    (void)snprintf(text, sizeof(text), "%s0", p.text);
    assert_false(parses_to(text, NULL));
    (void)snprintf(text, sizeof(text), "%.40s", p.text);
    assert_false(parses_to(text, NULL));
    (void)snprintf(text, sizeof(text), "%s", p.text + 4); /* no prefix */
    assert_false(parses_to(text, NULL));
    for (unsigned c = 1; c < 256; c++) { /* nothing else counts as a letter or a separator */
        if (c == ' ' || c == '-')
            continue;
        (void)snprintf(text, sizeof(text), "%s%c", p.text, (int)c);
        assert_false(parses_to(text, NULL));
    }
    (void)snprintf(text, sizeof(text), "%s", p.text);
    text[20] = 'u';
    assert_false(parses_to(text, NULL));
    assert_false(app_password_parse(view_of(p.text, LETTERS + 1), &q)); /* a NUL at the end */
    assert_string_equal(q.text, "kept");
    assert_false(app_password_is_like(VIEW_LIT("my pst_")));
    assert_false(app_password_is_like(VIEW_NONE));
}

static void verifiers_need_key_and_text(void **state)
{
    struct keys k = { .verify = { 1 } }, other = { .verify = { 2 } };
    struct app_password p, q;
    uint8_t a[32], b[32];

    (void)state;
    app_password_make(&p);
    app_password_make(&q);
    app_password_verifier(&k, &p, a);
    app_password_verifier(&k, &p, b);
    assert_true(secret_is_equal(view_of(a, 32), view_of(b, 32)));
    app_password_verifier(&k, &q, b);
    assert_memory_not_equal(a, b, 32);
    app_password_verifier(&other, &p, b);
    assert_memory_not_equal(a, b, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_ones_parse),           cmocka_unit_test(every_wrong_letter_is_caught),
        cmocka_unit_test(changed_places_are_caught), cmocka_unit_test(spelling_is_forgiven),
        cmocka_unit_test(others_are_refused),        cmocka_unit_test(verifiers_need_key_and_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
