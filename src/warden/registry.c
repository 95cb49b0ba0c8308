#include "warden/registry.h"

#include "base/mem.h"

#include <string.h>

#define BUCKETS_FIRST 256

struct registry_account {
    struct registry_account *chain;
    struct session *first;
    uint32_t hash;
    uint32_t count;
    char name[]; /* NUL-terminated */
};

struct registry {
    struct session **ids;               /* owned buckets */
    struct registry_account **accounts; /* owned buckets */
    size_t buckets;                     /* of both; a power of two */
    size_t count, account_count;
};

/* FNV-1a. A hostile edge that makes its sessions collide costs a walk over its own sessions at
 * most, and those are bounded; account names are of people who have logged in. */
static uint32_t hash_text(const char *s)
{
    uint32_t h = 2166136261U;

    for (; *s != '\0'; s++)
        h = (h ^ (uint8_t)*s) * 16777619U;
    return h;
}

static size_t hash_id(uint64_t id)
{
    id = (id ^ (id >> 33)) * 0xff51afd7ed558ccdULL;
    return (size_t)(id ^ (id >> 33));
}

struct registry *registry_new(void)
{
    struct registry *r = NEW(registry);

    if (r == NULL)
        return NULL;
    r->buckets = BUCKETS_FIRST;
    r->ids = mem_array(r->buckets, sizeof(struct session *));
    r->accounts = mem_array(r->buckets, sizeof(struct registry_account *));
    if (r->ids == NULL || r->accounts == NULL) {
        registry_free(r);
        return NULL;
    }
    return r;
}

void registry_free(struct registry *r)
{
    if (r == NULL)
        return;
    CHECK(r->count == 0);
    mem_free((void *)r->ids);
    mem_free((void *)r->accounts);
    mem_free(r);
}

/* ---- tables --------------------------------------------------------------------------- */

/* Twice the buckets; without memory the chains just grow longer. */
static void grow(struct registry *r)
{
    const size_t buckets = r->buckets * 2;
    struct session **ids = mem_array(buckets, sizeof(struct session *));
    struct registry_account **accounts = mem_array(buckets, sizeof(struct registry_account *));

    if (ids == NULL || accounts == NULL) {
        mem_free((void *)ids);
        mem_free((void *)accounts);
        return;
    }
    for (size_t i = 0; i < r->buckets; i++) {
        for (struct session *s = r->ids[i], *next; s != NULL; s = next) {
            struct session **at = &ids[hash_id(s->id) & (buckets - 1)];
            next = s->by_id;
            s->by_id = *at;
            *at = s;
        }
        for (struct registry_account *a = r->accounts[i], *next; a != NULL; a = next) {
            struct registry_account **at = &accounts[a->hash & (buckets - 1)];
            next = a->chain;
            a->chain = *at;
            *at = a;
        }
    }
    mem_free((void *)r->ids);
    mem_free((void *)r->accounts);
    r->ids = ids;
    r->accounts = accounts;
    r->buckets = buckets;
}

static struct registry_account *find_account(const struct registry *r, const char *name)
{
    const uint32_t hash = hash_text(name);
    struct registry_account *a = r->accounts[hash & (r->buckets - 1)];

    while (a != NULL && (a->hash != hash || strcmp(a->name, name) != 0))
        a = a->chain;
    return a;
}

static struct registry_account *take_account(struct registry *r, const char *name)
{
    const size_t n = strlen(name);
    struct registry_account *a = find_account(r, name);

    if (a != NULL)
        return a;
    a = mem_alloc(sizeof(*a) + n + 1);
    if (a == NULL)
        return NULL;
    memcpy(a->name, name, n);
    a->hash = hash_text(name);
    struct registry_account **head = &r->accounts[a->hash & (r->buckets - 1)];
    a->chain = *head;
    *head = a;
    r->account_count++;
    return a;
}

static void drop_account(struct registry *r, struct registry_account *a)
{
    struct registry_account **at = &r->accounts[a->hash & (r->buckets - 1)];

    while (*at != a)
        at = &(*at)->chain;
    *at = a->chain;
    r->account_count--;
    mem_free(a);
}

/* ---- sessions ------------------------------------------------------------------------- */

struct session *registry_add(struct registry *r, struct registry_holder *h, uint64_t id,
                             const char *account)
{
    CHECK(registry_find(r, id) == NULL);
    if (r->count >= r->buckets)
        grow(r);
    struct session *s = NEW(session);
    struct registry_account *a = s == NULL ? NULL : take_account(r, account);
    if (a == NULL) {
        mem_free(s);
        return NULL;
    }
    s->id = id;
    s->gate = "";
    s->account = a;
    s->holder = h;
    struct session **head = &r->ids[hash_id(id) & (r->buckets - 1)];
    s->by_id = *head;
    *head = s;
    s->account_next = a->first;
    if (a->first != NULL)
        a->first->account_before = s;
    a->first = s;
    a->count++;
    s->holder_next = h->first;
    if (h->first != NULL)
        h->first->holder_before = s;
    h->first = s;
    h->count++;
    r->count++;
    return s;
}

void registry_remove(struct registry *r, struct session *s)
{
    struct session **at = &r->ids[hash_id(s->id) & (r->buckets - 1)];
    struct registry_account *a = s->account;

    while (*at != s)
        at = &(*at)->by_id;
    *at = s->by_id;
    if (s->account_next != NULL)
        s->account_next->account_before = s->account_before;
    if (s->account_before != NULL)
        s->account_before->account_next = s->account_next;
    else
        a->first = s->account_next;
    if (s->holder_next != NULL)
        s->holder_next->holder_before = s->holder_before;
    if (s->holder_before != NULL)
        s->holder_before->holder_next = s->holder_next;
    else
        s->holder->first = s->holder_next;
    s->holder->count--;
    r->count--;
    if (--a->count == 0)
        drop_account(r, a);
    mem_free(s->client);
    mem_free(s->pending);
    mem_free(s);
}

struct session *registry_find(const struct registry *r, uint64_t id)
{
    struct session *s = r->ids[hash_id(id) & (r->buckets - 1)];

    while (s != NULL && s->id != id)
        s = s->by_id;
    return s;
}

void session_set_client(struct session *s, struct view client)
{
    char text[STORE_CLIENT];

    event_copy(text, sizeof(text), client);
    mem_free(s->client);
    s->client = text[0] == '\0' ? NULL : mem_text(text);
}

const char *session_account(const struct session *s)
{
    return s->account->name;
}

/* ---- counting and walking ------------------------------------------------------------- */

size_t registry_count(const struct registry *r)
{
    return r->count;
}

uint32_t registry_count_of(const struct registry *r, const char *account)
{
    uint32_t n = 0;

    for (const struct session *s = registry_first_of(r, account); s != NULL; s = s->account_next)
        n += s->state != SESSION_ENDING;
    return n;
}

struct session *registry_first_of(const struct registry *r, const char *account)
{
    const struct registry_account *a = find_account(r, account);

    return a == NULL ? NULL : a->first;
}

struct session *registry_next(const struct registry *r, const struct session *before)
{
    size_t i = 0;

    if (before != NULL && before->by_id != NULL)
        return before->by_id;
    if (before != NULL)
        i = (hash_id(before->id) & (r->buckets - 1)) + 1;
    while (i < r->buckets && r->ids[i] == NULL)
        i++;
    return i < r->buckets ? r->ids[i] : NULL;
}
