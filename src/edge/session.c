#include "edge/session.h"

#include "base/mem.h"
#include "base/secret.h"
#include "proto/proxy/proxy.h"

#include <sys/socket.h>
#include <time.h>

#define OUTPUT_MAX     8192
#define PARTING_MS     3000  /* how long a client may take to read its last words */
#define PARTING_OCTETS 65536 /* how much of what it still sends is swallowed meanwhile */

struct entry {
    struct front *front;  /* owned */
    struct buf input;     /* read, not yet fed */
    struct buf output;    /* to be written */
    uint64_t deadline_ms; /* of the whole entry: nobody stays before login for ever */
    uint64_t asked_at_ms;
    uint64_t swallowed;
    const char *reason; /* PARTING: why, for the log */
    enum front_answer answer;
    bool is_alert;
    bool is_starting_tls; /* FRONT said STARTTLS; output must be out first */
    bool is_tls;          /* TLS is up */
};

static void on_ready(struct stream *stream);
static void run_front(struct session *s);

/* ---- life
 * ---------------------------------------------------------------------------------------- */

static void free_entry(struct session *s)
{
    struct entry *n = TAKE(s->entry);

    if (n == NULL)
        return;
    if (n->front != NULL)
        s->gate->protocol->front->destroy(n->front);
    buf_done(&n->input);
    buf_done(&n->output);
    mem_free(n);
}

