/* App passwords. */
#include "warden/store/sql.h"

enum column {
    ID,
    ACCOUNT,
    IS_ACCOUNT_ENABLED,
    LABEL,
    PROTOCOLS,
    NETWORK,
    SENDER,
    CREATED_AT,
    EXPIRES_AT,
    BOUND_NETWORK,
    BOUND_DEVICE,
    LAST_USED_AT,
    LAST_SOURCE,
    LAST_CLIENT,
    VERIFIER, /* from here on not in lists */
    SEALED,
};

static void read_row(const struct sql_value *cells, struct store_app_password *p)
{
    *p = (struct store_app_password){
        .is_account_enabled = cells[IS_ACCOUNT_ENABLED].integer != 0,
        .protocols = (uint32_t)cells[PROTOCOLS].integer,
        .created_at = cells[CREATED_AT].integer,
        .expires_at = cells[EXPIRES_AT].integer,
        .last_used_at = cells[LAST_USED_AT].integer,
    };
    store_copy_text(p->id, sizeof(p->id), cells[ID]);
    store_copy_text(p->account, sizeof(p->account), cells[ACCOUNT]);
    store_copy_text(p->label, sizeof(p->label), cells[LABEL]);
    store_copy_text(p->network, sizeof(p->network), cells[NETWORK]);
    store_copy_text(p->sender, sizeof(p->sender), cells[SENDER]);
    store_copy_text(p->bound_network, sizeof(p->bound_network), cells[BOUND_NETWORK]);
    store_copy_text(p->bound_device, sizeof(p->bound_device), cells[BOUND_DEVICE]);
    store_copy_text(p->last_source, sizeof(p->last_source), cells[LAST_SOURCE]);
    store_copy_text(p->last_client, sizeof(p->last_client), cells[LAST_CLIENT]);
}

enum err store_app_password_add(struct store *s, const struct store_app_password *p)
{
    uint64_t changes = 0;

    if (p->id[0] == '\0' || p->sealed_n > sizeof(p->sealed))
        return ERR_INVALID;
    enum err e =
        store_change(s,
                     SQL_CALL(APP_PASSWORD_ADD, NULL, NULL, SQL_STR(p->id), SQL_STR(p->label),
                              SQL_INT(p->protocols), SQL_STR(p->network), SQL_STR(p->sender),
                              SQL_INT(p->created_at), SQL_INT(p->expires_at),
                              SQL_BIN(view_of(p->verifier, sizeof(p->verifier))),
                              SQL_BIN(view_of(p->sealed, p->sealed_n)), SQL_STR(p->account)),
                     &changes);
    return e == ERR_OK && changes == 0 ? ERR_NOT_FOUND : e;
}

struct found {
    struct store_app_password *p; /* borrowed */
    bool is_found, is_malformed;
};

static bool take(void *arg, const struct sql_value *cells)
{
    struct found *found = arg;
    struct view verifier = cells[VERIFIER].octets;
    struct view sealed = cells[SEALED].octets;

    found->is_found = true;
    found->is_malformed =
        verifier.n != sizeof(found->p->verifier) || sealed.n > sizeof(found->p->sealed);
    if (found->is_malformed)
        return false;
    read_row(cells, found->p);
    memcpy(found->p->verifier, verifier.p, verifier.n);
    if (sealed.n != 0)
        memcpy(found->p->sealed, sealed.p, sealed.n);
    found->p->sealed_n = sealed.n;
    return false;
}

enum err store_app_password_find(struct store *s, const char *id, struct store_app_password *ret)
{
    struct found found = { .p = ret };
    enum err e = store_read(s, SQL_CALL(APP_PASSWORD_FIND, take, &found, SQL_STR(id)));

    if (e != ERR_OK)
        return e;
    if (!found.is_found)
        return ERR_NOT_FOUND;
    return found.is_malformed ? ERR_IO : ERR_OK; /* malformed: not written by us */
}

struct binding {
    const char *id, *network, *device;
};

static bool note_row(void *arg, const struct sql_value *cells)
{
    (void)cells;
    *(bool *)arg = true;
    return false;
}

static enum err bind(void *arg, const struct store_transaction *t)
{
    const struct binding *b = arg;
    uint64_t changes = 0;
    bool is_there = false;

    enum err e = store_run(t,
                           SQL_CALL(APP_PASSWORD_BIND, NULL, NULL, SQL_STR(b->network),
                                    SQL_STR(b->device), SQL_STR(b->id)),
                           &changes);
    if (e != ERR_OK || changes == 1)
        return e;
    e = store_run(t, SQL_CALL(APP_PASSWORD_EXISTS, note_row, &is_there, SQL_STR(b->id)), NULL);
    if (e != ERR_OK)
        return e;
    return is_there ? ERR_EXISTS : ERR_NOT_FOUND;
}

enum err store_app_password_bind(struct store *s, const char *id, const char *network,
                                 const char *device)
{
    struct binding b = { id, network, device };

    if (*network == '\0' && *device == '\0')
        return ERR_INVALID;
    if (strlen(network) >= STORE_NETWORK || strlen(device) >= STORE_CLIENT)
        return ERR_TOO_LONG;
    return store_transact(s, bind, &b);
}

enum err store_app_password_revoke(struct store *s, const char *id)
{
    uint64_t changes = 0;
    enum err e = store_change(s, SQL_CALL(APP_PASSWORD_REVOKE, NULL, NULL, SQL_STR(id)), &changes);

    return e == ERR_OK && changes == 0 ? ERR_NOT_FOUND : e;
}

struct listing {
    bool (*each)(void *arg, const struct store_app_password *p);
    void *arg;
};

static bool list_row(void *arg, const struct sql_value *cells)
{
    const struct listing *listing = arg;
    struct store_app_password p;

    read_row(cells, &p);
    return listing->each(listing->arg, &p);
}

enum err store_app_password_list(struct store *s, const char *account,
                                 bool (*each)(void *arg, const struct store_app_password *p),
                                 void *arg)
{
    struct listing listing = { each, arg };

    if (*account == '\0')
        return store_read(s, SQL_CALL_BARE(APP_PASSWORD_LIST, list_row, &listing));
    return store_read(s, SQL_CALL(APP_PASSWORD_LIST_OF, list_row, &listing, SQL_STR(account)));
}
