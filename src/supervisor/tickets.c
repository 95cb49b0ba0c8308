#include "supervisor/tickets.h"

#include <sodium.h>

void tickets_rotate(struct tickets *t, uint64_t now_ms)
{
    if (t->n > sizeof(t->keys) - TICKETS_KEY)
        t->n = sizeof(t->keys) - TICKETS_KEY;
    memmove(t->keys + TICKETS_KEY, t->keys, t->n);
    randombytes_buf(t->keys, TICKETS_KEY);
    t->n += TICKETS_KEY;
    t->rotated_ms = now_ms;
}

void tickets_done(struct tickets *t)
{
    sodium_memzero(t, sizeof(*t));
}
