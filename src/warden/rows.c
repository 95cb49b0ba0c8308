#include "warden/rows.h"

#include "base/mem.h"
#include "warden/memo.h"

#include <string.h>

struct kept {
    uint64_t until_ms;
    uint64_t changes; /* … if there were no more since */
    struct store_app_password row;
};

struct rows {
    const struct keys *keys; /* borrowed */
    struct memo *kept;       /* owned, of struct kept */
    uint64_t changes;
};

struct rows *rows_new(const struct keys *keys)
{
    struct rows *r = NEW(rows);

    if (r == NULL)
        return NULL;
    r->keys = keys;
    r->kept = memo_new(ROWS_MAX, sizeof(struct kept));
    if (r->kept == NULL) {
        mem_free(r);
        return NULL;
    }
    return r;
}

void rows_free(struct rows *r)
{
    if (r == NULL)
        return;
    memo_free(r->kept);
    mem_free(r);
}

bool rows_find(struct rows *r, const char *id, uint64_t now_ms, struct store_app_password *ret)
{
    uint8_t key[MEMO_KEY];

    keys_remember(r->keys, VIEW_LIT("row"), view_text(id), key);
    const struct kept *k = memo_find(r->kept, key);
    if (k == NULL || k->changes != r->changes || now_ms >= k->until_ms)
        return false;
    *ret = k->row;
    return true;
}

void rows_put(struct rows *r, const struct store_app_password *row, uint64_t seen, uint64_t now_ms)
{
    uint8_t key[MEMO_KEY];

    if (seen != r->changes)
        return;
    keys_remember(r->keys, VIEW_LIT("row"), view_text(row->id), key);
    struct kept *k = memo_put(r->kept, key);
    k->row = *row;
    k->changes = seen;
    k->until_ms = now_ms + ROWS_MS;
}

uint64_t rows_changes(const struct rows *r)
{
    return r->changes;
}

void rows_forget(struct rows *r)
{
    r->changes++;
}
