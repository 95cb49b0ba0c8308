#include "cli/client.h"

#include "base/mem.h"
#include "cli/status.h"
#include "net/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/postern/postern.conf"
#define ANSWER_S       120 /* longer than the longest check of a mailbox password at the upstream */

void client_say_errors(const struct config_error *errors, size_t n, size_t max)
{
    for (size_t i = 0; i < n && i < max; i++)
        (void)fprintf(stderr, "%s\n", errors[i].text);
    if (n > max)
        (void)fprintf(stderr, "… and %zu more\n", n - max);
}

const char *client_config_path(const struct invocation *i)
{
    return i->values[OPTION_CONFIG] == NULL ? DEFAULT_CONFIG : i->values[OPTION_CONFIG];
}

struct config *client_config(const struct invocation *i)
{
    struct config_error *errors = mem_array(CLIENT_ERRORS_MAX, sizeof(*errors));
    size_t n = 0;

    if (errors == NULL) {
        (void)fprintf(stderr, "postern: out of memory\n");
        return NULL;
    }
    struct config *c = config_load(client_config_path(i), errors, CLIENT_ERRORS_MAX, &n);
    if (c == NULL)
        client_say_errors(errors, n, CLIENT_ERRORS_MAX);
    mem_free(errors);
    return c;
}

/* ---- reaching the warden -------------------------------------------------------------- */

static int say_unreachable(const char *path, int why)
{
    const char *next =
        "is \"postern serve\" running with this configuration? Start it, or name its "
        "socket with --control PATH";

    if (why == EACCES || why == EPERM)
        next = "run this as root, or as a member of the warden's group";
    (void)fprintf(stderr, "postern: the service is not reachable at %s (%s): %s\n", path,
                  strerror(why), next);
    return STATUS_UNREACHABLE;
}

/* Connects to the socket; *ret_fd is the caller's to close. */
static int connect_to(const char *path, bool is_patient, int *ret_fd)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const struct timeval timeout = { .tv_sec = ANSWER_S };

    if (strlen(path) >= sizeof(address.sun_path)) {
        (void)fprintf(stderr, "postern: %s: a socket's path has at most %zu octets\n", path,
                      sizeof(address.sun_path) - 1);
        return STATUS_USAGE;
    }
    memcpy(address.sun_path, path, strlen(path));
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return say_unreachable(path, errno);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        const int why = errno;
        (void)close(fd);
        return say_unreachable(path, why);
    }
    if (!is_patient)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    *ret_fd = fd;
    return STATUS_OK;
}

static int reach(const struct invocation *i, bool is_patient, int *ret_fd)
{
    if (i->values[OPTION_CONTROL] != NULL)
        return connect_to(i->values[OPTION_CONTROL], is_patient, ret_fd);
    AUTO(config) c = client_config(i);
    return c == NULL ? STATUS_CONFIG : connect_to(c->control, is_patient, ret_fd);
}

/* ---- the answer ----------------------------------------------------------------------- */

static int say_lost(enum err e)
{
    if (e == ERR_INVALID)
        (void)fprintf(stderr, "postern: the service's answer is not understood: is it of another "
                              "version? Restart it\n");
    else
        (void)fprintf(stderr,
                      "postern: the service ended the connection before its answer: see its "
                      "log, and try again\n");
    return STATUS_UNREACHABLE;
}

/* `success` is what is said when the warden has nothing to say; NULL: nothing. */
static int finish(const struct wire_done *done, bool is_json, const char *success)
{
    AUTO_BUF(text, 2048);

    render_clean(done->text, &text);
    if (done->status == ERR_OK) {
        const char *said = text.n == 0 ? success : buf_cstr(&text);
        if (said != NULL && !is_json)
            (void)printf("%s\n", said);
        return fflush(stdout) == 0 ? STATUS_OK : STATUS_REFUSED;
    }
    const char *said = text.n == 0 ? err_text((enum err)done->status) : buf_cstr(&text);
    (void)fprintf(stderr, "postern: %s\n", said == NULL ? "refused" : said);
    return done->status == ERR_IO || done->status == ERR_BUSY || done->status == ERR_MEMORY
               ? STATUS_UNREACHABLE
               : STATUS_REFUSED;
}

static int say_unwritten(enum err e)
{
    (void)fprintf(stderr, "postern: the answer could not be written: %s\n",
                  e == ERR_MEMORY ? "out of memory" : strerror(errno));
    return STATUS_REFUSED;
}

/* Receives rows until `done`. */
static int receive(int fd, const struct client_request *request, struct renderer *r)
{
    AUTO_BUF(frame, LIMIT_FRAME);
    const char *success = request->success;

    for (;;) {
        const struct wire_message *m;
        union wire_any any;
        enum err e = channel_receive_wait(fd, &frame, &m, &any, NULL);
        if (e == ERR_OK && m->number != WIRE_done && strncmp(m->name, "row_", 4) != 0)
            e = ERR_INVALID;
        if (e != ERR_OK)
            return say_lost(e);
        if (m->number == WIRE_done) {
            e = render_end(r);
            return e == ERR_OK ? finish(&any.done, r->form == RENDER_JSON, success)
                               : say_unwritten(e);
        }
        success = NULL; /* rows speak for themselves */
        if (request->on_row != NULL && r->form != RENDER_JSON)
            request->on_row(m, &any);
        e = render_row(r, m, &any);
        if (e != ERR_OK)
            return say_unwritten(e);
    }
}

static int exchange(int fd, const struct invocation *i, const struct client_request *request)
{
    struct renderer r;
    const enum err e = channel_send_wait(fd, request->number, request->message);

    if (e == ERR_TOO_LONG || e == ERR_INVALID)
        return help_usage(i->command, "a value is too long");
    if (e != ERR_OK)
        return say_lost(e);
    render_init(&r, i->values[OPTION_JSON] != NULL ? RENDER_JSON : request->form, stdout);
    const int status = receive(fd, request, &r);
    render_done(&r);
    return status;
}

int client_run(const struct invocation *i, const struct client_request *request)
{
    int fd = -1;
    const int status = reach(i, request->form == RENDER_LINES, &fd);

    if (status != STATUS_OK)
        return status;
    const int result = exchange(fd, i, request);
    (void)close(fd);
    return result;
}
