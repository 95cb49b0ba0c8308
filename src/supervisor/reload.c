#include "supervisor/house.h"

#include "base/log.h"
#include "supervisor/notify.h"
#include "supervisor/problem.h"
#include "supervisor/state.h"
#include "supervisor/supervisor.h"
#include "sandbox/user.h"

#include <errno.h>
#include <unistd.h>

#define PROBLEMS_MAX 32 /* shown at once; who has more mends these first */

/* ---- loading -------------------------------------------------------------------------- */

/* Whether they exist at all has been checked: what is left is that they are no root. */
static bool check_user(const struct config *c, const char *setting, const char *text,
                       struct config_error *ret)
{
    struct user u;

    if (text[0] == 0)
        return problem_say(ret, c, setting,
                           "not set, and Postern was started by root: name an unprivileged user");
    return user_find(text, &u) != ERR_DENIED ||
           problem_say(ret, c, setting, "\"%s\" is root: name an unprivileged user", text);
}

static size_t check_users(const struct config *c, struct config_error problems[2])
{
    size_t n = 0;

    if (geteuid() != 0)
        return 0;
    n += !check_user(c, "users.edge", user_of_edge(c), &problems[n]);
    if (c->users.warden[0] != 0)
        n += !check_user(c, "users.warden", c->users.warden, &problems[n]);
    return n;
}

static struct config *load_config(const char *path, void (*say)(const char *problem))
{
    struct config_error problems[PROBLEMS_MAX + 2];
    size_t n = 0;
    struct config *c = config_load(path, problems, PROBLEMS_MAX, &n);

    if (c != NULL)
        n = config_check_files(c, problems, PROBLEMS_MAX);
    n = n < PROBLEMS_MAX ? n : PROBLEMS_MAX;
    if (c != NULL)
        n += check_users(c, &problems[n]);
    for (size_t i = 0; i < n; i++)
        say(problems[i].text);
    if (n > 0) {
        config_free(c);
        c = NULL;
    }
    return c;
}

struct generation *reload_load(struct house *h, void (*say)(const char *problem))
{
    struct config_error problem;
    struct config *config = load_config(h->config_path, say);

    h->status = config == NULL ? SUPERVISOR_CONFIG : SUPERVISOR_FAILED;
    if (config == NULL)
        return NULL;
    struct generation *g = generation_new(h->generations, config, &problem);
    if (g == NULL) {
        say(problem.text);
        return NULL;
    }
    if (!state_prepare(config, &problem) ||
        !sockets_open(&h->sockets, config, g->edge_count, &problem)) {
        say(problem.text);
        generation_free(g);
        return NULL;
    }
    h->generations++;
    h->status = SUPERVISOR_OK;
    return g;
}

/* ---- taking it up --------------------------------------------------------------------- */

static void say_problem(const char *problem)
{
    log_event(LOG_ERROR, "configuration-problem", LOG_TEXT("problem", problem));
    notify_status("serving; the new configuration was refused: %s", problem);
}

/* The warden ends, and its place is filled with one of `g`. */
static void swap_warden(struct house *h, struct generation *g)
{
    h->warden_generation = g;
    if (h->warden.child != NULL)
        child_drain(h->warden.child, HOUSE_WARDEN_MS);
    else
        h->warden.due_ms = loop_now_ms(&h->loop) + 1;
}

void reload_begin(struct house *h)
{
    if (h->phase == PHASE_STOPPING)
        return;
    if (h->phase == PHASE_STARTING || h->reload != RELOAD_NONE) {
        h->is_reload_wanted = true;
        return;
    }
    h->is_reload_wanted = false;
    log_plain(LOG_INFO, "reload");
    notify_reloading();
    h->next = reload_load(h, say_problem);
    uv_update_time(&h->loop);
    if (h->next == NULL) {
        h->status = SUPERVISOR_OK; /* the old one goes on */
        log_plain(LOG_ERROR, "reload-refused");
        notify_resumed();
        return;
    }
    h->reload = RELOAD_WARDEN;
    swap_warden(h, h->next);
    clock_arm(h);
}

static void finish(struct house *h)
{
    h->reload = RELOAD_NONE;
    if (h->is_reload_wanted)
        reload_begin(h);
}

static void abandon(struct house *h, const char *why)
{
    struct generation *next = h->next;

    h->next = NULL;
    log_event(LOG_ERROR, "reload-abandoned", LOG_TEXT("reason", why));
    /* They may have sessions already. */
    for (uint32_t i = 0; i < next->edge_count; i++)
        if (next->edges[i].child != NULL)
            child_retire(next->edges[i].child, 0);
    swap_warden(h, h->now);
    sockets_keep(&h->sockets, h->now->config);
    notify_ready("serving; the new configuration failed: %s", why);
    generation_free(next);
    finish(h);
}

/* Of those that may take for ever. */
static struct child *oldest_draining(const struct house *h, size_t *ret_count)
{
    struct child *oldest = NULL;
    size_t n = 0;

    /* The list is newest first. */
    for (struct child *c = h->children; c != NULL; c = c->next)
        if (c->role == &spawn_topology[ROLE_EDGE] && c->is_draining && c->kill_at_ms == 0) {
            oldest = c;
            n++;
        }
    *ret_count = n;
    return oldest;
}

static void bound_draining(struct house *h, uint32_t within_ms)
{
    size_t n;
    struct child *oldest = oldest_draining(h, &n);

    while (n > LIMIT_DRAINING) {
        child_drain(oldest, within_ms == 0 ? 1 : within_ms);
        oldest = oldest_draining(h, &n);
    }
}

static void commit(struct house *h)
{
    struct generation *old = h->now;

    h->now = h->next;
    h->next = NULL;
    for (uint32_t i = 0; i < old->edge_count; i++)
        if (old->edges[i].child != NULL)
            child_retire(old->edges[i].child, 0);
    generation_free(old);
    const struct config *c = h->now->config;
    bound_draining(h, c->session.drain_timeout_ms);
    sockets_keep(&h->sockets, c);
    log_open("supervisor", c->log.format, c->log.level);
    log_event(LOG_INFO, "reloaded", LOG_NUM("generation", h->now->number));
    notify_ready("serving, generation %u", (unsigned)h->now->number);
    finish(h);
}

static bool is_all_ready(const struct generation *g)
{
    for (uint32_t i = 0; i < g->edge_count; i++)
        if (g->edges[i].child == NULL || !g->edges[i].child->is_ready)
            return false;
    return true;
}

static void start_edges(struct house *h)
{
    bool is_started = true;

    h->reload = RELOAD_EDGES;
    for (uint32_t i = 0; i < h->next->edge_count; i++) {
        child_start_edge(h, h->next, &h->next->edges[i]);
        is_started = is_started && h->next->edges[i].child != NULL;
    }
    if (!is_started)
        abandon(h, "no process could be started");
}

void reload_child_ready(struct house *h, const struct child *c)
{
    if (h->phase == PHASE_STOPPING)
        return;
    if (h->reload == RELOAD_WARDEN && c == h->warden.child && !c->is_draining)
        start_edges(h);
    else if (h->reload == RELOAD_EDGES && is_all_ready(h->next))
        commit(h);
}

bool reload_child_ended(struct house *h, const struct child *c)
{
    if (h->reload == RELOAD_NONE || c->slot == NULL || c->generation != h->next->number)
        return false;
    /* A warden that served before it died is restarted like any other. An edge has no place of its
     * own before the reload is done. */
    if (c->is_ready && c->slot == &h->warden)
        return false;
    abandon(h, c->slot == &h->warden ? "the warden did not start" : "an edge did not start");
    return true;
}
