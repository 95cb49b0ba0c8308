/* view.h: a borrowed run of octets, by value, never NUL-terminated. Pure; any thread. */
#ifndef POSTERN_BASE_VIEW_H
#define POSTERN_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
    const uint8_t *p;
    size_t n;
};

#define VIEW_NONE   ((struct view){ NULL, 0 })
#define VIEW_LIT(s) ((struct view){ (const uint8_t *)("" s), sizeof(s) - 1 })

static inline struct view view_of(const void *p, size_t n)
{
    return (struct view){ p, n };
}

static inline struct view view_text(const char *s)
{
    return (struct view){ (const uint8_t *)s, s == NULL ? 0 : strlen(s) };
}

/* The view without its first n octets; n is cut to its length. */
static inline struct view view_skip(struct view v, size_t n)
{
    if (n > v.n)
        n = v.n;
    return (struct view){ n == 0 ? v.p : v.p + n, v.n - n };
}

static inline struct view view_first(struct view v, size_t n)
{
    return (struct view){ v.p, n < v.n ? n : v.n };
}

/* Not for secrets: use secret_is_equal. */
bool view_is_equal(struct view a, struct view b);
/* ASCII letters compare without case; locale plays no part. */
bool view_is_equal_nocase(struct view a, struct view b);
bool view_starts_nocase(struct view v, struct view prefix);
/* Position of the first `octet`, or v.n. */
size_t view_find(struct view v, uint8_t octet);
/* Digits only, bounded before they are multiplied; false: empty, another octet, or over max. */
bool view_number(struct view v, uint64_t max, uint64_t *ret);

#endif
