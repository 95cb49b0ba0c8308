/* warden.c: the edge's end of the verdict channel. */
#include "edge/context.h"
#include "edge/session.h"

#include "base/mem.h"

#define RESUME_QUEUE    (LIMIT_FRAME_QUEUE / 4)
#define RESUME_EVERY_MS 5

/* A probe: a login at the upstream without a session. */
struct probe_leg {
    struct edge *edge;         /* borrowed */
    struct upstream *upstream; /* owned */
    uint64_t id;
};

static void tell_probed(struct edge *e, uint64_t id, enum outcome outcome)
{
    const struct wire_probed told = { .probe = id, .result = (uint8_t)outcome };

    if (e->warden != NULL)
        channel_send(e->warden, WIRE_probed, &told, -1);
}

static void on_probe_done(void *owner, enum outcome outcome, struct view capabilities)
{
    struct probe_leg *leg = owner;

    (void)capabilities;
    tell_probed(leg->edge, leg->id, outcome);
    if (outcome == OUTCOME_ACCEPTED)
        upstream_close(leg->upstream);
    mem_free(leg);
}

static void start_probe(struct edge *e, const struct wire_probe *p)
{
    struct probe_leg *leg = NEW(probe_leg);
    const struct upstream_conf conf = { .edge = e,
                                        .upstream = edge_upstream(e, p->upstream),
                                        .protocol = protocol_find((enum protocol_id)p->protocol),
                                        .user = p->user,
                                        .secret = p->secret,
                                        .owner = leg,
                                        .on_done = on_probe_done };

    if (leg != NULL && conf.upstream != NULL && conf.protocol != NULL) {
        leg->edge = e;
        leg->id = p->probe;
        leg->upstream = upstream_start(&conf);
        if (leg->upstream != NULL)
            return;
    }
    mem_free(leg);
    tell_probed(e, p->probe, OUTCOME_UNAVAILABLE);
}

/* Only the edges know who is idle; the warden compares what they say and ends one. */
static void tell_idlest(struct edge *e, const struct wire_shed *shed)
{
    const struct session *oldest = NULL;
    struct wire_idlest told = { .token = shed->token };

    for (const struct session *s = e->sessions; s != NULL; s = s->next)
        if (s->state == SESSION_RELAY && view_is_equal(view_text(s->account), shed->account) &&
            (oldest == NULL || s->active_at_ms < oldest->active_at_ms))
            oldest = s;
    if (oldest != NULL) {
        told.session = oldest->id;
        told.idle_ms = loop_now_ms(e->loop) - oldest->active_at_ms;
    }
    channel_send(e->warden, WIRE_idlest, &told, -1);
}

static void on_verdict(struct edge *e, const struct wire_verdict *v)
{
    struct session *s = session_find(e, v->session);
    const struct wire_closed gone = { .session = v->session, .reason = VIEW_LIT("client closed") };

    if (s != NULL)
        session_verdict(s, v);
    else if (v->verdict == VERDICT_ALLOW) /* its client left while the warden thought */
        channel_send(e->warden, WIRE_closed, &gone, -1);
}

static void on_message(void *owner, struct channel *c, const struct wire_message *m,
                       const union wire_any *any, int fd)
{
    struct edge *e = owner;
    struct session *s;

    (void)c;
    (void)fd; /* the channel refuses descriptors from a warden */
    switch (m->number) {
    case WIRE_verdict:
        on_verdict(e, &any->verdict);
        break;
    case WIRE_end_session:
        s = session_find(e, any->end_session.session);
        if (s != NULL)
            session_end(s, "The session was ended", "ended by the warden");
        break;
    case WIRE_shed:
        tell_idlest(e, &any->shed);
        break;
    case WIRE_probe:
        start_probe(e, &any->probe);
        break;
    default: /* requests of the command line's channel: not ours to answer */
        break;
    }
}

static void lose_warden(struct edge *e)
{
    channel_close(TAKE(e->warden));
    (void)uv_timer_stop(&e->resume_more);
    edge_load_changed(e);
    for (struct session *s = e->sessions, *next; s != NULL; s = next) {
        next = s->next;
        session_warden_lost(s);
    }
}

static void on_end(void *owner, struct channel *c, const char *reason)
{
    struct edge *e = owner;

    (void)c;
    log_event(LOG_WARN, "warden-lost", LOG_TEXT("reason", reason));
    lose_warden(e);
}

/* Thousands of open sessions are told in portions that the channel takes: it must not be given up.
 */
static void resume_some(uv_timer_t *timer)
{
    struct edge *e = timer->data;

    for (struct session *s = e->sessions; s != NULL && e->warden != NULL; s = s->next) {
        if (s->state != SESSION_RELAY || s->is_allowed)
            continue;
        if (channel_queued(e->warden) > RESUME_QUEUE) {
            (void)uv_timer_start(timer, resume_some, RESUME_EVERY_MS, 0);
            return;
        }
        session_tell_resume(s);
    }
}

void edge_warden_open(struct edge *e, int fd)
{
    const struct channel_conf conf = { .loop = e->loop,
                                       .fd = fd,
                                       .peer = WIRE_WARDEN,
                                       .is_open = true,
                                       .owner = e,
                                       .on_message = on_message,
                                       .on_end = on_end };
    const struct wire_hello hello = { .edge = e->number, .generation = e->generation };

    if (e->warden != NULL)
        lose_warden(e);
    e->warden = channel_open(&conf);
    if (e->warden == NULL)
        return;
    channel_send(e->warden, WIRE_hello, &hello, -1);
    resume_some(&e->resume_more);
}
