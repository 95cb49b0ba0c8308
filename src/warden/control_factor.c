#include "warden/control_inner.h"

#include "warden/account.h"
#include "warden/factor/totp.h"
#include "warden/sessions.h"

#include <sodium.h>
#include <stdio.h>

#define INVITATION_OCTETS 32 /* 256 random bits */
#define INVITATION_TEXT   64
#define INVITATION_S      (3 * 24 * 3600) /* when the request does not say */
#define INVITATION_MOST_S (30 * 24 * 3600)

/* ---- invitations ---------------------------------------------------------------------- */

void control_invite_check(struct request *r)
{
    if (r->w->config->portal.url[0] == '\0')
        request_fail(r, ERR_INVALID,
                     "an invitation is a link into the portal: set portal.url in the configuration "
                     "(portal: { url = \"https://mail.example.org\"; };) and reload");
    else if (r->any.account_invite.valid_s > INVITATION_MOST_S)
        request_fail(r, ERR_INVALID, "an invitation is valid for 30 days at most");
}

static const char *without_slash(const char *url, int *ret_n)
{
    size_t n = strlen(url);

    while (n > 0 && url[n - 1] == '/')
        n--;
    *ret_n = (int)n;
    return url;
}

static void show_invitation(struct request *r, const uint8_t token[INVITATION_OCTETS],
                            int64_t expires_at)
{
    AUTO_BUF(link, 1024);
    char text[INVITATION_TEXT];
    int n;
    const char *url = without_slash(r->w->config->portal.url, &n);

    (void)sodium_bin2base64(text, sizeof(text), token, INVITATION_OCTETS,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    /* Behind '#': a browser sends it to no server and no log sees it. */
    buf_printf(&link, "%.*s/invite#%s", n, url, text);
    const struct wire_row_invitation row = { .account = view_text(r->account),
                                             .link = buf_view(&link),
                                             .expires_at = expires_at };
    request_row(r, WIRE_row_invitation, &row);
    secret_wipe(text, sizeof(text));
}

void control_invite(struct request *r)
{
    const uint32_t valid_s = r->any.account_invite.valid_s;
    const int64_t now = r->w->wall_s();
    const int64_t expires_at = now + (valid_s == 0 ? INVITATION_S : (int64_t)valid_s);
    uint8_t token[INVITATION_OCTETS], hash[32];
    struct store_account account;

    if (!request_needs_account(r, &account))
        return;
    randombytes_buf(token, sizeof(token));
    /* 256 random bits need no slow hash and no key: the hash gives nothing away. */
    (void)crypto_generichash(hash, sizeof(hash), token, sizeof(token), NULL, 0);
    const enum err e = store_invitation_add(r->w->store, r->account, hash, now, expires_at);
    if (e != ERR_OK) {
        request_fail_store(r, e);
    } else {
        show_invitation(r, token, expires_at);
        request_record(r, EVENT_ACCOUNT_INVITED, "", "");
    }
    secret_wipe(token, sizeof(token));
}

/* ---- TOTP ----------------------------------------------------------------------------- */

static void show_totp(struct request *r, const uint8_t seed[TOTP_SEED_OCTETS])
{
    const char *domain = r->w->config->domain;
    AUTO_BUF(secret, LIMIT_LABEL);
    AUTO_BUF(uri, 1024);

    if (totp_secret_text(seed, &secret) != ERR_OK ||
        totp_uri(seed, r->account, domain[0] == '\0' ? "Postern" : domain, &uri) != ERR_OK) {
        request_fail(r, ERR_MEMORY, "no memory: try again");
        return;
    }
    const struct wire_row_totp row = { .account = view_text(r->account),
                                       .secret = buf_view(&secret),
                                       .otpauth = buf_view(&uri) };
    request_row(r, WIRE_row_totp, &row);
    request_record(r, EVENT_TOTP_ENROLLED, "", "");
}

void control_totp_enrol(struct request *r)
{
    uint8_t seed[TOTP_SEED_OCTETS];
    AUTO_BUF(context, STORE_NAME + 8);
    AUTO_BUF(sealed, 128);
    struct store_account account;

    if (!request_needs_account(r, &account))
        return;
    enum err e = totp_make_seed(seed);
    buf_printf(&context, "totp:%s", r->account);
    if (e == ERR_OK)
        e = keys_seal(&r->w->keys, VIEW_NONE, buf_view(&context), view_of(seed, sizeof(seed)),
                      &sealed);
    if (e == ERR_OK)
        e = store_totp_set(r->w->store, r->account, buf_view(&sealed), r->w->wall_s());
    if (e != ERR_OK)
        request_fail_store(r, e);
    else
        show_totp(r, seed);
    secret_wipe(seed, sizeof(seed));
}

/* ---- leases --------------------------------------------------------------------------- */

void control_lease_check(struct request *r)
{
    const struct wire_lease_add *a = &r->any.lease_add;
    char text[LIMIT_NAME + 1];
    struct network n;

    event_copy(text, sizeof(text), a->network);
    if (a->network.n == 0 && a->device.n == 0)
        request_fail(r, ERR_INVALID, "a lease needs a network or a device");
    else if (a->network.n != 0 && !network_parse(text, &n))
        request_fail(r, ERR_INVALID, "\"%s\" is no network: write 192.0.2.0/24 or 2001:db8::/48",
                     text);
    else if (!account_is_printable(a->device))
        request_fail(r, ERR_INVALID, "a device's label holds no control characters");
    else if (a->expires_at <= r->w->wall_s())
        request_fail(r, ERR_INVALID, "a lease needs an end that lies in the future");
    else if (a->network.n != 0)
        (void)network_text(&n, r->value.network);
}

static void lease_credential(uint64_t id, char text[JUDGEMENT_CREDENTIAL])
{
    (void)snprintf(text, JUDGEMENT_CREDENTIAL, "lease %llu", (unsigned long long)id);
}

static bool lease_row(void *arg, const struct store_lease *l)
{
    struct request *r = arg;
    const struct wire_row_lease row = {
        .id = l->id,
        .account = view_text(l->account),
        .network = view_text(l->network),
        .device = view_text(l->device),
        .created_at = l->created_at,
        .expires_at = l->expires_at,
    };

    request_row(r, WIRE_row_lease, &row);
    return buf_is_ok(&r->rows);
}

void control_lease_add(struct request *r)
{
    struct store_lease lease = { .created_at = r->w->wall_s(),
                                 .expires_at = r->any.lease_add.expires_at };
    char credential[JUDGEMENT_CREDENTIAL];
    struct store_account account;

    if (!request_needs_account(r, &account))
        return;
    event_copy(lease.account, sizeof(lease.account), view_text(r->account));
    event_copy(lease.network, sizeof(lease.network), view_text(r->value.network));
    event_copy(lease.device, sizeof(lease.device), r->any.lease_add.device);
    const enum err e = store_lease_add(r->w->store, &lease, &lease.id);
    if (e != ERR_OK) {
        request_fail_store(r, e);
        return;
    }
    lease_credential(lease.id, credential);
    (void)lease_row(r, &lease);
    request_record(r, EVENT_LEASE_ADDED, credential, "");
}

void control_lease_rows(struct request *r, const char *account)
{
    const enum err e = store_lease_list(r->w->store, account, r->w->wall_s(), lease_row, r);

    if (e != ERR_OK)
        request_fail_store(r, e);
}

void control_lease_list(struct request *r)
{
    struct store_account account;

    if (r->account[0] == '\0' || request_needs_account(r, &account))
        control_lease_rows(r, r->account);
}

void control_lease_revoke(struct request *r)
{
    const uint64_t id = r->any.lease_revoke.id;
    char credential[JUDGEMENT_CREDENTIAL];
    struct store_lease lease;
    const enum err e = store_lease_revoke(r->w->store, id, &lease);

    lease_credential(id, credential);
    if (e == ERR_NOT_FOUND) {
        request_fail(r, e, "there is no lease %llu: see \"postern lease list\"",
                     (unsigned long long)id);
    } else if (e != ERR_OK) {
        request_fail_store(r, e);
    } else {
        event_copy(r->account, sizeof(r->account), view_text(lease.account));
        request_record(r, EVENT_LEASE_REVOKED, credential, "");
    }
}

void control_lease_revoked(struct request *r)
{
    const struct sessions_filter filter = { .lease = r->any.lease_revoke.id };

    request_revoked(r);
    const uint32_t n = sessions_end(r->w, &filter, "lease-revoked");
    if (n != 0)
        request_say(r, "%u live session%s ended", n, n == 1 ? "" : "s");
}
