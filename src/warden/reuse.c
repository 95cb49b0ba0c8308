#include "warden/reuse.h"

#include "base/mem.h"
#include "warden/memo.h"

#include <uv.h>

struct used {
    uint8_t place[MEMO_KEY]; /* address, label and seed */
    uint64_t until_ms;
};

struct reuse {
    const struct keys *keys; /* borrowed */
    struct memo *used;       /* owned, of struct used */
    uv_mutex_t lock;
};

struct reuse *reuse_new(const struct keys *keys, size_t capacity)
{
    struct reuse *r = NEW(reuse);

    if (r == NULL)
        return NULL;
    r->keys = keys;
    r->used = memo_new(capacity, sizeof(struct used));
    if (r->used == NULL || uv_mutex_init(&r->lock) != 0) {
        memo_free(r->used);
        mem_free(r);
        return NULL;
    }
    return r;
}

void reuse_free(struct reuse *r)
{
    if (r == NULL)
        return;
    uv_mutex_destroy(&r->lock);
    memo_free(r->used);
    mem_free(r);
}

static void keys_of(const struct reuse *r, const struct reuse_try *a, uint8_t key[MEMO_KEY],
                    uint8_t place[MEMO_KEY])
{
    uint8_t seed[MEMO_KEY];

    keys_remember(r->keys, a->account, a->secret, key);
    keys_remember(r->keys, view_of(a->source.ip, a->source.octets), a->seed, seed);
    keys_remember(r->keys, view_of(seed, sizeof(seed)), a->client, place);
}

static bool is_held(struct reuse *r, const uint8_t key[MEMO_KEY], const uint8_t place[MEMO_KEY],
                    uint64_t now_ms)
{
    const struct used *u = memo_find(r->used, key);

    return u != NULL && now_ms < u->until_ms && memcmp(u->place, place, MEMO_KEY) == 0;
}

bool reuse_holds(struct reuse *r, const struct reuse_try *a, uint64_t now_ms)
{
    uint8_t key[MEMO_KEY], place[MEMO_KEY];

    keys_of(r, a, key, place);
    uv_mutex_lock(&r->lock);
    const bool holds = is_held(r, key, place, now_ms);
    uv_mutex_unlock(&r->lock);
    return holds;
}

enum err reuse_claim(struct reuse *r, struct store *store, const char *account, uint64_t step,
                     const struct reuse_try *a, uint32_t window_s, uint64_t now_ms)
{
    uint8_t key[MEMO_KEY], place[MEMO_KEY];

    if (window_s == 0)
        return store_totp_claim(store, account, step);
    keys_of(r, a, key, place);
    /* Held over the claim: of two sister connections the second must find what the first left. */
    uv_mutex_lock(&r->lock);
    enum err e = store_totp_claim(store, account, step);
    if (e == ERR_EXISTS && is_held(r, key, place, now_ms)) {
        e = ERR_OK;
    } else if (e == ERR_OK) {
        struct used *u = memo_put(r->used, key);
        memcpy(u->place, place, MEMO_KEY);
        u->until_ms = now_ms + (uint64_t)window_s * 1000;
    }
    uv_mutex_unlock(&r->lock);
    return e;
}
