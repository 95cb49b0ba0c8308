#include "proto/sieve/capability.h"

#include "base/attr.h"
#include "base/limits.h"
#include "proto/line/line.h"
#include "proto/sieve/response.h"
#include "proto/sieve/text.h"

/* RENAMESCRIPT, CHECKSCRIPT and NOOP have no capability of their own: VERSION stands for them. The
 * bounds keep the whole greeting within what the edge sends at once. */
static const struct {
    const char *name;
    size_t max; /* octets of its value; a longer one is left out */
} passing[] = {
    { "SIEVE", LIMIT_CAPABILITIES / 2 },         { "NOTIFY", LIMIT_CAPABILITIES / 16 },
    { "MAXREDIRECTS", LIMIT_CAPABILITIES / 16 }, { "EXTLISTS", LIMIT_CAPABILITIES / 16 },
    { "LANGUAGE", LIMIT_CAPABILITIES / 16 },
};

void sieve_capability_add(struct view line, struct buf *list)
{
    AUTO_BUF(name, LIMIT_CAPABILITIES);
    AUTO_BUF(value, LIMIT_CAPABILITIES);

    if (!sieve_line_take_string(&line, &name))
        return;
    const bool has_value = sieve_line_take_string(&line, &value);
    if (!buf_is_ok(&name) || !buf_is_ok(&value)) {
        list->is_failed = true;
        return;
    }
    if (!line_may_hold(buf_view(&name)) || !line_may_hold(buf_view(&value)))
        return;
    sieve_put_quoted(buf_view(&name), list);
    if (has_value) {
        buf_put_octet(list, ' ');
        sieve_put_quoted(buf_view(&value), list);
    }
    buf_put_text(list, "\r\n");
}

/* The quoted string at the front of *line, without its quotes and the space behind. */
static struct view take_quoted(struct view *line)
{
    size_t n = 1;

    if (line->n == 0 || line->p[0] != '"')
        return VIEW_NONE;
    while (n < line->n && line->p[n] != '"')
        n += line->p[n] == '\\' ? 2 : 1;
    if (n >= line->n)
        return VIEW_NONE;
    const struct view text = view_first(view_skip(*line, 1), n - 1);
    *line = view_skip(*line, n + 1);
    if (line->n != 0 && line->p[0] == ' ')
        *line = view_skip(*line, 1);
    return text;
}

bool sieve_capability_find(struct view list, struct view name, struct view *ret)
{
    while (list.n != 0) {
        struct view line = view_first(list, view_find(list, '\n') + 1);
        list = view_skip(list, line.n);
        if (!view_is_equal_nocase(take_quoted(&line), name))
            continue;
        *ret = take_quoted(&line);
        return true;
    }
    return false;
}

bool sieve_capability_has_word(struct view value, struct view word)
{
    while (value.n != 0) {
        const size_t n = view_find(value, ' ');
        if (view_is_equal_nocase(view_first(value, n), word))
            return true;
        value = view_skip(value, n + 1);
    }
    return false;
}

static void put_value(struct view quoted, struct buf *out)
{
    AUTO_BUF(text, LIMIT_CAPABILITIES);

    for (size_t i = 0; i < quoted.n; i++)
        if (quoted.p[i] != '\\' || ++i < quoted.n)
            buf_put_octet(&text, quoted.p[i]);
    sieve_put_string(buf_view(&text), SIEVE_TO_CLIENT, out);
    out->is_failed = out->is_failed || !buf_is_ok(&text);
}

static void put_passing(struct view list, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(passing); i++) {
        struct view value = VIEW_NONE;
        const bool is_there = sieve_capability_find(list, view_text(passing[i].name), &value) &&
                              value.n <= passing[i].max;
        if (!is_there && i != 0) /* RFC 5804 §1.7: SIEVE is always there */
            continue;
        buf_printf(out, "\"%s\" ", passing[i].name);
        put_value(is_there ? value : VIEW_NONE, out);
        buf_put_text(out, "\r\n");
    }
}

void sieve_capability_put(struct view list, bool is_tls, struct buf *out)
{
    struct view version;

    buf_put_text(out, "\"IMPLEMENTATION\" \"Postern\"\r\n");
    buf_put_text(out, is_tls ? "\"SASL\" \"PLAIN\"\r\n" : "\"SASL\" \"\"\r\n\"STARTTLS\"\r\n");
    put_passing(list, out);
    /* An upstream without it does not know all the commands that it stands for. */
    if (list.n == 0 || sieve_capability_find(list, VIEW_LIT("VERSION"), &version))
        buf_put_text(out, "\"VERSION\" \"1.0\"\r\n");
}
