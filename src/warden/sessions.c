#include "warden/sessions.h"

#include "base/log.h"
#include "base/mem.h"
#include "warden/account.h"
#include "warden/docket.h"
#include "warden/protocol_name.h"
#include "warden/record.h"
#include "warden/shed.h"

static struct link *link_of(const struct session *s)
{
    return (struct link *)(void *)((char *)s->holder - offsetof(struct link, holder));
}

static struct session *find_own(struct link *l, uint64_t id)
{
    struct session *s = registry_find(l->w->registry, id);

    return s != NULL && s->holder == &l->holder ? s : NULL;
}

void sessions_end_one(struct session *s, const char *reason)
{
    struct link *l = link_of(s);
    const struct wire_end_session frame = { .session = s->id, .reason = view_text(reason) };

    if (s->state == SESSION_PENDING && s->pending != NULL)
        throttle_leave(l->w->throttle, &s->pending->ticket, THROTTLE_UNDECIDED, core_now_ms(l->w));
    s->state = SESSION_ENDING;
    l->send(l, WIRE_end_session, &frame);
}

/* ---- admission ------------------------------------------------------------------------ */

/* At the cap the longest idle one goes. Edges that do not obey meet the second bound. */
static bool make_room(struct warden *w, const char *account, uint32_t cap)
{
    const uint32_t n = cap == 0 ? 0 : registry_count_of(w->registry, account);

    if (cap == 0 || n < cap)
        return true;
    if (n >= 2 * cap)
        return false;
    shed_begin(w, account);
    return true;
}

static struct session_pending *pending_of(struct judgement *j)
{
    struct session_pending *p = NEW(session_pending);

    if (p == NULL)
        return NULL;
    p->observed = j->observed;
    p->is_upstream_judge = j->is_upstream_judge;
    p->is_stale_possible = j->is_stale_possible;
    p->is_master = j->upstream_authorization.n != 0;
    p->is_device = j->is_device;
    return p;
}

bool sessions_admit(struct link *l, struct judgement *j, enum reason *ret_why)
{
    struct warden *w = l->w;

    *ret_why = REASON_TOO_MANY;
    if (l->holder.count >= w->config->edges.sessions ||
        registry_find(w->registry, j->session) != NULL ||
        !make_room(w, j->account, j->policy->session_cap))
        return false;
    *ret_why = REASON_OVERLOADED;
    struct session *s = registry_add(w->registry, &l->holder, j->session, j->account);
    if (s == NULL)
        return false;
    s->pending = pending_of(j);
    if (s->pending == NULL) {
        registry_remove(w->registry, s);
        return false;
    }
    s->protocol = j->protocol;
    s->tls_version = j->tls_version;
    s->source = j->source;
    s->opened_at = w->wall_s();
    s->lease = j->lease;
    s->is_app_password = j->is_device;
    s->gate = config_gate(w->config, view_text(j->gate))->name;
    event_copy(s->credential, sizeof(s->credential), view_text(j->credential));
    session_set_client(s, view_text(j->client));
    if (j->is_upstream_judge) {
        s->pending->ticket = j->ticket;
        j->ticket.is_entered = false;
    }
    return true;
}

/* ---- what the upstream said ----------------------------------------------------------- */

static void accepted(struct link *l, struct session *s)
{
    const enum reason observed = s->pending->observed;

    throttle_leave(l->w->throttle, &s->pending->ticket, THROTTLE_GOOD, core_now_ms(l->w));
    if (s->pending->is_stale_possible)
        stale_taken(l->w->stale, s->credential);
    mem_free(s->pending);
    s->pending = NULL;
    s->state = SESSION_LIVE;
    record_login(l->w, s, observed);
}

/* Whose fault is it that the upstream does not take what we have sent? */
static void refused(struct link *l, struct session *s)
{
    struct warden *w = l->w;
    struct session_pending *p = s->pending;
    enum verdict v = VERDICT_REFUSE;
    enum answer answer = WIRE_ANSWER_REFUSE_PASSWORD;

    w->metrics.upstream_refused++;
    if (p->is_upstream_judge) {
        throttle_leave(w->throttle, &p->ticket, THROTTLE_BAD, core_now_ms(w));
        record_failure(w, s, EVENT_REFUSED, REASON_WRONG_PASSWORD);
    } else if (p->is_stale_possible) {
        /* The app password was good: its owner may know. */
        answer = WIRE_ANSWER_STALE;
        stale_refused(w->stale, s->credential, core_now_ms(w));
        record_failure(w, s, EVENT_STALE, REASON_STALE);
    } else {
        v = VERDICT_LATER;
        answer = WIRE_ANSWER_LATER;
        record_failure(w, s, EVENT_LATER,
                       p->is_master ? REASON_MASTER_REFUSED : REASON_VERIFIED_REFUSED);
    }
    docket_refuse(l, s->id, v, answer,
                  docket_is_alert(w, v, answer, view_text(session_account(s)), &s->source));
    registry_remove(w->registry, s);
}

