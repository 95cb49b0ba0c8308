/* reuse.h: the window in which a one-time code may come again. A mail client opens 5 to 20
 * connections with the one password that was typed, so a policy may say (otp_reuse_s) that the same
 * account, password and code pass again for a while: from the same address, with the same client
 * label, and with the same enrolled seed. Outside of it a code counts once. Memory only, bounded,
 * keyed hashes. Thread-safe: judgements use it on the pool. */
#ifndef POSTERN_WARDEN_REUSE_H
#define POSTERN_WARDEN_REUSE_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/view.h"
#include "warden/factor/keys.h"
#include "warden/store/store.h"

struct reuse;

struct reuse_try {
    struct view account, secret; /* secret: password and code, as they came */
    struct view seed;            /* the seed as it is stored (sealed) */
    struct addr source;
    struct view client;
};

MUST_USE struct reuse *reuse_new(const struct keys *keys, size_t capacity); /* NULL: no memory */
void reuse_free(struct reuse *r);                                           /* NULL is fine    */
/* Did this very try pass, less than its window ago? */
bool reuse_holds(struct reuse *r, const struct reuse_try *a, uint64_t now_ms);
/* Takes `step` for used (store_totp_claim) and remembers the try for `window_s`. The code that was
 * taken a moment ago by a sister connection of the same try passes too: ERR_OK. ERR_EXISTS: replay.
 */
MUST_USE enum err reuse_claim(struct reuse *r, struct store *store, const char *account,
                              uint64_t step, const struct reuse_try *a, uint32_t window_s,
                              uint64_t now_ms);

#endif
