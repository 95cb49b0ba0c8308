#include "warden/control_inner.h"

#include "warden/account.h"
#include "warden/probe.h"
#include "warden/protocol_name.h"
#include "warden/route.h"
#include "warden/sessions.h"

/* ---- values --------------------------------------------------------------------------- */

static void check_sender(struct request *r)
{
    const struct view sender = r->any.app_password_add.sender;
    const uint32_t protocols = r->value.protocols;

    if (sender.n == 0)
        return;
    if (!account_normalise(sender, "", r->value.sender))
        request_fail(r, ERR_INVALID,
                     "the sender is no address: write one such as printer@example.org");
    else if (protocols != 0 && (protocols & 1U << PROTOCOL_NAME_SUBMISSION) == 0)
        request_fail(r, ERR_INVALID,
                     "a sender is about submission, which the protocols leave out: add it to them, "
                     "or leave the sender out");
}

static void check_values(struct request *r)
{
    const struct wire_app_password_add *a = &r->any.app_password_add;
    char text[LIMIT_NAME + 1];
    struct network n;

    event_copy(text, sizeof(text), a->network);
    if (a->label.n == 0 || !account_is_printable(a->label))
        request_fail(r, ERR_INVALID,
                     "an app password needs a label without control characters: name the device");
    else if (!protocol_name_bits(a->protocols, &r->value.protocols))
        request_fail(r, ERR_INVALID,
                     "the protocols are imap, pop3, submission and sieve, with commas between");
    else if (a->expires_at != 0 && a->expires_at <= r->w->wall_s())
        request_fail(r, ERR_INVALID, "the end lies in the past: give a later one, or none");
    else if (a->network.n != 0 && !network_parse(text, &n))
        request_fail(r, ERR_INVALID, "\"%s\" is no network: write 192.0.2.0/24 or 2001:db8::/48",
                     text);
    else
        check_sender(r);
    if (r->status == ERR_OK && a->network.n != 0)
        (void)network_text(&n, r->value.network);
}

static bool is_line(struct view v)
{
    return view_find(v, '\r') == v.n && view_find(v, '\n') == v.n;
}

static bool is_sealing(const struct conf_upstream *u)
{
    return u->login != CONF_LOGIN_MASTER;
}

static void check_mailbox_password(struct request *r, const struct conf_upstream *u)
{
    const struct view password = r->any.app_password_add.mailbox_password;

    if (u == NULL)
        request_fail(r, ERR_INVALID,
                     "no upstream serves %s: see upstreams.*.domains in the configuration",
                     r->account);
    else if (u->login == CONF_LOGIN_PASSTHROUGH)
        request_fail(r, ERR_DENIED,
                     "upstream %s is logged in to with what the client sends, and an app password "
                     "is nothing to it: set login = \"sealed\" or \"master\" for it in the "
                     "configuration and reload",
                     u->name);
    else if (is_sealing(u) && password.n == 0)
        request_fail(r, ERR_INVALID,
                     "upstream %s is logged in to with the mailbox password, which is sealed "
                     "under the app password: give it",
                     u->name);
    else if (!is_line(password))
        request_fail(r, ERR_INVALID,
                     "the mailbox password holds a line break: it cannot be sent "
                     "to the mail server");
}

/* ---- is the mailbox password right? --------------------------------------------------- */

/* The mailbox is where the password is at home, so IMAP before others. 0: no server at all. */
static uint8_t probed_protocol(const struct conf_upstream *u)
{
    for (uint8_t i = 1; protocol_name_of(i) != NULL; i++)
        if (config_urls(u, protocol_name_of(i))->n != 0)
            return i;
    return 0;
}

static void on_probed(void *arg, enum outcome result)
{
    struct request *r = arg;

    switch (result) {
    case OUTCOME_ACCEPTED:
        break;
    case OUTCOME_REFUSED:
        request_fail(r, ERR_DENIED,
                     "the mail server does not take this mailbox password: type it again");
        break;
    case OUTCOME_UNAVAILABLE:
        request_fail(r, ERR_BUSY,
                     "the mail server could not be asked whether the mailbox password "
                     "is right: try again, or take it unchecked with --no-check");
        break;
    }
    request_go_on(r);
}

void control_app_password_check(struct request *r)
{
    const struct conf_upstream *u = config_route(r->w->config, view_text(r->account));
    const struct wire_app_password_add *a = &r->any.app_password_add;

    check_values(r);
    if (r->status == ERR_OK)
        check_mailbox_password(r, u);
    if (r->status != ERR_OK || a->is_unchecked || !is_sealing(u))
        return;
    const struct probe_conf probe = {
        .upstream = view_text(u->name),
        .user = view_text(r->account),
        .secret = a->mailbox_password,
        .protocol = probed_protocol(u),
        .arg = r,
        .done = on_probed,
    };
    if (probe.protocol == 0) {
        request_fail(r, ERR_INVALID,
                     "upstream %s has no server at all: give it one, such as imap = \"imaps://…\"",
                     u->name);
        return;
    }
    r->is_waiting = true;
    if (probe_start(r->w, &probe) != ERR_OK) {
        r->is_waiting = false;
        request_fail(r, ERR_BUSY,
                     "no edge is there to ask the mail server whether the mailbox "
                     "password is right: try again, or use --no-check");
    }
}

