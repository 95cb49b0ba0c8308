#include "warden/docket.h"

#include "base/mem.h"
#include "warden/record.h"
#include "warden/sessions.h"

struct hearing {
    struct job job;
    struct warden *w;    /* borrowed */
    struct link *link;   /* borrowed; NULL: the edge is gone */
    struct judgement *j; /* owned */
    uint64_t revision;   /* of the warden when the work began */
    uint64_t began_ns;
    unsigned tries;
    bool is_slow;
    struct hearing *next, **before; /* in the link's bucket */
    struct hearing *slow_next;      /* in the line for the slow source */
};

/* ---- bookkeeping ---------------------------------------------------------------------- */

static struct hearing **bucket_of(struct link *l, uint64_t session)
{
    return &l->asked[(session ^ session >> 8 ^ session >> 32) % LINK_ASKED];
}

static bool is_under_judgement(struct link *l, uint64_t session)
{
    const struct hearing *h = *bucket_of(l, session);

    while (h != NULL && h->j->session != session)
        h = h->next;
    return h != NULL;
}

static void enlist(struct hearing *h)
{
    struct hearing **head = bucket_of(h->link, h->j->session);

    h->before = head;
    h->next = *head;
    if (h->next != NULL)
        h->next->before = &h->next;
    *head = h;
    h->link->asked_count++;
}

static void delist(struct hearing *h)
{
    if (h->link == NULL)
        return;
    *h->before = h->next;
    if (h->next != NULL)
        h->next->before = h->before;
    h->link->asked_count--;
}

static void hearing_free(struct hearing *h)
{
    if (h == NULL)
        return;
    judgement_free(h->j);
    mem_free(h);
}

void docket_forget(struct link *l)
{
    for (size_t i = 0; i < LINK_ASKED; i++) {
        for (struct hearing *h = l->asked[i]; h != NULL; h = h->next)
            h->link = NULL;
        l->asked[i] = NULL;
    }
    l->asked_count = 0;
}

/* ---- the answer ----------------------------------------------------------------------- */

bool docket_is_alert(struct warden *w, enum verdict v, enum answer answer, struct view account,
                     const struct addr *source)
{
    const bool is_of_use = answer == WIRE_ANSWER_STALE || (answer == WIRE_ANSWER_REFUSE_PASSWORD &&
                                                           w->config->portal.url[0] != '\0');

    return v == VERDICT_REFUSE && is_of_use &&
           throttle_alert(w->throttle, account, source, core_now_ms(w));
}

void docket_refuse(struct link *l, uint64_t session, enum verdict v, enum answer answer,
                   bool is_alert)
{
    const struct wire_verdict frame = {
        .session = session, .verdict = (uint8_t)v, .answer = (uint8_t)answer, .is_alert = is_alert
    };

    l->send(l, WIRE_verdict, &frame);
}

/* A policy in `warn` tells who would have been refused, as often as a refusal would. */
static bool is_warning(struct warden *w, const struct judgement *j)
{
    return j->observed != REASON_NONE && j->policy->mode == CONF_MODE_WARN &&
           throttle_alert(w->throttle, view_text(j->account), &j->source, core_now_ms(w));
}

static void send_allow(struct link *l, const struct judgement *j)
{
    const struct wire_verdict frame = {
        .session = j->session,
        .verdict = VERDICT_ALLOW,
        .answer = (uint8_t)j->answer,
        .is_alert = is_warning(l->w, j),
        .account = view_text(j->account),
        .app_password = view_text(j->credential),
        .upstream = view_text(j->upstream->name),
        .upstream_authorization = j->upstream_authorization,
        .upstream_user = j->upstream_user,
        .upstream_secret = buf_view(&j->upstream_secret),
        .is_sender_held = j->is_sender_held,
        .senders = buf_view(&j->senders),
    };

    l->send(l, WIRE_verdict, &frame);
}

static void demote(struct judgement *j, enum reason why)
{
    j->verdict = VERDICT_LATER;
    j->answer = WIRE_ANSWER_LATER;
    j->reason = why;
    j->is_upstream_judge = false;
}

/* A proven app password, but the upstream would only refuse what it has sealed once more. */
static void spare_upstream(struct judgement *j)
{
    j->verdict = VERDICT_REFUSE;
    j->answer = WIRE_ANSWER_STALE;
    j->reason = REASON_KNOWN_STALE;
}