static void handle_closed(struct session *s)
{
    if (--s->handles != 0)
        return;
    free_entry(s);
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

static void tell_closed(struct session *s, const char *reason)
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
    tell_closed(s, reason);
    unlink_session(s);
    upstream_close(TAKE(s->upstream));
    stream_close(&s->client);
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

/* Writes what is to be written. false: the rest must wait, or the session is closed. */
static bool flush(struct session *s)
{
    struct entry *n = s->entry;

    if (!buf_is_ok(&n->output)) {
        session_close(s, "no memory");
        return false;
    }
    while (n->output.n != 0) {
        const ssize_t written = stream_write(&s->client, n->output.p, n->output.n);
        if (written == STREAM_AGAIN) {
            stream_want(&s->client, STREAM_WRITE);
            return false;
        }
        if (written < 0) {
            session_close(s, "write failed");
            return false;
        }
        buf_consume(&n->output, (size_t)written);
    }
    return true;
}

static void on_deadline(uv_timer_t *timer);

static void set_deadline(struct session *s, uint64_t after_ms)
{
    (void)uv_timer_start(&s->timer, on_deadline, after_ms, 0);
}

/* What is left of the time for the whole entry. */
static void set_entry_deadline(struct session *s)
{
    const uint64_t now = loop_now_ms(s->edge->loop);

    set_deadline(s, s->entry->deadline_ms > now ? s->entry->deadline_ms - now : 0);
}

/* ---- parting
 * ------------------------------------------------------------------------------------- */

/* A close with octets unread becomes a reset, which may eat the last words: swallow for a moment.
 */
static void run_parting(struct session *s)
{
    uint8_t space[2048];

    if (!flush(s))
        return;
    stream_shut(&s->client);
    for (;;) {
        const ssize_t n = stream_read(&s->client, space, sizeof(space));
        if (n == STREAM_AGAIN)
            break;
        s->entry->swallowed += n > 0 ? (uint64_t)n : 0;
        if (n < 0 || s->entry->swallowed > PARTING_OCTETS) {
            session_close(s, s->entry->reason);
            return;
        }
    }
    stream_want(&s->client, STREAM_READ);
}

static void part(struct session *s, const char *reason)
{
    s->entry->reason = reason;
    s->state = SESSION_PARTING;
    upstream_close(TAKE(s->upstream));
    tell_closed(s, reason);
    set_deadline(s, PARTING_MS);
    run_parting(s);
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
        part(s, reason);
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

/* ---- the verdict
 * --------------------------------------------------------------------------------- */

static void answer(struct session *s)
{
    struct entry *n = s->entry;

    s->gate->protocol->front->answer(n->front, n->answer, n->is_alert, &n->output);
    s->state = SESSION_FRONT;
    set_entry_deadline(s);
    run_front(s);
}

/* Every refusal takes a whole number of delays since the credential came, whatever was refused. */
static void refuse(struct session *s, enum front_answer why, bool is_alert)
{
    const uint64_t delay = s->edge->config->session.refusal_delay_ms;
    const uint64_t taken = loop_now_ms(s->edge->loop) - s->entry->asked_at_ms;

    s->entry->answer = why;
    s->entry->is_alert = is_alert;
    s->state = SESSION_REFUSING;
    /* Through the timer even without a delay: the caller may be feeding the front just now. */
    set_deadline(s, delay == 0 ? 0 : (taken / delay + 1) * delay - taken);
}

static void ask(struct session *s, const struct front_event *event)
{
    const SSL *ssl = s->client.ssl;
    const struct view label = s->gate->protocol->front->client(s->entry->front);
    const struct wire_question q = {
        .session = s->id,
        .gate = view_text(s->gate->conf->name),
        .protocol = (uint8_t)s->gate->protocol->id,
        .source = s->source,
        .tls_version = (uint16_t)SSL_version(ssl),
        .tls_cipher = view_first(view_text(SSL_get_cipher_name(ssl)), LIMIT_NAME),
        .mechanism = (uint8_t)event->mechanism,
        .authorization = view_first(event->authorization, LIMIT_ACCOUNT),
        .user = event->user.n > LIMIT_ACCOUNT ? VIEW_NONE : event->user,
        .secret = event->secret.n > LIMIT_SECRET ? VIEW_NONE : event->secret,
        .client = view_first(label, LIMIT_CLIENT),
    };

    mem_free(s->label);
    s->label = label.n == 0 ? NULL : mem_textn((const char *)label.p, label.n);
    s->tls_version = q.tls_version;
    s->entry->asked_at_ms = loop_now_ms(s->edge->loop);
    s->state = SESSION_ASKING;
    set_deadline(s, s->edge->config->session.login_timeout_ms);
    if (s->edge->warden == NULL)
        refuse(s, ANSWER_LATER, false);
    else
        channel_send(s->edge->warden, WIRE_question, &q, -1);
}

static void on_upstream_done(void *owner, enum outcome outcome, struct view capabilities)
{
    struct session *s = owner;
    struct entry *n = s->entry;
    const struct wire_outcome told = { .session = s->id, .result = (uint8_t)outcome };
    const bool is_told = s->is_allowed && s->edge->warden != NULL;

    if (is_told)
        channel_send(s->edge->warden, WIRE_outcome, &told, -1);
    if (outcome != OUTCOME_ACCEPTED) {
        s->upstream = NULL; /* it has closed itself */
        s->is_allowed = false;
        s->state = SESSION_ASKING;
        set_deadline(s, s->edge->config->session.login_timeout_ms);
        if (!is_told)
            refuse(s, ANSWER_LATER, false);
        return;
    }
    s->gate->protocol->front->accept(n->front, capabilities, &n->output);
    if (!flush(s)) {
        /* A client that does not even read its own OK is not worth a state. */
        session_close(s, "write failed");
        return;
    }
    if (relay_start(s, buf_view(&n->input)) != ERR_OK) {
        session_close(s, "no memory");
        return;
    }
    free_entry(s);
    s->opened_at = (int64_t)time(NULL);
    s->active_at_ms = loop_now_ms(s->edge->loop);
    s->state = SESSION_RELAY;
    set_deadline(s, s->edge->config->session.idle_timeout_ms);
    if (!is_told)
        session_tell_resume(s); /* the warden that allowed it has gone */
    relay_run(s);
}

static bool remember(char **to, struct view text)
{
    mem_free(*to);
    *to = mem_textn((const char *)text.p, text.n);
    return *to != NULL;
}

static void log_in(struct session *s, const struct wire_verdict *v)
{
    struct edge_upstream *upstream = edge_upstream(s->edge, v->upstream);
    const struct upstream_conf conf = { .edge = s->edge,
                                        .upstream = upstream,
                                        .protocol = s->gate->protocol,
                                        .authorization = v->upstream_authorization,
                                        .user = v->upstream_user,
                                        .secret = v->upstream_secret,
                                        .client = s->source,
                                        .target = s->target,
                                        .session = s->id,
                                        .owner = s,
                                        .on_done = on_upstream_done };

    s->is_allowed = true;
    if (upstream == NULL || !remember(&s->account, v->account) ||
        !remember(&s->app_password, v->app_password) ||
        (s->upstream = upstream_start(&conf)) == NULL) {
        tell_closed(s, "upstream is not known or no memory");
        refuse(s, ANSWER_LATER, false);
        return;
    }
    s->state = SESSION_LOGIN;
    (void)uv_timer_stop(&s->timer); /* the upstream's leg has a deadline of its own */
}

void session_tell_resume(struct session *s)
{
    const struct wire_resume r = {
        .session = s->id,
        .account = view_text(s->account),
        .app_password = view_text(s->app_password),
        .gate = view_text(s->gate->conf->name),
        .protocol = (uint8_t)s->gate->protocol->id,
        .source = s->source,
        .tls_version = s->tls_version,
        .opened_at = s->opened_at,
        .client = view_first(view_text(s->label), LIMIT_CLIENT),
    };

    if (s->state != SESSION_RELAY || s->edge->warden == NULL)
        return;
    s->is_allowed = true;
    channel_send(s->edge->warden, WIRE_resume, &r, -1);
}

void session_verdict(struct session *s, const struct wire_verdict *v)
{
    if (s->state != SESSION_ASKING)
        return;
    if (v->verdict == VERDICT_ALLOW)
        log_in(s, v);
    else
        refuse(s, v->verdict == VERDICT_LATER ? ANSWER_LATER : (enum front_answer)v->answer,
               v->is_alert);
}

void session_warden_lost(struct session *s)
{
    s->is_allowed = false;
    if (s->state == SESSION_ASKING)
        refuse(s, ANSWER_LATER, false);
}

/* ---- before the verdict
 * -------------------------------------------------------------------------- */

static void begin_tls(struct session *s)
{
    SSL *ssl = tls_server_session(s->edge->tls, s->client.watch.fd, s->gate->protocol->alpn);

    if (ssl == NULL) {
        session_close(s, "no memory");
        return;
    }
    stream_start_tls(&s->client, ssl);
    s->entry->is_starting_tls = false;
    s->state = SESSION_TLS;
    set_deadline(s, s->edge->config->session.handshake_timeout_ms);
    on_ready(&s->client);
}

static void begin_front(struct session *s)
{
    s->state = SESSION_FRONT;
    set_entry_deadline(s);
    s->gate->protocol->front->greet(s->entry->front, &s->entry->output);
    run_front(s);
}

static void run_handshake(struct session *s)
{
    char why[160];

    switch (stream_handshake(&s->client)) {
    case HANDSHAKE_AGAIN:
        return;
    case HANDSHAKE_FAILED:
        log_event(LOG_DEBUG, "handshake-failed",
                  LOG_TEXT("reason", tls_failure(s->client.ssl, why, sizeof(why))));
        session_close(s, "handshake failed");
        return;
    case HANDSHAKE_DONE:
        break;
    }
    s->entry->is_tls = true;
    if (s->gate->conf->tls == CONF_TLS_IMPLICIT) {
        begin_front(s);
        return;
    }
    s->gate->protocol->front->tls_started(s->entry->front);
    s->state = SESSION_FRONT;
    set_entry_deadline(s);
    run_front(s);
}

/* What the front made of the input. false: it does not go on now. */
static bool handle(struct session *s, const struct front_event *event)
{
    switch (event->kind) {
    case FRONT_MORE:
        return flush(s);
    case FRONT_CREDENTIAL:
        if (!s->entry->is_tls) { /* the front must not let it come to this */
            session_close(s, "credential without TLS");
            return false;
        }
        ask(s, event);
        return false;
    case FRONT_STARTTLS:
        s->entry->is_starting_tls = true;
        buf_clear(
            &s->entry->input); /* RFC 9051 §11.1: octets of the clear are not obeyed under TLS */
        if (flush(s))
            begin_tls(s);
        return false;
    case FRONT_CLOSE:
        part(s, event->reason);
        return false;
    }
    return false;
}

static bool read_at_most(struct session *s, size_t most)
{
    uint8_t space[LIMIT_FRONT_INPUT];
    const ssize_t n = stream_read(&s->client, space, most < sizeof(space) ? most : sizeof(space));

    if (n == STREAM_AGAIN) {
        stream_want(&s->client, STREAM_READ);
        return false;
    }
    if (n < 0) {
        session_close(s, n == STREAM_EOF ? "client closed" : "read failed");
        return false;
    }
    buf_put(&s->entry->input, view_of(space, (size_t)n));
    secret_wipe(space, (size_t)n);
    if (buf_is_ok(&s->entry->input))
        return true;
    session_close(s, "no memory");
    return false;
}

static void run_front(struct session *s)
{
    struct entry *n = s->entry;

    if (!flush(s))
        return;
    while (s->state == SESSION_FRONT) {
        size_t used = 0;
        const struct front_event event =
            s->gate->protocol->front->feed(n->front, buf_view(&n->input), &used, &n->output);
        if (!handle(s, &event)) {
            /* Views inside the event point into the input: consume only now. */
            if (s->state == SESSION_ASKING || s->state == SESSION_REFUSING ||
                s->state == SESSION_FRONT)
                buf_consume(&n->input, used < n->input.n ? used : n->input.n);
            return;
        }
        buf_consume(&n->input, used);
        if (n->input.n == 0 && !read_at_most(s, LIMIT_FRONT_INPUT))
            return;
    }
}

/* Reads no octet beyond the header: what follows belongs to TLS. */
static void run_proxy(struct session *s)
{
    struct entry *n = s->entry;
    struct proxy_header header;
    size_t used;

    while (read_at_most(s, proxy_wanted(buf_view(&n->input)))) {
        switch (proxy_parse(buf_view(&n->input), &used, &header)) {
        case PROXY_MORE:
            continue;
        case PROXY_BAD:
            session_close(s, "bad PROXY header");
            return;
        case PROXY_DONE:
            break;
        }
        if (header.source.octets != 0) {
            s->source = header.source;
            s->target = header.target;
        }
        buf_clear(&n->input);
        if (s->gate->conf->tls == CONF_TLS_STARTTLS)
            begin_front(s);
        else
            begin_tls(s);
        return;
    }
}

static void on_ready(struct stream *stream)
{
    struct session *s = stream->owner;

    switch ((enum session_state)s->state) {
    case SESSION_PROXY:
        run_proxy(s);
        break;
    case SESSION_TLS:
        run_handshake(s);
        break;
    case SESSION_FRONT:
        if (!s->entry->is_starting_tls)
            run_front(s);
        else if (flush(s))
            begin_tls(s);
        break;
    case SESSION_PARTING:
        run_parting(s);
        break;
    case SESSION_ASKING:
    case SESSION_LOGIN:
    case SESSION_REFUSING:
        stream_want(stream, 0);
        break;
    case SESSION_RELAY:
    case SESSION_CLOSED:
        break;
    }
}

static void on_deadline(uv_timer_t *timer)
{
    struct session *s = timer->data;
    const uint64_t now = loop_now_ms(s->edge->loop);
    const uint64_t idle = s->edge->config->session.idle_timeout_ms;

    switch ((enum session_state)s->state) {
    case SESSION_REFUSING:
        answer(s);
        break;
    case SESSION_FRONT:
        session_end(s, "Too slow", "login timeout");
        break;
    case SESSION_RELAY:
        if (now - s->active_at_ms >= idle)
            session_end(s, "Idle for too long", "idle timeout");
        else
            set_deadline(s, s->active_at_ms + idle - now);
        break;
    case SESSION_ASKING:
    case SESSION_LOGIN:
        /* A late verdict must not meet the next credential of this session: it ends here. */
        session_end(s, "Try again later", "no verdict in time");
        break;
    case SESSION_PROXY:
    case SESSION_TLS:
    case SESSION_PARTING:
    case SESSION_CLOSED:
        session_close(s, s->state == SESSION_TLS ? "handshake timeout" : "timeout");
        break;
    }
}

/* ---- the beginning
 * ------------------------------------------------------------------------------- */

static bool may_speak_proxy(const struct gate *g, const struct addr *source)
{
    for (size_t i = 0; i < g->conf->proxy_from.n; i++)
        if (network_holds(&g->conf->proxy_from.items[i], source))
            return true;
    return false;
}

static void link_session(struct session *s)
{
    struct edge *e = s->edge;

    s->id = e->next_session++;
    s->next = e->sessions;
    if (s->next != NULL)
        s->next->previous = s;
    e->sessions = s;
    if (++e->session_count > e->session_peak)
        e->session_peak = e->session_count;
    struct session **bucket = &e->buckets[s->id % EDGE_BUCKETS];
    s->next_in_bucket = *bucket;
    *bucket = s;
}

static bool make_entry(struct session *s)
{
    const struct front_conf conf = { .host = s->edge->host,
                                     .portal_url = s->edge->config->portal.url,
                                     .is_tls = s->gate->conf->tls == CONF_TLS_IMPLICIT };

    s->entry = NEW(entry);
    if (s->entry == NULL)
        return false;
    buf_init(&s->entry->input, 2 * LIMIT_FRONT_INPUT);
    buf_init(&s->entry->output, OUTPUT_MAX);
    s->entry->deadline_ms = loop_now_ms(s->edge->loop) + s->edge->config->session.login_timeout_ms;
    s->entry->front = s->gate->protocol->front->create(&conf);
    return s->entry->front != NULL;
}

void session_start(struct edge *e, const struct gate *g, int fd, const struct addr *source)
{
    struct session *s = NEW(session);

    if (s == NULL || stream_open(&s->client, e->poller, fd) != ERR_OK) {
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
    if (!make_entry(s)) {
        session_close(s, "no memory");
        return;
    }
    if (g->conf->proxy_from.n != 0) {
        set_deadline(s, e->config->session.handshake_timeout_ms);
        if (may_speak_proxy(g, source))
            run_proxy(s);
        else
            session_close(s, "source may not speak the PROXY protocol");
    } else if (g->conf->tls == CONF_TLS_IMPLICIT) {
        begin_tls(s);
    } else {
        begin_front(s);
    }
}

struct session *session_find(struct edge *e, uint64_t id)
{
    for (struct session *s = e->buckets[id % EDGE_BUCKETS]; s != NULL; s = s->next_in_bucket)
        if (s->id == id)
            return s;
    return NULL;
}
