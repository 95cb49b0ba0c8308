#include "base/view.h"

bool view_is_equal(struct view a, struct view b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool view_is_equal_nocase(struct view a, struct view b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool view_starts_nocase(struct view v, struct view prefix)
{
    return v.n >= prefix.n && view_is_equal_nocase(view_first(v, prefix.n), prefix);
}

size_t view_find(struct view v, uint8_t octet)
{
    const uint8_t *at = v.n == 0 ? NULL : memchr(v.p, octet, v.n);

    return at == NULL ? v.n : (size_t)(at - v.p);
}

bool view_number(struct view v, uint64_t max, uint64_t *ret)
{
    uint64_t n = 0;

    if (v.n == 0)
        return false;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(v.p[i] - '0');
        if (digit > max || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}
