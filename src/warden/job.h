/* job.h: blocking work for the thread pool, that comes back to the loop as an event. Who makes a
 * job embeds this struct in its own, with all that the work needs copied into it. Tests and fuzzers
 * run jobs at once, without threads (`is_inline`). Runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_JOB_H
#define POSTERN_WARDEN_JOB_H

#include "net/loop.h"

struct jobs {
    uv_loop_t *loop; /* borrowed */
    bool is_inline;
    unsigned under_way;
};

struct job {
    uv_work_t work; /* private */
    struct jobs *jobs;
    void (*run)(struct job *j);  /* on the pool */
    void (*done)(struct job *j); /* on the loop; may free the job */
};

/* `done` follows in every case, before this returns if jobs are inline. */
void job_start(struct jobs *jobs, struct job *j, void (*run)(struct job *j),
               void (*done)(struct job *j));

#endif
