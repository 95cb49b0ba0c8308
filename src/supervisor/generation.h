/* generation.h: one configuration in service: its settings, its files as sealed memory files, and
 * the places of its edges. A reload makes a new one beside the old; a draining edge needs none.
 * Owns: all of it, but for the children in the slots. Runs in: supervisor. */
#ifndef POSTERN_SUPERVISOR_GENERATION_H
#define POSTERN_SUPERVISOR_GENERATION_H

#include "config/config.h"

struct child;

/* A place in the topology that is refilled when its child dies. */
struct slot {
    uint32_t index;        /* which edge */
    struct child *child;   /* NULL: none now */
    uint64_t due_ms;       /* when to start the next; 0: not at all */
    unsigned quick_deaths; /* in a row; the back-off grows with it */
};

struct memory_file {
    char *name; /* owned; the path as it stands in the configuration, or "config" */
    int fd;     /* owned, sealed */
};

struct memory_files {
    struct memory_file *items; /* owned */
    size_t n;
};

struct generation {
    uint32_t number;
    struct config *config;
    struct memory_files for_edge, for_warden;
    struct slot *edges; /* owned */
    uint32_t edge_count;
};

/* How many edges a configuration means: edges.count, or the processors that we may run on. */
uint32_t generation_edges(const struct config *c);
/* Takes `config` over, also on failure. NULL: `why` says so. */
MUST_USE struct generation *generation_new(uint32_t number, struct config *config,
                                           struct config_error *why);
void generation_free(struct generation *g); /* NULL is fine */

#endif
