/* relay.c: two pipes under one guard. Read, judge, write, only then read again: back-pressure needs
 * no further code. A pipe borrows its buffer while octets are in flight. */
#include "edge/session.h"

#include "base/mem.h"
#include "base/secret.h"
#include "net/pool.h"

#define TURN_MAX  16   /* reads of one pipe in one turn of the loop, so that others get theirs */
#define STEPS_MAX 1024 /* steps of the guard likewise: a flood of short commands is all steps */
#define GATHER    4096 /* octets of the guard's own that wait for each other: a record is dear */
/* The most that a guard puts at once, which is IMAP's, behind what was gathered. */
#define PUT_MAX    (LIMIT_IMAP_GUARD_LINE + LIMIT_IMAP_CAPABILITY + GATHER)
#define LABEL_LOOK 32 /* runs after which no client tells its name any more */

struct pipe {
    uint8_t *space;    /* borrowed from the pool; NULL: nothing in flight */
    size_t start, end; /* octets in space that were not judged or not written */
    size_t pass;       /* of these, how many may go as they are */
    struct buf put;    /* the guard's own octets, go first */
    bool is_ended;     /* the source has ended */
    bool is_held;      /* the guard waits for the other side */
    bool is_blocked;   /* the target takes no more */
    bool is_moving;    /* the guard has made a step in this run */
};

struct relay {
    struct guard *guard; /* owned */
    struct pipe up, down;
    uint8_t steps;
};

enum progress {
    PROGRESS_IDLE = 0, /* nothing to do until the loop says so */
    PROGRESS_MORE,     /* stopped for the others' sake */
    PROGRESS_OVER,     /* the session is closed */
};

static void pipe_rest(struct pipe *p)
{
    if (p->space != NULL && p->start == p->end) {
        pool_return(p->space, p->end);
        p->space = NULL;
        p->start = p->end = 0;
    }
}

/* Writes what is allowed. false: the target takes no more for now, or failed (then it is closed).
 */
static bool write_out(struct session *s, struct pipe *p, struct stream *to)
{
    uint64_t *octets = p == &s->relay->up ? &s->octets_up : &s->octets_down;

    while (p->put.n != 0 || p->pass != 0) {
        const bool is_put = p->put.n != 0;
        const uint8_t *from = is_put ? p->put.p : p->space + p->start;
        const ssize_t n = stream_write(to, from, is_put ? p->put.n : p->pass);
        if (n == STREAM_AGAIN) {
            p->is_blocked = true;
            return false;
        }
        if (n < 0) {
            session_close(s, "write failed");
            return false;
        }
        *octets += (uint64_t)n;
        if (is_put) {
            buf_consume(&p->put, (size_t)n);
        } else {
            p->start += (size_t)n;
            p->pass -= (size_t)n;
        }
    }
    p->is_blocked = false;
    if (p->put.capacity > 512)
        buf_done(&p->put);
    return true;
}

/* One step of the guard. false: it needs more octets, or the other side first, or has ended it. */
static bool judge(struct session *s, struct pipe *p, struct stream *to)
{
    const struct guard_ops *ops = s->gate->protocol->guard;
    const bool is_up = p == &s->relay->up;
    const struct view in =
        view_of(p->space == NULL ? NULL : p->space + p->start, p->end - p->start);
    const struct guard_step step =
        is_up ? ops->client(s->relay->guard, in) : ops->server(s->relay->guard, in);

    p->is_held = step.kind == GUARD_HOLD;
    switch (step.kind) {
    case GUARD_MORE:
    case GUARD_HOLD:
        return false;
    case GUARD_PASS:
        p->pass = step.n;
        return true;
    case GUARD_PUT:
        buf_put(&p->put, step.put);
        p->start += step.n;
        if (buf_is_ok(&p->put))
            return true;
        session_close(s, "no memory");
        return false;
    case GUARD_END:
        if (!write_out(s, p, to) && s->state != SESSION_RELAY)
            return false;
        log_event(LOG_INFO, "guard-ended-session", LOG_TEXT("account", s->account),
                  LOG_TEXT("from", is_up ? "client" : "upstream"), LOG_TEXT("reason", step.reason));
        session_end(s, "Protocol error", step.reason);
        return false;
    }
    return false;
}

