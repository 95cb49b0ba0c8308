/* report.h: the list of what is wrong, "file:line: key: what: how to mend it". Counts on when the
 * caller's array is full. Internal to src/config. */
#ifndef POSTERN_CONFIG_REPORT_H
#define POSTERN_CONFIG_REPORT_H

#include "config/config.h"

struct report {
    struct config_error *errors; /* borrowed */
    size_t max;
    size_t n;
};

/* `path` may be "": then the line is about the file as a whole. */
void report_at(struct report *r, const char *file, unsigned line, const char *path,
               const char *format, ...) PRINTF(5, 6);
/* The same, at the place of `path`, or of the nearest group around it. */
void report_setting(struct report *r, const struct config *c, const char *path, const char *format,
                    ...) PRINTF(4, 5);

#endif
