/* A guard between a client and an upstream, both scripted. What either sends arrives in pieces and
 * is judged at once; what passes is collected for the lines that are expected of it. */
#include "play.h"

#define FLOW_MAX (1 << 18)

/* One direction. */
struct flow {
    struct buf coming;  /* sent, has not arrived */
    struct buf arrived; /* not yet judged */
    struct buf passed;  /* went on, not yet expected */
    enum guard_kind kind;
};

struct guard_play {
    struct play *p;
    struct guard_conf conf;
    struct flow up, down;
    const char *reason; /* of the guard's end; NULL: it goes on */
    bool is_end_seen;
};

static bool step(struct guard_play *g, struct flow *f)
{
    const struct guard_ops *ops = g->p->protocol->guard;
    /* Exactly as large as what it holds, so that reading over the end is seen. */
    AUTO_BUF(exact, FLOW_MAX);

    buf_put(&exact, buf_view(&f->arrived));
    CHECK(buf_is_ok(&exact) || g->p->is_memory_short);
    const struct guard_step s = f == &g->up ? ops->client(g->p->guard, buf_view(&exact))
                                            : ops->server(g->p->guard, buf_view(&exact));
    f->kind = s.kind;
    switch (s.kind) {
    case GUARD_MORE:
    case GUARD_HOLD:
        return false;
    case GUARD_END:
        g->reason = s.reason;
        return false;
    case GUARD_PASS:
        CHECK(s.n != 0 && s.n <= exact.n);
        buf_put(&f->passed, view_first(buf_view(&exact), s.n));
        break;
    case GUARD_PUT:
        CHECK(s.n <= exact.n);
        buf_put(&f->passed, s.put);
        break;
    }
    buf_consume(&f->arrived, s.n);
    return true;
}

/* As the edge does: the client as far as it goes, then the upstream; again while that frees the
 * client. */
static void judge(struct guard_play *g)
{
    bool is_moving = true;

    while (is_moving && g->reason == NULL) {
        is_moving = false;
        while (g->reason == NULL && step(g, &g->up))
            continue;
        while (g->reason == NULL && step(g, &g->down))
            is_moving = true;
        is_moving = is_moving && g->up.kind == GUARD_HOLD;
    }
}

static void deliver(struct guard_play *g, struct flow *f)
{
    struct play *p = g->p;
    bool is_first = true;

    if (f->coming.n > p->longest)
        p->longest = f->coming.n;
    while (f->coming.n != 0 && g->reason == NULL) {
        size_t n = p->piece == 0 || p->piece > f->coming.n ? f->coming.n : p->piece;
        if (p->cut != 0 && is_first && p->cut < f->coming.n)
            n = p->cut;
        is_first = false;
        buf_put(&f->arrived, view_first(buf_view(&f->coming), n));
        buf_consume(&f->coming, n);
        judge(g);
    }
}

static void deliver_all(struct guard_play *g)
{
    deliver(g, &g->up);
    deliver(g, &g->down);
}

/* ---- steps ---------------------------------------------------------------------------- */

static bool set(struct guard_play *g, const struct step *s)
{
    if (script_is_word(s, 0, "capabilities"))
        g->conf.capabilities = s->text;
    else if (script_is_word(s, 0, "trusting"))
        g->conf.is_trusting = true;
    else if (script_is_word(s, 0, "normalise"))
        g->conf.is_newline_normalised = true;
    else if (script_is_word(s, 0, "senders")) {
        g->conf.is_sender_held = true;
        g->conf.senders = s->text;
    } else if (!script_is_word(s, 0, "guard"))
        script_die(g->p->script->name, s->line, "no such setting");
    return true;
}

static bool send(struct guard_play *g, const struct step *s)
{
    struct flow *f = s->who == 'C' ? &g->up : &g->down;
    struct flow *other = s->who == 'C' ? &g->down : &g->up;

    deliver(g, other);
    buf_put(&f->coming, s->text);
    return true;
}

static bool expect(struct guard_play *g, const struct step *s)
{
    struct flow *f = s->who == 'U' ? &g->up : &g->down;

    if (!view_is_equal(view_first(buf_view(&f->passed), s->text.n), s->text))
        return play_fail(g->p, "expected:\n# %.*s# got:\n# %.*s# %s", (int)s->text.n,
                         (const char *)s->text.p, (int)f->passed.n, (const char *)f->passed.p,
                         g->reason == NULL ? "" : g->reason);
    buf_consume(&f->passed, s->text.n);
    return true;
}

static bool on_event(struct guard_play *g, const struct step *s)
{
    if (script_is_word(s, 0, "hold"))
        return g->up.kind == GUARD_HOLD || play_fail(g->p, "the client is not held");
    if (!script_is_word(s, 0, "end"))
        script_die(g->p->script->name, s->line, "no such event");
    if (g->reason == NULL || !script_is_word(s, 1, g->reason))
        return play_fail(g->p, "end: %s", g->reason == NULL ? "none" : g->reason);
    g->is_end_seen = true;
    return true;
}

static bool on_label(struct guard_play *g, const struct step *s)
{
    const struct guard_ops *ops = g->p->protocol->guard;
    const struct view label =
        ops->client_label == NULL ? VIEW_NONE : ops->client_label(g->p->guard);

    return view_is_equal(label, s->text) ||
           play_fail(g->p, "label: %.*s", (int)label.n, (const char *)label.p);
}

static bool do_step(struct guard_play *g, const struct step *s)
{
    struct play *p = g->p;

    p->step = s;
    if (s->kind == STEP_SET)
        return set(g, s);
    if (p->guard == NULL && (p->guard = p->protocol->guard->create(&g->conf)) == NULL)
        return play_fail(p, "no machine");
    if (s->kind == STEP_SEND)
        return send(g, s);
    deliver_all(g);
    switch (s->kind) {
    case STEP_EXPECT:
        return expect(g, s);
    case STEP_EVENT:
        return on_event(g, s);
    case STEP_LABEL:
        return on_label(g, s);
    case STEP_BYE:
        p->protocol->guard->bye(p->guard, "Postern says good-bye", &g->down.passed);
        return true;
    case STEP_SET:
    case STEP_SEND:
    case STEP_ASKED:
    case STEP_ANSWER:
    case STEP_REST:
        break;
    }
    script_die(p->script->name, s->line, "a guard knows no such step");
}

static void check_end(struct guard_play *g)
{
    struct play *p = g->p;

    p->step = NULL;
    deliver_all(g);
    if (g->reason != NULL && !g->is_end_seen)
        (void)play_fail(p, "unexpected end: %s", g->reason);
    if (g->up.passed.n != 0)
        (void)play_fail(p, "unexpected, to the upstream: %.*s", (int)g->up.passed.n,
                        (const char *)g->up.passed.p);
    if (g->down.passed.n != 0)
        (void)play_fail(p, "unexpected, to the client: %.*s", (int)g->down.passed.n,
                        (const char *)g->down.passed.p);
}

void play_guard(struct play *p)
{
    struct guard_play g = { .p = p };
    struct buf *bufs[] = { &g.up.coming,   &g.up.arrived,   &g.up.passed,
                           &g.down.coming, &g.down.arrived, &g.down.passed };

    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_init(bufs[i], FLOW_MAX);
    for (size_t i = 0; i < p->script->count && p->failure == NULL; i++)
        if (!do_step(&g, &p->script->steps[i]) && p->failure == NULL)
            (void)play_fail(p, "failed");
    if (p->failure == NULL)
        check_end(&g);
    p->protocol->guard->destroy(p->guard);
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_done(bufs[i]);
}
