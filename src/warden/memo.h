/* memo.h: a table of bounded size that forgets what was used longest ago: how the warden remembers
 * strangers' deeds without growing. Keys are 16 octets of a keyed hash (keys_remember), so nobody
 * outside chooses where they fall.
 * Owns: all its memory, taken at once (and touched by the kernel only as it fills).
 * Pure; one thread at a time. */
#ifndef POSTERN_WARDEN_MEMO_H
#define POSTERN_WARDEN_MEMO_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

#define MEMO_KEY 16 /* octets */

struct memo;

MUST_USE struct memo *memo_new(size_t capacity, size_t value_octets); /* NULL: no memory */
void memo_free(struct memo *m);                                       /* NULL is fine    */
/* The value, aligned for any number, until the next memo_put; NULL: not remembered. */
void *memo_find(struct memo *m, const uint8_t key[MEMO_KEY]);
/* The same, made of zeros if it is new; what was used longest ago makes room. Never NULL. */
void *memo_put(struct memo *m, const uint8_t key[MEMO_KEY]);
size_t memo_count(const struct memo *m);

#endif
