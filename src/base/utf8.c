#include "base/utf8.h"

size_t utf8_sequence(struct view v)
{
    uint8_t low = 0x80, high = 0xbf; /* bounds of the second octet: no overlong, no surrogate */

    if (v.n == 0)
        return 0;
    const uint8_t first = v.p[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    const size_t n = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (v.n < n || v.p[1] < low || v.p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (v.p[i] < 0x80 || v.p[i] > 0xbf)
            return 0;
    return n;
}
