#include "supervisor/house.h"

#include "base/log.h"
#include "base/mem.h"
#include "supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- frames --------------------------------------------------------------------------- */

static void on_ready(struct child *c)
{
    c->is_ready = true;
    if (!c->is_draining)
        c->kill_at_ms = 0;
    log_event(LOG_INFO, "child-ready", LOG_TEXT("child", c->role->name), LOG_NUM("pid", c->pid),
              LOG_NUM("edge", c->id), LOG_NUM("generation", c->generation),
              LOG_NUM("ms", loop_now_ms(&c->house->loop) - c->started_ms));
    reload_child_ready(c->house, c);
    house_serving(c->house);
}

static void on_load(struct child *c, const struct wire_load *load)
{
    c->sessions = load->sessions;
    if (load->is_orphaned)
        boot_reconnect(c->house, c);
}

static void on_message(void *owner, struct channel *channel, const struct wire_message *m,
                       const union wire_any *any, int fd)
{
    struct child *c = owner;

    (void)channel;
    (void)fd; /* a child never sends one: the channel saw to that */
    if (m->number == WIRE_ready)
        on_ready(c);
    else if (m->number == WIRE_load)
        on_load(c, &any->load);
    clock_arm(c->house);
}

/* It is ending, or it misbehaves: either way it is soon no more. */
static void on_end(void *owner, struct channel *channel, const char *reason)
{
    struct child *c = owner;
    const uint64_t last = loop_now_ms(&c->house->loop) + HOUSE_END_MS;

    channel_close(channel);
    c->channel = NULL;
    if (c->kill_at_ms == 0 || c->kill_at_ms > last)
        c->kill_at_ms = last;
    log_event(LOG_DEBUG, "boot-channel-ended", LOG_TEXT("child", c->role->name),
              LOG_NUM("pid", c->pid), LOG_TEXT("reason", reason));
    clock_arm(c->house);
}

/* ---- birth ---------------------------------------------------------------------------- */

static uint32_t free_id(const struct house *h)
{
    for (uint32_t id = 0;; id++) {
        bool is_taken = false;
        for (const struct child *c = h->children; c != NULL; c = c->next)
            is_taken = is_taken || (c->role->peer == ROLE_WARDEN && c->id == id);
        if (!is_taken)
            return id;
    }
}

static void try_again(struct house *h, struct slot *slot)
{
    log_event(LOG_ERROR, "child-not-started", LOG_TEXT("system", strerror(errno)));
    slot->due_ms = loop_now_ms(&h->loop) + HOUSE_BACKOFF_MOST;
}

/* NULL: the slot will be tried again. */
static struct child *give_birth(struct house *h, const struct role *role, struct slot *slot)
{
    struct child *c = NEW(child);
    int fds[2];

    slot->due_ms = 0;
    if (c == NULL || channel_pair(fds) != ERR_OK) {
        mem_free(c);
        try_again(h, slot);
        return NULL;
    }
    c->pid = spawn(h->program, role, fds[1]);
    (void)close(fds[1]);
    if (c->pid < 0) {
        try_again(h, slot);
        (void)close(fds[0]);
        mem_free(c);
        return NULL;
    }
    c->house = h;
    c->role = role;
    c->slot = slot;
    c->started_ms = loop_now_ms(&h->loop);
    c->kill_at_ms = c->started_ms + HOUSE_READY_MS;
    c->id = role->peer == ROLE_WARDEN ? free_id(h) : 0;
    c->channel = channel_open(&(struct channel_conf){ .loop = &h->loop,
                                                      .fd = fds[0],
                                                      .peer = WIRE_CHILD,
                                                      .is_open = true,
                                                      .owner = c,
                                                      .on_message = on_message,
                                                      .on_end = on_end });
    if (c->channel == NULL)
        (void)kill(c->pid, SIGKILL);
    c->next = h->children;
    h->children = c;
    slot->child = c;
    return c;
}

static void say_started(const struct child *c)
{
    log_event(LOG_INFO, "child-started", LOG_TEXT("child", c->role->name), LOG_NUM("pid", c->pid),
              LOG_NUM("edge", c->id), LOG_NUM("generation", c->generation));
}

void child_start_edge(struct house *h, struct generation *g, struct slot *slot)
{
    struct child *c = give_birth(h, &spawn_topology[ROLE_EDGE], slot);

    if (c == NULL)
        return;
    c->generation = g->number;
    say_started(c);
    if (c->channel != NULL)
        boot_edge(h, c, g);
}

