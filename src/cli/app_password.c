#include "cli/client.h"
#include "cli/moment.h"
#include "cli/prompt.h"
#include "cli/run.h"
#include "cli/status.h"
#include "warden/account.h"

#include <time.h>

static struct view value(const struct invocation *i, enum option o)
{
    return view_text(i->values[o] == NULL ? "" : i->values[o]);
}

static int ask_password(const struct invocation *i, struct buf *out)
{
    AUTO_BUF(question, 512);

    buf_put_text(&question, "Mailbox password of ");
    render_clean(view_text(i->operand), &question);
    buf_put_text(&question, ": ");
    const char *text = buf_cstr(&question);
    const enum err e = prompt_secret(text == NULL ? "Mailbox password: " : text, out);
    if (e == ERR_TOO_LONG)
        return help_usage(i->command, "the mailbox password has more than %d octets", LIMIT_SECRET);
    if (e != ERR_OK)
        return help_usage(i->command,
                          "no mailbox password: type it on a terminal, or give it as the "
                          "first line of standard input");
    return STATUS_OK;
}

/* What can be said before the password is asked for. */
static int check_limits(const struct invocation *i, struct wire_app_password_add *m)
{
    struct network network;
    char sender[STORE_NAME];

    if (m->label.n == 0)
        return help_usage(i->command, "for which device? Say so with --label \"phone\"");
    if (m->network.n != 0 && !network_parse(i->values[OPTION_NETWORK], &network))
        return help_usage(i->command, "--network \"%s\": write address/bits, such as 192.0.2.0/24",
                          i->values[OPTION_NETWORK]);
    if (m->sender.n != 0 && !account_normalise(m->sender, "", sender))
        return help_usage(i->command,
                          "--sender \"%s\": write an address, such as printer@example.org",
                          i->values[OPTION_SENDER]);
    if (i->values[OPTION_EXPIRES] != NULL &&
        !moment_parse(i->values[OPTION_EXPIRES], (int64_t)time(NULL), &m->expires_at))
        return help_usage(
            i->command,
            "--expires \"%s\": write a time such as \"90d\", or a date to come such as "
            "2030-12-31",
            i->values[OPTION_EXPIRES]);
    return STATUS_OK;
}

int run_app_password_add(const struct invocation *i)
{
    AUTO_BUF(password, LIMIT_SECRET);
    struct wire_app_password_add m = {
        .account = view_text(i->operand),
        .label = value(i, OPTION_LABEL),
        .protocols = value(i, OPTION_PROTOCOLS),
        .network = value(i, OPTION_NETWORK),
        .sender = value(i, OPTION_SENDER),
        .is_unchecked = i->values[OPTION_NO_CHECK] != NULL,
    };

    int status = check_limits(i, &m);
    if (status == STATUS_OK)
        status = ask_password(i, &password);
    if (status != STATUS_OK)
        return status;
    m.mailbox_password = buf_view(&password);
    return client_run(i, &(struct client_request){
                             .number = WIRE_app_password_add, .message = &m, .form = RENDER_CARD });
}

int run_app_password_list(const struct invocation *i)
{
    const struct wire_app_password_list m = { .account = view_text(i->operand) };

    return client_run(i, &(struct client_request){ .number = WIRE_app_password_list,
                                                   .message = &m,
                                                   .success = "There is no app password" });
}

int run_app_password_revoke(const struct invocation *i)
{
    const struct wire_app_password_revoke m = { .id = view_text(i->operand) };

    return client_run(i, &(struct client_request){ .number = WIRE_app_password_revoke,
                                                   .message = &m,
                                                   .success = "Revoked; its sessions end now" });
}
