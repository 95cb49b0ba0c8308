#include "config/schema.h"
#include "config/url.h"
#include "config/value.h"

#include <stdio.h>

/* Text and JSON differ in punctuation only, so one walk over the table writes both. */
struct shower {
    struct buf *out;
    enum config_role role;
    bool is_json;
    bool is_first; /* nothing was written in this group yet */
    unsigned depth;
};

#define MASK "***"

static void put_indent(struct shower *s)
{
    for (unsigned i = 0; i < s->depth; i++)
        buf_put_text(s->out, "    ");
}

static void put_quoted(struct shower *s, struct view v)
{
    buf_put_octet(s->out, '"');
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '"' || v.p[i] == '\\')
            buf_put_octet(s->out, '\\');
        buf_put_octet(s->out, v.p[i]);
    }
    buf_put_octet(s->out, '"');
}

static void put_name(struct shower *s, struct view name, const char *separator)
{
    if (s->is_json)
        buf_put_text(s->out, s->is_first ? "\n" : ",\n");
    s->is_first = false;
    put_indent(s);
    if (s->is_json)
        put_quoted(s, name);
    else
        buf_put(s->out, name);
    buf_put_text(s->out, s->is_json ? ": " : separator);
}

static void begin_group(struct shower *s, struct view name)
{
    put_name(s, name, ": ");
    buf_put_text(s->out, s->is_json ? "{" : "{\n");
    s->is_first = true;
    s->depth++;
}

static void end_group(struct shower *s)
{
    s->depth--;
    if (s->is_json)
        buf_put_octet(s->out, '\n');
    put_indent(s);
    buf_put_text(s->out, s->is_json ? "}" : "};\n");
    s->is_first = false;
}

/* ---- values --------------------------------------------------------------------------- */

static void put_item(struct shower *s, size_t index, struct view v)
{
    if (index != 0)
        buf_put_text(s->out, ", ");
    put_quoted(s, v);
}

static void put_texts(struct shower *s, const struct text_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        put_item(s, i, view_text(l->items[i]));
}

static void put_networks(struct shower *s, const struct network_list *l)
{
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < l->n; i++)
        put_item(s, i, view_text(network_text(&l->items[i], text)));
}

static void put_urls(struct shower *s, const struct conf_urls *urls)
{
    for (size_t i = 0; i < urls->n; i++) {
        AUTO_BUF(url, VALUE_TEXT_MAX);
        url_put(&urls->items[i], &url);
        put_item(s, i, buf_view(&url));
        s->out->is_failed = s->out->is_failed || !buf_is_ok(&url);
    }
}

static void put_list(struct shower *s, const struct schema_row *row, const void *object)
{
    const void *at = (const char *)object + row->offset;

    buf_put_octet(s->out, '[');
    if (row->kind == KIND_NETWORKS)
        put_networks(s, at);
    else if (row->kind == KIND_URLS)
        put_urls(s, at);
    else
        put_texts(s, at);
    buf_put_octet(s->out, ']');
}

/* A URL with a password in it stays a URL of its kind, so that what is shown can be read again. */
static size_t shown_octets(const struct schema_row *row, const char *text)
{
    const char *dot = strrchr(row->shown.path, '.');
    const char *colon = strchr(text, ':');

    if (dot == NULL || strcmp(dot, ".url") != 0 || colon == NULL)
        return 0;
    return (size_t)(colon - text) + 1 + strspn(colon + 1, "/");
}

static void put_masked(struct shower *s, const struct schema_row *row, const char *text)
{
    AUTO_BUF(masked, VALUE_TEXT_MAX + sizeof(MASK));

    buf_put(&masked, view_of(text, shown_octets(row, text)));
    buf_put_text(&masked, MASK);
    put_quoted(s, buf_view(&masked));
    s->out->is_failed = s->out->is_failed || !buf_is_ok(&masked);
}

