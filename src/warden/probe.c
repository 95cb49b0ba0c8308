#include "warden/probe.h"

#include "base/mem.h"

struct probe {
    uint64_t id;
    struct link *link; /* borrowed; who was asked */
    uint64_t until_ms;
    void *arg;
    void (*done)(void *arg, enum outcome result);
    struct probe *next;
};

static struct link *some_edge(struct warden *w)
{
    struct link *best = NULL;

    /* The youngest generation: an old edge drains and may go any time. */
    for (struct link *l = w->links; l != NULL; l = l->next)
        if (l->is_said_hello && (best == NULL || l->generation > best->generation))
            best = l;
    return best;
}

enum err probe_start(struct warden *w, const struct probe_conf *conf)
{
    struct link *l = some_edge(w);
    size_t n = 0;

    for (const struct probe *p = w->probes; p != NULL; p = p->next)
        n++;
    if (l == NULL || n >= PROBE_MAX)
        return ERR_BUSY;
    struct probe *p = NEW(probe);
    if (p == NULL)
        return ERR_MEMORY;
    *p = (struct probe){ .id = ++w->next_probe,
                         .link = l,
                         .until_ms = core_now_ms(w) + PROBE_END_MS,
                         .arg = conf->arg,
                         .done = conf->done,
                         .next = w->probes };
    w->probes = p;
    const struct wire_probe frame = { .probe = p->id,
                                      .protocol = conf->protocol,
                                      .upstream = conf->upstream,
                                      .user = conf->user,
                                      .secret = conf->secret };
    l->send(l, WIRE_probe, &frame);
    return ERR_OK;
}

static void finish(struct probe **at, enum outcome result)
{
    struct probe *p = *at;

    *at = p->next;
    p->done(p->arg, result);
    mem_free(p);
}

bool probe_answered(struct link *l, const struct wire_probed *answer)
{
    struct probe **at = &l->w->probes;

    if (answer->result > OUTCOME_ACCEPTED)
        return false;
    while (*at != NULL && ((*at)->id != answer->probe || (*at)->link != l))
        at = &(*at)->next;
    if (*at != NULL)
        finish(at, (enum outcome)answer->result);
    return true;
}

void probe_forget(struct link *l)
{
    struct probe **at = &l->w->probes;

    while (*at != NULL) {
        if ((*at)->link == l)
            finish(at, OUTCOME_UNAVAILABLE);
        else
            at = &(*at)->next;
    }
}

void probe_tick(struct warden *w)
{
    struct probe **at = &w->probes;
    const uint64_t now_ms = core_now_ms(w);

    while (*at != NULL) {
        if (now_ms >= (*at)->until_ms)
            finish(at, OUTCOME_UNAVAILABLE);
        else
            at = &(*at)->next;
    }
}
