/* loop.h: the event loop of a process, and the time. A thin skin over libuv: one loop a process,
 * one owner of each handle, time read once per turn. Errors: making a loop or a timer that fails is
 * ERR_MEMORY. Runs in: supervisor, edge, warden. */
#ifndef POSTERN_NET_LOOP_H
#define POSTERN_NET_LOOP_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* Milliseconds of the loop's monotonic clock, as of this turn. */
static inline uint64_t loop_now_ms(const uv_loop_t *loop)
{
    return uv_now(loop);
}

#endif
