#include "warden/control_inner.h"

#include "warden/link.h"
#include "warden/protocol_name.h"
#include "warden/record.h"
#include "warden/sessions.h"

/* ---- sessions ------------------------------------------------------------------------- */

static const char *tls_name(uint16_t version)
{
    return version == 0x0304 ? "1.3" : version == 0x0303 ? "1.2" : "";
}

static void session_row(struct request *r, const struct session *s)
{
    char id[LIMIT_NAME + 1], source[STORE_NETWORK];
    const char *protocol = protocol_name_of(s->protocol);

    if (s->state != SESSION_LIVE)
        return;
    record_session_name(s->id, id);
    event_source(source, &s->source);
    const struct wire_row_session row = {
        .session = view_text(id),
        .account = view_text(session_account(s)),
        .gate = view_text(s->gate),
        .protocol = view_text(protocol == NULL ? "" : protocol),
        .source = view_text(source),
        .client = view_text(s->client),
        .credential = view_text(s->credential),
        .tls_version = view_text(tls_name(s->tls_version)),
        .opened_at = s->opened_at,
    };
    request_row(r, WIRE_row_session, &row);
}

void control_session_list(struct request *r)
{
    const struct registry *g = r->w->registry;

    if (r->account[0] != '\0') {
        for (struct session *s = registry_first_of(g, r->account); s != NULL; s = s->account_next)
            session_row(r, s);
        return;
    }
    for (struct session *s = registry_next(g, NULL); s != NULL; s = registry_next(g, s))
        session_row(r, s);
}

static bool parse_id(struct view text, uint64_t *ret)
{
    uint64_t id = 0;

    if (text.n == 0 || text.n > 16)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        const uint8_t c = text.p[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return false;
        id = id << 4 | (uint64_t)digit;
    }
    *ret = id;
    return true;
}

void control_session_check(struct request *r)
{
    const struct view id = r->any.session_end.session;

    if (id.n == 0 && r->account[0] == '\0')
        request_fail(r, ERR_INVALID, "name a session (see \"postern session list\") or an account");
    else if (id.n != 0 && !parse_id(id, &r->value.session))
        request_fail(r, ERR_INVALID,
                     "a session is named by up to 16 hexadecimal digits: see "
                     "\"postern session list\"");
}

void control_session_end(struct request *r)
{
    const bool is_one = r->any.session_end.session.n != 0;
    char id[LIMIT_NAME + 1] = "";
    const struct session *s = is_one ? registry_find(r->w->registry, r->value.session) : NULL;

    if (is_one)
        record_session_name(r->value.session, id);
    if (s != NULL && r->account[0] == '\0')
        event_copy(r->account, sizeof(r->account), view_text(session_account(s)));
    const struct sessions_filter filter = { .account = r->account,
                                            .session = is_one ? &r->value.session : NULL };
    const uint32_t n = is_one && s == NULL ? 0 : sessions_end(r->w, &filter, "ended-by-operator");
    if (n == 0) {
        request_fail(r, ERR_NOT_FOUND,
                     "there is no such live session: see \"postern session list\"");
        return;
    }
    r->w->revision++;
    request_record_later(r, EVENT_SESSION_ENDED, id, "");
    request_say(r, "%u live session%s ended", n, n == 1 ? "" : "s");
}

/* ---- events --------------------------------------------------------------------------- */

static bool event_row(void *arg, const struct store_event *e)
{
    struct request *r = arg;
    const struct wire_row_event row = {
        .id = e->id,
        .at = e->at,
        .kind = view_text(e->kind),
        .account = view_text(e->account),
        .source = view_text(e->source),
        .gate = view_text(e->gate),
        .protocol = view_text(e->protocol),
        .client = view_text(e->client),
        .credential = view_text(e->credential),
        .reason = view_text(e->reason),
        .actor = view_text(e->actor),
    };

    r->last_event = e->id;
    r->value.count++;
    if (r->any.event_list.limit != 0)
        request_row(r, WIRE_row_event, &row);
    return buf_is_ok(&r->rows);
}

void control_event_list(struct request *r)
{
    const uint32_t limit = r->any.event_list.limit;
    /* None wanted: only where the log ends now, to follow it from there. */
    const enum err e = store_event_list(r->w->store, r->account, r->last_event,
                                        limit == 0 ? 1 : limit, event_row, r);

    if (e != ERR_OK)
        request_fail_store(r, e);
    else if (r->is_newer && r->value.count >= CONTROL_FOLLOWED)
        request_fail(r, ERR_BUSY,
                     "more events happened than could be shown: see \"postern events\" "
                     "for the latest");
}

void control_event_follow(struct request *r)
{
    struct client *c = r->client;

    if (c == NULL || !r->any.event_list.is_following)
        return;
    event_copy(c->followed, sizeof(c->followed), view_text(r->account));
    c->is_following = true;
    c->is_behind = true; /* what happened since the list was made */
}

/* ---- status --------------------------------------------------------------------------- */

static bool count_account(void *arg, const struct store_account *a)
{
    struct request *r = arg;

    (void)a;
    r->value.count++;
    return true;
}

void control_status(struct request *r)
{
    const enum err e = store_account_list(r->w->store, r->w->wall_s(), count_account, r);

    if (e != ERR_OK)
        request_fail_store(r, e);
}

void control_status_finish(struct request *r)
{
    const struct warden *w = r->w;
    uint32_t edges = 0;

    for (const struct link *l = w->links; l != NULL; l = l->next)
        edges += l->is_said_hello;
    const struct wire_row_status row = {
        .version = VIEW_LIT(POSTERN_VERSION),
        .started_at = w->started_at,
        .edges = edges,
        .sessions = (uint32_t)registry_count(w->registry),
        .accounts = r->value.count,
        .store = writer_is_failing(w->writer) ? VIEW_LIT("not writable")
                                              : view_text(w->config->store.driver),
    };
    request_row(r, WIRE_row_status, &row);
}
