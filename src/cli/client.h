/* client.h: one request to the warden over the control socket, and its answer on standard output.
 * Blocking. Errors are said on standard error, with what to do next; the caller gets the exit
 * status (status.h). */
#ifndef POSTERN_CLI_CLIENT_H
#define POSTERN_CLI_CLIENT_H

#include "cli/command.h"
#include "cli/render.h"
#include "config/config.h"

struct client_request {
    enum wire_number number;
    const void *message;   /* borrowed */
    enum render_form form; /* when --json is not given */
    const char *success; /* said when all went well, there was no row, and the warden says nothing;
                            NULL: nothing */
    /* NULL, or called for a row before it is printed, unless --json is given. */
    void (*on_row)(const struct wire_message *m, const union wire_any *row);
};

MUST_USE int client_run(const struct invocation *i, const struct client_request *request);

/* What -c FILE says, or the default. */
const char *client_config_path(const struct invocation *i);
/* That configuration. NULL: every problem was printed on standard error. */
MUST_USE struct config *client_config(const struct invocation *i);
/* Prints `n` problems (of which `max` are in the array) on standard error. */
void client_say_errors(const struct config_error *errors, size_t n, size_t max);

#define CLIENT_ERRORS_MAX 100 /* problems of a configuration that are printed */

#endif
