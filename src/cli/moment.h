/* moment.h: times as people write and read them. Seconds since 1970 inside. Local time is the
 * process's; the time now is an argument. */
#ifndef POSTERN_CLI_MOMENT_H
#define POSTERN_CLI_MOMENT_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

#define MOMENT_TEXT 32 /* with NUL */

/* "2030-12-31 23:59:59" in local time. Writes into `text` and returns it. */
const char *moment_local(int64_t at, char *text);
/* "2030-12-31T22:59:59Z". */
const char *moment_utc(int64_t at, char *text);
/* "90d", "8h": so long after `now`; "2030-12-31": the end of that day, local time. False: neither,
 * or not in the future. */
MUST_USE bool moment_parse(const char *text, int64_t now, int64_t *ret);
/* "8h", "30d": seconds, at least one and at most `max_s`. */
MUST_USE bool moment_parse_span(const char *text, int64_t max_s, int64_t *ret_s);

#define MOMENT_SPAN_MAX (100LL * 366 * 86400) /* "never" is written by leaving it out */

#endif
