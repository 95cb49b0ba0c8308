/* Accounts, their TOTP seeds and invitations. */
#include "warden/store/sql.h"

/* Where a statement by account name changed nothing, there is no such account. */
static enum err change_one(struct store *s, const struct sql_call *call)
{
    uint64_t changes = 0;
    enum err e = store_change(s, call, &changes);

    return e == ERR_OK && changes == 0 ? ERR_NOT_FOUND : e;
}

/* ---- accounts ---- */

static void read_account(const struct sql_value *cells, struct store_account *a)
{
    *a = (struct store_account){
        .id = (uint64_t)cells[0].integer,
        .is_enabled = cells[2].integer != 0,
        .created_at = cells[3].integer,
        .has_totp = cells[4].integer != 0,
        .app_passwords = (uint32_t)cells[5].integer,
        .leases = (uint32_t)cells[6].integer,
    };
    store_copy_text(a->name, sizeof(a->name), cells[1]);
}

enum err store_account_add(struct store *s, const char *name, int64_t now)
{
    enum err e = store_check_name(name);

    if (e != ERR_OK)
        return e;
    return store_change(s, SQL_CALL(ACCOUNT_ADD, NULL, NULL, SQL_STR(name), SQL_INT(now)), NULL);
}

struct found_account {
    struct store_account account;
    bool is_found;
};

static bool take_account(void *arg, const struct sql_value *cells)
{
    struct found_account *found = arg;

    read_account(cells, &found->account);
    found->is_found = true;
    return false;
}

enum err store_account_find(struct store *s, const char *name, struct store_account *ret)
{
    struct found_account found = { 0 };
    enum err e = store_read(s, SQL_CALL(ACCOUNT_FIND, take_account, &found, SQL_STR(name)));

    if (e != ERR_OK)
        return e;
    if (!found.is_found)
        return ERR_NOT_FOUND;
    *ret = found.account;
    return ERR_OK;
}

enum err store_account_enable(struct store *s, const char *name, bool is_enabled)
{
    return change_one(s, SQL_CALL(ACCOUNT_ENABLE, NULL, NULL, SQL_INT(is_enabled), SQL_STR(name)));
}

enum err store_account_remove(struct store *s, const char *name)
{
    return change_one(s, SQL_CALL(ACCOUNT_REMOVE, NULL, NULL, SQL_STR(name)));
}

struct account_listing {
    bool (*each)(void *arg, const struct store_account *a);
    void *arg;
};

static bool list_account(void *arg, const struct sql_value *cells)
{
    const struct account_listing *listing = arg;
    struct store_account a;

    read_account(cells, &a);
    return listing->each(listing->arg, &a);
}

enum err store_account_list(struct store *s, int64_t now,
                            bool (*each)(void *arg, const struct store_account *a), void *arg)
{
    struct account_listing listing = { each, arg };

    return store_read(s, SQL_CALL(ACCOUNT_LIST, list_account, &listing, SQL_INT(now)));
}

/* ---- TOTP ---- */

enum err store_totp_set(struct store *s, const char *account, struct view sealed, int64_t now)
{
    if (sealed.n == 0 || sealed.n > sizeof(((struct store_totp *)0)->sealed))
        return ERR_INVALID;
    return change_one(
        s, SQL_CALL(TOTP_SET, NULL, NULL, SQL_BIN(sealed), SQL_INT(now), SQL_STR(account)));
}

struct found_totp {
    struct store_totp totp;
    bool is_found, is_malformed;
};

static bool take_totp(void *arg, const struct sql_value *cells)
{
    struct found_totp *found = arg;
    struct view sealed = cells[0].octets;

    found->is_found = true;
    found->is_malformed = sealed.n > sizeof(found->totp.sealed);
    if (!found->is_malformed && sealed.n != 0)
        memcpy(found->totp.sealed, sealed.p, sealed.n);
    found->totp.sealed_n = sealed.n;
    found->totp.last_step = (uint64_t)cells[1].integer;
    return false;
}

enum err store_totp_find(struct store *s, const char *account, struct store_totp *ret)
{
    struct found_totp found = { 0 };
    enum err e = store_read(s, SQL_CALL(TOTP_FIND, take_totp, &found, SQL_STR(account)));

    if (e != ERR_OK)
        return e;
    if (!found.is_found)
        return ERR_NOT_FOUND;
    if (found.is_malformed)
        return ERR_IO; /* not written by us */
    *ret = found.totp;
    return ERR_OK;
}

struct claim {
    const char *account;
    uint64_t step;
};

static bool note_row(void *arg, const struct sql_value *cells)
{
    (void)cells;
    *(bool *)arg = true;
    return false;
}

static enum err claim_step(void *arg, const struct store_transaction *t)
{
    const struct claim *claim = arg;
    uint64_t changes = 0;
    bool is_there = false;

    enum err e = store_run(
        t, SQL_CALL(TOTP_CLAIM, NULL, NULL, SQL_INT(claim->step), SQL_STR(claim->account)),
        &changes);
    if (e != ERR_OK || changes == 1)
        return e;
    e = store_run(t, SQL_CALL(TOTP_FIND, note_row, &is_there, SQL_STR(claim->account)), NULL);
    if (e != ERR_OK)
        return e;
    return is_there ? ERR_EXISTS : ERR_NOT_FOUND;
}

enum err store_totp_claim(struct store *s, const char *account, uint64_t step)
{
    struct claim claim = { account, step };

    if (step == 0 || step > INT64_MAX)
        return ERR_INVALID;
    return store_transact(s, claim_step, &claim);
}

/* ---- invitations ---- */

enum err store_invitation_add(struct store *s, const char *account, const uint8_t token_hash[32],
                              int64_t now, int64_t expires_at)
{
    return change_one(s, SQL_CALL(INVITATION_ADD, NULL, NULL, SQL_BIN(view_of(token_hash, 32)),
                                  SQL_INT(now), SQL_INT(expires_at), SQL_STR(account)));
}
