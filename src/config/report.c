#include "config/report.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

static void add(struct report *r, const char *file, unsigned line, const char *path,
                const char *format, va_list args) PRINTF(5, 0);

static void add(struct report *r, const char *file, unsigned line, const char *path,
                const char *format, va_list args)
{
    char what[400];
    AUTO_BUF(text, 8192);

    if (r->n++ >= r->max)
        return;
    (void)vsnprintf(what, sizeof(what), format, args);
    buf_printf(&text, "%s:%u: ", file == NULL ? "configuration" : file, line == 0 ? 1 : line);
    buf_printf(&text, path[0] == 0 ? "%s%s" : "%s: %s", path, what);
    const struct view v = view_first(buf_view(&text), sizeof(r->errors->text) - 1);
    memset(r->errors[r->n - 1].text, 0, sizeof(r->errors->text));
    if (v.n != 0)
        memcpy(r->errors[r->n - 1].text, v.p, v.n);
}

void report_at(struct report *r, const char *file, unsigned line, const char *path,
               const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(r, file, line, path, format, args);
    va_end(args);
}

static const struct conf_place *find(const struct config *c, struct view path)
{
    for (size_t i = 0; i < c->place_count; i++)
        if (view_is_equal(view_text(c->places[i].path), path))
            return &c->places[i];
    return NULL;
}

static struct view parent(struct view path)
{
    while (path.n > 0 && path.p[path.n - 1] != '.')
        path.n--;
    return view_first(path, path.n == 0 ? 0 : path.n - 1);
}

void report_setting(struct report *r, const struct config *c, const char *path, const char *format,
                    ...)
{
    const struct conf_place *place = NULL;
    va_list args;

    for (struct view v = view_text(path); v.n != 0 && place == NULL; v = parent(v))
        place = find(c, v);
    va_start(args, format);
    add(r, place == NULL ? c->file : place->file, place == NULL ? 1 : place->line, path, format,
        args);
    va_end(args);
}

const char *report_path(const char *group, const char *name, const char *setting, char *path)
{
    (void)snprintf(path, REPORT_PATH, "%s.%s.%s", group, name, setting);
    return path;
}

void report_need(struct report *r, const struct config *c, const char *path, const char *value,
                 bool is_needed, const char *what)
{
    const bool is_there = value[0] != 0;

    if (is_needed && !is_there)
        report_setting(r, c, path, "missing, since %s: write it, or change that", what);
    if (!is_needed && is_there)
        report_setting(r, c, path, "of no use unless %s: write that, or leave this out", what);
}
