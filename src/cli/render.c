#include "cli/render.h"

#include "base/mem.h"
#include "cli/moment.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define CELL_MAX 4096 /* octets of one cell: the longest field, cleaned */

void render_init(struct renderer *r, enum render_form form, FILE *out)
{
    const char *term = getenv("TERM");
    const bool is_dumb = term == NULL || strcmp(term, "dumb") == 0;

    *r = (struct renderer){ .form = form, .out = out };
    r->is_coloured = isatty(fileno(out)) && !is_dumb && getenv("NO_COLOR") == NULL;
}

static void drop_cells(struct renderer *r)
{
    const size_t n = r->kind == NULL ? 0 : r->rows * r->kind->count;

    for (size_t i = 0; i < n; i++)
        if (r->cells[i] != NULL)
            mem_wipe_free(r->cells[i], strlen(r->cells[i]));
    r->rows = 0;
    r->kind = NULL;
}

void render_done(struct renderer *r)
{
    drop_cells(r);
    mem_free(r->cells);
    *r = (struct renderer){ 0 };
}

/* ---- text that is safe to show -------------------------------------------------------- */

/* The code point at the front of `v` and its octets; 0 octets: no UTF-8 (RFC 3629). */
static size_t decode(struct view v, uint32_t *ret)
{
    const uint8_t first = v.p[0];
    const size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? first : first & (0xffU >> (n + 1));

    if (n == 0 || n > v.n || first > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((v.p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (v.p[i] & 0x3f);
    }
    if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || (c >= 0xd800 && c < 0xe000) ||
        c > 0x10ffff)
        return 0;
    *ret = c;
    return n;
}

/* Controls, line separators, and what turns the direction of the text around. */
static bool is_shown(uint32_t c)
{
    return c >= 0x20 && (c < 0x7f || c > 0x9f) && c != 0x200e && c != 0x200f &&
           !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff;
}

void render_clean(struct view v, struct buf *out)
{
    uint32_t c;

    while (v.n != 0) {
        const size_t n = decode(v, &c);
        if (n == 0 || !is_shown(c))
            buf_put_octet(out, '?');
        else
            buf_put(out, view_first(v, n));
        v = view_skip(v, n == 0 ? 1 : n);
    }
}

/* Columns, where one code point is one column: right for what names and labels hold. */
static size_t columns(const char *text)
{
    size_t n = 0;

    for (; *text != 0; text++)
        n += ((uint8_t)*text & 0xc0) != 0x80;
    return n;
}

/* ---- fields --------------------------------------------------------------------------- */

static bool ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_time(const struct wire_field *f)
{
    return f->kind == WIRE_I64 && (ends_in(f->name, "_at") || strcmp(f->name, "at") == 0);
}

/* "CREATED" of "created_at", "ENABLED" of "is_enabled". */
static void put_heading(const struct wire_field *f, bool is_upper, struct buf *out)
{
    const char *name = strncmp(f->name, "is_", 3) == 0 ? f->name + 3 : f->name;
    const size_t n = strlen(name) - (ends_in(name, "_at") ? 3 : 0);

    for (size_t i = 0; i < n; i++) {
        const char c = name[i] == '_' ? ' ' : name[i];
        buf_put_octet(out, (uint8_t)(is_upper && c >= 'a' && c <= 'z' ? c - 32 : c));
    }
}

static uint64_t number_of(const struct wire_field *f, const void *row)
{
    const char *at = (const char *)row + f->offset;
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;

    switch (f->kind) {
    case WIRE_FLAG:
    case WIRE_U8:
        memcpy(&u8, at, sizeof(u8));
        return u8;
    case WIRE_U16:
        memcpy(&u16, at, sizeof(u16));
        return u16;
    case WIRE_U32:
        memcpy(&u32, at, sizeof(u32));
        return u32;
    case WIRE_U64:
    case WIRE_I64:
        memcpy(&u64, at, sizeof(u64));
        return u64;
    case WIRE_ADDR:
    case WIRE_TEXT:
    case WIRE_OCTETS:
    case WIRE_SECRET:
        break;
    }
    return 0;
}

/* The octets of a text field, or an address as text in `room`. */
static struct view text_of(const struct wire_field *f, const void *row, char *room)
{
    const char *at = (const char *)row + f->offset;
    struct view v;
    struct addr a;

    if (f->kind == WIRE_ADDR) {
        memcpy(&a, at, sizeof(a));
        return view_text(addr_text(&a, room));
    }
    memcpy(&v, at, sizeof(v));
    return v;
}

static bool is_textual(const struct wire_field *f)
{
    return f->kind == WIRE_TEXT || f->kind == WIRE_OCTETS || f->kind == WIRE_SECRET ||
           f->kind == WIRE_ADDR;
}

static void put_time(const struct wire_field *f, int64_t at, struct buf *out)
{
    char text[MOMENT_TEXT];

    if (at != 0)
        buf_put_text(out, moment_local(at, text));
    else
        buf_put_text(out, strcmp(f->name, "expires_at") == 0 || strcmp(f->name, "last_used_at") == 0
                              ? "never"
                              : "-");
}

static void put_cell(const struct wire_field *f, const void *row, struct buf *out)
{
    char room[ADDR_TEXT_MAX];

    if (is_textual(f)) {
        const struct view v = text_of(f, row, room);
        render_clean(v.n == 0 ? VIEW_LIT("-") : v, out);
    } else if (is_time(f)) {
        put_time(f, (int64_t)number_of(f, row), out);
    } else if (f->kind == WIRE_FLAG) {
        buf_put_text(out, number_of(f, row) != 0 ? "yes" : "no");
    } else if (f->kind == WIRE_I64) {
        buf_printf(out, "%lld", (long long)number_of(f, row));
    } else {
        buf_printf(out, "%llu", (unsigned long long)number_of(f, row));
    }
}

/* ---- JSON ----------------------------------------------------------------------------- */

static json_t *json_of(const struct wire_field *f, const void *row)
{
    char room[ADDR_TEXT_MAX], time_text[MOMENT_TEXT];

    if (is_textual(f)) {
        const struct view v = text_of(f, row, room);
        json_t *text = json_stringn(v.n == 0 ? "" : (const char *)v.p, v.n);
        if (text != NULL)
            return text;
        AUTO_BUF(clean, CELL_MAX); /* was no UTF-8 */
        render_clean(v, &clean);
        return json_stringn(clean.n == 0 ? "" : (const char *)clean.p, clean.n);
    }
    if (is_time(f)) {
        const int64_t at = (int64_t)number_of(f, row);
        return at == 0 ? json_null() : json_string(moment_utc(at, time_text));
    }
    if (f->kind == WIRE_FLAG)
        return json_boolean(number_of(f, row) != 0);
    return json_integer((json_int_t)number_of(f, row));
}

static enum err put_json(struct renderer *r, const struct wire_message *m, const void *row)
{
    json_t *object = json_object();
    enum err e = object == NULL ? ERR_MEMORY : ERR_OK;

    for (size_t i = 0; i < m->count && e == ERR_OK; i++)
        if (json_object_set_new(object, m->fields[i].name, json_of(&m->fields[i], row)) != 0)
            e = ERR_MEMORY;
    if (e == ERR_OK && (json_dumpf(object, r->out, 0) != 0 || fputc('\n', r->out) == EOF))
        e = ERR_IO;
    json_decref(object);
    return e == ERR_OK && fflush(r->out) != 0 ? ERR_IO : e;
}

/* ---- lines, cards and tables ---------------------------------------------------------- */

static const char *bold(const struct renderer *r)
{
    return r->is_coloured ? "\033[1m" : "";
}

static const char *plain(const struct renderer *r)
{
    return r->is_coloured ? "\033[0m" : "";
}

/* The value of a field, in quotes where it would not be one word: a client's label must not pass
 * for another field. */
static void put_word(const struct wire_field *f, const void *row, struct buf *out)
{
    AUTO_BUF(cell, CELL_MAX);

    put_cell(f, row, &cell);
    const struct view v = buf_view(&cell);
    if (view_find(v, ' ') == v.n && view_find(v, '"') == v.n && view_find(v, '=') == v.n) {
        buf_put(out, v);
        return;
    }
    buf_put_octet(out, '"');
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '"' || v.p[i] == '\\')
            buf_put_octet(out, '\\');
        buf_put_octet(out, v.p[i]);
    }
    buf_put_octet(out, '"');
}

