/* Events, sessions and last uses: written in batches, pruned by age. */
#include "warden/store/sql.h"

#define PRUNE_ROWS 2000 /* of each table in one call, so that no writer waits long */

static bool take_id(void *arg, const struct sql_value *cells)
{
    *(uint64_t *)arg = (uint64_t)cells[0].integer;
    return false;
}

static enum err write_event(const struct store_transaction *t, struct store_event *e)
{
    return store_run(t,
                     SQL_CALL(EVENT_ADD, take_id, &e->id, SQL_INT(e->at), SQL_STR(e->kind),
                              SQL_STR(e->account), SQL_STR(e->source), SQL_STR(e->gate),
                              SQL_STR(e->protocol), SQL_STR(e->client), SQL_STR(e->credential),
                              SQL_STR(e->reason), SQL_STR(e->actor)),
                     NULL);
}

static enum err write_one(const struct store_transaction *t, struct store_write *w)
{
    const struct store_session *x = &w->session;

    switch (w->kind) {
    case STORE_WRITE_EVENT:
        return write_event(t, &w->event);
    case STORE_WRITE_SESSION_OPENED:
        return store_run(t,
                         SQL_CALL(SESSION_OPENED, NULL, NULL, SQL_STR(x->id), SQL_STR(x->account),
                                  SQL_STR(x->gate), SQL_STR(x->protocol), SQL_STR(x->source),
                                  SQL_STR(x->client), SQL_STR(x->credential),
                                  SQL_INT(x->opened_at)),
                         NULL);
    case STORE_WRITE_SESSION_CLOSED:
        return store_run(t,
                         SQL_CALL(SESSION_CLOSED, NULL, NULL, SQL_INT(x->closed_at),
                                  SQL_INT(x->octets_up), SQL_INT(x->octets_down),
                                  SQL_STR(x->reason), SQL_STR(x->id)),
                         NULL);
    case STORE_WRITE_APP_PASSWORD_USED:
        return store_run(t,
                         SQL_CALL(APP_PASSWORD_USED, NULL, NULL, SQL_INT(w->used.at),
                                  SQL_STR(w->used.source), SQL_STR(w->used.client),
                                  SQL_STR(w->used.id)),
                         NULL);
    }
    return ERR_INVALID;
}

struct batch {
    struct store_write *writes; /* borrowed */
    size_t n;
};

static enum err write_batch(void *arg, const struct store_transaction *t)
{
    const struct batch *b = arg;
    enum err e = ERR_OK;

    for (size_t i = 0; i < b->n && e == ERR_OK; i++)
        e = write_one(t, &b->writes[i]);
    return e;
}

enum err store_write(struct store *s, struct store_write *writes, size_t n)
{
    struct batch b = { writes, n };

    if (n == 0)
        return ERR_OK;
    enum err e = store_transact(s, write_batch, &b);
    for (size_t i = 0; i < n && e != ERR_OK; i++) {
        if (writes[i].kind == STORE_WRITE_EVENT)
            writes[i].event.id = 0; /* the numbers were taken back */
    }
    return e;
}

enum err store_sessions_close_all(struct store *s, int64_t now, const char *reason)
{
    return store_change(s, SQL_CALL(SESSIONS_CLOSE_ALL, NULL, NULL, SQL_INT(now), SQL_STR(reason)),
                        NULL);
}

struct listing {
    bool (*each)(void *arg, const struct store_event *e);
    void *arg;
};

static bool list_row(void *arg, const struct sql_value *cells)
{
    const struct listing *listing = arg;
    struct store_event e = { .id = (uint64_t)cells[0].integer, .at = cells[1].integer };

    store_copy_text(e.kind, sizeof(e.kind), cells[2]);
    store_copy_text(e.account, sizeof(e.account), cells[3]);
    store_copy_text(e.source, sizeof(e.source), cells[4]);
    store_copy_text(e.gate, sizeof(e.gate), cells[5]);
    store_copy_text(e.protocol, sizeof(e.protocol), cells[6]);
    store_copy_text(e.client, sizeof(e.client), cells[7]);
    store_copy_text(e.credential, sizeof(e.credential), cells[8]);
    store_copy_text(e.reason, sizeof(e.reason), cells[9]);
    store_copy_text(e.actor, sizeof(e.actor), cells[10]);
    return listing->each(listing->arg, &e);
}

enum err store_event_list(struct store *s, const char *account, uint64_t after, uint32_t limit,
                          bool (*each)(void *arg, const struct store_event *e), void *arg)
{
    struct listing listing = { each, arg };

    if (after > INT64_MAX)
        return ERR_INVALID;
    if (*account == '\0')
        return store_read(s,
                          SQL_CALL(EVENT_LIST, list_row, &listing, SQL_INT(after), SQL_INT(limit)));
    return store_read(s, SQL_CALL(EVENT_LIST_OF, list_row, &listing, SQL_STR(account),
                                  SQL_INT(after), SQL_INT(limit)));
}

static enum err prune(void *arg, const struct store_transaction *t)
{
    const int64_t older_than = *(const int64_t *)arg;
    static const enum sql_query in_steps[] = { SQL_PRUNE_EVENTS, SQL_PRUNE_SESSIONS };
    static const enum sql_query at_once[] = { SQL_PRUNE_LEASES, SQL_PRUNE_INVITATIONS };
    const struct sql_value args[] = { SQL_INT(older_than), SQL_INT(PRUNE_ROWS) };
    enum err e = ERR_OK;

    for (size_t i = 0; i < COUNT_OF(in_steps) && e == ERR_OK; i++)
        e = store_run(t, &(const struct sql_call){ in_steps[i], args, 2, NULL, NULL }, NULL);
    for (size_t i = 0; i < COUNT_OF(at_once) && e == ERR_OK; i++)
        e = store_run(t, &(const struct sql_call){ at_once[i], args, 1, NULL, NULL }, NULL);
    return e;
}

enum err store_prune(struct store *s, int64_t older_than)
{
    return store_transact(s, prune, &older_than);
}