static void unavailable(struct link *l, struct session *s)
{
    struct warden *w = l->w;

    w->metrics.upstream_unavailable++;
    throttle_leave(w->throttle, &s->pending->ticket, THROTTLE_UNDECIDED, core_now_ms(w));
    record_failure(w, s, EVENT_LATER, REASON_UPSTREAM);
    docket_refuse(l, s->id, VERDICT_LATER, WIRE_ANSWER_LATER, false);
    registry_remove(w->registry, s);
}

/* Told to end while the upstream was being asked. */
static void ended_meanwhile(struct link *l, struct session *s, uint8_t result)
{
    const struct wire_end_session frame = { .session = s->id, .reason = VIEW_LIT("revoked") };

    if (result == OUTCOME_ACCEPTED) {
        l->send(l, WIRE_end_session, &frame);
        return;
    }
    docket_refuse(l, s->id, VERDICT_LATER, WIRE_ANSWER_LATER, false);
    registry_remove(l->w->registry, s);
}

bool sessions_outcome(struct link *l, const struct wire_outcome *o)
{
    struct session *s = find_own(l, o->session);

    if (o->result > OUTCOME_ACCEPTED)
        return false;
    if (s == NULL)
        return true;
    if (s->state == SESSION_LIVE)
        return false;
    if (s->state == SESSION_ENDING)
        ended_meanwhile(l, s, o->result);
    else if (o->result == OUTCOME_ACCEPTED)
        accepted(l, s);
    else if (o->result == OUTCOME_REFUSED)
        refused(l, s);
    else
        unavailable(l, s);
    return true;
}

/* ---- its end -------------------------------------------------------------------------- */

static void over(struct link *l, struct session *s, uint64_t octets_up, uint64_t octets_down,
                 struct view reason)
{
    struct warden *w = l->w;

    if (s->pending != NULL)
        throttle_leave(w->throttle, &s->pending->ticket, THROTTLE_UNDECIDED, core_now_ms(w));
    else
        record_closed(w, s, octets_up, octets_down, reason);
    registry_remove(w->registry, s);
}

void sessions_closed(struct link *l, const struct wire_closed *c)
{
    struct session *s = find_own(l, c->session);

    if (s == NULL)
        return;
    over(l, s, c->octets_up, c->octets_down, c->reason);
    (void)mem_trim(&l->w->session_peak, registry_count(l->w->registry));
}

void sessions_label(struct link *l, const struct wire_label *label)
{
    struct session *s = find_own(l, label->session);

    if (s != NULL)
        session_set_client(s, label->client);
}

uint32_t sessions_end(struct warden *w, const struct sessions_filter *f, const char *reason)
{
    uint32_t n = 0;
    struct session *s = f->account != NULL ? registry_first_of(w->registry, f->account)
                                           : registry_next(w->registry, NULL);

    while (s != NULL) {
        const bool is_meant = s->state != SESSION_ENDING &&
                              (f->lease == 0 || s->lease == f->lease) &&
                              (f->session == NULL || s->id == *f->session) &&
                              (f->app_password == NULL ||
                               (s->is_app_password && strcmp(s->credential, f->app_password) == 0));
        if (is_meant) {
            sessions_end_one(s, reason);
            n++;
        }
        s = f->account != NULL ? s->account_next : registry_next(w->registry, s);
    }
    return n;
}

/* ---- after a restart of ours ---------------------------------------------------------- */

/* Sessions that edges have told us of, until a job has looked up whether they may still be. The job
 * knows them by number and account only: edge and session may be gone when it comes back. */
struct resumed {
    struct job job;
    struct warden *w;
    size_t n;
    struct resumed_row {
        uint64_t session;
        char account[STORE_NAME];
        char app_password[STORE_PUBLIC_ID]; /* "": another credential */
        uint64_t lease;                     /* 0: likewise */
        bool is_revoked;
    } rows[SESSIONS_RESUMED];
};

static bool is_app_password_gone(struct store *store, const struct resumed_row *row)
{
    struct store_app_password p;
    const enum err e = store_app_password_find(store, row->app_password, &p);
    const bool is_gone =
        e == ERR_NOT_FOUND || (e == ERR_OK && strcmp(p.account, row->account) != 0);

    secret_wipe(&p, sizeof(p));
    return is_gone;
}

struct lease_hunt {
    uint64_t id;
    bool is_found;
};

