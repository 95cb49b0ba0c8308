#include "base/buf.h"

#include "base/mem.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
    mem_wipe_free(b->p, b->capacity);
    *b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
    if (b->n != 0)
        sodium_memzero(b->p, b->n);
    b->n = 0;
    b->is_failed = false;
}

/* Room for `more` octets and a NUL. Moves by hand, since realloc would leave a copy unwiped. */
static bool reserve(struct buf *b, size_t more)
{
    if (b->is_failed || more > b->max || b->n > b->max - more) {
        b->is_failed = true;
        return false;
    }
    size_t need = b->n + more + 1;
    if (need <= b->capacity)
        return true;
    size_t capacity = b->capacity == 0 ? 64 : b->capacity;
    while (capacity < need)
        capacity *= 2;
    if (capacity > b->max + 1)
        capacity = b->max + 1;
    uint8_t *p = mem_alloc(capacity);
    if (p == NULL) {
        b->is_failed = true;
        return false;
    }
    if (b->n != 0)
        memcpy(p, b->p, b->n);
    mem_wipe_free(b->p, b->capacity);
    b->p = p;
    b->capacity = capacity;
    return true;
}

void buf_put(struct buf *b, struct view v)
{
    if (v.n == 0 || !reserve(b, v.n))
        return;
    memcpy(b->p + b->n, v.p, v.n);
    b->n += v.n;
}

void buf_put_octet(struct buf *b, uint8_t octet)
{
    buf_put(b, view_of(&octet, 1));
}

void buf_put_text(struct buf *b, const char *s)
{
    buf_put(b, view_text(s));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        b->is_failed = true;
        return;
    }
    if (!reserve(b, (size_t)n))
        return;
    va_start(args, format);
    (void)vsnprintf((char *)b->p + b->n, (size_t)n + 1, format, args);
    va_end(args);
    b->n += (size_t)n;
}

void buf_consume(struct buf *b, size_t n)
{
    CHECK(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    sodium_memzero(b->p + (b->n - n), n);
    b->n -= n;
}

const char *buf_cstr(struct buf *b)
{
    if (!reserve(b, 0))
        return NULL;
    b->p[b->n] = 0;
    return (const char *)b->p;
}
