#include "cli/client.h"
#include "cli/moment.h"
#include "cli/run.h"

#define INVITATION_S (7 * 86400) /* how long an invitation is good for, unless --for is given */

static int request(const struct invocation *i, enum wire_number number, const void *message,
                   enum render_form form, const char *success)
{
    return client_run(i,
                      &(struct client_request){
                          .number = number, .message = message, .form = form, .success = success });
}

int run_account_add(const struct invocation *i)
{
    const struct wire_account_add m = { .account = view_text(i->operand) };

    return request(
        i, WIRE_account_add, &m, RENDER_TABLE,
        "Added. It opens nothing yet: go on with postern app-password add or postern totp "
        "enrol");
}

int run_account_invite(const struct invocation *i)
{
    int64_t valid_s = INVITATION_S;

    if (i->values[OPTION_FOR] != NULL &&
        !moment_parse_span(i->values[OPTION_FOR], 366 * 86400, &valid_s))
        return help_usage(i->command, "--for \"%s\": write a time such as \"7d\", at most a year",
                          i->values[OPTION_FOR]);
    const struct wire_account_invite m = { .account = view_text(i->operand),
                                           .valid_s = (uint32_t)valid_s };
    return request(i, WIRE_account_invite, &m, RENDER_CARD, NULL);
}

int run_account_list(const struct invocation *i)
{
    const struct wire_account_list m = { 0 };

    return request(i, WIRE_account_list, &m, RENDER_TABLE,
                   "There is no account yet: make one with postern account add");
}

int run_account_show(const struct invocation *i)
{
    const struct wire_account_show m = { .account = view_text(i->operand) };

    return request(i, WIRE_account_show, &m, RENDER_CARD, NULL);
}

static int enable(const struct invocation *i, bool is_enabled)
{
    const struct wire_account_enable m = { .account = view_text(i->operand),
                                           .is_enabled = is_enabled };

    return request(i, WIRE_account_enable, &m, RENDER_TABLE,
                   is_enabled ? "Enabled" : "Disabled; its sessions end now");
}

int run_account_disable(const struct invocation *i)
{
    return enable(i, false);
}

int run_account_enable(const struct invocation *i)
{
    return enable(i, true);
}

int run_account_remove(const struct invocation *i)
{
    const struct wire_account_remove m = { .account = view_text(i->operand) };

    return request(i, WIRE_account_remove, &m, RENDER_TABLE, "Removed; its sessions end now");
}
