/* metrics.h: what is counted, and its text for Prometheus.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
 * Pure; runs in: warden, on the loop. metrics_server.h hands it out. */
#ifndef POSTERN_WARDEN_METRICS_H
#define POSTERN_WARDEN_METRICS_H

#include "base/buf.h"
#include "warden/event/event.h"
#include "wire/wire.h"

#define METRICS_TEXT    32768 /* octets; the text is bounded by the number of reasons */
#define METRICS_BUCKETS 10

struct warden;

struct metrics {
    uint64_t verdicts[VERDICT_ALLOW + 1][REASON_COUNT];
    uint64_t logins, upstream_refused, upstream_unavailable;
    uint64_t observed, events_left_out, channels_closed;
    uint64_t latency[METRICS_BUCKETS + 1]; /* the last: over all bounds */
    uint64_t latency_us;                   /* sum */
};

void metrics_count(struct metrics *m, enum verdict v, enum reason r, uint64_t latency_us);
void metrics_text(const struct warden *w, struct buf *out);

#endif
