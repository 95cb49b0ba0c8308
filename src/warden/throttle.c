#include "warden/throttle.h"

#include "base/mem.h"

#include <string.h>

#define ONE     1000U /* a failure, in the buckets' unit */
#define NEWS_MS 60000U

struct bucket {
    uint64_t level; /* failures × ONE, as of `at_ms` */
    uint64_t at_ms;
    uint32_t in_flight; /* different secrets that are being judged */
};

struct secret_seen {
    uint64_t place;             /* where the last refusal of it went */
    uint64_t answered_until_ms; /* … and until when it may be repeated */
    uint64_t asked;             /* … if nothing was forgotten since */
    uint32_t in_flight;
    bool is_counted; /* as a failure */
};

struct stamp {
    uint64_t at_ms;
    bool is_set;
};

struct throttle {
    struct throttle_conf conf;
    struct memo *sources, *accounts, *pairs; /* owned, of struct bucket  */
    struct memo *devices;                    /* owned, of struct bucket: wrong app passwords */
    struct memo *familiar;                   /* owned, of struct stamp   */
    struct memo *secrets;                    /* owned, of secret_seen    */
    struct memo *alerts, *news;              /* owned, of struct stamp   */
    uint64_t answers;                        /* counts throttle_forget_answers */
};

struct throttle *throttle_new(const struct throttle_conf *conf)
{
    struct throttle *t = NEW(throttle);

    if (t == NULL)
        return NULL;
    t->conf = *conf;
    t->sources = memo_new(conf->capacity, sizeof(struct bucket));
    t->accounts = memo_new(conf->capacity, sizeof(struct bucket));
    t->pairs = memo_new(conf->capacity, sizeof(struct bucket));
    t->devices = memo_new(conf->capacity, sizeof(struct bucket));
    t->familiar = memo_new(conf->capacity, sizeof(struct stamp));
    t->secrets = memo_new(conf->capacity, sizeof(struct secret_seen));
    t->alerts = memo_new(conf->capacity, sizeof(struct stamp));
    t->news = memo_new(conf->capacity, sizeof(struct stamp));
    if (t->sources == NULL || t->accounts == NULL || t->pairs == NULL || t->devices == NULL ||
        t->familiar == NULL || t->secrets == NULL || t->alerts == NULL || t->news == NULL) {
        throttle_free(t);
        return NULL;
    }
    return t;
}

void throttle_free(struct throttle *t)
{
    if (t == NULL)
        return;
    memo_free(t->sources);
    memo_free(t->accounts);
    memo_free(t->pairs);
    memo_free(t->devices);
    memo_free(t->familiar);
    memo_free(t->secrets);
    memo_free(t->alerts);
    memo_free(t->news);
    mem_free(t);
}

/* ---- keys ----------------------------------------------------------------------------- */

static void source_key(const struct throttle *t, const struct addr *source, uint8_t out[MEMO_KEY])
{
    const struct network n = network_around(source, t->conf.prefix4, t->conf.prefix6);

    keys_remember(t->conf.keys, VIEW_LIT("source"), view_of(n.base.ip, n.base.octets), out);
}

static void pair_key(const struct throttle *t, struct view account, const uint8_t source[MEMO_KEY],
                     uint8_t out[MEMO_KEY])
{
    keys_remember(t->conf.keys, account, view_of(source, MEMO_KEY), out);
}

static uint64_t place_of(const struct throttle *t, const struct throttle_try *a)
{
    uint8_t origin[MEMO_KEY], key[MEMO_KEY];
    uint64_t place;

    keys_remember(t->conf.keys, view_of(&a->protocol, 1), view_of(a->source.ip, a->source.octets),
                  origin);
    keys_remember(t->conf.keys, view_of(origin, sizeof(origin)), a->client, key);
    memcpy(&place, key, sizeof(place));
    return place;
}

static void make_ticket(struct throttle *t, const struct throttle_try *a,
                        struct throttle_ticket *ret)
{
    memset(ret, 0, sizeof(*ret));
    keys_remember(t->conf.keys, a->account, a->secret, ret->secret);
    keys_remember(t->conf.keys, VIEW_LIT("account"), a->account, ret->account);
    source_key(t, &a->source, ret->source);
    pair_key(t, a->account, ret->source, ret->pair);
    ret->place = place_of(t, a);
    ret->asked = t->answers;
    ret->is_device = a->is_device;
    ret->is_familiar = memo_find(t->familiar, ret->pair) != NULL;
}

/* ---- buckets -------------------------------------------------------------------------- */

static void drain(const struct throttle *t, struct bucket *b, uint32_t limit, uint64_t now_ms)
{
    const uint64_t passed_ms = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
    const uint64_t window_ms = t->conf.window_s == 0 ? 1 : (uint64_t)t->conf.window_s * 1000;
    const uint64_t drained = passed_ms < window_ms ? passed_ms * limit * ONE / window_ms : b->level;

    b->level -= drained < b->level ? drained : b->level;
    b->at_ms = now_ms;
}

static bool is_over(const struct throttle *t, struct bucket *b, uint32_t limit, uint32_t burst,
                    uint64_t now_ms)
{
    if (limit == 0)
        return false;
    drain(t, b, limit, now_ms);
    return b->level + ONE > (uint64_t)limit * ONE ||
           b->level + ((uint64_t)b->in_flight + 1) * ONE > ((uint64_t)limit + burst) * ONE;
}

/* Each try has one bucket or two. */
struct held {
    struct bucket *bucket;
    uint32_t limit, burst;
    enum throttle_answer answer;
    bool is_lenient; /* never fuller than its limit, and keeps nobody of this kind out */
};