void child_start_warden(struct house *h)
{
    struct child *c = give_birth(h, &spawn_topology[ROLE_WARDEN], &h->warden);

    if (c == NULL)
        return;
    c->generation = h->warden_generation->number;
    say_started(c);
    if (c->channel != NULL)
        boot_warden(h, c, h->warden_generation);
}

/* ---- end ------------------------------------------------------------------------------ */

void child_drain(struct child *c, uint32_t within_ms)
{
    const struct wire_drain m = { .within_ms = within_ms };
    const uint64_t last = loop_now_ms(&c->house->loop) + within_ms + HOUSE_GRACE_MS;

    c->is_draining = true;
    if (within_ms != 0 && (c->kill_at_ms == 0 || c->kill_at_ms > last))
        c->kill_at_ms = last;
    if (c->channel != NULL)
        channel_send(c->channel, WIRE_drain, &m, -1);
}

void child_retire(struct child *c, uint32_t within_ms)
{
    if (c->slot != NULL)
        c->slot->child = NULL;
    c->slot = NULL;
    log_event(LOG_INFO, "child-draining", LOG_TEXT("child", c->role->name), LOG_NUM("pid", c->pid),
              LOG_NUM("edge", c->id), LOG_NUM("sessions", c->sessions));
    child_drain(c, within_ms);
}

void child_kill_due(struct house *h, uint64_t now_ms)
{
    for (struct child *c = h->children; c != NULL; c = c->next) {
        if (c->kill_at_ms == 0 || c->kill_at_ms > now_ms)
            continue;
        log_event(LOG_WARN, "child-killed", LOG_TEXT("child", c->role->name),
                  LOG_NUM("pid", c->pid), LOG_NUM("edge", c->id));
        (void)kill(c->pid, SIGKILL);
        /* Once is enough; it is gone when the kernel says so. */
        c->kill_at_ms = 0;
    }
}

static void say_ended(const struct child *c, int status)
{
    const bool is_wanted = c->is_draining && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const char *signal_name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

    log_event(is_wanted ? LOG_INFO : LOG_ERROR, "child-ended", LOG_TEXT("child", c->role->name),
              LOG_NUM("pid", c->pid), LOG_NUM("edge", c->id), LOG_NUM("generation", c->generation),
              WIFSIGNALED(status) ? LOG_TEXT("signal", signal_name == NULL ? "?" : signal_name)
                                  : LOG_NUM("status", WEXITSTATUS(status)),
              LOG_NUM("sessions", c->sessions));
}

/* At once, unless it keeps dying as soon as it lives. */
static void plan_restart(struct house *h, const struct child *c)
{
    struct slot *slot = c->slot;
    const uint64_t now = loop_now_ms(&h->loop);
    uint64_t wait_ms = 0;

    if (c->is_draining || now - c->started_ms > HOUSE_QUICK_MS)
        slot->quick_deaths = 0;
    else if (slot->quick_deaths++ > 0)
        wait_ms = slot->quick_deaths > 7 ? HOUSE_BACKOFF_MOST
                                         : HOUSE_BACKOFF_MS << (slot->quick_deaths - 2);
    if (wait_ms > HOUSE_BACKOFF_MOST)
        wait_ms = HOUSE_BACKOFF_MOST;
    slot->due_ms = now + wait_ms + (now + wait_ms == 0);
}

static void after(struct house *h, const struct child *c)
{
    if (c->slot != NULL)
        c->slot->child = NULL;
    if (h->phase == PHASE_STOPPING) {
        house_stop_step(h);
    } else if (h->phase == PHASE_STARTING && !c->is_ready) {
        log_event(LOG_ERROR, "start-failed", LOG_TEXT("child", c->role->name),
                  LOG_TEXT("mend", "its own last messages above say why"));
        h->status = SUPERVISOR_FAILED;
        house_stop(h);
    } else if (!reload_child_ended(h, c) && c->slot != NULL) {
        plan_restart(h, c);
    }
}

static void end(struct house *h, struct child **link, int status)
{
    struct child *c = *link;

    *link = c->next;
    channel_close(c->channel);
    c->channel = NULL;
    say_ended(c, status);
    after(h, c);
    mem_free(c);
}

static struct child **find_ended(struct house *h, int *ret_status)
{
    for (struct child **link = &h->children; *link != NULL; link = &(*link)->next)
        if (waitpid((*link)->pid, ret_status, WNOHANG) == (*link)->pid)
            return link;
    return NULL;
}

/* One by one from the start: what follows from an end may change the list. */
void children_reap(struct house *h)
{
    int status;

    for (struct child **link = find_ended(h, &status); link != NULL; link = find_ended(h, &status))
        end(h, link, status);
    clock_arm(h);
}
