#include "supervisor/supervisor.h"

#include "base/log.h"
#include "supervisor/house.h"
#include "supervisor/notify.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS_SPARE 1024 /* of an edge, beside the two of each session */

/* ---- start ---------------------------------------------------------------------------- */

static void print_problem(const char *problem)
{
    (void)fprintf(stderr, "postern: %s\n", problem);
}

/* Children inherit the limit. */
static void raise_descriptors(const struct config *c)
{
    const rlim_t need = (rlim_t)c->edges.sessions * 2 + DESCRIPTORS_SPARE;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
        return;
    const struct rlimit more = { need, limit.rlim_max > need ? limit.rlim_max : need };
    const struct rlimit most = { limit.rlim_max, limit.rlim_max };
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return;
    (void)setrlimit(RLIMIT_NOFILE, &most);
    log_event(LOG_WARN, "few-descriptors", LOG_NUM("limit", limit.rlim_max), LOG_NUM("need", need),
              LOG_TEXT("mend", "raise LimitNOFILE, or lower edges.sessions"));
}

static void forbid_dumps(void)
{
    const struct rlimit none = { 0, 0 };

    /* It has read the private keys. */
    (void)setrlimit(RLIMIT_CORE, &none);
    if (!sandbox_is_loose())
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void say_given(const struct house *h)
{
    for (size_t i = 0; i < h->sockets.given_count; i++) {
        const char *name = h->sockets.given[i].gate;
        if (config_gate(h->now->config, view_text(name)) != NULL)
            log_event(LOG_INFO, "socket-given", LOG_TEXT("gate", name));
        else
            log_event(LOG_WARN, "socket-without-gate", LOG_TEXT("name", name),
                      LOG_TEXT("mend", "FileDescriptorName= of the .socket unit must be a gate's "
                                       "name"));
    }
}

static void start(struct house *h)
{
    const struct config *c = h->now->config;

    log_open("supervisor", c->log.format, c->log.level);
    log_event(LOG_INFO, "start", LOG_TEXT("version", POSTERN_VERSION),
              LOG_TEXT("config", h->config_path), LOG_NUM("pid", getpid()),
              LOG_NUM("edges", h->now->edge_count));
    say_given(h);
    raise_descriptors(c);
    forbid_dumps();
    tickets_rotate(&h->tickets, loop_now_ms(&h->loop));
    h->warden_generation = h->now;
    child_start_warden(h);
    for (uint32_t i = 0; i < h->now->edge_count; i++)
        child_start_edge(h, h->now, &h->now->edges[i]);
    h->watchdog_ms = notify_watchdog_ms();
    h->watchdog_at_ms = h->watchdog_ms == 0 ? 0 : loop_now_ms(&h->loop) + h->watchdog_ms;
    clock_arm(h);
}

static bool is_all_ready(const struct house *h)
{
    if (h->warden.child == NULL || !h->warden.child->is_ready)
        return false;
    for (uint32_t i = 0; i < h->now->edge_count; i++)
        if (h->now->edges[i].child == NULL || !h->now->edges[i].child->is_ready)
            return false;
    return true;
}

void house_serving(struct house *h)
{
    if (h->phase != PHASE_STARTING || !is_all_ready(h))
        return;
    h->phase = PHASE_SERVING;
    log_event(LOG_INFO, "serving", LOG_NUM("gates", h->now->config->gate_count),
              LOG_NUM("edges", h->now->edge_count));
    notify_ready("serving %zu gates with %u edges", h->now->config->gate_count,
                 (unsigned)h->now->edge_count);
    if (h->is_reload_wanted)
        reload_begin(h);
}

/* ---- stop ----------------------------------------------------------------------------- */

static uint32_t stop_time(const struct house *h, bool is_first)
{
    const uint32_t drain_ms = h->now->config->session.drain_timeout_ms;

    if (!is_first || h->status != SUPERVISOR_OK)
        return drain_ms < HOUSE_HASTEN_MS && drain_ms != 0 ? drain_ms : HOUSE_HASTEN_MS;
    /* To a child 0 means for ever. */
    return drain_ms == 0 ? 1 : drain_ms;
}

void house_stop(struct house *h)
{
    const bool is_first = h->phase != PHASE_STOPPING;
    const uint32_t within_ms = stop_time(h, is_first);

    h->phase = PHASE_STOPPING;
    log_event(LOG_INFO, is_first ? "stop" : "stop-hastened", LOG_NUM("within_ms", within_ms));
    notify_stopping();
    sockets_close_gates(&h->sockets);
    for (struct child *c = h->children; c != NULL; c = c->next)
        if (c->role != &spawn_topology[ROLE_WARDEN])
            child_drain(c, within_ms);
    house_stop_step(h);
    clock_arm(h);
}

/* The warden goes last: it has to hear how the sessions ended. */
void house_stop_step(struct house *h)
{
    struct child *last = h->children;

    if (last == NULL)
        uv_stop(&h->loop);
    else if (last->next == NULL && last == h->warden.child && !last->is_draining)
        child_drain(last, HOUSE_WARDEN_MS);
}

/* ---- the loop ------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct house *h = handle->data;

    if (number == SIGCHLD)
        children_reap(h);
    else if (number == SIGHUP)
        reload_begin(h);
    else
        house_stop(h);
}

static bool watch_signals(struct house *h)
{
    static const int numbers[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };

    if (uv_timer_init(&h->loop, &h->clock) != 0)
        return false;
    h->clock.data = h;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        if (uv_signal_init(&h->loop, &h->signals[i]) != 0)
            return false;
        h->signals[i].data = h;
        if (uv_signal_start(&h->signals[i], on_signal, numbers[i]) != 0)
            return false;
    }
    return true;
}

static void close_handle(uv_handle_t *handle, void *nothing)
{
    (void)nothing;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void done(struct house *h)
{
    uv_walk(&h->loop, close_handle, NULL);
    (void)uv_run(&h->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&h->loop);
    sockets_close(&h->sockets);
    generation_free(h->next);
    generation_free(h->now);
    tickets_done(&h->tickets);
    if (h->program >= 0)
        (void)close(h->program);
}

static int fail(const char *what)
{
    log_event(LOG_ERROR, "start-failed", LOG_TEXT("what", what),
              LOG_TEXT("system", strerror(errno)));
    return SUPERVISOR_FAILED;
}

int supervisor_run(const char *config_path)
{
    struct house h = { .config_path = config_path, .program = -1 };

    log_open("supervisor", LOG_FORMAT_AUTO, LOG_INFO);
    /* A log that nobody reads must not stop the mail. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0 || uv_loop_init(&h.loop) != 0)
        return fail("libraries");
    const enum err given = sockets_take_given(&h.sockets);
    if (given != ERR_OK)
        log_event(LOG_WARN, "socket-refused",
                  LOG_TEXT("mend", "sockets of a .socket unit must be ListenStream="));
    h.program = spawn_pin_program();
    if (h.program < 0 || !watch_signals(&h)) {
        h.status = fail("process");
    } else {
        h.now = reload_load(&h, print_problem);
        if (h.now != NULL) {
            uv_update_time(&h.loop);
            start(&h);
            (void)uv_run(&h.loop, UV_RUN_DEFAULT);
            log_event(LOG_INFO, "end", LOG_NUM("status", h.status));
        }
    }
    done(&h);
    return h.status;
}
