/* password_hash.h: one stored password hash: what kind it is, and whether a secret fits it.
 * Yescrypt and bcrypt are computed by libcrypt, argon2id by libsodium (Debian's libcrypt lacks it).
 * Blocks for as long as the hash costs. Internal to factor/. Runs in: warden, any thread. */
#ifndef POSTERN_WARDEN_FACTOR_PASSWORD_HASH_H
#define POSTERN_WARDEN_FACTOR_PASSWORD_HASH_H

#include "warden/factor/password.h"

enum hash_kind {
    HASH_REFUSED = 0, /* plain, DES, MD5, SHA, anything unknown */
    HASH_LOCKED,      /* "!…" or "*…": fits no secret */
    HASH_CRYPT,
    HASH_ARGON2ID,
};

enum hash_kind password_hash_kind(const char *hash);
/* For HASH_CRYPT and HASH_ARGON2ID only. RIGHT, WRONG or LATER. */
MUST_USE enum password_result password_hash_check(const char *hash, struct view secret,
                                                  const char **ret_reason);

#endif
