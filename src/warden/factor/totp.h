/* totp.h: time-based one-time passwords, six digits, 30 s steps, SHA-1, one step of tolerance
 * either way. Source: RFC 6238, RFC 4226; computed by liboath. Runs in: warden, any thread. Time is
 * an argument. */
#ifndef POSTERN_WARDEN_FACTOR_TOTP_H
#define POSTERN_WARDEN_FACTOR_TOTP_H

#include "base/buf.h"
#include "base/err.h"

#define TOTP_SEED_OCTETS 20
#define TOTP_DIGITS      6

MUST_USE enum err totp_make_seed(uint8_t seed[TOTP_SEED_OCTETS]);
/* Compares in constant time over all steps of the window; *ret_step is the step that fitted. */
MUST_USE bool totp_check(const uint8_t seed[TOTP_SEED_OCTETS], struct view code, int64_t now,
                         uint64_t *ret_step);
/* base32 of the seed, and the otpauth:// URI with issuer and account percent-encoded. */
MUST_USE enum err totp_secret_text(const uint8_t seed[TOTP_SEED_OCTETS], struct buf *out);
MUST_USE enum err totp_uri(const uint8_t seed[TOTP_SEED_OCTETS], const char *account,
                           const char *issuer, struct buf *out);
/* Splits "passwordNNNNNN" or "password,NNNNNN"; false: no code at the end. Views into `secret`. */
bool totp_split(struct view secret, struct view *ret_password, struct view *ret_code);

#endif
