#include "warden/shed.h"

#include "base/mem.h"
#include "warden/sessions.h"

struct shed {
    struct shed *next;
    uint64_t token;
    char account[STORE_NAME];
    struct link *asked[16]; /* borrowed; NULL: has answered. More edges than that are not asked */
    unsigned waiting;
    uint64_t session, idle_ms; /* the idlest so far; 0: none */
};

static void drop(struct warden *w, struct shed *gone)
{
    for (struct shed **at = &w->sheds; *at != NULL; at = &(*at)->next)
        if (*at == gone) {
            *at = gone->next;
            w->shed_count--;
            mem_free(gone);
            return;
        }
}

static struct link *link_of(const struct session *s)
{
    return (struct link *)(void *)((char *)s->holder - offsetof(struct link, holder));
}

static void ask(struct shed *d, struct link *l)
{
    const struct wire_shed question = { .token = d->token, .account = view_text(d->account) };

    for (unsigned i = 0; i < d->waiting; i++)
        if (d->asked[i] == l)
            return;
    if (d->waiting == COUNT_OF(d->asked))
        return;
    d->asked[d->waiting++] = l;
    l->send(l, WIRE_shed, &question);
}

void shed_begin(struct warden *w, const char *account)
{
    struct shed *d = NEW(shed);

    if (d == NULL)
        return;
    event_copy(d->account, sizeof(d->account), view_text(account));
    d->token = ++w->next_shed;
    d->next = w->sheds;
    w->sheds = d;
    if (++w->shed_count > SHED_MAX) {
        struct shed *last = d;
        while (last->next != NULL)
            last = last->next;
        drop(w, last);
    }
    for (struct session *s = registry_first_of(w->registry, account); s != NULL;
         s = s->account_next)
        if (s->state == SESSION_LIVE)
            ask(d, link_of(s));
    if (d->waiting == 0)
        drop(w, d);
}

/* All have answered. Two enquiries at once may have found the same session: then ask again. */
static void finish(struct warden *w, struct shed *d)
{
    struct session *s = d->session == 0 ? NULL : registry_find(w->registry, d->session);
    char account[STORE_NAME];

    memcpy(account, d->account, sizeof(account));
    drop(w, d);
    if (s != NULL && s->state == SESSION_LIVE && strcmp(session_account(s), account) == 0)
        sessions_end_one(s, "over the cap of the account");
    else if (s != NULL && s->state == SESSION_ENDING)
        shed_begin(w, account);
}

static void take_answer(struct warden *w, struct shed *d, const struct link *l)
{
    bool is_waiting = false;

    for (size_t i = 0; i < COUNT_OF(d->asked); i++) {
        if (d->asked[i] == l)
            d->asked[i] = NULL;
        is_waiting = is_waiting || d->asked[i] != NULL;
    }
    if (!is_waiting)
        finish(w, d);
}

bool shed_answered(struct link *l, const struct wire_idlest *answer)
{
    struct warden *w = l->w;
    struct shed *d = w->sheds;

    while (d != NULL && d->token != answer->token)
        d = d->next;
    if (d == NULL)
        return answer->token <= w->next_shed; /* forgotten meanwhile */
    if (answer->session != 0) {
        const struct session *s = registry_find(w->registry, answer->session);
        if (s != NULL && s->holder != &l->holder)
            return false;
        if (s != NULL && (d->session == 0 || answer->idle_ms > d->idle_ms)) {
            d->session = answer->session;
            d->idle_ms = answer->idle_ms;
        }
    }
    take_answer(w, d, l);
    return true;
}

void shed_forget(struct link *l)
{
    for (struct shed *d = l->w->sheds, *next; d != NULL; d = next) {
        next = d->next;
        for (size_t i = 0; i < COUNT_OF(d->asked); i++)
            if (d->asked[i] == l) {
                take_answer(l->w, d, l);
                break;
            }
    }
}
