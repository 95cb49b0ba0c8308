/* secret.h: what must not be printed, compared in variable time, or left in memory.
 * A struct secret owns at most LIMIT_SECRET octets, wiped on secret_done. Any thread. */
#ifndef POSTERN_BASE_SECRET_H
#define POSTERN_BASE_SECRET_H

#include "base/attr.h"
#include "base/err.h"
#include "base/view.h"

struct secret {
    uint8_t *p; /* owned */
    size_t n;
};

MUST_USE enum err secret_set(struct secret *s, struct view from); /* wipes what was there */
void secret_done(struct secret *s);
bool secret_is_equal(struct view a, struct view b); /* time depends on the lengths only */
void secret_wipe(void *p, size_t n);

static inline struct view secret_view(const struct secret *s)
{
    return (struct view){ s->p, s->n };
}

#endif
