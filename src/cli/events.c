#include "cli/client.h"
#include "cli/run.h"

#define EVENTS     50     /* as many as fit on a screen or two */
#define EVENTS_MAX 100000 /* more in one answer is an export, and that is SQL's work */

int run_events(const struct invocation *i)
{
    uint64_t limit = EVENTS;
    const bool is_following = i->values[OPTION_FOLLOW] != NULL;

    if (i->values[OPTION_LIMIT] != NULL &&
        !view_number(view_text(i->values[OPTION_LIMIT]), EVENTS_MAX, &limit))
        return help_usage(i->command, "--limit \"%s\": write a number, at most %d",
                          i->values[OPTION_LIMIT], EVENTS_MAX);
    const struct wire_event_list m = { .account = view_text(i->operand),
                                       .limit = (uint32_t)limit,
                                       .is_following = is_following };
    return client_run(
        i, &(struct client_request){ .number = WIRE_event_list,
                                     .message = &m,
                                     .form = is_following ? RENDER_LINES : RENDER_TABLE });
}
