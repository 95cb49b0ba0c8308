#include "warden/metrics.h"

#include "warden/core.h"

static const uint64_t bounds_us[METRICS_BUCKETS] = { 100,   250,   500,    1000,    2500,
                                                     10000, 50000, 250000, 1000000, 5000000 };
static const char *const bound_texts[METRICS_BUCKETS] = { "0.0001", "0.00025", "0.0005", "0.001",
                                                          "0.0025", "0.01",    "0.05",   "0.25",
                                                          "1",      "5" };
static const char *const results[] = { "refuse", "later", "allow" };

void metrics_count(struct metrics *m, enum verdict v, enum reason r, uint64_t latency_us)
{
    size_t i = 0;

    m->verdicts[v][r]++;
    m->latency_us += latency_us;
    while (i < METRICS_BUCKETS && latency_us > bounds_us[i])
        i++;
    m->latency[i]++;
}

static void put_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP postern_%s %s\n# TYPE postern_%s %s\n", name, help, name, type);
}

static void put(struct buf *out, const char *name, const char *type, const char *help,
                uint64_t value)
{
    put_head(out, name, type, help);
    buf_printf(out, "postern_%s %llu\n", name, (unsigned long long)value);
}

static void put_verdicts(const struct metrics *m, struct buf *out)
{
    put_head(out, "verdicts_total", "counter", "Verdicts by result and reason.");
    for (size_t v = 0; v < COUNT_OF(results); v++)
        for (size_t r = 0; r < REASON_COUNT; r++)
            if (m->verdicts[v][r] != 0)
                buf_printf(out, "postern_verdicts_total{result=\"%s\",reason=\"%s\"} %llu\n",
                           results[v], event_reason((enum reason)r),
                           (unsigned long long)m->verdicts[v][r]);
}

static void put_latency(const struct metrics *m, struct buf *out)
{
    uint64_t n = 0;

    put_head(out, "verdict_seconds", "histogram", "From the question to the verdict.");
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        n += m->latency[i];
        buf_printf(out, "postern_verdict_seconds_bucket{le=\"%s\"} %llu\n", bound_texts[i],
                   (unsigned long long)n);
    }
    n += m->latency[METRICS_BUCKETS];
    buf_printf(out, "postern_verdict_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)n);
    buf_printf(out, "postern_verdict_seconds_sum %.6f\n", (double)m->latency_us / 1e6);
    buf_printf(out, "postern_verdict_seconds_count %llu\n", (unsigned long long)n);
}

void metrics_text(const struct warden *w, struct buf *out)
{
    const struct metrics *m = &w->metrics;

    put_verdicts(m, out);
    put_latency(m, out);
    put(out, "logins_total", "counter", "Sessions that the upstream took.", m->logins);
    put(out, "observed_total", "counter", "Of these, let in by a policy that only observes.",
        m->observed);
    put(out, "upstream_refused_total", "counter", "Allowed logins that the upstream refused.",
        m->upstream_refused);
    put(out, "upstream_unavailable_total", "counter", "Allowed logins that no upstream answered.",
        m->upstream_unavailable);
    put(out, "sessions", "gauge", "Live sessions.", registry_count(w->registry));
    put(out, "store_queue", "gauge", "Writes that wait for the store.", writer_queued(w->writer));
    put(out, "store_failing", "gauge", "1 while the store cannot be written.",
        writer_is_failing(w->writer));
    put(out, "jobs", "gauge", "Jobs on the thread pool.", w->jobs.under_way);
    put(out, "password_queue", "gauge",
        "Questions that wait for a slow source, of passwords or aliases.", w->slow_waiting);
    put(out, "throttle_entries", "gauge", "Entries of the throttle's tables.",
        throttle_count(w->throttle));
    put(out, "events_left_out_total", "counter", "Refusals not recorded for want of room.",
        m->events_left_out);
    put(out, "channels_closed_total", "counter", "Channels closed for misbehaviour.",
        m->channels_closed);
}
