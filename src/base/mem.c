#include "base/mem.h"

#include <malloc.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>

#define LARGE_OCTETS (128 * 1024)
#define TRIM_FROM    32 /* what fewer leave behind is not worth looking for */

static _Thread_local unsigned long fail_at;

void mem_fail_at(unsigned long n)
{
    fail_at = n;
}

static int is_failing(void)
{
    return fail_at != 0 && --fail_at == 0;
}

void *mem_alloc(size_t n)
{
    return is_failing() ? NULL : calloc(1, n == 0 ? 1 : n);
}

void *mem_array(size_t count, size_t n)
{
    if (n != 0 && count > SIZE_MAX / n)
        return NULL;
    return mem_alloc(count * n);
}

void *mem_resize(void *p, size_t n)
{
    return is_failing() ? NULL : realloc(p, n == 0 ? 1 : n);
}

char *mem_textn(const char *s, size_t n)
{
    char *copy = mem_alloc(n + 1);

    if (copy != NULL && n != 0)
        memcpy(copy, s, n);
    return copy;
}

char *mem_text(const char *s)
{
    return s == NULL ? NULL : mem_textn(s, strlen(s));
}

void mem_free(void *p)
{
    free(p);
}

void mem_wipe_free(void *p, size_t n)
{
    if (p != NULL)
        sodium_memzero(p, n);
    free(p);
}

bool mem_trim(size_t *peak, size_t count)
{
    if (count > *peak)
        *peak = count;
    if (*peak < TRIM_FROM || count > *peak / 2)
        return false;
    *peak = count;
    (void)malloc_trim(0);
    return true;
}

void mem_init(void)
{
    /* glibc raises the bound whenever such a block is freed, and then keeps the next ones for ever.
     */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_OCTETS);
}
