#include "warden/factor/totp.h"

#include "base/mem.h"
#include "base/secret.h"

#include <liboath/oath.h>
#include <pthread.h>
#include <sodium.h>

#define STEP_S 30

static bool is_ready; /* written once, before anyone reads it */

static void start_library(void)
{
    is_ready = sodium_init() >= 0 && oath_init() == OATH_OK;
}

static bool is_library_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    return pthread_once(&once, start_library) == 0 && is_ready;
}

enum err totp_make_seed(uint8_t seed[TOTP_SEED_OCTETS])
{
    if (!is_library_ready())
        return ERR_IO;
    randombytes_buf(seed, TOTP_SEED_OCTETS);
    return ERR_OK;
}

static bool is_digits(struct view v)
{
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return false;
    }
    return true;
}

static bool is_code_of(const uint8_t seed[TOTP_SEED_OCTETS], struct view code, uint64_t step)
{
    char expected[TOTP_DIGITS + 1] = "";
    bool is_made =
        oath_totp_generate((const char *)seed, TOTP_SEED_OCTETS, (time_t)(step * STEP_S), STEP_S,
                           OATH_TOTP_DEFAULT_START_TIME, TOTP_DIGITS, expected) == OATH_OK;
    bool is_same = secret_is_equal(view_of(expected, TOTP_DIGITS), code);

    secret_wipe(expected, sizeof(expected));
    return is_made && is_same;
}

bool totp_check(const uint8_t seed[TOTP_SEED_OCTETS], struct view code, int64_t now,
                uint64_t *ret_step)
{
    uint64_t step = 0;
    bool is_found = false;

    if (code.n != TOTP_DIGITS || !is_digits(code) || now < STEP_S || !is_library_ready())
        return false;
    uint64_t current = (uint64_t)now / STEP_S;
    /* All three are computed, whichever fits. Should two fit, the later one is taken: it retires
     * the earlier one too. */
    for (uint64_t s = current - 1; s <= current + 1; s++) {
        bool is_hit = is_code_of(seed, code, s);
        is_found |= is_hit;
        step = is_hit ? s : step;
    }
    if (is_found)
        *ret_step = step;
    return is_found;
}

enum err totp_secret_text(const uint8_t seed[TOTP_SEED_OCTETS], struct buf *out)
{
    char *text = NULL;
    size_t n = 0;
    int rc = oath_base32_encode((const char *)seed, TOTP_SEED_OCTETS, &text, &n);

    if (rc != OATH_OK)
        return rc == OATH_MALLOC_ERROR ? ERR_MEMORY : ERR_INVALID;
    /* 20 octets are 32 letters without padding. */
    buf_put(out, view_of(text, n));
    mem_wipe_free(text, n);
    return buf_is_ok(out) ? ERR_OK : ERR_MEMORY;
}

static void put_percent_encoded(struct buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= '0' && *c <= '9') || strchr("-._~", *c) != NULL;
        if (is_plain)
            buf_put_octet(out, (uint8_t)*c);
        else
            buf_printf(out, "%%%02X", (unsigned)(uint8_t)*c);
    }
}

enum err totp_uri(const uint8_t seed[TOTP_SEED_OCTETS], const char *account, const char *issuer,
                  struct buf *out)
{
    buf_put_text(out, "otpauth://totp/");
    put_percent_encoded(out, issuer);
    buf_put_octet(out, ':');
    put_percent_encoded(out, account);
    buf_put_text(out, "?secret=");
    enum err e = totp_secret_text(seed, out);
    if (e != ERR_OK)
        return e;
    buf_put_text(out, "&issuer=");
    put_percent_encoded(out, issuer);
    buf_put_text(out, "&algorithm=SHA1&digits=6&period=30");
    return buf_is_ok(out) ? ERR_OK : ERR_MEMORY;
}

bool totp_split(struct view secret, struct view *ret_password, struct view *ret_code)
{
    if (secret.n <= TOTP_DIGITS)
        return false;
    struct view password = view_first(secret, secret.n - TOTP_DIGITS);
    struct view code = view_skip(secret, password.n);
    if (!is_digits(code))
        return false;
    if (password.p[password.n - 1] == ',')
        password.n--;
    if (password.n == 0)
        return false;
    *ret_password = password;
    *ret_code = code;
    return true;
}
