#include "warden/credential.h"

#include "warden/protocol_name.h"

static void fail(struct judgement *j, enum reason why)
{
    const bool is_world = why == REASON_STORE || why == REASON_SOURCE;

    j->credential_finding = is_world ? CREDENTIAL_LATER : CREDENTIAL_BAD;
    j->reason = why;
}

/* ---- app passwords -------------------------------------------------------------------- */

static bool is_from(const char *network, const struct addr *source)
{
    struct network n;

    return network[0] == '\0' || (network_parse(network, &n) && network_holds(&n, source));
}

/* The label is what the client says of itself; a client that could and says nothing is a device of
 * that kind. */
static const char *device_of(const struct judgement *j)
{
    return j->client[0] == '\0' ? "(unnamed)" : j->client;
}

static bool is_where_bound(const struct store_app_password *row, const struct judgement *j)
{
    if (row->bound_network[0] != '\0' && !is_from(row->bound_network, &j->source))
        return false;
    return row->bound_device[0] == '\0' || !protocol_name_tells_client(j->protocol) ||
           strcmp(row->bound_device, device_of(j)) == 0;
}

static bool needs_binding(const struct store_app_password *row, const struct judgement *j)
{
    switch (j->policy->bind) {
    case CONF_BIND_NONE:
        return false;
    case CONF_BIND_NETWORK:
        return row->bound_network[0] == '\0';
    case CONF_BIND_DEVICE:
        return row->bound_device[0] == '\0' && protocol_name_tells_client(j->protocol);
    }
    return true;
}

static enum err bind(const struct verdict_parts *parts, const struct judgement *j)
{
    const struct network near =
        network_around(&j->source, CREDENTIAL_BIND_PREFIX4, CREDENTIAL_BIND_PREFIX6);
    char network[ADDR_TEXT_MAX] = "";
    const bool is_network = j->policy->bind == CONF_BIND_NETWORK;

    if (is_network && j->source.octets == 0)
        return ERR_INVALID;
    if (is_network)
        (void)network_text(&near, network);
    return store_app_password_bind(parts->store, j->row.id, network,
                                   is_network ? "" : device_of(j));
}

/* Binds at first use. When somebody else was first, what they bound it to decides. */
static bool take_binding(const struct verdict_parts *parts, struct judgement *j)
{
    if (!needs_binding(&j->row, j))
        return true;
    enum err e = bind(parts, j);
    j->is_bound = e == ERR_OK;
    if (e == ERR_EXISTS)
        e = store_app_password_find(parts->store, j->presented.public, &j->row);
    if (e == ERR_OK && !j->is_bound && !is_where_bound(&j->row, j))
        e = ERR_INVALID;
    if (e != ERR_OK)
        fail(j, e == ERR_INVALID || e == ERR_NOT_FOUND ? REASON_APP_PASSWORD_BOUND : REASON_STORE);
    return e == ERR_OK;
}

static enum reason judge_row(const struct store_app_password *row, const struct judgement *j)
{
    const bool is_for_protocol =
        row->protocols == 0 || (j->protocol < 32 && (row->protocols & 1U << j->protocol) != 0);

    if (strcmp(row->account, j->account) != 0)
        return REASON_APP_PASSWORD_OWNER;
    if (!row->is_account_enabled)
        return REASON_ACCOUNT_DISABLED;
    if (row->expires_at != 0 && row->expires_at <= j->now_s)
        return REASON_APP_PASSWORD_EXPIRED;
    if (!is_for_protocol)
        return REASON_APP_PASSWORD_PROTOCOL;
    if (!is_from(row->network, &j->source))
        return REASON_APP_PASSWORD_NETWORK;
    return is_where_bound(row, j) ? REASON_NONE : REASON_APP_PASSWORD_BOUND;
}

static enum err look_up(const struct verdict_parts *parts, struct judgement *j)
{
    /* Who does not even write one right costs a lookup like everybody. */
    const char *id = j->is_formed ? j->presented.public : "0000000000";

    if (j->has_row)
        return ERR_OK;
    memset(&j->row, 0, sizeof(j->row));
    return store_app_password_find(parts->store, id, &j->row);
}

static bool is_verified(const struct verdict_parts *parts, const struct judgement *j)
{
    uint8_t verifier[STORE_VERIFIER];

    app_password_verifier(parts->keys, &j->presented, verifier);
    const bool is_right = secret_is_equal(view_of(verifier, sizeof(verifier)),
                                          view_of(j->row.verifier, sizeof(j->row.verifier)));
    secret_wipe(verifier, sizeof(verifier));
    return is_right;
}

void credential_check_device(const struct verdict_parts *parts, struct judgement *j)
{
    const enum err e = look_up(parts, j);
    const bool is_right = is_verified(parts, j);
    enum reason why = REASON_NONE;

    if (e != ERR_OK && e != ERR_NOT_FOUND)
        why = REASON_STORE;
    else if (!j->is_formed)
        why = REASON_APP_PASSWORD_FORM;
    else if (e == ERR_NOT_FOUND)
        why = REASON_APP_PASSWORD_UNKNOWN;
    else if (!is_right)
        why = REASON_APP_PASSWORD_WRONG;
    if (why != REASON_NONE) {
        fail(j, why);
        return;
    }
    event_copy(j->app_password, sizeof(j->app_password), view_text(j->row.id));
    event_copy(j->credential, sizeof(j->credential), view_text(j->row.id));
    why = judge_row(&j->row, j);
    if (why != REASON_NONE) {
        fail(j, why);
        return;
    }
    /* Where the gate is shut nothing will be let in, so nothing is bound. */
    if (j->gate_finding == GATE_PASSES && !take_binding(parts, j))
        return;
    j->credential_finding = CREDENTIAL_GOOD;
    j->reason = REASON_NONE;
}

bool credential_is_known(const struct judgement *j)
{
    return j->is_device && j->is_formed && j->has_row && !needs_binding(&j->row, j);
}

/* ---- mailbox passwords ---------------------------------------------------------------- */

enum credential_finding credential_check_password(const struct verdict_parts *parts,
                                                  const struct judgement *j, struct view password)
{
    const char *why;

    if (parts->passwords == NULL)
        return password.n == 0 ? CREDENTIAL_BAD : CREDENTIAL_UNJUDGED;
    switch (password_check(parts->passwords, view_text(j->account), password, &why)) {
    case PASSWORD_RIGHT:
        /* Said again here: a directory may take an empty password for an anonymous bind. */
        return password.n == 0 ? CREDENTIAL_BAD : CREDENTIAL_GOOD;
    case PASSWORD_WRONG:
    case PASSWORD_UNKNOWN:
        return CREDENTIAL_BAD;
    case PASSWORD_LATER:
        return CREDENTIAL_LATER;
    }
    return CREDENTIAL_LATER;
}
