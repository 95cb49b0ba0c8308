#include "warden/warden.h"

#include "base/log.h"
#include "base/mem.h"
#include "sandbox/sandbox.h"
#include "warden/control.h"
#include "warden/docket.h"
#include "warden/link.h"
#include "warden/metrics_server.h"
#include "warden/probe.h"
#include "warden/sessions.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#define CONFIG_FILE_MAX (4 << 20) /* octets; the supervisor has shown it, so it is sound */
#define EDGES_AT_START  256       /* verdict channels that may come before the start */
#define TICK_MS         250
#define TICK_BUSY_MS    5
#define PRUNE_MS        60000
#define END_MS          2000 /* for the last writes, when the supervisor is gone */
#define DAY_S           86400

struct process {
    struct warden w;
    struct channel *boot;
    struct buf config_text;
    int control_fd, metrics_fd;
    int edge_fds[EDGES_AT_START];
    size_t edge_count;
    bool is_started;
    uv_timer_t tick, prune;
    uint64_t end_by_ms; /* once ending */
    bool is_end_bounded;
};

struct prune_job {
    struct job job;
    struct store *store;
    int64_t older_than;
};

static struct process process = { .control_fd = -1, .metrics_fd = -1 };

static _Noreturn void die(const char *what, const char *why)
{
    log_event(LOG_ERROR, "warden-not-started", LOG_TEXT("what", what), LOG_TEXT("why", why));
    _exit(1);
}

/* ---- the end -------------------------------------------------------------------------- */

static void look_for_end(struct process *p)
{
    struct warden *w = &p->w;
    const bool is_done = w->jobs.under_way == 0 && writer_is_idle(w->writer);
    const bool is_over = p->is_end_bounded && core_now_ms(w) >= p->end_by_ms;

    if (!is_done && is_over)
        log_event(LOG_ERROR, "events-lost", LOG_NUM("writes", writer_queued(w->writer)));
    if (is_done || is_over)
        uv_stop(w->loop);
    else
        writer_flush(w->writer);
}

/* Nothing new is judged; what is under way is answered and written. The sessions go on: their edges
 * tell the next warden of them. */
static void begin_end(struct process *p, uint32_t within_ms)
{
    struct warden *w = &p->w;

    if (!p->is_started)
        _exit(0);
    control_close(w);
    metrics_server_close(w);
    w->is_ending = true;
    p->is_end_bounded = within_ms != 0;
    p->end_by_ms = core_now_ms(w) + within_ms;
    look_for_end(p);
}

/* ---- what comes round ----------------------------------------------------------------- */

static void on_tick(uv_timer_t *t)
{
    struct process *p = t->data;

    sessions_tick(&p->w);
    probe_tick(&p->w);
    metrics_server_tick(&p->w);
    const bool is_busy = control_tick(&p->w) || p->w.is_ending;
    (void)uv_timer_start(t, on_tick, is_busy ? TICK_BUSY_MS : TICK_MS, 0);
    if (p->w.is_ending)
        look_for_end(p);
}

static void run_prune(struct job *j)
{
    const struct prune_job *p = (struct prune_job *)j;
    const enum err e = store_prune(p->store, p->older_than);

    if (e != ERR_OK)
        log_event(LOG_WARN, "prune-failed", LOG_TEXT("why", err_text(e)));
}

static void pruned(struct job *j)
{
    mem_free(j);
}

static void on_prune(uv_timer_t *t)
{
    struct process *p = t->data;
    struct prune_job *j = NEW(prune_job);

    if (j == NULL || p->w.is_ending || p->w.config->store.event_days == 0) {
        mem_free(j);
        return;
    }
    j->store = p->w.store;
    j->older_than = p->w.wall_s() - (int64_t)p->w.config->store.event_days * DAY_S;
    job_start(&p->w.jobs, &j->job, run_prune, pruned);
}

/* ---- the start ------------------------------------------------------------------------ */

static void read_config(struct process *p, int fd)
{
    uint8_t space[16384];
    ssize_t n;

    buf_init(&p->config_text, CONFIG_FILE_MAX);
    (void)lseek(fd, 0, SEEK_SET);
    while ((n = read(fd, space, sizeof(space))) > 0)
        buf_put(&p->config_text, view_of(space, (size_t)n));
    (void)close(fd);
    secret_wipe(space, sizeof(space));
    if (n < 0 || !buf_is_ok(&p->config_text))
        die("configuration", "cannot be read");
}

static void parse_config(struct process *p)
{
    struct config_error error = { .text = "" };
    size_t n = 0;
    const char *text = buf_cstr(&p->config_text);

    p->w.config = text == NULL ? NULL : config_parse(text, &error, 1, &n);
    buf_done(&p->config_text);
    if (p->w.config == NULL)
        die("configuration", error.text);
}

static bool is_any(void *arg, const struct store_account *a)
{
    (void)a;
    *(bool *)arg = true;
    return false;
}

/* A new key would open nothing that the old one has sealed, and match no app password: people would
 * be locked out, and nobody would know why. */
static void need_key_of(const struct config *c, struct store *store)
{
    bool has_accounts = false;
    const enum err e = store_account_list(store, 0, is_any, &has_accounts);

    if (e != ERR_OK)
        die(c->store.path, err_text(e));
    if (!has_accounts)
        return;
    log_event(LOG_ERROR, "key-missing", LOG_TEXT("key", c->store.key),
              LOG_TEXT("database", c->store.path),
              LOG_TEXT("mend", "the database holds accounts whose secrets only this key opens: put "
                               "its copy back (mode 0600, owned by the warden's user) or correct "
                               "store.key; if it is lost, move the database away and enrol anew"));
    _exit(1);
}

