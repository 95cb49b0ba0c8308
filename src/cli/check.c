#include "base/mem.h"
#include "cli/client.h"
#include "cli/run.h"
#include "cli/status.h"

#include <jansson.h>

#define SHOW_MAX 1048576 /* octets of a configuration spelt out */

/* {"errors": ["file:line: key: …"]} */
static int put_errors(const struct config_error *errors, size_t n)
{
    json_t *list = json_array();
    json_t *object = json_pack("{s:o}", "errors", list);

    for (size_t i = 0; object != NULL && i < n && i < CLIENT_ERRORS_MAX; i++)
        (void)json_array_append_new(list, json_string(errors[i].text));
    if (object != NULL)
        (void)json_dumpf(object, stdout, 0);
    (void)fputc('\n', stdout);
    json_decref(object);
    return STATUS_CONFIG;
}

static int say_errors(const struct config_error *errors, size_t n, bool is_json)
{
    client_say_errors(errors, n, CLIENT_ERRORS_MAX);
    return is_json ? put_errors(errors, n) : STATUS_CONFIG;
}

/* For who reads, not for the exit status: they serve well today. */
static void say_expiring(const struct config *c, struct config_error *notes)
{
    const size_t n = config_check_expiring(c, notes, CLIENT_ERRORS_MAX);

    for (size_t i = 0; i < n && i < CLIENT_ERRORS_MAX; i++)
        (void)fprintf(stderr, "note: %s\n", notes[i].text);
}

static int check(const char *path, bool is_json, struct config_error *errors)
{
    size_t n = 0;
    AUTO_BUF(text, SHOW_MAX);
    AUTO(config) c = config_load(path, errors, CLIENT_ERRORS_MAX, &n);

    if (c != NULL)
        n = config_check_files(c, errors, CLIENT_ERRORS_MAX);
    if (c == NULL || n != 0)
        return say_errors(errors, n, is_json);
    say_expiring(c, errors);
    if (config_show(c, CONFIG_FOR_EYES, is_json, &text) != ERR_OK) {
        (void)fprintf(stderr, "postern: out of memory\n");
        return STATUS_REFUSED;
    }
    if (!is_json)
        (void)printf("# %s is right. In effect, with every default:\n", path);
    (void)fwrite(text.p, 1, text.n, stdout);
    return fflush(stdout) == 0 ? STATUS_OK : STATUS_REFUSED;
}

int run_check(const struct invocation *i)
{
    struct config_error *errors = mem_array(CLIENT_ERRORS_MAX, sizeof(*errors));

    if (errors == NULL) {
        (void)fprintf(stderr, "postern: out of memory\n");
        return STATUS_REFUSED;
    }
    const int status = check(client_config_path(i), i->values[OPTION_JSON] != NULL, errors);
    mem_free(errors);
    return status;
}
