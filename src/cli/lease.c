#include "cli/client.h"
#include "cli/moment.h"
#include "cli/run.h"

#include <time.h>

int run_lease_add(const struct invocation *i)
{
    const char *network = i->values[OPTION_NETWORK];
    const char *device = i->values[OPTION_DEVICE];
    const char *span = i->values[OPTION_FOR];
    struct network parsed;
    int64_t span_s;

    if ((network == NULL || network[0] == 0) == (device == NULL || device[0] == 0))
        return help_usage(i->command, "for what? Give --network CIDR or --device TEXT");
    if (span == NULL)
        return help_usage(i->command, "for how long? Give --for, such as --for 8h");
    if (!moment_parse_span(span, MOMENT_SPAN_MAX, &span_s))
        return help_usage(i->command, "--for \"%s\": write a time such as \"8h\" or \"30d\"", span);
    if (network != NULL && network[0] != 0 && !network_parse(network, &parsed))
        return help_usage(i->command, "--network \"%s\": write address/bits, such as 192.0.2.0/24",
                          network);
    const struct wire_lease_add m = { .account = view_text(i->operand),
                                      .network = view_text(network),
                                      .device = view_text(device),
                                      .expires_at = (int64_t)time(NULL) + span_s };
    return client_run(i, &(struct client_request){
                             .number = WIRE_lease_add, .message = &m, .form = RENDER_CARD });
}

int run_lease_list(const struct invocation *i)
{
    const struct wire_lease_list m = { .account = view_text(i->operand) };

    return client_run(i, &(struct client_request){ .number = WIRE_lease_list,
                                                   .message = &m,
                                                   .success = "There is no lease" });
}

int run_lease_revoke(const struct invocation *i)
{
    struct wire_lease_revoke m = { 0 };

    if (!view_number(view_text(i->operand), INT64_MAX, &m.id))
        return help_usage(i->command, "\"%s\" is no lease's number; postern lease list shows them",
                          i->operand);
    return client_run(
        i, &(struct client_request){ .number = WIRE_lease_revoke,
                                     .message = &m,
                                     .success = "Revoked; the sessions that it let in end now" });
}
