#include "base/secret.h"

#include "base/limits.h"
#include "base/mem.h"

#include <sodium.h>

enum err secret_set(struct secret *s, struct view from)
{
    if (from.n > LIMIT_SECRET)
        return ERR_TOO_LONG;
    uint8_t *p = mem_alloc(from.n);
    if (p == NULL)
        return ERR_MEMORY;
    if (from.n != 0)
        memcpy(p, from.p, from.n);
    secret_done(s);
    s->p = p;
    s->n = from.n;
    return ERR_OK;
}

void secret_done(struct secret *s)
{
    mem_wipe_free(s->p, s->n);
    *s = (struct secret){ 0 };
}

bool secret_is_equal(struct view a, struct view b)
{
    return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

void secret_wipe(void *p, size_t n)
{
    sodium_memzero(p, n);
}
