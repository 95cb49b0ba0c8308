#include "edge/upstream.h"

#include "base/mem.h"
#include "base/secret.h"
#include "net/dial.h"
#include "proto/proxy/proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#define ATTEMPTS   6 /* connections of one login: addresses and URLs that do not serve */
#define INPUT_MAX  (2 * LIMIT_LOGIN_LINE)
#define OUTPUT_MAX 8192
#define READ_SIZE  4096

struct upstream_login {
    struct upstream_conf conf; /* its views are void; see the copies */
    struct secret authorization, user, secret;
    char session[20];
    struct dial *dial;
    const struct conf_url *url;
    struct login *machine;
    struct buf output;
    uv_timer_t deadline;
    size_t next_url;   /* index of the URL to try next */
    size_t url_tries;  /* of that URL */
    unsigned attempts; /* of all */
    bool is_handshaking;
    bool has_spoken;  /* our side has said a command over the final transport: no other try */
    bool is_retrying; /* the stream is closing, then the next try begins */
};

static void on_ready(struct stream *s);
static void connect_next(struct upstream *u);

/* ---- ends ----------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void free_login(struct upstream *u)
{
    struct upstream_login *l = TAKE(u->login);

    if (l == NULL)
        return;
    dial_cancel(l->dial);
    if (l->machine != NULL)
        l->conf.protocol->login->destroy(l->machine);
    secret_done(&l->authorization);
    secret_done(&l->user);
    secret_done(&l->secret);
    buf_done(&l->output);
    l->deadline.data = l;
    uv_close((uv_handle_t *)&l->deadline, on_timer_closed);
}

static void on_stream_closed(struct stream *s)
{
    struct upstream *u = s->owner;

    if (u->login != NULL && u->login->is_retrying) {
        u->login->is_retrying = u->is_open = false;
        connect_next(u);
        return;
    }
    buf_done(&u->input);
    mem_free(u);
}

void upstream_close(struct upstream *u)
{
    if (u == NULL)
        return;
    free_login(u);
    if (u->is_open) {
        stream_close(&u->stream);
    } else {
        buf_done(&u->input);
        mem_free(u);
    }
}

static void fail(struct upstream *u, enum outcome outcome)
{
    const struct upstream_conf conf = u->login->conf;

    upstream_close(u);
    conf.on_done(conf.owner, outcome, VIEW_NONE);
}

static const struct conf_urls *urls_of(const struct upstream_login *l)
{
    return config_urls(l->conf.upstream->conf, l->conf.protocol->name);
}

/* May another address, or the next URL, be asked? Nothing of the credential has left us yet. */
static bool has_another(struct upstream *u)
{
    struct upstream_login *l = u->login;
    const struct conf_urls *urls = urls_of(l);

    if (l->has_spoken || l->url == NULL || ++l->attempts >= ATTEMPTS)
        return false;
    resolver_demote(l->conf.edge->resolver, l->url->host);
    l->next_url = (size_t)(l->url - urls->items);
    if (++l->url_tries >= resolver_count(l->conf.edge->resolver, l->url->host)) {
        l->next_url++;
        l->url_tries = 0;
    }
    return l->next_url < urls->n;
}

/* What went wrong is the log's business; the client only learns "later". */
static void unavailable(struct upstream *u, const char *reason)
{
    struct upstream_login *l = u->login;
    const bool is_retrying = has_another(u);

    log_event(LOG_WARN, "upstream-unavailable", LOG_TEXT("upstream", l->conf.upstream->conf->name),
              LOG_TEXT("host", l->url == NULL ? "" : l->url->host), LOG_TEXT("reason", reason),
              LOG_TEXT("next", is_retrying ? "another address" : "none"));
    if (!is_retrying) {
        fail(u, OUTCOME_UNAVAILABLE);
        return;
    }
    if (l->machine != NULL)
        l->conf.protocol->login->destroy(TAKE(l->machine));
    buf_clear(&l->output);
    buf_clear(&u->input);
    l->is_handshaking = false;
    (void)uv_timer_stop(&l->deadline);
    dial_cancel(TAKE(l->dial));
    l->is_retrying = u->is_open;
    if (u->is_open)
        stream_close(&u->stream);
    else
        connect_next(u);
}

static void on_deadline(uv_timer_t *timer)
{
    const struct upstream *u = timer->data;

    unavailable(timer->data,
                u->login->has_spoken ? "timeout during login" : "timeout before login");
}

/* ---- the login over the stream -------------------------------------------------------- */

/* From here on the server knows who is calling: it has the time of a login, and no other is asked.
 */
