#include "warden/job.h"

static void on_run(uv_work_t *w)
{
    struct job *j = w->data;

    j->run(j);
}

static void on_done(uv_work_t *w, int status)
{
    struct job *j = w->data;

    CHECK(status == 0); /* nobody cancels */
    j->jobs->under_way--;
    j->done(j);
}

void job_start(struct jobs *jobs, struct job *j, void (*run)(struct job *j),
               void (*done)(struct job *j))
{
    j->jobs = jobs;
    j->run = run;
    j->done = done;
    j->work.data = j;
    jobs->under_way++;
    if (!jobs->is_inline) {
        /* Fails only without a loop or a function. */
        CHECK(uv_queue_work(jobs->loop, &j->work, on_run, on_done) == 0);
        return;
    }
    on_run(&j->work);
    on_done(&j->work, 0);
}
