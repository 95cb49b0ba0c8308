/* Leases. */
#include "warden/store/sql.h"

static void read_row(const struct sql_value *cells, struct store_lease *l)
{
    *l = (struct store_lease){
        .id = (uint64_t)cells[0].integer,
        .created_at = cells[4].integer,
        .expires_at = cells[5].integer,
    };
    store_copy_text(l->account, sizeof(l->account), cells[1]);
    store_copy_text(l->network, sizeof(l->network), cells[2]);
    store_copy_text(l->device, sizeof(l->device), cells[3]);
}

static bool take_id(void *arg, const struct sql_value *cells)
{
    *(uint64_t *)arg = (uint64_t)cells[0].integer;
    return false;
}

enum err store_lease_add(struct store *s, const struct store_lease *l, uint64_t *ret_id)
{
    uint64_t id = 0; /* ids begin at 1 */

    enum err e =
        store_change(s,
                     SQL_CALL(LEASE_ADD, take_id, &id, SQL_STR(l->network), SQL_STR(l->device),
                              SQL_INT(l->created_at), SQL_INT(l->expires_at), SQL_STR(l->account)),
                     NULL);
    if (e != ERR_OK)
        return e;
    if (id == 0)
        return ERR_NOT_FOUND;
    *ret_id = id;
    return ERR_OK;
}

struct revocation {
    uint64_t id;
    struct store_lease lease;
};

static bool take_lease(void *arg, const struct sql_value *cells)
{
    read_row(cells, &((struct revocation *)arg)->lease);
    return false;
}

static enum err revoke(void *arg, const struct store_transaction *t)
{
    struct revocation *r = arg;

    enum err e = store_run(t, SQL_CALL(LEASE_FIND, take_lease, r, SQL_INT(r->id)), NULL);
    if (e != ERR_OK)
        return e;
    if (r->lease.id == 0)
        return ERR_NOT_FOUND;
    return store_run(t, SQL_CALL(LEASE_REVOKE, NULL, NULL, SQL_INT(r->id)), NULL);
}

enum err store_lease_revoke(struct store *s, uint64_t id, struct store_lease *ret)
{
    struct revocation r = { .id = id };

    if (id > INT64_MAX)
        return ERR_NOT_FOUND;
    enum err e = store_transact(s, revoke, &r);
    if (e == ERR_OK)
        *ret = r.lease;
    return e;
}

struct listing {
    bool (*each)(void *arg, const struct store_lease *l);
    void *arg;
};

static bool list_row(void *arg, const struct sql_value *cells)
{
    const struct listing *listing = arg;
    struct store_lease l;

    read_row(cells, &l);
    return listing->each(listing->arg, &l);
}

enum err store_lease_list(struct store *s, const char *account, int64_t now,
                          bool (*each)(void *arg, const struct store_lease *l), void *arg)
{
    struct listing listing = { each, arg };

    if (*account == '\0')
        return store_read(s, SQL_CALL(LEASE_LIST, list_row, &listing, SQL_INT(now)));
    return store_read(s,
                      SQL_CALL(LEASE_LIST_OF, list_row, &listing, SQL_STR(account), SQL_INT(now)));
}
