/* buf.h: a growing run of octets that is born with its maximum, with a sticky error: write the
 * whole thing, check buf_is_ok() once at the end.
 * Owns: its octets, wiped when they are freed or moved, since they may be secret. Any thread,
 * one at a time. */
#ifndef POSTERN_BASE_BUF_H
#define POSTERN_BASE_BUF_H

#include "base/attr.h"
#include "base/view.h"

struct buf {
    uint8_t *p;      /* owned */
    size_t n;        /* octets in use */
    size_t capacity; /* octets allocated */
    size_t max;      /* n never exceeds it */
    bool is_failed;  /* no memory, or over max; sticky until buf_clear */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* wipes and frees; usable again after buf_init */
void buf_clear(struct buf *b); /* empties, wipes, keeps the storage, forgets the error */

void buf_put(struct buf *b, struct view v);
void buf_put_octet(struct buf *b, uint8_t octet);
void buf_put_text(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *format, ...) PRINTF(2, 3);
/* Removes the first n octets (n <= b->n); what remains moves to the front. */
void buf_consume(struct buf *b, size_t n);
/* The text with a NUL behind it (not counted), or NULL after an error. Valid until the next call.
 */
const char *buf_cstr(struct buf *b);

static inline bool buf_is_ok(const struct buf *b)
{
    return !b->is_failed;
}

static inline struct view buf_view(const struct buf *b)
{
    return (struct view){ b->p, b->n };
}

UNUSED static inline void buf_auto(struct buf *b)
{
    buf_done(b);
}
/* A local buffer that is released at the end of its scope: AUTO_BUF(line, 512); */
#define AUTO_BUF(name, maximum)                                                                    \
    __attribute__((cleanup(buf_auto))) struct buf name = { .max = (maximum) }

#endif