/* The judgement is made: registered, recorded, told. The hearing is over. */
static void give(struct hearing *h)
{
    struct warden *w = h->w;
    struct judgement *j = h->j;
    struct link *l = h->link;
    const uint64_t now_ms = core_now_ms(w);
    enum reason why;

    delist(h);
    if (l != NULL && j->verdict == VERDICT_ALLOW && j->is_stale_possible &&
        stale_holds(w->stale, j->app_password, now_ms))
        spare_upstream(j);
    if (l != NULL && j->verdict == VERDICT_ALLOW && !sessions_admit(l, j, &why))
        demote(j, why);
    verdict_settle(&w->parts, j, now_ms);
    metrics_count(&w->metrics, j->verdict, j->reason, (uv_hrtime() - h->began_ns) / 1000);
    record_verdict(w, j);
    if (l == NULL) /* nobody to tell, and nothing to learn for the throttle */
        throttle_leave(w->throttle, &j->ticket, THROTTLE_UNDECIDED, now_ms);
    else if (j->verdict == VERDICT_ALLOW)
        send_allow(l, j);
    else
        docket_refuse(l, j->session, j->verdict, j->answer,
                      docket_is_alert(w, j->verdict, j->answer, view_text(j->account), &j->source));
    hearing_free(h);
}

/* ---- the work ------------------------------------------------------------------------- */

static void start(struct hearing *h);

static void run(struct job *job)
{
    struct hearing *h = (struct hearing *)job;

    verdict_work(&h->w->parts, h->j);
}

static void start_next_slow(struct warden *w)
{
    struct hearing *h = w->slow_first;

    if (h == NULL || w->slow_running >= DOCKET_SLOW)
        return;
    w->slow_first = h->slow_next;
    if (w->slow_first == NULL)
        w->slow_last = NULL;
    w->slow_waiting--;
    start(h);
}

static void done(struct job *job)
{
    struct hearing *h = (struct hearing *)job;
    struct warden *w = h->w;

    w->slow_running -= h->is_slow;
    if (h->j->verdict == VERDICT_ALLOW && h->revision != w->revision) {
        if (h->tries++ < DOCKET_AGAIN) {
            verdict_renew(&w->parts, h->j, w->wall_s());
            start(h);
            return;
        }
        demote(h->j, REASON_REVOKED);
    }
    give(h);
    start_next_slow(w);
}

static void start(struct hearing *h)
{
    h->revision = h->w->revision;
    h->w->slow_running += h->is_slow;
    job_start(&h->w->jobs, &h->job, run, done);
}

static void start_slow(struct hearing *h)
{
    struct warden *w = h->w;

    if (w->slow_running < DOCKET_SLOW) {
        start(h);
        return;
    }
    if (w->slow_waiting >= DOCKET_WAITING) {
        demote(h->j, REASON_OVERLOADED);
        give(h);
        return;
    }
    if (w->slow_last == NULL)
        w->slow_first = h;
    else
        w->slow_last->slow_next = h;
    w->slow_last = h;
    w->slow_waiting++;
}

static struct hearing *hearing_new(struct link *l)
{
    struct hearing *h = NEW(hearing);

    if (h == NULL)
        return NULL;
    h->j = judgement_new();
    if (h->j == NULL) {
        mem_free(h);
        return NULL;
    }
    h->w = l->w;
    h->link = l;
    h->began_ns = uv_hrtime();
    return h;
}

/* Is there nobody else's session, and no earlier one of its own, under this number? */
static bool is_new_session(struct link *l, uint64_t session, bool *ret_is_foreign)
{
    const struct session *s = registry_find(l->w->registry, session);

    *ret_is_foreign = s != NULL && s->holder != &l->holder;
    return !is_under_judgement(l, session) && (s == NULL || *ret_is_foreign);
}

bool docket_ask(struct link *l, const struct wire_question *q)
{
    struct warden *w = l->w;
    enum verdict_next next;
    bool is_foreign;

    if (l->asked_count >= LINK_QUESTIONS || !is_new_session(l, q->session, &is_foreign))
        return false;
    struct hearing *h = is_foreign ? NULL : hearing_new(l);
    const enum err e = h == NULL
                           ? ERR_MEMORY
                           : verdict_ask(&w->parts, h->j, q, core_now_ms(w), w->wall_s(), &next);
    if (e != ERR_OK) {
        hearing_free(h);
        if (e != ERR_INVALID)
            docket_refuse(l, q->session, VERDICT_LATER, WIRE_ANSWER_LATER, false);
        return e != ERR_INVALID;
    }
    enlist(h);
    h->is_slow = verdict_is_slow(&w->parts, h->j);
    if (next == VERDICT_IS_GIVEN) {
        give(h);
    } else if (writer_is_full(w->writer) || w->is_ending) {
        demote(h->j, REASON_STORE);
        give(h);
    } else if (verdict_is_quick(&w->parts, h->j)) {
        verdict_work(&w->parts, h->j);
        give(h);
    } else if (h->is_slow) {
        start_slow(h);
    } else {
        start(h);
    }
    return true;
}