/* Makes room behind p->end. false: the buffer is full of what the guard cannot judge yet. */
static bool make_room(struct pipe *p)
{
    if (p->space == NULL)
        return (p->space = pool_borrow()) != NULL;
    if (p->start != 0) {
        memmove(p->space, p->space + p->start, p->end - p->start);
        secret_wipe(p->space + (p->end - p->start), p->start);
        p->end -= p->start;
        p->start = 0;
    }
    return p->end < LIMIT_PIPE_BUFFER;
}

static enum progress read_in(struct session *s, struct pipe *p, struct stream *from)
{
    if (p->is_ended)
        return PROGRESS_IDLE;
    if (!make_room(p)) {
        session_end(s, "Line too long", p->space == NULL ? "no memory" : "line too long");
        return PROGRESS_OVER;
    }
    const ssize_t n = stream_read(from, p->space + p->end, LIMIT_PIPE_BUFFER - p->end);
    if (n > 0) {
        p->end += (size_t)n;
        s->active_at_ms = loop_now_ms(s->edge->loop);
        return PROGRESS_MORE;
    }
    if (n == STREAM_FAILED) {
        session_close(s, "read failed");
        return PROGRESS_OVER;
    }
    p->is_ended = n == STREAM_EOF;
    return PROGRESS_IDLE;
}

/* `steps` are those that are left of this turn. */
static enum progress pipe_run(struct session *s, struct pipe *p, struct stream *from,
                              struct stream *to, unsigned *steps)
{
    for (int turn = 0; turn < TURN_MAX;) {
        const bool is_due = p->pass != 0 || p->put.n >= GATHER || p->is_blocked || *steps == 0;
        if (is_due && !write_out(s, p, to))
            return s->state == SESSION_RELAY ? PROGRESS_IDLE : PROGRESS_OVER;
        if (*steps == 0)
            return PROGRESS_MORE;
        if (judge(s, p, to)) {
            p->is_moving = true;
            (*steps)--;
            continue;
        }
        if (s->state != SESSION_RELAY)
            return PROGRESS_OVER;
        if (!write_out(s, p, to))
            return s->state == SESSION_RELAY ? PROGRESS_IDLE : PROGRESS_OVER;
        if (p->is_held)
            break;
        const enum progress read = read_in(s, p, from);
        if (read != PROGRESS_MORE) {
            pipe_rest(p);
            return read;
        }
        turn++;
    }
    pipe_rest(p);
    return p->is_held ? PROGRESS_IDLE : PROGRESS_MORE;
}

/* Its source has ended, and nothing of it is in flight. */
static bool is_spent(const struct pipe *p)
{
    return p->is_ended && p->pass == 0 && p->put.n == 0;
}

static void want(struct relay *r, struct session *s)
{
    struct stream *server = &s->upstream->stream;
    const bool is_up_reading = !r->up.is_ended && !r->up.is_held && !r->up.is_blocked;
    const bool is_down_reading = !r->down.is_ended && !r->down.is_blocked;

    stream_want(&s->client, (uint8_t)((is_up_reading ? STREAM_READ : 0) |
                                      (r->down.is_blocked ? STREAM_WRITE : 0)));
    stream_want(server, (uint8_t)((is_down_reading ? STREAM_READ : 0) |
                                  (r->up.is_blocked ? STREAM_WRITE : 0)));
}

static void look_for_label(struct session *s)
{
    struct relay *r = s->relay;

    if (r->steps >= LABEL_LOOK || s->gate->protocol->guard->client_label == NULL)
        return;
    r->steps++;
    const struct view label = s->gate->protocol->guard->client_label(r->guard);
    if (label.n == 0)
        return;
    r->steps = LABEL_LOOK;
    mem_free(s->label);
    s->label = mem_textn((const char *)label.p, label.n);
    const struct wire_label told = { .session = s->id, .client = view_first(label, LIMIT_CLIENT) };
    if (s->edge->warden != NULL)
        channel_send(s->edge->warden, WIRE_label, &told, -1);
}

