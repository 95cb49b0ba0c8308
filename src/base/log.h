/* log.h: one structured log on standard error: text on a terminal, JSON lines otherwise.
 * Never a secret in it: values are views or numbers, cleaned (control octets become '?') and cut
 * to LOG_VALUE_MAX octets. Programs log, libraries return: only edge, warden, supervisor and cli
 * call this. One process at a time calls it from any thread; a line is one write(2).
 *
 *   log_event(LOG_WARN, "upstream-unreachable", LOG_TEXT("upstream", name), LOG_NUM("ms", t)); */
#ifndef POSTERN_BASE_LOG_H
#define POSTERN_BASE_LOG_H

#include "base/view.h"

#define LOG_VALUE_MAX 256

enum log_level { LOG_ERROR = 0, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_FORMAT_AUTO = 0, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *key; /* NULL ends the list */
    struct view text;
    int64_t number;
    bool is_number;
};

#define LOG_TEXT(k, s) ((struct log_field){ .key = (k), .text = view_text(s) })
#define LOG_VIEW(k, v) ((struct log_field){ .key = (k), .text = (v) })
#define LOG_NUM(k, i)  ((struct log_field){ .key = (k), .number = (int64_t)(i), .is_number = true })

/* `role` is borrowed for ever ("edge", "warden" …). */
void log_open(const char *role, enum log_format format, enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields);

#define log_event(level, event, ...)                                                               \
    log_write((level), (event), (const struct log_field[]){ __VA_ARGS__, { .key = NULL } })
#define log_plain(level, event)                                                                    \
    log_write((level), (event), (const struct log_field[]){ { .key = NULL } })

#endif
