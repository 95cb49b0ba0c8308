#include "warden/stale.h"

#include "base/mem.h"
#include "warden/memo.h"

struct refusal {
    uint64_t until_ms;
    uint64_t changes; /* … if there were no more since */
    unsigned times;   /* 0: none */
    bool is_asking;   /* somebody asks again for all, until then */
};

struct stale {
    const struct keys *keys; /* borrowed */
    struct memo *refusals;   /* owned, of struct refusal */
    uint64_t changes;
};

struct stale *stale_new(const struct keys *keys, size_t capacity)
{
    struct stale *s = NEW(stale);

    if (s == NULL)
        return NULL;
    s->keys = keys;
    s->refusals = memo_new(capacity, sizeof(struct refusal));
    if (s->refusals == NULL) {
        mem_free(s);
        return NULL;
    }
    return s;
}

void stale_free(struct stale *s)
{
    if (s == NULL)
        return;
    memo_free(s->refusals);
    mem_free(s);
}

static struct refusal *find(struct stale *s, const char *id)
{
    uint8_t key[MEMO_KEY];

    keys_remember(s->keys, VIEW_LIT("stale"), view_text(id), key);
    struct refusal *r = memo_find(s->refusals, key);
    return r == NULL || r->times == 0 || r->changes != s->changes ? NULL : r;
}

bool stale_holds(struct stale *s, const char *id, uint64_t now_ms)
{
    struct refusal *r = find(s, id);

    if (r == NULL || now_ms < r->until_ms)
        return r != NULL;
    r->is_asking = true;
    r->until_ms = now_ms + STALE_ASK_MS;
    return false;
}

void stale_refused(struct stale *s, const char *id, uint64_t now_ms)
{
    uint8_t key[MEMO_KEY];
    struct refusal *r = find(s, id);

    if (r != NULL && !r->is_asking && now_ms < r->until_ms)
        return; /* sister connections that asked before the first of them was refused */
    const unsigned before = r == NULL ? 0 : r->times;
    keys_remember(s->keys, VIEW_LIT("stale"), view_text(id), key);
    r = memo_put(s->refusals, key);
    *r = (struct refusal){ .until_ms = now_ms + ((uint64_t)STALE_MS << before),
                           .changes = s->changes,
                           .times = before < STALE_DOUBLE ? before + 1 : before };
}

void stale_taken(struct stale *s, const char *id)
{
    struct refusal *r = find(s, id);

    if (r != NULL)
        r->times = 0;
}

void stale_forget(struct stale *s)
{
    s->changes++;
}
