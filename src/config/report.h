/* report.h: the list of what is wrong, "file:line: key: what: how to mend it". Counts on when the
 * caller's array is full. Internal to src/config. */
#ifndef POSTERN_CONFIG_REPORT_H
#define POSTERN_CONFIG_REPORT_H

#include "config/config.h"

#define REPORT_PATH 160 /* LIMIT_NAME octets, and two words of the table */

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
/* The path of a setting of a gate, upstream or policy, "gates.imaps.listen", in `path` (with room
 * for REPORT_PATH octets), which it returns. */
const char *report_path(const char *group, const char *name, const char *setting, char *path);
/* A text that is needed when another setting says so (`what`: "password.source = \"file\""), and of
 * no use otherwise. */
void report_need(struct report *r, const struct config *c, const char *path, const char *value,
                 bool is_needed, const char *what);

#endif
