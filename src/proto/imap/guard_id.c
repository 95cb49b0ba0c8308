#include "proto/imap/guard_id.h"

#include "base/limits.h"

/* RFC 2971 §3.3 */
#define FIELD_MAX 30
#define VALUE_MAX 1024

static const char *const fields[] = {
    "name",    "version", "os",      "os-version", "vendor",      "support-url",
    "address", "date",    "command", "arguments",  "environment",
};

static void skip_spaces(struct view *v)
{
    while (v->n > 0 && v->p[0] == ' ')
        *v = view_skip(*v, 1);
}

/* Takes one quoted string off the front of *v, *ret is what stands between its quotes; false if
 * there is none. */
static bool take_quoted(struct view *v, struct view *ret)
{
    skip_spaces(v);
    if (v->n == 0 || v->p[0] != '"')
        return false;
    size_t end = 1;
    while (end < v->n && v->p[end] != '"')
        end += v->p[end] == '\\' ? 2 : 1;
    if (end >= v->n)
        return false;
    *ret = view_of(v->p + 1, end - 1);
    *v = view_skip(*v, end + 1);
    return true;
}

static bool take_nil(struct view *v)
{
    skip_spaces(v);
    if (!view_starts_nocase(*v, VIEW_LIT("NIL")))
        return false;
    *v = view_skip(*v, 3);
    return true;
}

static bool take_octet(struct view *v, char octet)
{
    skip_spaces(v);
    if (v->n == 0 || v->p[0] != (uint8_t)octet)
        return false;
    *v = view_skip(*v, 1);
    return true;
}

/* Does a backslash stand only where RFC 9051 has one? What else it might mean, nobody knows. */
static bool is_escaped_well(struct view quoted)
{
    for (size_t i = 0; i < quoted.n; i++)
        if (quoted.p[i] == '\\' && quoted.p[++i] != '"' && quoted.p[i] != '\\')
            return false;
    return true;
}

static bool is_plain(struct view quoted)
{
    for (size_t i = 0; i < quoted.n; i++)
        if (quoted.p[i] < ' ' || quoted.p[i] >= 0x7f)
            return false;
    return true;
}

/* The bit of a field that passes, or 0. */
static uint32_t field_bit(struct view name)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (view_is_equal_nocase(name, view_text(fields[i])))
            return UINT32_C(1) << i;
    return 0;
}

static void put_quoted(struct buf *out, struct view quoted)
{
    buf_put_octet(out, '"');
    buf_put(out, quoted);
    buf_put_octet(out, '"');
}

static void put_pair(struct buf *out, bool is_first, struct view field, bool is_nil,
                     struct view value)
{
    buf_put_octet(out, is_first ? '(' : ' ');
    put_quoted(out, field);
    buf_put_octet(out, ' ');
    if (is_nil)
        buf_put_text(out, "NIL");
    else
        put_quoted(out, value);
}

bool imap_guard_id_build(struct view arguments, struct buf *out)
{
    struct view v = arguments, field, value = VIEW_NONE;
    uint32_t said = 0;
    size_t count = 0;
    bool is_list = !take_nil(&v);

    if (is_list && !take_octet(&v, '('))
        return false;
    while (is_list && !take_octet(&v, ')')) {
        if (++count > LIMIT_IMAP_ID_PAIRS || !take_quoted(&v, &field) || !is_escaped_well(field))
            return false;
        const bool is_nil = take_nil(&v);
        if (!is_nil && (!take_quoted(&v, &value) || !is_escaped_well(value)))
            return false;
        const uint32_t bit = field.n > FIELD_MAX ? 0 : field_bit(field);
        if (bit == 0 || (said & bit) != 0 || (!is_nil && (value.n > VALUE_MAX || !is_plain(value))))
            continue;
        put_pair(out, said == 0, field, is_nil, value);
        said |= bit;
    }
    buf_put_text(out, said == 0 ? "NIL" : ")");
    skip_spaces(&v);
    return v.n == 0;
}

/* ---- the label ------------------------------------------------------------------------ */

static void put_clean(struct buf *out, struct view v)
{
    if (out->n != 0 && v.n != 0)
        buf_put_octet(out, ' ');
    for (size_t i = 0; i < v.n && out->n < out->max; i++) {
        if (v.p[i] == '\\' && i + 1 < v.n)
            i++;
        buf_put_octet(out, v.p[i] < ' ' || v.p[i] >= 0x7f ? '?' : v.p[i]);
    }
}

void imap_guard_id_label(struct view arguments, struct buf *out)
{
    struct view name = VIEW_NONE, version = VIEW_NONE, key, value;

    if (!take_octet(&arguments, '('))
        return;
    while (take_quoted(&arguments, &key)) {
        if (take_nil(&arguments))
            continue;
        if (!take_quoted(&arguments, &value))
            break;
        if (view_is_equal_nocase(key, VIEW_LIT("name")))
            name = value;
        else if (view_is_equal_nocase(key, VIEW_LIT("version")))
            version = value;
    }
    put_clean(out, view_first(name, LIMIT_CLIENT / 2));
    put_clean(out, view_first(version, LIMIT_CLIENT / 2 - 1));
}
