#include "warden/control_inner.h"

#include "warden/sessions.h"

static void say_missing(struct request *r, enum err e)
{
    if (e == ERR_NOT_FOUND)
        request_fail(r, e, "there is no account %s: see \"postern account list\"", r->account);
    else
        request_fail_store(r, e);
}

void control_account_add(struct request *r)
{
    const enum err e = store_account_add(r->w->store, r->account, r->w->wall_s());

    if (e == ERR_EXISTS)
        request_fail(r, e, "there is an account %s already: see \"postern account show %s\"",
                     r->account, r->account);
    else if (e != ERR_OK)
        request_fail_store(r, e);
    else
        request_record(r, EVENT_ACCOUNT_ADDED, "", "");
}

/* ---- rows ----------------------------------------------------------------------------- */

static bool account_row(void *arg, const struct store_account *a)
{
    struct request *r = arg;
    const struct wire_row_account row = {
        .account = view_text(a->name),
        .is_enabled = a->is_enabled,
        .factors = a->has_totp ? VIEW_LIT("totp") : VIEW_NONE,
        .app_passwords = a->app_passwords,
        .leases = a->leases,
        .policy = view_text(config_policy(r->w->config, view_text(a->name))->name),
        .created_at = a->created_at,
    };

    request_row(r, WIRE_row_account, &row);
    return buf_is_ok(&r->rows);
}

void control_account_list(struct request *r)
{
    const enum err e = store_account_list(r->w->store, r->w->wall_s(), account_row, r);

    if (e != ERR_OK)
        request_fail_store(r, e);
}

struct counts {
    uint32_t app_passwords, leases;
    int64_t now;
};

static bool count_app_password(void *arg, const struct store_app_password *p)
{
    struct counts *c = arg;

    c->app_passwords += p->expires_at == 0 || p->expires_at > c->now;
    return true;
}

static bool count_lease(void *arg, const struct store_lease *l)
{
    struct counts *c = arg;

    (void)l;
    c->leases++;
    return true;
}

void control_account_show(struct request *r)
{
    struct counts counts = { .now = r->w->wall_s() };
    struct store_account a;

    if (!request_needs_account(r, &a))
        return;
    enum err e = store_app_password_list(r->w->store, r->account, count_app_password, &counts);
    if (e == ERR_OK)
        e = store_lease_list(r->w->store, r->account, counts.now, count_lease, &counts);
    if (e != ERR_OK) {
        request_fail_store(r, e);
        return;
    }
    a.app_passwords = counts.app_passwords;
    a.leases = counts.leases;
    (void)account_row(r, &a);
    control_app_password_rows(r, r->account);
    control_lease_rows(r, r->account);
}

void control_account_show_sessions(struct request *r)
{
    control_session_list(r);
}

/* ---- enable, disable, remove ---------------------------------------------------------- */

void control_account_enable(struct request *r)
{
    const bool is_enabled = r->any.account_enable.is_enabled;
    const enum err e = store_account_enable(r->w->store, r->account, is_enabled);

    if (e != ERR_OK)
        say_missing(r, e);
    else
        request_record(r, is_enabled ? EVENT_ACCOUNT_ENABLED : EVENT_ACCOUNT_DISABLED, "", "");
}

static void end_sessions(struct request *r, const char *reason)
{
    const struct sessions_filter all = { .account = r->account };

    request_revoked(r);
    const uint32_t n = sessions_end(r->w, &all, reason);
    if (n != 0)
        request_say(r, "%u live session%s ended", n, n == 1 ? "" : "s");
}

void control_account_enabled(struct request *r)
{
    if (r->any.account_enable.is_enabled)
        control_changed(r);
    else
        end_sessions(r, "account-disabled");
}

void control_account_remove(struct request *r)
{
    const enum err e = store_account_remove(r->w->store, r->account);

    if (e != ERR_OK)
        say_missing(r, e);
    else
        request_record(r, EVENT_ACCOUNT_REMOVED, "", "");
}

void control_account_removed(struct request *r)
{
    end_sessions(r, "account-removed");
}
