/* judged.c: from a credential to its answer: the question, the upstream login, the refusal. */
#include "edge/entry.h"

#include "base/mem.h"
#include "edge/offer.h"

#include <sys/socket.h>
#include <time.h>

/* ---- the verdict ---------------------------------------------------------------------- */

void judged_answer(struct session *s)
{
    struct entry *n = s->entry;

    s->gate->protocol->front->answer(n->front, n->answer, n->is_alert, &n->output);
    entry_to_front(s);
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
    session_set_deadline(s, delay == 0 ? 0 : (taken / delay + 1) * delay - taken);
}

void judged_ask(struct session *s, const struct front_event *event)
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
    session_set_deadline(s, s->edge->config->session.login_timeout_ms);
    /* A crowded channel is kept for what the warden must hear of open sessions. */
    if (s->edge->warden == NULL || channel_queued(s->edge->warden) > LIMIT_FRAME_QUEUE / 2)
        refuse(s, ANSWER_LATER, false);
    else
        channel_send(s->edge->warden, WIRE_question, &q, -1);
}

static enum err open_relay(struct session *s, struct view capabilities)
{
    const struct guard_conf conf = {
        .capabilities = capabilities,
        .is_trusting = s->entry->upstream->conf->is_trusting,
        .is_newline_normalised = s->gate->conf->bare_newline == CONF_NEWLINE_NORMALISE,
        .is_sender_held = s->entry->is_sender_held,
        .senders = buf_view(&s->entry->senders),
    };

    return relay_start(s, &conf, buf_view(&s->entry->input));
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
        session_set_deadline(s, s->edge->config->session.login_timeout_ms);
        if (!is_told)
            refuse(s, ANSWER_LATER, false);
        return;
    }
    offer_learn(s->edge, s->entry->upstream, s->gate->protocol, capabilities);
    s->gate->protocol->front->accept(n->front, capabilities, s->is_warned, &n->output);
    if (!entry_flush(s)) {
        /* A client that does not even read its own OK is not worth a state. */
        session_close(s, "write failed");
        return;
    }
    if (open_relay(s, capabilities) != ERR_OK) {
        session_close(s, "no memory");
        return;
    }
    entry_free(s);
    s->opened_at = (int64_t)time(NULL);
    s->active_at_ms = loop_now_ms(s->edge->loop);
    s->state = SESSION_RELAY;
    session_set_deadline(s, s->edge->config->session.idle_timeout_ms);
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

/* The address that the client has called, for PROXY; a load balancer has told it already. */
static void find_target(struct session *s, const struct edge_upstream *upstream)
{
    struct sockaddr_storage here;
    socklen_t n = sizeof(here);

    if (upstream != NULL && upstream->conf->proxy != CONF_PROXY_NONE && s->target.octets == 0 &&
        getsockname(s->client.watch.fd, (struct sockaddr *)&here, &n) == 0 &&
        !addr_from_sockaddr((const struct sockaddr *)&here, &s->target))
        s->target = (struct addr){ 0 };
}

static void log_in(struct session *s, const struct wire_verdict *v)
{
    struct edge_upstream *upstream = edge_upstream(s->edge, v->upstream);

    find_target(s, upstream);
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
    s->is_warned = v->is_alert;
    s->entry->upstream = upstream;
    s->entry->is_sender_held = v->is_sender_held;
    buf_clear(&s->entry->senders);
    buf_put(&s->entry->senders, v->senders);
    if (upstream == NULL || !buf_is_ok(&s->entry->senders) || !remember(&s->account, v->account) ||
        !remember(&s->app_password, v->app_password) ||
        (s->upstream = upstream_start(&conf)) == NULL) {
        session_tell_closed(s, "upstream is not known or no memory");
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
    if (s->state != SESSION_ASKING) {
        /* It has come too late for the credential; the warden counts the session all the same. */
        if (v->verdict == VERDICT_ALLOW && !s->is_allowed) {
            s->is_allowed = true;
            session_tell_closed(s, "verdict came too late");
        }
        return;
    }
    if (v->verdict == VERDICT_ALLOW)
        log_in(s, v);
    else
        refuse(s, v->verdict == VERDICT_LATER ? ANSWER_LATER : (enum front_answer)v->answer,
               v->is_alert);
}

void judged_timeout(struct session *s)
{
    s->gate->protocol->front->answer(s->entry->front, ANSWER_LATER, false, &s->entry->output);
    session_end(s, "Try again later", "no verdict in time");
}

void session_warden_lost(struct session *s)
{
    s->is_allowed = false;
    if (s->state == SESSION_ASKING)
        refuse(s, ANSWER_LATER, false);
}
