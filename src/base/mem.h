/* mem.h: the only allocator of the house (tools/check-style bans malloc elsewhere), so that tests
 * can make the n-th allocation fail. Any thread. */
#ifndef POSTERN_BASE_MEM_H
#define POSTERN_BASE_MEM_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

MUST_USE void *mem_alloc(size_t n);                /* zeroed; NULL: no memory                     */
MUST_USE void *mem_array(size_t count, size_t n);  /* zeroed; NULL: no memory or overflow         */
MUST_USE void *mem_resize(void *p, size_t n);      /* NULL: no memory, p stays as it was          */
MUST_USE char *mem_text(const char *s);            /* a copy; NULL: no memory or s was NULL       */
MUST_USE char *mem_textn(const char *s, size_t n); /* a copy of n octets, NUL-terminated          */
void mem_free(void *p);                            /* NULL is fine                                */
void mem_wipe_free(void *p, size_t n);             /* wipes n octets first                        */

/* At the start of a process that lives long: large blocks go back to the system when they are
 * freed. */
void mem_init(void);
/* A process that counts what its memory goes with (sessions) tells the count after each fall. When
 * it has halved since the last time, the heap's free pages go back to the system: true. */
bool mem_trim(size_t *peak, size_t count);

/* Tests only: the n-th allocation from now on fails (1 = the next); 0 = none. */
void mem_fail_at(unsigned long n);

#define NEW(type) ((struct type *)mem_alloc(sizeof(struct type)))

#endif
