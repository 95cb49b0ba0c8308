#include "warden/memo.h"

#include "base/mem.h"

#include <string.h>

#define NOWHERE UINT32_MAX

struct slot {
    uint8_t key[MEMO_KEY];
    uint32_t chain;        /* next slot of the same bucket */
    uint32_t older, newer; /* neighbours in the order of use */
    uint32_t unused;       /* keeps the value behind it aligned */
};

struct memo {
    uint8_t *slots;  /* owned; capacity × stride octets */
    uint32_t *heads; /* owned; buckets */
    size_t stride;   /* octets of a slot with its value */
    size_t value_octets;
    uint32_t capacity, used, mask;
    uint32_t oldest, newest;
};

static struct slot *slot_at(const struct memo *m, uint32_t i)
{
    return (struct slot *)(void *)(m->slots + (size_t)i * m->stride);
}

static uint32_t *bucket_of(const struct memo *m, const uint8_t key[MEMO_KEY])
{
    uint32_t hash;

    memcpy(&hash, key, sizeof(hash));
    return &m->heads[hash & m->mask];
}

struct memo *memo_new(size_t capacity, size_t value_octets)
{
    uint32_t buckets = 16;

    CHECK(capacity > 0 && capacity < NOWHERE / 4);
    while (buckets < capacity)
        buckets *= 2;
    struct memo *m = NEW(memo);
    if (m == NULL)
        return NULL;
    m->stride = sizeof(struct slot) + (value_octets + 7) / 8 * 8;
    m->slots = mem_array(capacity, m->stride);
    m->heads = mem_array(buckets, sizeof(*m->heads));
    if (m->slots == NULL || m->heads == NULL) {
        memo_free(m);
        return NULL;
    }
    memset(m->heads, 0xff, buckets * sizeof(*m->heads));
    m->value_octets = value_octets;
    m->capacity = (uint32_t)capacity;
    m->mask = buckets - 1;
    m->oldest = m->newest = NOWHERE;
    return m;
}

void memo_free(struct memo *m)
{
    if (m == NULL)
        return;
    mem_free(m->slots);
    mem_free(m->heads);
    mem_free(m);
}

static void order_remove(struct memo *m, uint32_t i)
{
    const struct slot *s = slot_at(m, i);

    if (s->older == NOWHERE)
        m->oldest = s->newer;
    else
        slot_at(m, s->older)->newer = s->newer;
    if (s->newer == NOWHERE)
        m->newest = s->older;
    else
        slot_at(m, s->newer)->older = s->older;
}

static void order_append(struct memo *m, uint32_t i)
{
    struct slot *s = slot_at(m, i);

    s->older = m->newest;
    s->newer = NOWHERE;
    if (m->newest == NOWHERE)
        m->oldest = i;
    else
        slot_at(m, m->newest)->newer = i;
    m->newest = i;
}

static uint32_t find(struct memo *m, const uint8_t key[MEMO_KEY])
{
    uint32_t i = *bucket_of(m, key);

    while (i != NOWHERE && memcmp(slot_at(m, i)->key, key, MEMO_KEY) != 0)
        i = slot_at(m, i)->chain;
    if (i != NOWHERE && i != m->newest) {
        order_remove(m, i);
        order_append(m, i);
    }
    return i;
}

static void unchain(struct memo *m, uint32_t i)
{
    uint32_t *at = bucket_of(m, slot_at(m, i)->key);

    while (*at != i)
        at = &slot_at(m, *at)->chain;
    *at = slot_at(m, i)->chain;
}

void *memo_find(struct memo *m, const uint8_t key[MEMO_KEY])
{
    const uint32_t i = find(m, key);

    return i == NOWHERE ? NULL : (void *)(slot_at(m, i) + 1);
}

void *memo_put(struct memo *m, const uint8_t key[MEMO_KEY])
{
    uint32_t i = find(m, key);

    if (i != NOWHERE)
        return slot_at(m, i) + 1;
    if (m->used < m->capacity) {
        i = m->used++;
    } else {
        i = m->oldest;
        unchain(m, i);
        order_remove(m, i);
    }
    struct slot *s = slot_at(m, i);
    memset(s, 0, sizeof(*s) + m->value_octets);
    memcpy(s->key, key, MEMO_KEY);
    uint32_t *head = bucket_of(m, key);
    s->chain = *head;
    *head = i;
    order_append(m, i);
    return s + 1;
}

size_t memo_count(const struct memo *m)
{
    return m->used;
}