/* ---- turns for the others ------------------------------------------------------------- */

static void on_resume(uv_idle_t *idle)
{
    struct edge *e = idle->data;
    struct session *s = TAKE(e->resumable);

    (void)uv_idle_stop(idle);
    while (s != NULL) {
        struct session *next = s->next_resumable;
        s->is_resumable = false;
        if (s->state == SESSION_RELAY)
            relay_run(s);
        s = next;
    }
}

static void resume_later(struct session *s)
{
    if (s->is_resumable)
        return;
    s->is_resumable = true;
    s->next_resumable = s->edge->resumable;
    s->edge->resumable = s;
    (void)uv_idle_start(&s->edge->resume, on_resume);
}

void relay_run(struct session *s)
{
    struct relay *r = s->relay;
    struct stream *server = &s->upstream->stream;
    unsigned steps = STEPS_MAX;
    enum progress up, down;

    do {
        up = pipe_run(s, &r->up, &s->client, server, &steps);
        if (up == PROGRESS_OVER)
            return;
        look_for_label(s);
        /* The guard may have words of its own for the client: this runs without new octets too. */
        r->down.is_moving = false;
        down = pipe_run(s, &r->down, server, &s->client, &steps);
        if (down == PROGRESS_OVER)
            return;
    } while (r->up.is_held && r->down.is_moving && down != PROGRESS_MORE);
    if (s->client.is_broken && r->up.is_held + r->up.is_blocked + r->down.is_blocked != 0) {
        session_close(s, "client reset");
        return;
    }
    if (is_spent(&r->down)) {
        session_close(s, r->up.is_ended ? "client closed" : "upstream closed");
        return;
    }
    if (is_spent(&r->up)) /* half-close: the upstream may still have much to say */
        stream_shut(server);
    if (up == PROGRESS_MORE || down == PROGRESS_MORE)
        resume_later(s);
    want(r, s);
}

/* ---- life ----------------------------------------------------------------------------- */

static void on_ready(struct stream *stream)
{
    struct session *s = stream->owner;

    if (s->state == SESSION_RELAY)
        relay_run(s);
}

static void on_server_ready(struct stream *stream)
{
    struct upstream *u = stream->owner;
    struct session *s = u->session;

    if (s->state == SESSION_RELAY)
        relay_run(s);
}

static bool fill(struct pipe *p, struct view octets)
{
    buf_init(&p->put, PUT_MAX);
    if (octets.n == 0)
        return true;
    if (octets.n > LIMIT_PIPE_BUFFER || (p->space = pool_borrow()) == NULL)
        return false;
    memcpy(p->space, octets.p, octets.n);
    p->end = octets.n;
    return true;
}

enum err relay_start(struct session *s, const struct guard_conf *conf, struct view input)
{
    struct relay *r = NEW(relay);
    const struct protocol *p = s->gate->protocol;

    if (r == NULL || (r->guard = p->guard->create(conf)) == NULL || !fill(&r->up, input) ||
        !fill(&r->down, buf_view(&s->upstream->input))) {
        relay_free(r, p);
        return ERR_MEMORY;
    }
    buf_done(&s->upstream->input);
    s->relay = r;
    s->client.on_ready = on_ready;
    s->upstream->session = s;
    s->upstream->stream.on_ready = on_server_ready;
    return ERR_OK;
}

void relay_bye(struct session *s, const char *text)
{
    struct relay *r = s->relay;
    AUTO_BUF(words, 512);

    if (r->down.pass != 0 || r->down.put.n != 0)
        return; /* in the middle of a response: a word would become part of it */
    s->gate->protocol->guard->bye(r->guard, text, &words);
    /* One try: who does not read is not waited for. */
    if (words.n != 0 && stream_write(&s->client, words.p, words.n) < 0)
        return;
}

void relay_free(struct relay *r, const struct protocol *p)
{
    if (r == NULL)
        return;
    if (r->guard != NULL)
        p->guard->destroy(r->guard);
    pool_return(r->up.space, r->up.end);
    pool_return(r->down.space, r->down.end);
    buf_done(&r->up.put);
    buf_done(&r->down.put);
    mem_free(r);
}