static size_t buckets_of(struct throttle *t, const struct throttle_ticket *k, struct held held[2])
{
    size_t n = 0;

    if (k->is_familiar && !k->is_device) {
        held[n++] = (struct held){ memo_put(t->pairs, k->pair), t->conf.per_account, 0,
                                   THROTTLE_ACCOUNT, false };
        return n;
    }
    held[n++] = (struct held){ memo_put(t->sources, k->source), t->conf.per_source, THROTTLE_BURST,
                               THROTTLE_SOURCE, k->is_device };
    if (k->is_device)
        held[n++] =
            (struct held){ memo_put(t->devices, k->source), t->conf.per_source * THROTTLE_DEVICES,
                           THROTTLE_BURST, THROTTLE_SOURCE, false };
    else
        held[n++] = (struct held){ memo_put(t->accounts, k->account), t->conf.per_account, 0,
                                   THROTTLE_ACCOUNT, false };
    return n;
}

/* ---- enter and leave ------------------------------------------------------------------ */

enum throttle_answer throttle_enter(struct throttle *t, const struct throttle_try *a,
                                    uint64_t now_ms, struct throttle_ticket *ret)
{
    struct held held[2];

    make_ticket(t, a, ret);
    struct secret_seen *seen = memo_put(t->secrets, ret->secret);
    if (now_ms < seen->answered_until_ms && seen->asked == t->answers && seen->place == ret->place)
        return THROTTLE_KNOWN;
    const bool is_new = !seen->is_counted && seen->in_flight == 0;
    const size_t n = buckets_of(t, ret, held);
    /* A familiar device is not shut out by its neighbours either; only its own typing counts. */
    const bool is_exempt = ret->is_device && ret->is_familiar;
    for (size_t i = 0; i < n && is_new && !is_exempt; i++)
        if (!held[i].is_lenient && is_over(t, held[i].bucket, held[i].limit, held[i].burst, now_ms))
            return held[i].answer;
    /* Unguessable, so a storm of reconnecting devices need not queue for room. */
    ret->is_charged = is_new && !ret->is_device;
    for (size_t i = 0; i < n && ret->is_charged; i++)
        held[i].bucket->in_flight++;
    seen->in_flight++;
    ret->is_entered = true;
    return THROTTLE_PASS;
}

static void settle(struct throttle *t, const struct throttle_ticket *k, bool is_failure,
                   uint64_t now_ms)
{
    struct held held[2];
    const size_t n = buckets_of(t, k, held);

    for (size_t i = 0; i < n; i++) {
        struct bucket *b = held[i].bucket;
        if (k->is_charged && b->in_flight > 0)
            b->in_flight--;
        if (!is_failure || held[i].limit == 0)
            continue;
        drain(t, b, held[i].limit, now_ms);
        if (!held[i].is_lenient || b->level + ONE <= (uint64_t)held[i].limit * ONE)
            b->level += ONE;
    }
}

void throttle_leave(struct throttle *t, struct throttle_ticket *ticket, enum throttle_result result,
                    uint64_t now_ms)
{
    if (!ticket->is_entered)
        return;
    ticket->is_entered = false;
    struct secret_seen *seen = memo_put(t->secrets, ticket->secret);
    const bool was_counted = seen->is_counted;
    if (seen->in_flight > 0)
        seen->in_flight--;
    if (result == THROTTLE_BAD) {
        seen->is_counted = true;
        seen->place = ticket->place;
        seen->answered_until_ms = now_ms + THROTTLE_ANSWER_MS;
        seen->asked = ticket->asked;
    }
    settle(t, ticket, result == THROTTLE_BAD && !was_counted, now_ms);
    if (result == THROTTLE_GOOD)
        ((struct stamp *)memo_put(t->familiar, ticket->pair))->is_set = true;
}

void throttle_forget_answers(struct throttle *t)
{
    t->answers++;
}

/* ---- at most once in a while ---------------------------------------------------------- */

static bool is_due(struct memo *m, const uint8_t key[MEMO_KEY], uint64_t every_ms, uint64_t now_ms)
{
    struct stamp *s = memo_put(m, key);

    if (s->is_set && now_ms < s->at_ms + every_ms)
        return false;
    s->is_set = true;
    s->at_ms = now_ms;
    return true;
}

bool throttle_alert(struct throttle *t, struct view account, const struct addr *source,
                    uint64_t now_ms)
{
    uint8_t origin[MEMO_KEY], key[MEMO_KEY];

    source_key(t, source, origin);
    pair_key(t, account, origin, key);
    return is_due(t->alerts, key, THROTTLE_ALERT_MS, now_ms);
}

bool throttle_is_news(struct throttle *t, const struct addr *source, uint64_t now_ms)
{
    uint8_t key[MEMO_KEY];

    source_key(t, source, key);
    return is_due(t->news, key, NEWS_MS, now_ms);
}

void throttle_befriend(struct throttle *t, struct view account, const struct addr *source)
{
    uint8_t origin[MEMO_KEY], key[MEMO_KEY];

    source_key(t, source, origin);
    pair_key(t, account, origin, key);
    ((struct stamp *)memo_put(t->familiar, key))->is_set = true;
}

size_t throttle_count(const struct throttle *t)
{
    return memo_count(t->sources) + memo_count(t->accounts) + memo_count(t->pairs) +
           memo_count(t->devices) + memo_count(t->familiar) + memo_count(t->secrets) +
           memo_count(t->alerts) + memo_count(t->news);
}
