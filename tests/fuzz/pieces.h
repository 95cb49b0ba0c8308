/* pieces.h: what the fuzz targets of sans-I/O machines share: the input cut by a seed, and a
 * journal of what came of it. */
#ifndef POSTERN_TESTS_FUZZ_PIECES_H
#define POSTERN_TESTS_FUZZ_PIECES_H

#include "base/buf.h"

#include <stdlib.h>

#define JOURNAL_MAX (1u << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
    uint32_t seed; /* 0: whole */
};

/* The size of the next piece of `left` octets (left > 0). */
static inline size_t pieces_next(struct pieces *p, size_t left)
{
    if (p->seed == 0)
        return left;
    p->seed ^= p->seed << 13;
    p->seed ^= p->seed >> 17;
    p->seed ^= p->seed << 5;
    const size_t n = 1 + (p->seed & 1 ? p->seed >> 8 & 3 : p->seed >> 8 & 63);
    return n < left ? n : left;
}

/* A copy of exactly this size, so that the sanitizer sees a step over its end. */
static inline uint8_t *pieces_copy(struct view v)
{
    uint8_t *copy = malloc(v.n == 0 ? 1 : v.n);

    CHECK(copy != NULL);
    if (v.n != 0)
        memcpy(copy, v.p, v.n);
    return copy;
}

static inline void journal_put(struct buf *journal, const char *what, struct view v)
{
    buf_put_text(journal, what);
    buf_put_octet(journal, '=');
    buf_put(journal, v);
    buf_put_octet(journal, '\n');
}

static inline bool is_line_safe(struct view v)
{
    return view_find(v, 0) == v.n && view_find(v, '\r') == v.n && view_find(v, '\n') == v.n;
}

#endif
