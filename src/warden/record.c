#include "warden/record.h"

#include "base/log.h"
#include "warden/protocol_name.h"

#include <stdio.h>

static void copy(char *to, size_t room, const char *from)
{
    event_copy(to, room, view_text(from));
}
#define COPY(to, from) copy((to), sizeof(to), (from))

void record_session_name(uint64_t id, char to[LIMIT_NAME + 1])
{
    (void)snprintf(to, LIMIT_NAME + 1, "%016llx", (unsigned long long)id);
}

static const char *protocol_text(uint8_t protocol)
{
    const char *name = protocol_name_of(protocol);

    return name == NULL ? "" : name;
}

static struct store_event *next_event(struct warden *w, enum event_kind kind)
{
    struct store_write *write = writer_next(w->writer);

    if (write == NULL) {
        w->metrics.events_left_out++;
        return NULL;
    }
    write->kind = STORE_WRITE_EVENT;
    write->event.at = w->wall_s();
    COPY(write->event.kind, event_text(kind));
    return &write->event;
}

/* ---- verdicts ------------------------------------------------------------------------- */

static void event_of_judgement(struct warden *w, const struct judgement *j, enum event_kind kind,
                               const char *reason)
{
    struct store_event *e = next_event(w, kind);

    if (e == NULL)
        return;
    COPY(e->account, j->account);
    event_source(e->source, &j->source);
    COPY(e->gate, j->gate);
    COPY(e->protocol, protocol_text(j->protocol));
    COPY(e->client, j->client);
    COPY(e->credential, j->credential);
    COPY(e->reason, reason);
}

static bool is_worth_an_event(struct warden *w, const struct judgement *j)
{
    if (j->reason == REASON_THROTTLED_SOURCE || j->reason == REASON_THROTTLED_ACCOUNT)
        return throttle_is_news(w->throttle, &j->source, core_now_ms(w));
    /* One failure, one event. */
    return j->reason != REASON_KNOWN_SECRET && j->reason != REASON_KNOWN_STALE;
}

void record_verdict(struct warden *w, const struct judgement *j)
{
    const enum event_kind kind = j->verdict == VERDICT_LATER      ? EVENT_LATER
                                 : j->answer == WIRE_ANSWER_STALE ? EVENT_STALE
                                                                  : EVENT_REFUSED;
    char source[STORE_NETWORK];

    if (j->is_bound)
        event_of_judgement(w, j, EVENT_BOUND, "");
    if (j->verdict == VERDICT_ALLOW || !is_worth_an_event(w, j))
        return;
    event_source(source, &j->source);
    log_event(LOG_INFO, event_text(kind), LOG_TEXT("account", j->account),
              LOG_TEXT("source", source), LOG_TEXT("gate", j->gate),
              LOG_TEXT("reason", event_reason(j->reason)));
    /* Refusals come from strangers: they may not crowd out the record of who was let in. */
    if (writer_is_crowded(w->writer))
        w->metrics.events_left_out++;
    else
        event_of_judgement(w, j, kind, event_reason(j->reason));
}

/* ---- sessions ------------------------------------------------------------------------- */

static void event_of_session(struct warden *w, const struct session *s, enum event_kind kind,
                             struct view reason)
{
    struct store_event *e = next_event(w, kind);

    if (e == NULL)
        return;
    COPY(e->account, session_account(s));
    event_source(e->source, &s->source);
    COPY(e->gate, s->gate);
    COPY(e->protocol, protocol_text(s->protocol));
    COPY(e->client, s->client);
    COPY(e->credential, s->credential);
    event_copy(e->reason, sizeof(e->reason), reason);
}

static void log_session(const struct session *s, const char *event, struct view reason)
{
    char source[STORE_NETWORK], name[LIMIT_NAME + 1];

    event_source(source, &s->source);
    record_session_name(s->id, name);
    log_event(LOG_INFO, event, LOG_TEXT("account", session_account(s)), LOG_TEXT("source", source),
              LOG_TEXT("gate", s->gate), LOG_TEXT("credential", s->credential),
              LOG_TEXT("session", name), LOG_VIEW("reason", reason));
}

void record_resumed(struct warden *w, const struct session *s)
{
    struct store_write *write = writer_next(w->writer);

    if (write == NULL) {
        w->metrics.events_left_out++;
        return;
    }
    write->kind = STORE_WRITE_SESSION_OPENED;
    struct store_session *to = &write->session;
    record_session_name(s->id, to->id);
    COPY(to->account, session_account(s));
    COPY(to->gate, s->gate);
    COPY(to->protocol, protocol_text(s->protocol));
    event_source(to->source, &s->source);
    COPY(to->client, s->client);
    COPY(to->credential, s->credential);
    to->opened_at = s->opened_at;
}

/* A client that reconnects all day is written down once a minute, from each place that it has. */
static bool is_written(struct warden *w, const struct session *s)
{
    const uint64_t now_ms = core_now_ms(w);
    uint8_t place[MEMO_KEY], key[MEMO_KEY];

    keys_remember(&w->keys, view_text(s->client), view_of(s->source.ip, s->source.octets), place);
    keys_remember(&w->keys, view_text(s->credential), view_of(place, sizeof(place)), key);
    uint64_t *until_ms = memo_put(w->uses, key);
    if (now_ms < *until_ms)
        return true;
    *until_ms = now_ms + RECORD_USE_MS;
    return false;
}

static void record_use(struct warden *w, const struct session *s)
{
    struct store_write *write = is_written(w, s) ? NULL : writer_next(w->writer);

    if (write == NULL)
        return;
    write->kind = STORE_WRITE_APP_PASSWORD_USED;
    COPY(write->used.id, s->credential);
    write->used.at = w->wall_s();
    event_source(write->used.source, &s->source);
    COPY(write->used.client, s->client);
}

void record_login(struct warden *w, const struct session *s, enum reason observed)
{
    event_of_session(w, s, EVENT_LOGIN, VIEW_NONE);
    record_resumed(w, s);
    if (s->is_app_password)
        record_use(w, s);
    if (observed != REASON_NONE)
        event_of_session(w, s, EVENT_OBSERVED, view_text(event_reason(observed)));
    w->metrics.logins++;
    w->metrics.observed += observed != REASON_NONE;
    log_session(s, "login", view_text(event_reason(observed)));
}

void record_failure(struct warden *w, const struct session *s, enum event_kind kind,
                    enum reason why)
{
    log_session(s, event_text(kind), view_text(event_reason(why)));
    if (writer_is_crowded(w->writer))
        w->metrics.events_left_out++;
    else
        event_of_session(w, s, kind, view_text(event_reason(why)));
}

void record_closed(struct warden *w, const struct session *s, uint64_t octets_up,
                   uint64_t octets_down, struct view reason)
{
    struct store_write *write = writer_next(w->writer);

    log_session(s, "closed", reason);
    if (write == NULL) {
        w->metrics.events_left_out++;
        return;
    }
    write->kind = STORE_WRITE_SESSION_CLOSED;
    record_session_name(s->id, write->session.id);
    write->session.closed_at = w->wall_s();
    write->session.octets_up = octets_up;
    write->session.octets_down = octets_down;
    event_copy(write->session.reason, sizeof(write->session.reason), reason);
    event_of_session(w, s, EVENT_CLOSED, reason);
}
