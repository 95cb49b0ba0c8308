#include "warden/factor/app_password.h"

#include "base/secret.h"

#include <sodium.h>

#define BASE           32
#define PREFIX         "pst_"
#define PREFIX_LETTERS 4
#define PUBLIC_LETTERS 10
#define SECRET_LETTERS 26 /* of 5 bits each: 130 bits */
#define LETTERS        (PUBLIC_LETTERS + SECRET_LETTERS)
#define TEXT_LETTERS   (PREFIX_LETTERS + LETTERS + 1)
#define BAD_LETTER     0xff

_Static_assert(TEXT_LETTERS < APP_PASSWORD_TEXT, "room for the text");
_Static_assert(PUBLIC_LETTERS < APP_PASSWORD_PUBLIC, "room for the public part");

static const char ALPHABET[BASE + 1] = "0123456789abcdefghjkmnpqrstvwxyz";

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static bool is_separator(uint8_t c)
{
    return c == '-' || c == ' ';
}

/* What a letter is worth, read as people misread it. */
static uint8_t letter_value(uint8_t c)
{
    c = lower(c);
    if (c == 'o')
        c = '0';
    if (c == 'i' || c == 'l')
        c = '1';
    for (uint8_t i = 0; i < BASE; i++) {
        if (c == (uint8_t)ALPHABET[i])
            return i;
    }
    return BAD_LETTER;
}

/* Luhn mod N: one wrong letter always shows, two that changed places nearly always. */
static uint8_t check_value(const uint8_t *values, size_t n)
{
    unsigned sum = 0;
    unsigned factor = 2;

    for (size_t i = n; i-- > 0;) {
        unsigned addend = factor * values[i];
        sum += addend / BASE + addend % BASE;
        factor = factor == 2 ? 1 : 2;
    }
    return (uint8_t)((BASE - sum % BASE) % BASE);
}

/* values[] holds the letters and the check letter. */
static void write_text(const uint8_t values[LETTERS + 1], struct app_password *ret)
{
    memcpy(ret->text, PREFIX, PREFIX_LETTERS);
    for (size_t i = 0; i < LETTERS + 1; i++)
        ret->text[PREFIX_LETTERS + i] = ALPHABET[values[i]];
    ret->text[TEXT_LETTERS] = '\0';
    memcpy(ret->public, ret->text + PREFIX_LETTERS, PUBLIC_LETTERS);
    ret->public[PUBLIC_LETTERS] = '\0';
}

void app_password_make(struct app_password *ret)
{
    uint8_t values[LETTERS + 1];

    CHECK(sodium_init() >= 0);
    randombytes_buf(values, LETTERS);
    for (size_t i = 0; i < LETTERS; i++)
        values[i] &= BASE - 1;
    values[LETTERS] = check_value(values, LETTERS);
    *ret = (struct app_password){ 0 };
    write_text(values, ret);
    secret_wipe(values, sizeof(values));
}

/* Takes the prefix off; false: there is none. */
static bool skip_prefix(struct view *text)
{
    for (size_t found = 0; found < PREFIX_LETTERS; *text = view_skip(*text, 1)) {
        if (text->n == 0)
            return false;
        if (is_separator(text->p[0]))
            continue;
        if (lower(text->p[0]) != (uint8_t)PREFIX[found])
            return false;
        found++;
    }
    return true;
}

bool app_password_is_like(struct view text)
{
    return skip_prefix(&text);
}

static bool read_letters(struct view text, uint8_t values[LETTERS + 1])
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (is_separator(text.p[i]))
            continue;
        if (n == LETTERS + 1)
            return false;
        values[n] = letter_value(text.p[i]);
        if (values[n] == BAD_LETTER)
            return false;
        n++;
    }
    return n == LETTERS + 1;
}

bool app_password_parse(struct view text, struct app_password *ret)
{
    uint8_t values[LETTERS + 1];
    bool is_good = skip_prefix(&text) && read_letters(text, values) &&
                   check_value(values, LETTERS) == values[LETTERS];

    if (is_good) {
        *ret = (struct app_password){ 0 };
        write_text(values, ret);
    }
    secret_wipe(values, sizeof(values));
    return is_good;
}

void app_password_verifier(const struct keys *k, const struct app_password *p, uint8_t out[32])
{
    CHECK(crypto_generichash(out, 32, (const uint8_t *)p->text, TEXT_LETTERS, k->verify,
                             sizeof(k->verify)) == 0);
}

void app_password_done(struct app_password *p)
{
    secret_wipe(p, sizeof(*p));
}