/* ---- making one ----------------------------------------------------------------------- */

static enum err seal(struct request *r, const struct app_password *p,
                     struct store_app_password *row)
{
    const struct conf_upstream *u = config_route(r->w->config, view_text(r->account));
    AUTO_BUF(context, STORE_NAME + STORE_PUBLIC_ID + 16);
    AUTO_BUF(sealed, STORE_SEALED);

    if (!is_sealing(u))
        return ERR_OK;
    route_seal_context(r->account, p->public, &context);
    const enum err e = keys_seal(&r->w->keys, view_text(p->text), buf_view(&context),
                                 r->any.app_password_add.mailbox_password, &sealed);
    if (e != ERR_OK)
        return e;
    memcpy(row->sealed, sealed.p, sealed.n);
    row->sealed_n = sealed.n;
    return ERR_OK;
}

static enum err make(struct request *r, struct app_password *p)
{
    const struct wire_app_password_add *a = &r->any.app_password_add;
    struct store_app_password row;

    memset(&row, 0, sizeof(row));
    app_password_make(p);
    event_copy(row.id, sizeof(row.id), view_text(p->public));
    event_copy(row.account, sizeof(row.account), view_text(r->account));
    event_copy(row.label, sizeof(row.label), a->label);
    event_copy(row.network, sizeof(row.network), view_text(r->value.network));
    event_copy(row.sender, sizeof(row.sender), view_text(r->value.sender));
    row.protocols = r->value.protocols;
    row.created_at = r->w->wall_s();
    row.expires_at = a->expires_at;
    app_password_verifier(&r->w->keys, p, row.verifier);
    enum err e = seal(r, p, &row);
    if (e == ERR_OK)
        e = store_app_password_add(r->w->store, &row);
    secret_wipe(&row, sizeof(row));
    return e;
}

void control_app_password_add(struct request *r)
{
    struct store_account account;
    struct app_password p;

    if (!request_needs_account(r, &account))
        return;
    enum err e = make(r, &p);
    if (e == ERR_EXISTS) /* 50 random bits met 50 others */
        e = make(r, &p);
    if (e != ERR_OK) {
        request_fail_store(r, e);
    } else {
        const struct wire_row_new_app_password row = {
            .id = view_text(p.public),
            .account = view_text(r->account),
            .label = r->any.app_password_add.label,
            .app_password = view_text(p.text),
        };
        request_row(r, WIRE_row_new_app_password, &row);
        request_record(r, EVENT_APP_PASSWORD_ADDED, p.public, "");
    }
    app_password_done(&p);
}

/* ---- listing and revoking ------------------------------------------------------------- */

static bool app_password_row(void *arg, const struct store_app_password *p)
{
    struct request *r = arg;
    AUTO_BUF(protocols, LIMIT_LABEL);
    const char *bound = p->bound_network[0] != '\0' ? p->bound_network : p->bound_device;

    protocol_name_text(p->protocols, &protocols);
    const struct wire_row_app_password row = {
        .id = view_text(p->id),
        .account = view_text(p->account),
        .label = view_text(p->label),
        .protocols = buf_view(&protocols),
        .network = view_text(p->network),
        .sender = view_text(p->sender),
        .created_at = p->created_at,
        .expires_at = p->expires_at,
        .bound_to = view_text(bound),
        .last_used_at = p->last_used_at,
        .last_source = view_text(p->last_source),
        .last_client = view_text(p->last_client),
    };
    request_row(r, WIRE_row_app_password, &row);
    return buf_is_ok(&r->rows);
}

void control_app_password_rows(struct request *r, const char *account)
{
    const enum err e = store_app_password_list(r->w->store, account, app_password_row, r);

    if (e != ERR_OK)
        request_fail_store(r, e);
}

void control_app_password_list(struct request *r)
{
    struct store_account account;

    if (r->account[0] == '\0' || request_needs_account(r, &account))
        control_app_password_rows(r, r->account);
}

static void copy_id(const struct request *r, char id[STORE_PUBLIC_ID])
{
    event_copy(id, STORE_PUBLIC_ID, r->any.app_password_revoke.id);
    for (char *c = id; *c != '\0'; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
}

void control_app_password_revoke(struct request *r)
{
    struct store_app_password row;
    char id[STORE_PUBLIC_ID];

    copy_id(r, id);
    enum err e = store_app_password_find(r->w->store, id, &row);
    if (e == ERR_OK) {
        event_copy(r->account, sizeof(r->account), view_text(row.account));
        e = store_app_password_revoke(r->w->store, id);
    }
    secret_wipe(&row, sizeof(row));
    if (e == ERR_NOT_FOUND)
        request_fail(r, e, "there is no app password %s: see \"postern app-password list\"", id);
    else if (e != ERR_OK)
        request_fail_store(r, e);
    else
        request_record(r, EVENT_APP_PASSWORD_REVOKED, id, "");
}

void control_app_password_revoked(struct request *r)
{
    char id[STORE_PUBLIC_ID];
    const struct sessions_filter filter = { .app_password = id };

    copy_id(r, id);
    request_revoked(r);
    const uint32_t n = sessions_end(r->w, &filter, "app-password-revoked");
    if (n != 0)
        request_say(r, "%u live session%s ended", n, n == 1 ? "" : "s");
}
