#include "edge/entry.h"

#include "base/mem.h"

#include <unistd.h>

/* ---- life ----------------------------------------------------------------------------- */

static void handle_closed(struct session *s)
{
    if (--s->handles != 0)
        return;
    entry_free(s);
    relay_free(s->relay, s->gate->protocol);
    mem_free(s->account);
    mem_free(s->app_password);
    mem_free(s->label);
    struct edge *e = s->edge;
    mem_free(s);
    edge_session_ended(e);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void on_client_closed(struct stream *stream)
{
    handle_closed(stream->owner);
}

static void unlink_session(struct session *s)
{
    struct edge *e = s->edge;

    if (s->previous != NULL)
        s->previous->next = s->next;
    else
        e->sessions = s->next;
    if (s->next != NULL)
        s->next->previous = s->previous;
    e->session_count--;
    edge_load_changed(e);
    for (struct session **at = &e->buckets[s->id % EDGE_BUCKETS]; *at != NULL;
         at = &(*at)->next_in_bucket)
        if (*at == s) {
            *at = s->next_in_bucket;
            break;
        }
    for (struct session **at = &e->resumable; s->is_resumable && *at != NULL;
         at = &(*at)->next_resumable)
        if (*at == s) {
            *at = s->next_resumable;
            s->is_resumable = false;
            break;
        }
}

void session_tell_closed(struct session *s, const char *reason)
{
    const struct wire_closed closed = { .session = s->id,
                                        .octets_up = s->octets_up,
                                        .octets_down = s->octets_down,
                                        .reason = view_first(view_text(reason), LIMIT_REASON) };

    if (s->is_allowed && s->edge->warden != NULL)
        channel_send(s->edge->warden, WIRE_closed, &closed, -1);
    s->is_allowed = false;
}

void session_close(struct session *s, const char *reason)
{
    if (s->state == SESSION_CLOSED)
        return;
    log_event(LOG_DEBUG, "session-closed", LOG_NUM("state", s->state), LOG_TEXT("reason", reason));
    s->state = SESSION_CLOSED;
    session_tell_closed(s, reason);
    unlink_session(s);
    upstream_close(TAKE(s->upstream));
    stream_close(&s->client);
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

static void on_deadline(uv_timer_t *timer);

void session_set_deadline(struct session *s, uint64_t after_ms)
{
    (void)uv_timer_start(&s->timer, on_deadline, after_ms, 0);
}

void session_end(struct session *s, const char *text, const char *reason)
{
    switch ((enum session_state)s->state) {
    case SESSION_RELAY:
        relay_bye(s, text);
        session_close(s, reason);
        break;
    case SESSION_FRONT:
    case SESSION_ASKING:
    case SESSION_LOGIN:
    case SESSION_REFUSING:
        s->gate->protocol->front->bye(s->entry->front, text, &s->entry->output);
        entry_part(s, reason);
        break;
    case SESSION_PROXY:
    case SESSION_TLS:
        session_close(s, reason);
        break;
    case SESSION_PARTING:
    case SESSION_CLOSED:
        break;
    }
}

static void on_ready(struct stream *stream)
{
    entry_run(stream->owner);
}

static void on_deadline(uv_timer_t *timer)
{
    struct session *s = timer->data;
    const uint64_t now = loop_now_ms(s->edge->loop);
    const uint64_t idle = s->edge->config->session.idle_timeout_ms;

    switch ((enum session_state)s->state) {
    case SESSION_REFUSING:
        judged_answer(s);
        break;
    case SESSION_FRONT:
        session_end(s, "Too slow", "login timeout");
        break;
    case SESSION_RELAY:
        if (now - s->active_at_ms >= idle)
            session_end(s, "Idle for too long", "idle timeout");
        else
            session_set_deadline(s, s->active_at_ms + idle - now);
        break;
    case SESSION_ASKING:
    case SESSION_LOGIN:
        judged_timeout(s);
        break;
    case SESSION_PROXY:
    case SESSION_TLS:
    case SESSION_PARTING:
    case SESSION_CLOSED:
        session_close(s, s->state == SESSION_TLS ? "handshake timeout" : "timeout");
        break;
    }
}

/* ---- the beginning -------------------------------------------------------------------- */

static void link_session(struct session *s)
{
    struct edge *e = s->edge;

    s->id = e->next_session++;
    s->next = e->sessions;
    if (s->next != NULL)
        s->next->previous = s;
    e->sessions = s;
    e->session_count++;
    edge_load_changed(e);
    struct session **bucket = &e->buckets[s->id % EDGE_BUCKETS];
    s->next_in_bucket = *bucket;
    *bucket = s;
}

void session_start(struct edge *e, const struct gate *g, int fd, const struct addr *source)
{
    struct session *s = NEW(session);

    if (s == NULL) {
        (void)close(fd);
        return;
    }
    if (stream_open(&s->client, e->poller, fd) != ERR_OK) {
        mem_free(s);
        return;
    }
    s->edge = e;
    s->gate = g;
    s->source = *source;
    s->client.owner = s;
    s->client.on_ready = on_ready;
    s->client.on_closed = on_client_closed;
    (void)uv_timer_init(e->loop, &s->timer);
    s->timer.data = s;
    s->handles = 2;
    s->state = SESSION_PROXY;
    link_session(s);
    if (entry_new(s) != ERR_OK)
        session_close(s, "no memory");
    else
        entry_begin(s);
}

struct session *session_find(struct edge *e, uint64_t id)
{
    for (struct session *s = e->buckets[id % EDGE_BUCKETS]; s != NULL; s = s->next_in_bucket)
        if (s->id == id)
            return s;
    return NULL;
}