static bool hunt_lease(void *arg, const struct store_lease *l)
{
    struct lease_hunt *hunt = arg;

    hunt->is_found = l->id == hunt->id;
    return !hunt->is_found;
}

/* Revoked, that is: a lease that has only expired meanwhile ends no session. */
static bool is_lease_gone(struct store *store, const struct resumed_row *row)
{
    struct lease_hunt hunt = { .id = row->lease };

    return store_lease_list(store, row->account, 0, hunt_lease, &hunt) == ERR_OK && !hunt.is_found;
}

static void look_up(struct job *job)
{
    struct resumed *r = (struct resumed *)job;
    struct store *store = r->w->store;

    for (size_t i = 0; i < r->n; i++) {
        struct resumed_row *row = &r->rows[i];
        struct store_account a;
        row->is_revoked =
            (store_account_find(store, row->account, &a) == ERR_OK && !a.is_enabled) ||
            (row->app_password[0] != '\0' && is_app_password_gone(store, row)) ||
            (row->lease != 0 && is_lease_gone(store, row));
    }
}

static void looked_up(struct job *job)
{
    struct resumed *r = (struct resumed *)job;

    for (size_t i = 0; i < r->n; i++) {
        struct session *s = registry_find(r->w->registry, r->rows[i].session);
        if (r->rows[i].is_revoked && s != NULL && s->state == SESSION_LIVE &&
            strcmp(session_account(s), r->rows[i].account) == 0)
            sessions_end_one(s, "revoked");
    }
    mem_free(r);
}

void sessions_tick(struct warden *w)
{
    struct resumed *r = TAKE(w->resumed);

    if (r != NULL)
        job_start(&w->jobs, &r->job, look_up, looked_up);
}

static bool look_up_later(struct warden *w, const struct session *s)
{
    if (w->resumed == NULL) {
        w->resumed = NEW(resumed);
        if (w->resumed == NULL)
            return false;
        w->resumed->w = w;
    }
    struct resumed_row *row = &w->resumed->rows[w->resumed->n++];
    row->session = s->id;
    event_copy(row->account, sizeof(row->account), view_text(session_account(s)));
    if (s->is_app_password)
        event_copy(row->app_password, sizeof(row->app_password), view_text(s->credential));
    row->lease = s->lease;
    if (w->resumed->n == SESSIONS_RESUMED)
        sessions_tick(w);
    return true;
}

/* The opposite of what went out in the verdict: "lease 7", "otp", "password", or an app password.
 */
static void set_credential(struct session *s, struct view text)
{
    event_copy(s->credential, sizeof(s->credential), text);
    if (view_starts_nocase(text, VIEW_LIT("lease ")))
        (void)view_number(view_skip(text, 6), INT64_MAX, &s->lease);
    else
        s->is_app_password = !view_is_equal(text, VIEW_LIT("otp")) &&
                             !view_is_equal(text, VIEW_LIT("password")) && text.n != 0;
}

static bool is_sound(const struct warden *w, const struct wire_resume *r, char account[STORE_NAME])
{
    const struct conf_gate *gate = config_gate(w->config, r->gate);
    const char *protocol = protocol_name_of(r->protocol);

    /* A gate may have gone with a new configuration; the session goes on. */
    return protocol != NULL && (gate == NULL || strcmp(gate->protocol, protocol) == 0) &&
           account_normalise(r->account, w->config->domain, account) &&
           r->app_password.n < JUDGEMENT_CREDENTIAL;
}

bool sessions_resume(struct link *l, const struct wire_resume *r)
{
    struct warden *w = l->w;
    char account[STORE_NAME];

    if (!is_sound(w, r, account) || l->holder.count >= w->config->edges.sessions ||
        find_own(l, r->session) != NULL)
        return false;
    if (registry_find(w->registry, r->session) != NULL)
        return true; /* another edge's number: not ours to judge, and not to be taken from it */
    struct session *s = registry_add(w->registry, &l->holder, r->session, account);
    if (s == NULL)
        return true;
    const struct conf_gate *gate = config_gate(w->config, r->gate);
    s->state = SESSION_LIVE;
    s->protocol = r->protocol;
    s->tls_version = r->tls_version;
    s->source = r->source;
    s->opened_at = r->opened_at;
    s->gate = gate == NULL ? "" : gate->name;
    session_set_client(s, r->client);
    set_credential(s, r->app_password);
    throttle_befriend(w->throttle, view_text(account), &s->source);
    record_resumed(w, s);
    if (!look_up_later(w, s))
        sessions_end_one(s, "no-memory");
    return true;
}

void sessions_drop(struct link *l, const char *reason)
{
    while (l->holder.first != NULL)
        over(l, l->holder.first, 0, 0, view_text(reason));
}
