#include "supervisor/house.h"
#include "supervisor/notify.h"

#include "base/log.h"

static void take_sooner(uint64_t *next, uint64_t due)
{
    if (due != 0 && due < *next)
        *next = due;
}

static uint64_t rotation_due(const struct house *h)
{
    return h->tickets.rotated_ms + (uint64_t)h->now->config->tls.ticket_rotation_s * 1000;
}

static uint64_t next_due(const struct house *h)
{
    uint64_t next = UINT64_MAX;

    for (const struct child *c = h->children; c != NULL; c = c->next)
        take_sooner(&next, c->kill_at_ms);
    if (h->phase != PHASE_STOPPING) {
        take_sooner(&next, h->warden.due_ms);
        for (uint32_t i = 0; i < h->now->edge_count; i++)
            take_sooner(&next, h->now->edges[i].due_ms);
        take_sooner(&next, rotation_due(h));
    }
    take_sooner(&next, h->watchdog_at_ms);
    return next;
}

static void start_due(struct house *h, uint64_t now)
{
    if (h->warden.due_ms != 0 && h->warden.due_ms <= now)
        child_start_warden(h);
    for (uint32_t i = 0; i < h->now->edge_count; i++)
        if (h->now->edges[i].due_ms != 0 && h->now->edges[i].due_ms <= now)
            child_start_edge(h, h->now, &h->now->edges[i]);
}

static void on_clock(uv_timer_t *timer)
{
    struct house *h = timer->data;
    const uint64_t now = loop_now_ms(&h->loop);

    child_kill_due(h, now);
    if (h->phase != PHASE_STOPPING) {
        start_due(h, now);
        if (rotation_due(h) <= now) {
            tickets_rotate(&h->tickets, now);
            boot_tickets_all(h);
            log_plain(LOG_INFO, "ticket-keys-rotated");
        }
    }
    if (h->watchdog_at_ms != 0 && h->watchdog_at_ms <= now) {
        notify_watchdog();
        h->watchdog_at_ms = now + h->watchdog_ms;
    }
    clock_arm(h);
}

/* To be called after anything that may have changed what is due. */
void clock_arm(struct house *h)
{
    const uint64_t now = loop_now_ms(&h->loop);
    const uint64_t next = next_due(h);

    if (next == UINT64_MAX)
        (void)uv_timer_stop(&h->clock);
    else
        (void)uv_timer_start(&h->clock, on_clock, next > now ? next - now : 0, 0);
}
