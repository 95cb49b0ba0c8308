/* house.h: what the modules of the supervisor share: its children, its generations, its sockets.
 *
 *   supervisor.c  start, signals, stop       reload.c  a new configuration, or back to the old one
 *   child.c       a child's life             boot.c    what a child is told
 *   clock.c       everything that is due at a time, on one timer
 *
 * Owns: all of it, until supervisor_run returns. Runs in: supervisor, one thread. */
#ifndef POSTERN_SUPERVISOR_HOUSE_H
#define POSTERN_SUPERVISOR_HOUSE_H

#include "net/channel.h"
#include "supervisor/generation.h"
#include "supervisor/sockets.h"
#include "supervisor/spawn.h"
#include "supervisor/tickets.h"

#define HOUSE_READY_MS     60000 /* from fork to ready: a child that takes longer hangs */
#define HOUSE_WARDEN_MS    5000  /* a warden that is asked to end: it only has to flush */
#define HOUSE_GRACE_MS     2000  /* behind a deadline that the child was told */
#define HOUSE_END_MS       5000  /* from the end of the boot channel to that of the process */
#define HOUSE_QUICK_MS     2000  /* a child that lived no longer died quickly */
#define HOUSE_BACKOFF_MS   100U  /* before the restart after the second quick death; it doubles */
#define HOUSE_BACKOFF_MOST 5000U /* and ends here */
#define HOUSE_HASTEN_MS    1000  /* what a second signal to end leaves open sessions */

enum phase {
    PHASE_STARTING = 0, /* not every child has been ready yet */
    PHASE_SERVING,
    PHASE_STOPPING,
};

/* How far a reload is. The warden goes first: when it will not have the new configuration no edge
 * has to be taken back. */
enum reload_step {
    RELOAD_NONE = 0,
    RELOAD_WARDEN, /* the old warden ends, or the new one is on its way */
    RELOAD_EDGES,  /* new edges are on their way */
};

struct house;

struct child {
    struct child *next;
    struct house *house;     /* borrowed */
    const struct role *role; /* static */
    struct slot *slot;       /* borrowed; NULL: it drains and will not be replaced */
    struct channel *channel; /* owned; NULL: over */
    pid_t pid;
    uint32_t id;         /* of an edge: unique among the living */
    uint32_t generation; /* number */
    uint32_t sessions;   /* as it said last */
    uint64_t started_ms;
    uint64_t kill_at_ms; /* 0: never */
    bool is_ready, is_draining;
};

struct house {
    uv_loop_t loop;
    uv_timer_t clock;
    uv_signal_t signals[4];
    const char *config_path; /* borrowed */
    int program;
    struct sockets sockets;
    struct tickets tickets;
    struct child *children; /* owned; newest first */
    struct slot warden;
    struct generation *warden_generation; /* `now` or `next`: what the warden runs, or will */
    struct generation *now;               /* owned */
    struct generation *next;              /* owned; NULL: no reload under way */
    uint32_t generations;                 /* made so far */
    enum phase phase;
    enum reload_step reload;
    uint64_t watchdog_ms, watchdog_at_ms;
    bool is_reload_wanted; /* SIGHUP came while it could not be served */
    int status;            /* what supervisor_run returns */
};

/* ---- child.c */
void child_start_edge(struct house *h, struct generation *g, struct slot *slot);
void child_start_warden(struct house *h);
/* Asks it to end; within_ms 0: whenever its last session ends. It is not replaced afterwards unless
 * its slot stays. */
void child_drain(struct child *c, uint32_t within_ms);
/* It leaves its place, which is then free, and drains. */
void child_retire(struct child *c, uint32_t within_ms);
void child_kill_due(struct house *h, uint64_t now_ms);
void children_reap(struct house *h);

/* ---- boot.c */
void boot_edge(struct house *h, struct child *c, const struct generation *g);
/* An edge has lost its verdict channel while the warden lives: a new one. */
void boot_reconnect(struct house *h, struct child *edge);
void boot_warden(struct house *h, struct child *c, const struct generation *g);
void boot_tickets_all(struct house *h);

/* ---- reload.c */
void reload_begin(struct house *h);
/* What child.c tells it. True: the reload failed by it, and its place is gone or filled anew. */
void reload_child_ready(struct house *h, const struct child *c);
bool reload_child_ended(struct house *h, const struct child *c);
/* Loads and checks, opens sockets; every problem goes to `say`. NULL: there was one, and h->status
 * is of which kind. */
struct generation *reload_load(struct house *h, void (*say)(const char *problem));

/* ---- supervisor.c */
/* Every place is filled by a ready child. */
void house_serving(struct house *h);
/* Sessions have session.drain_timeout to end; at the second call hardly any time. */
void house_stop(struct house *h);
/* A child ended during a stop. */
void house_stop_step(struct house *h);

/* ---- clock.c */
void clock_arm(struct house *h);

#endif
