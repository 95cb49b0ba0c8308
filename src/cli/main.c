#include "cli/command.h"
#include "cli/run.h"
#include "cli/status.h"
#include "edge/edge.h"
#include "warden/warden.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static int (*const runs[COMMAND_COUNT])(const struct invocation *i) = {
    [COMMAND_SERVE] = run_serve,
    [COMMAND_CHECK] = run_check,
    [COMMAND_VERSION] = run_version,
    [COMMAND_STATUS] = run_status,
    [COMMAND_ACCOUNT_ADD] = run_account_add,
    [COMMAND_ACCOUNT_INVITE] = run_account_invite,
    [COMMAND_ACCOUNT_LIST] = run_account_list,
    [COMMAND_ACCOUNT_SHOW] = run_account_show,
    [COMMAND_ACCOUNT_DISABLE] = run_account_disable,
    [COMMAND_ACCOUNT_ENABLE] = run_account_enable,
    [COMMAND_ACCOUNT_REMOVE] = run_account_remove,
    [COMMAND_APP_PASSWORD_ADD] = run_app_password_add,
    [COMMAND_APP_PASSWORD_LIST] = run_app_password_list,
    [COMMAND_APP_PASSWORD_REVOKE] = run_app_password_revoke,
    [COMMAND_TOTP_ENROL] = run_totp_enrol,
    [COMMAND_LEASE_ADD] = run_lease_add,
    [COMMAND_LEASE_LIST] = run_lease_list,
    [COMMAND_LEASE_REVOKE] = run_lease_revoke,
    [COMMAND_SESSION_LIST] = run_session_list,
    [COMMAND_SESSION_END] = run_session_end,
    [COMMAND_EVENTS] = run_events,
};

/* `postern --role edge`: how the supervisor re-executes this program; no command for people. */
static int run_role(const char *role)
{
    if (strcmp(role, "edge") == 0)
        return edge_main();
    if (strcmp(role, "warden") == 0)
        return warden_main();
    (void)fprintf(stderr,
                  "postern: there is no role \"%s\"; start the service with postern serve\n", role);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    struct invocation i;
    int status = STATUS_USAGE;

    if (sodium_init() < 0) {
        (void)fprintf(stderr, "postern: no random octets from this system\n");
        return STATUS_REFUSED;
    }
    if (argc == 3 && strcmp(argv[1], "--role") == 0)
        return run_role(argv[2]);
    if (!command_parse(argc - 1, argv + 1, &i, &status))
        return status;
    return runs[i.command->id](&i);
}