static void put_text(struct shower *s, const struct schema_row *row, const void *object)
{
    const char *text;

    memcpy(&text, (const char *)object + row->offset, sizeof(text));
    const bool is_masked = row->kind == KIND_SECRET && text[0] != 0 &&
                           (s->role == CONFIG_FOR_EYES || s->role == CONFIG_FOR_EDGE);
    if (is_masked)
        put_masked(s, row, text);
    else
        put_quoted(s, view_text(text));
}

static void put_value(struct shower *s, const struct schema_row *row, const void *object)
{
    char duration[24];

    switch (row->kind) {
    case KIND_TEXT:
    case KIND_PATH:
    case KIND_SECRET:
        put_text(s, row, object);
        return;
    case KIND_TEXTS:
    case KIND_PATHS:
    case KIND_NETWORKS:
    case KIND_URLS:
        put_list(s, row, object);
        return;
    case KIND_FLAG:
        buf_put_text(s->out, ((const char *)object)[row->offset] != 0 ? "true" : "false");
        return;
    case KIND_NUMBER:
        buf_printf(s->out, "%u", value_number(row, object));
        return;
    case KIND_DURATION:
        put_quoted(s, view_text(value_duration((uint64_t)value_number(row, object) * row->stored_ms,
                                               duration)));
        return;
    case KIND_CHOICE:
        put_quoted(s, value_word(row, value_number(row, object)));
        return;
    }
}

/* ---- the walk ------------------------------------------------------------------------- */

static void put_setting(struct shower *s, const struct schema_row *row, struct view name,
                        const void *object)
{
    put_name(s, name, " = ");
    put_value(s, row, object);
    if (!s->is_json)
        buf_put_text(s->out, ";\n");
}

static void put_members(struct shower *s, const struct config *c, const struct schema_family *f)
{
    size_t count;
    const char *members = schema_members(c, f, &count);

    begin_group(s, view_text(f->group));
    for (size_t i = 0; i < count; i++) {
        const char *member = members + i * f->size;
        begin_group(s, view_text(schema_member_name(member)));
        for (size_t k = 0; schema_at(k) != NULL; k++)
            if (schema_at(k)->scope == f->scope)
                put_setting(s, schema_at(k), view_text(strrchr(schema_at(k)->shown.path, '.') + 1),
                            member);
        end_group(s);
    }
    end_group(s);
}

/* Closes and opens groups until those of `path` are open; returns its last name. */
static struct view enter(struct shower *s, struct view *open, struct view path)
{
    size_t same = 0, at = 0;

    while (at < path.n && at < open->n && path.p[at] == open->p[at])
        if (path.p[at++] == '.')
            same = at;
    for (size_t i = same; i < open->n; i++)
        if (open->p[i] == '.')
            end_group(s);
    struct view rest = view_skip(path, same);
    for (size_t dot = view_find(rest, '.'); dot < rest.n; dot = view_find(rest, '.')) {
        begin_group(s, view_first(rest, dot));
        rest = view_skip(rest, dot + 1);
    }
    *open = view_first(path, path.n - rest.n);
    return rest;
}

enum err config_show(const struct config *c, enum config_role role, bool is_json, struct buf *out)
{
    struct shower s = {
        .out = out, .role = role, .is_json = is_json, .is_first = true, .depth = is_json ? 1 : 0
    };
    struct view open = VIEW_NONE;

    if (is_json)
        buf_put_octet(out, '{');
    for (size_t i = 0; schema_at(i) != NULL; i++) {
        const struct schema_row *row = schema_at(i);
        if (row->scope != SCOPE_TOP || (role == CONFIG_FOR_EDGE && row->is_edge_blind))
            continue;
        const struct view name = enter(&s, &open, view_text(row->shown.path));
        put_setting(&s, row, name, c);
    }
    (void)enter(&s, &open, VIEW_NONE);
    for (size_t i = 0; schema_family_at(i) != NULL; i++)
        put_members(&s, c, schema_family_at(i));
    if (is_json)
        buf_put_text(out, "\n}\n");
    return buf_is_ok(out) ? ERR_OK : ERR_MEMORY;
}
