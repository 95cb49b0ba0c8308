/* tls_memory.c: OpenSSL asks for a 16 KiB record buffer whenever octets begin to move and gives it
 * back when they rest (SSL_MODE_RELEASE_BUFFERS). From the heap that is slow, and the holes between
 * the small objects of idle sessions would stay. So the large ones come from slots of their own:
 * last given back is first taken, and what a peak has touched can be returned to the system. */
#include "net/tls_memory.h"

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOT_OCTETS (72 * 1024) /* whole pages; only what is touched costs memory */
#define SLOT_FROM   8192        /* smaller requests are the heap's */
#define SLOTS       2048

static uint8_t *arena;
static uint16_t free_slots[SLOTS]; /* a stack; the top was used last */
static size_t free_count;

static bool is_slot(const void *p)
{
    const uint8_t *at = p;

    return arena != NULL && at >= arena && at < arena + (size_t)SLOTS * SLOT_OCTETS;
}

static void *take(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    if (n >= SLOT_FROM && n <= SLOT_OCTETS && free_count != 0)
        return arena + (size_t)free_slots[--free_count] * SLOT_OCTETS;
    return n == 0 ? NULL : malloc(n);
}

static void give_back(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    if (is_slot(p))
        free_slots[free_count++] = (uint16_t)((size_t)((uint8_t *)p - arena) / SLOT_OCTETS);
    else
        free(p);
}

static void *resize(void *p, size_t n, const char *file, int line)
{
    if (p == NULL)
        return take(n, file, line);
    if (n == 0) {
        give_back(p, file, line);
        return NULL;
    }
    if (!is_slot(p))
        return realloc(p, n);
    if (n <= SLOT_OCTETS)
        return p;
    void *moved = malloc(n);
    if (moved != NULL) {
        memcpy(moved, p, SLOT_OCTETS);
        give_back(p, file, line);
    }
    return moved;
}

bool tls_memory_init(void)
{
    void *p = mmap(NULL, (size_t)SLOTS * SLOT_OCTETS, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED || CRYPTO_set_mem_functions(take, resize, give_back) != 1)
        return false;
    arena = p;
    for (size_t i = 0; i < SLOTS; i++)
        free_slots[i] = (uint16_t)(SLOTS - 1 - i);
    free_count = SLOTS;
    return true;
}

void tls_memory_trim(void)
{
    for (size_t i = 0; i < free_count; i++)
        (void)madvise(arena + (size_t)free_slots[i] * SLOT_OCTETS, SLOT_OCTETS, MADV_DONTNEED);
}