/* "2030-12-31 23:59:59 refused account=… source=…": the time, the kind, then what is not empty. */
static enum err put_line(struct renderer *r, const struct wire_message *m, const void *row)
{
    AUTO_BUF(line, 2 * CELL_MAX);

    for (size_t i = 0; i < m->count; i++) {
        const struct wire_field *f = &m->fields[i];
        char room[ADDR_TEXT_MAX];
        if (strcmp(f->name, "id") == 0 || (is_textual(f) && text_of(f, row, room).n == 0))
            continue;
        buf_put_text(&line, line.n == 0 ? "" : " ");
        if (is_time(f)) {
            put_cell(f, row, &line);
        } else if (strcmp(f->name, "kind") == 0) {
            buf_put_text(&line, bold(r));
            put_word(f, row, &line);
            buf_put_text(&line, plain(r));
        } else {
            buf_printf(&line, "%s=", f->name);
            put_word(f, row, &line);
        }
    }
    const char *text = buf_cstr(&line);
    if (text == NULL)
        return ERR_MEMORY;
    return fprintf(r->out, "%s\n", text) < 0 || fflush(r->out) != 0 ? ERR_IO : ERR_OK;
}

static enum err print_card(struct renderer *r)
{
    const struct wire_message *m = r->kind;
    size_t width = 0;

