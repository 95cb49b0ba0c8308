#include "edge/edge.h"

#include "base/mem.h"
#include "edge/boot.h"
#include "edge/context.h"
#include "edge/offer.h"
#include "edge/session.h"
#include "net/tls_memory.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_MS       1000 /* how long the gates wait for a first look at the upstreams */
#define LOAD_EVERY_MS 1000 /* the supervisor only wants to say how many a crash has cost */

static struct edge edge;

struct edge_upstream *edge_upstream(struct edge *e, struct view name)
{
    for (size_t i = 0; i < e->upstream_count; i++)
        if (view_is_equal(view_text(e->upstreams[i].conf->name), name))
            return &e->upstreams[i];
    return NULL;
}

static void tell_load(uv_timer_t *timer)
{
    struct edge *e = timer->data;
    const struct wire_load load = { .sessions = (uint32_t)e->session_count,
                                    .is_orphaned = e->warden == NULL };

    channel_send(e->boot, WIRE_load, &load, -1);
    if (load.is_orphaned)
        edge_load_changed(e);
}

void edge_load_changed(struct edge *e)
{
    if (!uv_is_active((uv_handle_t *)&e->load))
        (void)uv_timer_start(&e->load, tell_load, LOAD_EVERY_MS, 0);
}

void edge_session_ended(struct edge *e)
{
    if (mem_trim(&e->session_peak, e->session_count))
        tls_memory_trim();
    if (e->is_draining && e->session_count == 0)
        uv_stop(e->loop);
}

/* ---- drain ---------------------------------------------------------------------------- */

static void end_all(struct edge *e, bool is_relay_spared)
{
    for (struct session *s = e->sessions, *next; s != NULL; s = next) {
        next = s->next;
        if (!is_relay_spared || s->state != SESSION_RELAY)
            session_end(s, "Server is shutting down", "shutdown");
    }
}

static void on_drained(uv_timer_t *timer)
{
    struct edge *e = timer->data;

    end_all(e, false);
    uv_stop(e->loop);
}

/* A session that is not open loses nothing but a reconnect; an open one may live on. */
static void drain(struct edge *e, uint32_t within_ms)
{
    for (size_t i = 0; i < e->gate_count; i++)
        gate_stop(&e->gates[i]);
    e->is_draining = true;
    if (within_ms != 0) {
        (void)uv_timer_start(&e->drain_deadline, on_drained, within_ms, 0);
        end_all(e, true);
    }
    if (e->session_count == 0)
        uv_stop(e->loop);
}

/* ---- boot channel --------------------------------------------------------------------- */

/* Clients remember what was offered: so it is looked up before the first of them comes. */
static void serve(struct edge *e)
{
    const struct wire_ready ready = { 0 };

    if (e->is_serving)
        return;
    e->is_serving = true;
    (void)uv_timer_stop(&e->look_deadline);
    for (size_t i = 0; !e->is_draining && i < e->gate_count; i++)
        if (gate_listen(&e->gates[i]) != ERR_OK)
            _exit(1);
    channel_send(e->boot, WIRE_ready, &ready, -1);
}

static void on_look_deadline(uv_timer_t *timer)
{
    serve(timer->data);
}

static void start(struct edge *e, const struct wire_boot_start *b)
{
    e->number = b->edge;
    e->generation = b->generation;
    if (boot_build(e) != ERR_OK)
        _exit(1);
    if (e->config->host[0] != 0)
        (void)snprintf(e->host, sizeof(e->host), "%s", e->config->host);
    log_open("edge", e->config->log.format, e->config->log.level);
    if (sandbox_enter(&sandbox_edge, e->config) != ERR_OK)
        _exit(1);
    boot_forget_files();
    channel_set_open(e->boot);
    (void)uv_timer_start(&e->look_deadline, on_look_deadline, LOOK_MS, 0);
    if (offer_begin(e, serve) != ERR_OK)
        _exit(1);
}

static void on_boot_message(void *owner, struct channel *c, const struct wire_message *m,
                            const union wire_any *any, int fd)
{
    struct edge *e = owner;
    enum err r = ERR_OK;

    (void)c;
    switch (m->number) {
    case WIRE_boot_file:
        r = boot_add_file(any->boot_file.name, fd);
        break;
    case WIRE_boot_gate:
        r = boot_add_gate(any->boot_gate.name, fd);
        break;
    case WIRE_boot_tickets:
        tls_server_set_tickets(any->boot_tickets.keys);
        break;
    case WIRE_boot_channel:
        edge_warden_open(e, fd);
        break;
    case WIRE_boot_start:
        start(e, &any->boot_start);
        break;
    case WIRE_drain:
        drain(e, any->drain.within_ms);
        break;
    default:
        r = ERR_INVALID;
        break;
    }
    if (r != ERR_OK) {
        log_event(LOG_ERROR, "boot-failed", LOG_TEXT("message", m->name),
                  LOG_TEXT("reason", err_text(r)));
        _exit(1);
    }
}

/* Without its supervisor an edge would serve for ever with keys and policies of the past. */
static void on_boot_end(void *owner, struct channel *c, const char *reason)
{
    (void)owner;
    (void)c;
    log_event(LOG_ERROR, "supervisor-lost", LOG_TEXT("reason", reason));
    _exit(1);
}

static enum err open_loop(struct edge *e)
{
    e->loop = uv_default_loop();
    const struct channel_conf boot = { .loop = e->loop,
                                       .fd = SANDBOX_BOOT_FD,
                                       .peer = WIRE_SUPERVISOR,
                                       .owner = e,
                                       .on_message = on_boot_message,
                                       .on_end = on_boot_end };

    (void)uv_timer_init(e->loop, &e->drain_deadline);
    (void)uv_timer_init(e->loop, &e->look_deadline);
    (void)uv_timer_init(e->loop, &e->load);
    (void)uv_timer_init(e->loop, &e->resume_more);
    (void)uv_idle_init(e->loop, &e->resume);
    e->drain_deadline.data = e->look_deadline.data = e->load.data = e->resume_more.data =
        e->resume.data = e;
    e->poller = poller_open(e->loop);
    e->resolver = resolver_new(e->loop);
    e->boot = e->poller == NULL || e->resolver == NULL ? NULL : channel_open(&boot);
    return e->boot == NULL ? ERR_IO : ERR_OK;
}

int edge_main(void)
{
    struct edge *e = &edge;

    sandbox_close_descriptors();
    mem_init();
    log_open("edge", LOG_FORMAT_AUTO, LOG_INFO);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!tls_memory_init() || sodium_init() < 0 || open_loop(e) != ERR_OK ||
        gethostname(e->host, sizeof(e->host) - 1) != 0) {
        log_event(LOG_ERROR, "edge-not-started", LOG_NUM("errno", errno));
        return 1;
    }
    randombytes_buf(&e->next_session, sizeof(e->next_session));
    (void)uv_run(e->loop, UV_RUN_DEFAULT);
    /* The process ends here; the loop's last turn delivers what was just sent. */
    (void)uv_run(e->loop, UV_RUN_NOWAIT);
    return 0;
}
