/* core.h: what the parts of the warden share: one struct, made by warden.c and passed around. All
 * of it belongs to the loop's thread, but for what struct verdict_parts says of its own. Runs in:
 * warden. */
#ifndef POSTERN_WARDEN_CORE_H
#define POSTERN_WARDEN_CORE_H

#include "net/loop.h"
#include "warden/job.h"
#include "warden/judgement.h"
#include "warden/metrics.h"
#include "warden/registry.h"
#include "warden/stale.h"
#include "warden/verdict.h"
#include "warden/writer.h"

#define CORE_TABLE 65536 /* entries of each bounded table of the throttle: 2 to 6 MB when full */
#define CORE_USES  4096  /* app passwords whose last use was written a moment ago */
#define CORE_REUSE 4096  /* one-time codes in their reuse window */
#define CORE_STALE 4096  /* app passwords whose sealed password was refused upstream */

struct link;
struct hearing;
struct control;
struct probe;
struct resumed;
struct shed;

struct warden {
    uv_loop_t *loop;                   /* borrowed */
    struct config *config;             /* owned */
    struct keys keys;                  /* owned */
    struct store *store;               /* owned */
    struct password_source *passwords; /* owned; NULL: upstream */
    struct alias_source *aliases;      /* owned; NULL: none */
    struct throttle *throttle;         /* owned */
    struct reuse *reuse;               /* owned */
    struct rows *rows;                 /* owned */
    struct stale *stale;               /* owned */
    struct memo *uses;                 /* owned; of record.c */
    struct registry *registry;         /* owned */
    size_t session_peak;               /* of the registry, since the heap was last trimmed */
    struct writer *writer;             /* owned */
    struct verdict_parts parts;        /* borrows the above */
    struct jobs jobs;
    struct metrics metrics;
    int64_t (*wall_s)(void);            /* the wall clock, replaceable */
    uint64_t (*clock_ms)(uv_loop_t *l); /* the loop's clock, replaceable */
    int64_t started_at;

    struct link *links;                    /* verdict channels, owned */
    struct control *control;               /* owned; NULL: no socket */
    struct metrics_server *metrics_server; /* owned; NULL: no socket */
    struct probe *probes;                  /* under way */
    uint64_t next_probe;
    struct shed *sheds; /* enquiries under way, newest first, owned */
    uint64_t next_shed;
    unsigned shed_count;
    struct resumed *resumed; /* owned; wait to be looked up; NULL: none */
    uint64_t revision; /* counts revocations: a judgement that began before one is made again */

    struct hearing *slow_first, *slow_last; /* wait for a slow source, of passwords or aliases */
    unsigned slow_waiting, slow_running;
    bool is_ending;
};

/* What needs `config` and `keys` and a store that is open: the rest. ERR_MEMORY. */
MUST_USE enum err core_open(struct warden *w);
/* All channels are closed and no job is under way. */
void core_close(struct warden *w);

static inline uint64_t core_now_ms(const struct warden *w)
{
    return w->clock_ms(w->loop);
}

#endif
