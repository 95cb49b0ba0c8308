#include "edge/offer.h"

#include "base/mem.h"
#include "edge/upstream.h"

#define OLD_MS   300000 /* a login or a look within this time has shown what there is */
#define RETRY_MS 5000   /* an upstream that did not answer is looked at again after this */

/* One upstream under one protocol. */
struct offer {
    struct edge *edge;                    /* borrowed */
    const struct edge_upstream *upstream; /* borrowed */
    const struct protocol *protocol;
    struct upstream *look; /* owned; NULL: none is under way */
    struct buf lines;      /* owned; empty: not known */
    uint64_t learned_at_ms, looked_at_ms;
    bool is_known, is_looked;
};

/* ---- what all of them offer ----------------------------------------------------------- */

static struct view take_line(struct view *rest)
{
    const size_t n = view_find(*rest, '\n');
    const struct view line = view_first(*rest, n + 1);

    *rest = view_skip(*rest, line.n);
    return line;
}

static bool has_line(struct view lines, struct view line)
{
    while (lines.n != 0)
        if (view_is_equal_nocase(take_line(&lines), line))
            return true;
    return false;
}

static bool is_of_all(const struct edge *e, const struct protocol *p, struct view line)
{
    for (size_t i = 0; i < e->offer_count; i++) {
        const struct offer *o = &e->offers[i];
        if (o->protocol == p && o->is_known && !has_line(buf_view(&o->lines), line))
            return false;
    }
    return true;
}

/* What fails for want of memory is empty, as if nothing were known. */
static void combine(struct edge *e, const struct protocol *p)
{
    struct buf *all = &e->offered[p->id];
    struct view rest = VIEW_NONE;

    buf_clear(all);
    for (size_t i = 0; i < e->offer_count && rest.n == 0; i++)
        if (e->offers[i].protocol == p && e->offers[i].is_known)
            rest = buf_view(&e->offers[i].lines);
    while (rest.n != 0) {
        const struct view line = take_line(&rest);
        if (is_of_all(e, p, line))
            buf_put(all, line);
    }
    if (!buf_is_ok(all))
        buf_clear(all);
}

static void learn(struct offer *o, struct view capabilities)
{
    o->learned_at_ms = loop_now_ms(o->edge->loop);
    if (o->is_known && view_is_equal(buf_view(&o->lines), capabilities))
        return;
    buf_clear(&o->lines);
    buf_put(&o->lines, capabilities);
    o->is_known = buf_is_ok(&o->lines);
    combine(o->edge, o->protocol);
}

void offer_learn(struct edge *e, const struct edge_upstream *u, const struct protocol *p,
                 struct view capabilities)
{
    for (size_t i = 0; i < e->offer_count; i++)
        if (e->offers[i].upstream == u && e->offers[i].protocol == p)
            learn(&e->offers[i], capabilities);
}

/* ---- looks ---------------------------------------------------------------------------- */

static void report_begun(struct edge *e)
{
    for (size_t i = 0; i < e->offer_count; i++)
        if (!e->offers[i].is_looked)
            return;
    if (e->on_offers != NULL)
        TAKE(e->on_offers)(e);
}

static void on_look(void *owner, enum outcome outcome, struct view capabilities)
{
    struct offer *o = owner;

    if (outcome == OUTCOME_ACCEPTED) {
        learn(o, capabilities);
        upstream_close(o->look);
    }
    o->look = NULL;
    o->is_looked = true;
    report_begun(o->edge);
}

static void look(struct offer *o)
{
    const struct upstream_conf conf = { .edge = o->edge,
                                        .upstream = o->upstream,
                                        .protocol = o->protocol,
                                        .is_look = true,
                                        .owner = o,
                                        .on_done = on_look };

    o->looked_at_ms = loop_now_ms(o->edge->loop);
    o->look = upstream_start(&conf);
    o->is_looked = o->is_looked || o->look == NULL;
}

static bool is_due(const struct offer *o, uint64_t now_ms)
{
    const bool is_old = !o->is_known || now_ms - o->learned_at_ms >= OLD_MS;

    return o->look == NULL && is_old && now_ms - o->looked_at_ms >= RETRY_MS;
}

struct view offer_of(struct edge *e, const struct protocol *p)
{
    const uint64_t now_ms = loop_now_ms(e->loop);

    for (size_t i = 0; p->has_offer && i < e->offer_count; i++)
        if (e->offers[i].protocol == p && is_due(&e->offers[i], now_ms))
            look(&e->offers[i]);
    return buf_view(&e->offered[p->id]);
}

static bool is_served(const struct edge *e, const struct protocol *p)
{
    for (size_t i = 0; i < e->gate_count; i++)
        if (e->gates[i].protocol == p)
            return true;
    return false;
}

static void add(struct edge *e, const struct edge_upstream *u, const struct protocol *p)
{
    if (!p->has_offer || !is_served(e, p) || config_urls(u->conf, p->name)->n == 0)
        return;
    struct offer *o = &e->offers[e->offer_count++];
    *o = (struct offer){ .edge = e, .upstream = u, .protocol = p };
    buf_init(&o->lines, LIMIT_CAPABILITIES);
}

enum err offer_begin(struct edge *e, void (*on_done)(struct edge *e))
{
    e->offers = mem_array(e->upstream_count * PROTOCOL_COUNT, sizeof(*e->offers));
    if (e->offers == NULL)
        return ERR_MEMORY;
    for (int id = 0; id < PROTOCOL_COUNT; id++) {
        const struct protocol *p = protocol_find((enum protocol_id)id);
        buf_init(&e->offered[id], LIMIT_CAPABILITIES);
        for (size_t i = 0; p != NULL && i < e->upstream_count; i++)
            add(e, &e->upstreams[i], p);
    }
    e->on_offers = on_done;
    for (size_t i = 0; i < e->offer_count; i++)
        look(&e->offers[i]);
    report_begun(e);
    return ERR_OK;
}
