/* writer.h: what is to be written to the store, in batches: whatever came while one batch was on
 * its way to the disk is the next one, so a storm of logins costs a few flushes, not thousands. A
 * batch that fails (disk full) is kept and tried again every second: nothing is lost while the
 * bounded queue has room; without room verdicts are "later" (writer_is_full).
 * Owns: queue and batch. Runs in: warden, on the loop; the batch is written on the pool. */
#ifndef POSTERN_WARDEN_WRITER_H
#define POSTERN_WARDEN_WRITER_H

#include "warden/job.h"
#include "warden/store/store.h"

#define WRITER_QUEUE 8192 /* writes that wait, about 1 KiB each */
#define WRITER_DELAY_MS                                                                            \
    200 /* what comes within it shares a transaction: each page is written once */
#define WRITER_RETRY_MS 1000

struct writer;

struct writer_conf {
    struct jobs *jobs;   /* borrowed */
    struct store *store; /* borrowed */
    void *owner;
    /* A batch is on the disk; events have their ids. May be NULL. */
    void (*on_written)(void *owner, const struct store_write *writes, size_t n);
};

MUST_USE struct writer *writer_new(const struct writer_conf *conf); /* NULL: no memory */
/* The writer is idle, and its loop runs once more to end the timer. NULL is fine. */
void writer_free(struct writer *w);
/* A zeroed write for the caller to fill in before it returns to the loop; NULL: full, or no memory.
 */
struct store_write *writer_next(struct writer *w);
bool writer_is_full(const struct writer *w);    /* verdicts must wait */
bool writer_is_crowded(const struct writer *w); /* three quarters: what can be left out, is */
bool writer_is_idle(const struct writer *w);    /* nothing waits */
bool writer_is_failing(const struct writer *w); /* the last batch could not be written */
size_t writer_queued(const struct writer *w);
void writer_flush(struct writer *w); /* begins now rather than after the delay */

#endif
