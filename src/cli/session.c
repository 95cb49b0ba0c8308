#include "cli/client.h"
#include "cli/run.h"

int run_session_list(const struct invocation *i)
{
    const struct wire_session_list m = { .account = view_text(i->operand) };

    return client_run(i, &(struct client_request){ .number = WIRE_session_list,
                                                   .message = &m,
                                                   .success = "There is no live session" });
}

int run_session_end(const struct invocation *i)
{
    const char *account = i->values[OPTION_ACCOUNT];
    const struct wire_session_end m = { .session = view_text(i->operand),
                                        .account = view_text(account) };

    if ((m.session.n == 0) == (m.account.n == 0))
        return help_usage(i->command, "which? Give an ID of postern session list, or --account "
                                      "ACCOUNT for all of an account");
    return client_run(i, &(struct client_request){
                             .number = WIRE_session_end, .message = &m, .success = "Ended" });
}