static void note_spoken(struct upstream *u, bool is_final_transport)
{
    struct upstream_login *l = u->login;

    if (l->has_spoken || !is_final_transport || l->output.n == 0)
        return;
    l->has_spoken = true;
    secret_done(&l->secret);
    (void)uv_timer_start(&l->deadline, on_deadline, l->conf.upstream->conf->login_timeout_ms, 0);
}

/* false: it failed, and u is gone or tries again. */
static bool flush(struct upstream *u)
{
    struct upstream_login *l = u->login;

    if (!buf_is_ok(&l->output)) {
        unavailable(u, "login command too long");
        return false;
    }
    while (l->output.n != 0) {
        const ssize_t n = stream_write(&u->stream, l->output.p, l->output.n);
        if (n == STREAM_AGAIN) {
            stream_want(&u->stream, STREAM_READ | STREAM_WRITE);
            return true;
        }
        if (n < 0) {
            unavailable(u, "connection lost during login");
            return false;
        }
        buf_consume(&l->output, (size_t)n);
    }
    stream_want(&u->stream, STREAM_READ);
    return true;
}

static bool start_tls(struct upstream *u)
{
    struct upstream_login *l = u->login;
    const struct conf_upstream *conf = l->conf.upstream->conf;
    const char *name = conf->server_name[0] != 0 ? conf->server_name : l->url->host;
    SSL *ssl =
        l->conf.upstream->tls == NULL ? NULL : tls_client_session(l->conf.upstream->tls, name);

    if (!stream_start_tls(&u->stream, ssl)) {
        unavailable(u, "no memory for TLS");
        return false;
    }
    l->is_handshaking = true;
    return true;
}

/* Feeds what has been read. false: the login is over, one way or the other. */
static bool feed(struct upstream *u)
{
    struct upstream_login *l = u->login;

    for (;;) {
        size_t used = 0;
        const struct login_event event =
            l->conf.protocol->login->feed(l->machine, buf_view(&u->input), &used, &l->output);
        buf_consume(&u->input, used);
        note_spoken(u, u->stream.ssl != NULL ||
                           strcmp(l->url->scheme, l->conf.protocol->scheme_clear) == 0);
        switch (event.kind) {
        case LOGIN_MORE:
            return flush(u);
        case LOGIN_STARTTLS:
            if (u->input.n != 0) {
                unavailable(u, "octets behind the STARTTLS reply");
                return false;
            }
            return start_tls(u);
        case LOGIN_DONE: {
            const struct upstream_conf conf = l->conf;
            AUTO_BUF(capabilities, LIMIT_LOGIN_LINE);
            buf_put(&capabilities, event.capabilities);
            if (l->output.n != 0) /* the good-bye of a look: one try */
                (void)stream_write(&u->stream, l->output.p, l->output.n);
            free_login(u);
            conf.on_done(conf.owner, OUTCOME_ACCEPTED, buf_view(&capabilities));
            return false;
        }
        case LOGIN_REFUSED:
            fail(u, OUTCOME_REFUSED);
            return false;
        case LOGIN_UNAVAILABLE:
            unavailable(u, event.reason);
            return false;
        }
    }
}

static void on_handshake(struct upstream *u)
{
    struct upstream_login *l = u->login;
    char why[160];

    switch (stream_handshake(&u->stream)) {
    case HANDSHAKE_AGAIN:
        return;
    case HANDSHAKE_FAILED:
        unavailable(u, tls_failure(u->stream.ssl, why, sizeof(why)));
        return;
    case HANDSHAKE_DONE:
        break;
    }
    if (!tls_client_is_trusted(l->conf.upstream->tls, u->stream.ssl)) {
        unavailable(u, "certificate: the public key is not one of the pins");
        return;
    }
    l->is_handshaking = false;
    if (strcmp(l->url->scheme, l->conf.protocol->scheme_starttls) == 0)
        l->conf.protocol->login->tls_started(l->machine, &l->output);
    note_spoken(u, true);
    if (flush(u))
        on_ready(&u->stream);
}

static void on_ready(struct stream *s)
{
    struct upstream *u = s->owner;
    uint8_t space[READ_SIZE];

    if (u->login->is_handshaking) {
        on_handshake(u);
        return;
    }
    if (u->login->output.n != 0 && !flush(u))
        return;
    for (;;) {
        const ssize_t n = stream_read(s, space, sizeof(space));
        if (n == STREAM_AGAIN)
            return;
        if (n < 0) {
            unavailable(u, "connection lost during login");
            return;
        }
        buf_put(&u->input, view_of(space, (size_t)n));
        if (!buf_is_ok(&u->input)) {
            unavailable(u, "reply too long");
            return;
        }
        if (!feed(u))
            return;
        if (u->login->is_handshaking) {
            on_handshake(u);
            return;
        }
    }
}

