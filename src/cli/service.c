#include "cli/client.h"
#include "cli/run.h"
#include "cli/status.h"
#include "supervisor/supervisor.h"

int run_serve(const struct invocation *i)
{
    return supervisor_run(client_config_path(i));
}

int run_version(const struct invocation *i)
{
    const bool is_json = i->values[OPTION_JSON] != NULL;

    (void)printf(is_json ? "{\"version\": \"%s\"}\n" : "postern %s\n", POSTERN_VERSION);
    return fflush(stdout) == 0 ? STATUS_OK : STATUS_REFUSED;
}

int run_status(const struct invocation *i)
{
    const struct wire_status message = { 0 };

    return client_run(i, &(struct client_request){
                             .number = WIRE_status, .message = &message, .form = RENDER_CARD });
}
