#include "warden/core.h"

#include "warden/control.h"

#include <time.h>

static int64_t wall_now(void)
{
    return (int64_t)time(NULL);
}

static uint64_t loop_clock(uv_loop_t *loop)
{
    return loop_now_ms(loop);
}

static void on_written(void *owner, const struct store_write *writes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (writes[i].kind == STORE_WRITE_EVENT) {
            control_events_written(owner);
            return;
        }
    }
}

enum err core_open(struct warden *w)
{
    const struct throttle_conf throttle = {
        .keys = &w->keys,
        .per_source = w->config->throttle.per_source,
        .per_account = w->config->throttle.per_account,
        .window_s = w->config->throttle.window_s,
        .prefix4 = w->config->throttle.prefix4,
        .prefix6 = w->config->throttle.prefix6,
        .capacity = CORE_TABLE,
    };

    if (w->wall_s == NULL)
        w->wall_s = wall_now;
    if (w->clock_ms == NULL)
        w->clock_ms = loop_clock;
    w->jobs.loop = w->loop;
    const struct writer_conf writer = {
        .jobs = &w->jobs, .store = w->store, .owner = w, .on_written = on_written
    };
    w->throttle = throttle_new(&throttle);
    w->reuse = reuse_new(&w->keys, CORE_REUSE);
    w->rows = rows_new(&w->keys);
    w->stale = stale_new(&w->keys, CORE_STALE);
    w->uses = memo_new(CORE_USES, sizeof(uint64_t));
    w->registry = registry_new();
    w->writer = writer_new(&writer);
    if (w->throttle == NULL || w->reuse == NULL || w->rows == NULL || w->stale == NULL ||
        w->uses == NULL || w->registry == NULL || w->writer == NULL)
        return ERR_MEMORY;
    w->parts = (struct verdict_parts){
        .config = w->config,
        .keys = &w->keys,
        .store = w->store,
        .passwords = w->passwords,
        .aliases = w->aliases,
        .throttle = w->throttle,
        .reuse = w->reuse,
        .rows = w->rows,
    };
    w->started_at = w->wall_s();
    return ERR_OK;
}

void core_close(struct warden *w)
{
    writer_free(w->writer);
    registry_free(w->registry);
    memo_free(w->uses);
    stale_free(w->stale);
    rows_free(w->rows);
    reuse_free(w->reuse);
    throttle_free(w->throttle);
    password_free(w->passwords);
    alias_free(w->aliases);
    store_free(w->store);
    keys_done(&w->keys);
    config_free(w->config);
}
