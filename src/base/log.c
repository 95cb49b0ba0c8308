#include "base/log.h"

#include "base/buf.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 8192

static const char *log_role = "postern";
static enum log_format log_format = LOG_FORMAT_TEXT;
static enum log_level log_threshold = LOG_INFO;
static bool is_coloured;

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const char *const level_colours[] = { "\033[31m", "\033[33m", "", "\033[2m" };

void log_open(const char *role, enum log_format format, enum log_level level)
{
    const bool is_terminal = isatty(STDERR_FILENO) == 1;

    log_role = role;
    log_threshold = level;
    log_format = format;
    if (format == LOG_FORMAT_AUTO)
        log_format = is_terminal ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    is_coloured = is_terminal;
}

static void put_json_text(struct buf *out, struct view v)
{
    buf_put_octet(out, '"');
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '"' || v.p[i] == '\\')
            buf_put_octet(out, '\\');
        buf_put_octet(out, v.p[i] < 0x20 || v.p[i] >= 0x7f ? '?' : v.p[i]);
    }
    buf_put_octet(out, '"');
}

static void put_plain_text(struct buf *out, struct view v)
{
    bool is_quoted = v.n == 0;

    for (size_t i = 0; i < v.n; i++)
        is_quoted = is_quoted || v.p[i] <= ' ' || v.p[i] >= 0x7f || v.p[i] == '"' || v.p[i] == '=';
    if (is_quoted)
        put_json_text(out, v);
    else
        buf_put(out, v);
}

static void put_time(struct buf *out)
{
    struct timespec now;
    struct tm utc;
    char text[32];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    buf_printf(out, "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

static void put_fields(struct buf *out, const struct log_field *f)
{
    const bool is_json = log_format == LOG_FORMAT_JSON;

    for (; f->key != NULL; f++) {
        buf_printf(out, is_json ? ",\"%s\":" : " %s=", f->key);
        if (f->is_number)
            buf_printf(out, "%lld", (long long)f->number);
        else if (is_json)
            put_json_text(out, view_first(f->text, LOG_VALUE_MAX));
        else
            put_plain_text(out, view_first(f->text, LOG_VALUE_MAX));
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    if (level > log_threshold)
        return;
    AUTO_BUF(line, LINE_MAX_OCTETS);
    if (log_format == LOG_FORMAT_JSON) {
        buf_put_text(&line, "{\"time\":\"");
        put_time(&line);
        buf_printf(&line, "\",\"level\":\"%s\",\"role\":\"%s\",\"event\":\"%s\"",
                   level_names[level], log_role, event);
        put_fields(&line, fields);
        buf_put_text(&line, "}\n");
    } else {
        put_time(&line);
        buf_printf(&line, " %s%-5s%s %s %s", is_coloured ? level_colours[level] : "",
                   level_names[level], is_coloured ? "\033[0m" : "", log_role, event);
        put_fields(&line, fields);
        buf_put_octet(&line, '\n');
    }
    /* A log that cannot be written must not stop the mail. */
    if (buf_is_ok(&line) && write(STDERR_FILENO, line.p, line.n) < 0)
        return;
}
