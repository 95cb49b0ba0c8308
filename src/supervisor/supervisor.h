/* supervisor.h: `postern serve`: reads the configuration, opens the sockets, starts one warden and
 * one edge a core, restarts what dies, takes a new configuration on SIGHUP and drains on SIGTERM.
 * It reads nothing from the network. Runs in: supervisor; returns when the service has ended. */
#ifndef POSTERN_SUPERVISOR_SUPERVISOR_H
#define POSTERN_SUPERVISOR_SUPERVISOR_H

/* Exit statuses of `postern serve`. */
enum supervisor_status {
    SUPERVISOR_OK = 0,     /* ended as asked */
    SUPERVISOR_FAILED = 1, /* could not start: the log says why */
    SUPERVISOR_CONFIG = 3, /* the configuration is wrong: every problem is on standard error */
};

/* The exit status of the process. */
int supervisor_run(const char *config_path);

#endif
