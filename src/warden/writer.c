#include "warden/writer.h"

#include "base/log.h"
#include "base/mem.h"

#include <string.h>

#define FIRST_ROOM 64
#define KEPT_ROOM  1024 /* a larger batch gives its memory back */
#define RESERVE    16   /* writes that belong to a verdict that was let in when there was room */

struct batch {
    struct store_write *writes; /* owned */
    size_t n, room;
};

struct writer {
    struct job job;
    struct writer_conf conf;
    struct batch waiting, writing;
    uv_timer_t timer;
    enum err result; /* of the batch in flight; then of the last one */
    bool is_busy;
};

static void on_timer(uv_timer_t *t)
{
    writer_flush(t->data);
}

struct writer *writer_new(const struct writer_conf *conf)
{
    struct writer *w = NEW(writer);

    if (w == NULL)
        return NULL;
    w->conf = *conf;
    w->timer.data = w;
    CHECK(uv_timer_init(conf->jobs->loop, &w->timer) == 0);
    return w;
}

static void on_timer_closed(uv_handle_t *h)
{
    mem_free(h->data);
}

void writer_free(struct writer *w)
{
    if (w == NULL)
        return;
    CHECK(!w->is_busy);
    mem_free(w->waiting.writes);
    mem_free(w->writing.writes);
    uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}

static bool make_room(struct batch *b)
{
    const size_t room = b->room == 0 ? FIRST_ROOM : b->room * 2;

    if (b->n < b->room)
        return true;
    if (b->room >= WRITER_QUEUE + RESERVE)
        return false;
    struct store_write *writes = mem_resize(b->writes, room * sizeof(*writes));
    if (writes == NULL)
        return false;
    b->writes = writes;
    b->room = room;
    return true;
}

static void start_timer(struct writer *w, uint64_t delay_ms)
{
    if (!uv_is_active((uv_handle_t *)&w->timer))
        (void)uv_timer_start(&w->timer, on_timer, delay_ms, 0);
}

struct store_write *writer_next(struct writer *w)
{
    if (w->waiting.n >= WRITER_QUEUE + RESERVE || !make_room(&w->waiting))
        return NULL;
    struct store_write *write = &w->waiting.writes[w->waiting.n++];
    memset(write, 0, sizeof(*write));
    if (!w->is_busy)
        start_timer(w, WRITER_DELAY_MS);
    return write;
}

static void run(struct job *j)
{
    struct writer *w = (struct writer *)j;

    w->result = store_write(w->conf.store, w->writing.writes, w->writing.n);
}

static void empty(struct batch *b)
{
    b->n = 0;
    if (b->room > KEPT_ROOM) {
        mem_free(b->writes);
        *b = (struct batch){ 0 };
    }
}

static void done(struct job *j)
{
    struct writer *w = (struct writer *)j;

    w->is_busy = false;
    if (w->result != ERR_OK) {
        log_event(LOG_ERROR, "store-write-failed", LOG_TEXT("why", err_text(w->result)),
                  LOG_NUM("waiting", writer_queued(w)));
        start_timer(w, WRITER_RETRY_MS);
        return;
    }
    if (w->conf.on_written != NULL)
        w->conf.on_written(w->conf.owner, w->writing.writes, w->writing.n);
    empty(&w->writing);
    if (w->waiting.n != 0)
        start_timer(w, WRITER_DELAY_MS);
}

void writer_flush(struct writer *w)
{
    if (w->is_busy || writer_is_idle(w))
        return;
    (void)uv_timer_stop(&w->timer);
    if (w->writing.n == 0) {
        const struct batch spare = w->writing;
        w->writing = w->waiting;
        w->waiting = spare;
    }
    w->is_busy = true;
    job_start(w->conf.jobs, &w->job, run, done);
}

bool writer_is_full(const struct writer *w)
{
    return w->waiting.n >= WRITER_QUEUE;
}

bool writer_is_crowded(const struct writer *w)
{
    return w->waiting.n >= WRITER_QUEUE / 4 * 3;
}

bool writer_is_idle(const struct writer *w)
{
    return !w->is_busy && w->waiting.n == 0 && w->writing.n == 0;
}

bool writer_is_failing(const struct writer *w)
{
    return !w->is_busy && w->writing.n != 0;
}

size_t writer_queued(const struct writer *w)
{
    return w->waiting.n + w->writing.n;
}
