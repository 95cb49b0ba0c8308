/* app_password.h: pst_ + public part (10 letters) + 130 random bits (26 letters) + check letter, in
 * Crockford's base32 in lower case; dashes, spaces and case are ignored on input, o reads as 0, i
 * and l as 1. The public part finds the row; a keyed hash proves the rest, so a client that
 * reconnects all day costs one BLAKE2b. Source: https://www.crockford.com/base32.html; Luhn mod N
 * for the check letter. Pure but for random octets. Runs in: warden, any thread. */
#ifndef POSTERN_WARDEN_FACTOR_APP_PASSWORD_H
#define POSTERN_WARDEN_FACTOR_APP_PASSWORD_H

#include "warden/factor/keys.h"

#define APP_PASSWORD_TEXT   48 /* with NUL */
#define APP_PASSWORD_PUBLIC 16 /* with NUL */

struct app_password {
    char text[APP_PASSWORD_TEXT];     /* normalised: "pst_…"; secret */
    char public[APP_PASSWORD_PUBLIC]; /* 10 letters */
};

void app_password_make(struct app_password *ret);
/* Does it look like one (prefix)? Such a credential is never tried as a mailbox password. */
bool app_password_is_like(struct view text);
/* Normalises and checks the form and the check letter; false: a typo, no lookup needed. */
MUST_USE bool app_password_parse(struct view text, struct app_password *ret);
void app_password_verifier(const struct keys *k, const struct app_password *p, uint8_t out[32]);
void app_password_done(struct app_password *p); /* wipes */

#endif
