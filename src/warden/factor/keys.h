/* keys.h: the store's key file and the keys that are derived from it. A copy of the database alone
 * gives away no password, no app password and no TOTP seed: all of them need this key, which lives
 * outside the database.
 * Source: libsodium crypto_kdf (BLAKE2b), XChaCha20-Poly1305 (RFC draft-irtf-cfrg-xchacha).
 * Owns: 3 keys in memory, wiped on keys_done, locked against swapping where permitted.
 * Runs in: warden; read-only after keys_load, so any of its threads. */
#ifndef POSTERN_WARDEN_FACTOR_KEYS_H
#define POSTERN_WARDEN_FACTOR_KEYS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/view.h"

struct keys {
    uint8_t verify[32];   /* keyed hash of app passwords */
    uint8_t seal[32];     /* outer key of sealed mailbox passwords, and of TOTP seeds */
    uint8_t remember[32]; /* keyed hashes in memory only: throttle, reuse window */
};

/* Reads the 32 octets, or makes the file (mode 0600, flushed to disk) if it is missing.
 * ERR_DENIED: others may read it. ERR_INVALID: wrong length. */
MUST_USE enum err keys_load(const char *path, struct keys *ret);
void keys_done(struct keys *k);

/* Authenticated encryption; `context` (what and whose it is) must be the same to open it. The
 * effective key is a hash of k->seal and `secret`, if one is given: then both are needed. */
MUST_USE enum err keys_seal(const struct keys *k, struct view secret, struct view context,
                            struct view plain, struct buf *out);
MUST_USE enum err keys_open(const struct keys *k, struct view secret, struct view context,
                            struct view sealed, struct buf *out); /* ERR_DENIED: not this key */
/* Keyed hash for memory-only tables. */
void keys_remember(const struct keys *k, struct view a, struct view b, uint8_t out[16]);

#endif
