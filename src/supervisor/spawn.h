/* spawn.h: the topology, and how a process of ours comes to be.
 *
 * A child is this same program, executed anew with `--role NAME`: a fresh address space that
 * inherits the boot channel on descriptor 3, the log on standard error and nothing else. It runs
 * the image that the supervisor runs, even if another lies in its place on disk by now; an upgrade
 * takes effect with a restart of the service. Runs in: supervisor. */
#ifndef POSTERN_SUPERVISOR_SPAWN_H
#define POSTERN_SUPERVISOR_SPAWN_H

#include "base/err.h"
#include "config/config.h"
#include "sandbox/sandbox.h"

#include <sys/types.h>

enum role_id { ROLE_EDGE = 0, ROLE_WARDEN, ROLE_COUNT };

struct role {
    const char *name;  /* behind --role, and in the log */
    enum role_id peer; /* with whom it has verdict channels */
    const struct sandbox_profile *sandbox;
    const char *(*user)(const struct config *c); /* as whom it runs, when we are root */
    enum config_role view;                       /* what it sees of the configuration */
    bool has_gates, has_tickets, has_control;
};

extern const struct role spawn_topology[ROLE_COUNT];

/* The program to execute, pinned; -1 with errno. */
MUST_USE int spawn_pin_program(void);
/* `boot_fd` becomes the child's descriptor 3; it stays the caller's. -1 with errno. */
MUST_USE pid_t spawn(int program, const struct role *role, int boot_fd);

#endif
