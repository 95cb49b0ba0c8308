#include "edge/entry.h"

#include "base/mem.h"
#include "base/secret.h"
#include "edge/offer.h"
#include "proto/proxy/proxy.h"

/* What a client may be owed at once: it may ask as often for all that its upstream offers. */
#define OUTPUT_MAX     (LIMIT_FRONT_COMMANDS * LIMIT_CAPABILITIES)
#define PARTING_MS     3000  /* how long a client may take to read its last words */
#define PARTING_OCTETS 65536 /* how much of what it still sends is swallowed meanwhile */

static void run_front(struct session *s);
static void run_handshake(struct session *s);

/* ---- life ----------------------------------------------------------------------------- */

enum err entry_new(struct session *s)
{
    const struct front_conf conf = { .host = s->edge->host,
                                     .portal_url = s->edge->config->portal.url,
                                     .offer = offer_of(s->edge, s->gate->protocol),
                                     .is_tls = s->gate->conf->tls == CONF_TLS_IMPLICIT };

    s->entry = NEW(entry);
    if (s->entry == NULL)
        return ERR_MEMORY;
    buf_init(&s->entry->input, 2 * LIMIT_FRONT_INPUT);
    buf_init(&s->entry->output, OUTPUT_MAX);
    buf_init(&s->entry->senders, LIMIT_SENDERS);
    s->entry->deadline_ms = loop_now_ms(s->edge->loop) + s->edge->config->session.login_timeout_ms;
    s->entry->front = s->gate->protocol->front->create(&conf);
    return s->entry->front == NULL ? ERR_MEMORY : ERR_OK;
}

void entry_free(struct session *s)
{
    struct entry *n = TAKE(s->entry);

    if (n == NULL)
        return;
    if (n->front != NULL)
        s->gate->protocol->front->destroy(n->front);
    buf_done(&n->input);
    buf_done(&n->output);
    buf_done(&n->senders);
    mem_free(n);
}

bool entry_flush(struct session *s)
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

/* What is left of the time for the whole entry. */
static void set_entry_deadline(struct session *s)
{
    const uint64_t now = loop_now_ms(s->edge->loop);

    session_set_deadline(s, s->entry->deadline_ms > now ? s->entry->deadline_ms - now : 0);
}

/* ---- parting -------------------------------------------------------------------------- */

/* A close with octets unread becomes a reset, which may eat the last words: swallow for a moment.
 */
static void run_parting(struct session *s)
{
    uint8_t space[2048];

    if (!entry_flush(s))
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

void entry_part(struct session *s, const char *reason)
{
    s->entry->reason = reason;
    s->state = SESSION_PARTING;
    upstream_close(TAKE(s->upstream));
    session_tell_closed(s, reason);
    session_set_deadline(s, PARTING_MS);
    run_parting(s);
}

/* ---- before the verdict --------------------------------------------------------------- */

static void begin_tls(struct session *s)
{
    SSL *ssl = tls_server_session(s->edge->tls, s->gate->protocol->alpn);

    if (!stream_start_tls(&s->client, ssl)) {
        session_close(s, "no memory");
        return;
    }
    s->entry->is_starting_tls = false;
    s->state = SESSION_TLS;
    session_set_deadline(s, s->edge->config->session.handshake_timeout_ms);
    run_handshake(s);
}

static void begin_front(struct session *s)
{
    s->gate->protocol->front->greet(s->entry->front, &s->entry->output);
    entry_to_front(s);
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
    s->gate->protocol->front->tls_started(s->entry->front, &s->entry->output);
    entry_to_front(s);
}

/* What the front made of the input. false: it does not go on now. */
static bool handle(struct session *s, const struct front_event *event)
{
    switch (event->kind) {
    case FRONT_MORE:
        return entry_flush(s);
    case FRONT_CREDENTIAL:
        if (!s->entry->is_tls) { /* the front must not let it come to this */
            session_close(s, "credential without TLS");
            return false;
        }
        judged_ask(s, event);
        return false;
    case FRONT_STARTTLS:
        s->entry->is_starting_tls = true;
        buf_clear(
            &s->entry->input); /* RFC 9051 §11.1: octets of the clear are not obeyed under TLS */
        if (entry_flush(s))
            begin_tls(s);
        return false;
    case FRONT_CLOSE:
        entry_part(s, event->reason);
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

    if (!entry_flush(s))
        return;
    while (s->state == SESSION_FRONT) {
        size_t used = 0;
        const struct front_event event =
            s->gate->protocol->front->feed(n->front, buf_view(&n->input), &used, &n->output);
        if (!handle(s, &event)) {
            /* Views inside the event point into the input: consume only now. */
            if (event.kind != FRONT_STARTTLS &&
                (s->state == SESSION_ASKING || s->state == SESSION_REFUSING ||
                 s->state == SESSION_FRONT))
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

/* ---- ways in -------------------------------------------------------------------------- */

static bool may_speak_proxy(const struct gate *g, const struct addr *source)
{
    for (size_t i = 0; i < g->conf->proxy_from.n; i++)
        if (network_holds(&g->conf->proxy_from.items[i], source))
            return true;
    return false;
}

void entry_begin(struct session *s)
{
    if (s->gate->conf->proxy_from.n != 0) {
        session_set_deadline(s, s->edge->config->session.handshake_timeout_ms);
        if (may_speak_proxy(s->gate, &s->source))
            run_proxy(s);
        else
            session_close(s, "source may not speak the PROXY protocol");
    } else if (s->gate->conf->tls == CONF_TLS_IMPLICIT) {
        begin_tls(s);
    } else {
        begin_front(s);
    }
}

void entry_to_front(struct session *s)
{
    s->state = SESSION_FRONT;
    set_entry_deadline(s);
    run_front(s);
}

void entry_run(struct session *s)
{
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
        else if (entry_flush(s))
            begin_tls(s);
        break;
    case SESSION_PARTING:
        run_parting(s);
        break;
    case SESSION_ASKING:
    case SESSION_LOGIN:
    case SESSION_REFUSING:
        stream_want(&s->client, 0);
        break;
    case SESSION_RELAY:
    case SESSION_CLOSED:
        break;
    }
}