/* ---- connection ----------------------------------------------------------------------- */

static bool make_machine(struct upstream *u, bool is_tls, bool is_starttls)
{
    struct upstream_login *l = u->login;
    const struct login_conf conf = {
        .host = l->conf.edge->host,
        .authorization = secret_view(&l->authorization),
        .user = secret_view(&l->user),
        .secret = secret_view(&l->secret),
        .is_tls = is_tls,
        .is_starttls = is_starttls,
        .is_look = l->conf.is_look,
        .is_trusting = l->conf.upstream->conf->is_trusting,
        .client = l->conf.client,
        .session = l->session,
    };

    l->machine = l->conf.protocol->login->create(&conf);
    return l->machine != NULL;
}

static void set_keepalive(int fd, uint32_t seconds)
{
    const int on = 1, idle = (int)seconds;

    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
}

static void on_connected(void *owner, struct watch *from, const struct conf_url *url)
{
    struct upstream *u = owner;
    struct upstream_login *l = u->login;
    const struct protocol *protocol = l->conf.protocol;
    const bool is_tls = strcmp(url->scheme, protocol->scheme_tls) == 0;
    const bool is_starttls = strcmp(url->scheme, protocol->scheme_starttls) == 0;

    l->dial = NULL;
    l->url = url;
    if (from == NULL) {
        unavailable(u, "no address answers");
        return;
    }
    if (!url->is_unix)
        set_keepalive(from->fd, l->conf.edge->config->session.keepalive_s);
    stream_take(&u->stream, l->conf.edge->poller, from);
    u->is_open = true;
    u->stream.owner = u;
    u->stream.on_ready = on_ready;
    u->stream.on_closed = on_stream_closed;
    if (!make_machine(u, is_tls, is_starttls)) {
        unavailable(u, "credential cannot be sent");
        return;
    }
    if (l->conf.upstream->conf->proxy == CONF_PROXY_V2) {
        proxy_write_v2(&l->conf.client, &l->conf.target, &l->output);
        if (!flush(u))
            return;
    }
    stream_want(&u->stream, STREAM_READ);
    if (!is_tls)
        on_ready(&u->stream);
    else if (start_tls(u))
        on_handshake(u);
}

/* The connection, TLS and the greeting have connect_timeout together. */
static bool dial_next(struct upstream *u)
{
    struct upstream_login *l = u->login;
    const struct conf_upstream *c = l->conf.upstream->conf;
    const struct conf_urls *urls = urls_of(l);
    const struct dial_conf dial = { .loop = l->conf.edge->loop,
                                    .poller = l->conf.edge->poller,
                                    .resolver = l->conf.edge->resolver,
                                    .urls = urls->items + l->next_url,
                                    .url_count = urls->n - l->next_url,
                                    .timeout_ms = c->connect_timeout_ms,
                                    .owner = u,
                                    .on_done = on_connected };

    (void)uv_timer_start(&l->deadline, on_deadline, c->connect_timeout_ms + 1, 0);
    l->url = NULL;
    l->dial = dial_start(&dial);
    return l->dial != NULL;
}

static void connect_next(struct upstream *u)
{
    if (!dial_next(u))
        fail(u, OUTCOME_UNAVAILABLE);
}

struct upstream *upstream_start(const struct upstream_conf *conf)
{
    const struct conf_urls *urls = config_urls(conf->upstream->conf, conf->protocol->name);
    struct upstream *u = urls->n == 0 ? NULL : NEW(upstream);
    struct upstream_login *l = NEW(upstream_login);

    if (u == NULL || l == NULL || secret_set(&l->authorization, conf->authorization) != ERR_OK ||
        secret_set(&l->user, conf->user) != ERR_OK ||
        secret_set(&l->secret, conf->secret) != ERR_OK) {
        if (l != NULL) {
            secret_done(&l->authorization);
            secret_done(&l->user);
        }
        mem_free(u);
        mem_free(l);
        return NULL;
    }
    l->conf = *conf;
    u->login = l;
    buf_init(&u->input, INPUT_MAX);
    buf_init(&l->output, OUTPUT_MAX);
    (void)snprintf(l->session, sizeof(l->session), "%016llx", (unsigned long long)conf->session);
    (void)uv_timer_init(conf->edge->loop, &l->deadline);
    l->deadline.data = u;
    if (!dial_next(u)) {
        upstream_close(u);
        return NULL;
    }
    return u;
}