    for (size_t i = 0; i < m->count; i++)
        if (strlen(m->fields[i].name) > width)
            width = strlen(m->fields[i].name);
    for (size_t i = 0; i < m->count; i++) {
        AUTO_BUF(name, 256);
        put_heading(&m->fields[i], false, &name);
        const char *text = buf_cstr(&name);
        if (text == NULL)
            return ERR_MEMORY;
        (void)fprintf(r->out, "%s%*s%s  %s\n", bold(r), -(int)width, text, plain(r), r->cells[i]);
    }
    return ERR_OK;
}

/* Nothing but "-" in it: not worth its columns. */
static bool is_column_empty(const struct renderer *r, size_t column)
{
    for (size_t i = 0; i < r->rows; i++)
        if (strcmp(r->cells[i * r->kind->count + column], "-") != 0)
            return false;
    return true;
}

static size_t column_width(const struct renderer *r, size_t column, const char *heading)
{
    size_t width = strlen(heading);

    for (size_t i = 0; i < r->rows; i++) {
        const size_t n = columns(r->cells[i * r->kind->count + column]);
        if (n > width)
            width = n;
    }
    return width;
}

static void put_padded(struct renderer *r, const char *text, size_t width, bool is_last)
{
    const size_t n = columns(text);

    (void)fprintf(r->out, "%s%*s", text, is_last ? 0 : (int)(width > n ? width - n : 0) + 2, "");
}

/* "app passwords" of row_app_password: what a table behind a card holds. */
static void print_title(struct renderer *r)
{
    AUTO_BUF(title, 64);

    for (const char *p = r->kind->name + strlen("row_"); *p != 0; p++)
        buf_put_octet(&title, (uint8_t)(*p == '_' ? ' ' : *p));
    const char *text = buf_cstr(&title);
    (void)fprintf(r->out, "%s%ss:%s\n", bold(r), text == NULL ? "row" : text, plain(r));
}

static enum err print_table(struct renderer *r)
{
    size_t widths[32], last = 0;
    char headings[32][48];
    bool is_shown_column[32];
    const size_t count = r->kind->count;

    CHECK(count <= COUNT_OF(widths));
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF(heading, sizeof(headings[0]) - 1);
        put_heading(&r->kind->fields[i], true, &heading);
        const char *text = buf_cstr(&heading);
        (void)snprintf(headings[i], sizeof(headings[i]), "%s", text == NULL ? "?" : text);
        widths[i] = column_width(r, i, headings[i]);
        is_shown_column[i] = !is_column_empty(r, i);
        last = is_shown_column[i] ? i : last;
    }
    (void)fputs(bold(r), r->out);
    for (size_t i = 0; i < count; i++)
        if (is_shown_column[i])
            put_padded(r, headings[i], widths[i], i == last);
    (void)fprintf(r->out, "%s\n", plain(r));
    for (size_t k = 0; k < r->rows; k++) {
        for (size_t i = 0; i < count; i++)
            if (is_shown_column[i])
                put_padded(r, r->cells[k * count + i], widths[i], i == last);
        (void)fputc('\n', r->out);
    }
    return ERR_OK;
}

enum err render_end(struct renderer *r)
{
    enum err e = ERR_OK;

    if (r->rows != 0) {
        if (r->printed != 0)
            (void)fputc('\n', r->out);
        const bool is_card = r->form == RENDER_CARD && r->printed == 0 && r->rows == 1;
        if (r->form == RENDER_CARD && !is_card)
            print_title(r);
        e = is_card ? print_card(r) : print_table(r);
        r->printed++;
    }
    drop_cells(r);
    if (e == ERR_OK && (fflush(r->out) != 0 || ferror(r->out)))
        e = ERR_IO;
    return e;
}

static enum err keep_cells(struct renderer *r, const struct wire_message *m, const void *row)
{
    const size_t need = (r->rows + 1) * m->count;

    if (need > r->capacity) {
        const size_t capacity = need * 2;
        char **grown = mem_resize(r->cells, capacity * sizeof(*grown));
        if (grown == NULL)
            return ERR_MEMORY;
        r->cells = grown;
        r->capacity = capacity;
    }
    r->kind = m;
    for (size_t i = 0; i < m->count; i++)
        r->cells[r->rows * m->count + i] = NULL;
    r->rows++;
    for (size_t i = 0; i < m->count; i++) {
        AUTO_BUF(cell, CELL_MAX);
        put_cell(&m->fields[i], row, &cell);
        char *copy = mem_text(buf_cstr(&cell));
        if (copy == NULL)
            return ERR_MEMORY;
        r->cells[(r->rows - 1) * m->count + i] = copy;
    }
    return ERR_OK;
}

enum err render_row(struct renderer *r, const struct wire_message *m, const void *row)
{
    enum err e = ERR_OK;

    if (r->form == RENDER_JSON)
        return put_json(r, m, row);
    if (r->form == RENDER_LINES)
        return put_line(r, m, row);
    if (r->kind != NULL && r->kind != m)
        e = render_end(r);
    return e == ERR_OK ? keep_cells(r, m, row) : e;
}