/* Below the sandbox: only what its profile lets through. */
static void open_store(struct process *p)
{
    struct warden *w = &p->w;
    const struct store_conf conf = { .driver = w->config->store.driver,
                                     .path = w->config->store.path,
                                     .connections = DOCKET_THREADS };
    enum err e = store_open(&conf, &w->store);

    if (e != ERR_OK)
        die(w->config->store.path, err_text(e));
    if (access(w->config->store.key, F_OK) != 0 && errno == ENOENT)
        need_key_of(w->config, w->store);
    e = keys_load(w->config->store.key, &w->keys);
    if (e != ERR_OK)
        die(w->config->store.key, err_text(e));
    e = password_open(w->config, &w->passwords);
    if (e != ERR_OK)
        die("password.source", err_text(e));
    e = alias_open(w->config, &w->aliases);
    if (e != ERR_OK)
        die("aliases.source", err_text(e));
    e = core_open(w);
    if (e != ERR_OK)
        die("memory", err_text(e));
    e = store_sessions_close_all(w->store, w->started_at, "lost");
    if (e != ERR_OK)
        log_event(LOG_WARN, "old-sessions-not-closed", LOG_TEXT("why", err_text(e)));
}

static void open_sockets(struct process *p)
{
    struct warden *w = &p->w;
    enum err e = ERR_OK;

    for (size_t i = 0; i < p->edge_count; i++)
        if (link_open(w, p->edge_fds[i]) != ERR_OK)
            e = ERR_MEMORY;
    if (p->control_fd >= 0 && control_open(w, p->control_fd) != ERR_OK)
        e = ERR_MEMORY;
    if (p->metrics_fd >= 0 && metrics_server_open(w, p->metrics_fd) != ERR_OK)
        e = ERR_MEMORY;
    if (e != ERR_OK)
        die("sockets", err_text(e));
}

static void start(struct process *p)
{
    parse_config(p);
    log_open("warden", p->w.config->log.format, p->w.config->log.level);
    if (sandbox_enter(&sandbox_warden, p->w.config) != ERR_OK)
        _exit(1); /* it has said why */
    open_store(p);
    open_sockets(p);
    (void)uv_timer_init(p->w.loop, &p->tick);
    (void)uv_timer_init(p->w.loop, &p->prune);
    p->tick.data = p->prune.data = p;
    (void)uv_timer_start(&p->tick, on_tick, TICK_MS, 0);
    (void)uv_timer_start(&p->prune, on_prune, PRUNE_MS, PRUNE_MS);
    p->is_started = true;
    channel_set_open(p->boot);
    channel_send(p->boot, WIRE_ready, &(struct wire_ready){ 0 }, -1);
}

static void take_channel(struct process *p, int fd)
{
    if (p->is_started) {
        if (link_open(&p->w, fd) != ERR_OK)
            log_plain(LOG_ERROR, "no-memory-for-edge-channel");
    } else if (p->edge_count < EDGES_AT_START) {
        p->edge_fds[p->edge_count++] = fd;
    } else {
        (void)close(fd);
    }
}

static void take_listener(struct process *p, bool is_metrics, int fd)
{
    int *to = is_metrics ? &p->metrics_fd : &p->control_fd;

    if (*to >= 0)
        (void)close(*to);
    *to = fd;
}

static bool is_carrier(uint8_t number)
{
    return number == WIRE_boot_file || number == WIRE_boot_channel || number == WIRE_boot_control;
}

static void on_boot_message(void *owner, struct channel *c, const struct wire_message *m,
                            const union wire_any *any, int fd)
{
    struct process *p = owner;

    (void)c;
    if (is_carrier(m->number) != (fd >= 0))
        die("boot channel", m->name);
    switch (m->number) {
    case WIRE_boot_file:
        if (view_is_equal(any->boot_file.name, VIEW_LIT("config")))
            read_config(p, fd);
        else
            (void)close(fd);
        break;
    case WIRE_boot_channel:
        take_channel(p, fd);
        break;
    case WIRE_boot_control:
        take_listener(p, any->boot_control.is_metrics, fd);
        break;
    case WIRE_boot_start:
        start(p);
        break;
    case WIRE_drain:
        begin_end(p, any->drain.within_ms);
        break;
    default:
        die("boot channel", m->name);
    }
}

static void on_boot_end(void *owner, struct channel *c, const char *reason)
{
    log_event(LOG_WARN, "supervisor-lost", LOG_TEXT("reason", reason));
    channel_close(c);
    begin_end(owner, END_MS);
}

int warden_main(void)
{
    struct process *p = &process;
    char threads[16];

    log_open("warden", LOG_FORMAT_AUTO, LOG_INFO);
    sandbox_close_descriptors();
    mem_init();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(threads, sizeof(threads), "%d", DOCKET_THREADS);
    /* Before the first job: libuv reads it when it makes the pool. */
    if (sodium_init() < 0 || setenv("UV_THREADPOOL_SIZE", threads, 1) != 0)
        return 1;
    p->w.loop = uv_default_loop();
    p->boot = channel_open(&(struct channel_conf){ .loop = p->w.loop,
                                                   .fd = SANDBOX_BOOT_FD,
                                                   .peer = WIRE_SUPERVISOR,
                                                   .owner = p,
                                                   .on_message = on_boot_message,
                                                   .on_end = on_boot_end });
    if (p->boot == NULL)
        return 1;
    (void)uv_run(p->w.loop, UV_RUN_DEFAULT);
    store_free(p->w.store);
    keys_done(&p->w.keys);
    return 0;
}
