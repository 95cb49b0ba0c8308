#include "warden/route.h"

#include "warden/protocol_name.h"

void route_seal_context(const char *account, const char *id, struct buf *out)
{
    buf_printf(out, "app-password:%s:%s", id, account);
}

static bool fail(struct judgement *j, enum reason why)
{
    j->reason = why;
    return false;
}

static bool route_master(struct judgement *j)
{
    j->upstream_authorization = view_text(j->account);
    j->upstream_user = view_text(j->upstream->master_user);
    buf_put_text(&j->upstream_secret, j->upstream->master_password);
    return buf_is_ok(&j->upstream_secret) || fail(j, REASON_OVERLOADED);
}

static bool route_sealed(const struct verdict_parts *parts, struct judgement *j)
{
    AUTO_BUF(context, STORE_NAME + STORE_PUBLIC_ID + 16);

    if (j->row.sealed_n == 0)
        return fail(j, REASON_NOTHING_SEALED);
    route_seal_context(j->account, j->app_password, &context);
    const enum err e = keys_open(parts->keys, view_text(j->presented.text), buf_view(&context),
                                 view_of(j->row.sealed, j->row.sealed_n), &j->upstream_secret);
    if (e != ERR_OK)
        return fail(j, e == ERR_MEMORY ? REASON_OVERLOADED : REASON_SEAL_BROKEN);
    j->upstream_user = view_text(j->account);
    j->is_stale_possible = true;
    return true;
}

static bool has_server(const struct judgement *j)
{
    return j->upstream != NULL && config_urls(j->upstream, protocol_name_of(j->protocol))->n != 0;
}

bool route_choose(const struct verdict_parts *parts, struct judgement *j)
{
    if (!has_server(j))
        return fail(j, REASON_NO_UPSTREAM);
    if (j->upstream->login == CONF_LOGIN_MASTER && j->credential_finding == CREDENTIAL_GOOD)
        return route_master(j);
    if (j->is_device)
        return route_sealed(parts, j);
    j->upstream_user = view_text(j->account);
    buf_put(&j->upstream_secret, j->password);
    j->is_upstream_judge = j->credential_finding != CREDENTIAL_GOOD;
    return buf_is_ok(&j->upstream_secret) || fail(j, REASON_OVERLOADED);
}
