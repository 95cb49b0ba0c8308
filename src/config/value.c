#include "config/value.h"

#include "base/mem.h"
#include "config/url.h"

#include <stdarg.h>
#include <stdio.h>

bool fault_say(struct fault *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    return false;
}

static void *field(const struct schema_row *row, void *object)
{
    return (char *)object + row->offset;
}

/* ---- texts ---------------------------------------------------------------------------- */

/* Octets of the UTF-8 character at `p` (RFC 3629); 0: none. A NUL ends it, so nothing is overrun.
 */
static size_t utf8(const uint8_t *p)
{
    const size_t n = p[0] < 0x80   ? 1
                     : p[0] < 0xc2 ? 0
                     : p[0] < 0xe0 ? 2
                     : p[0] < 0xf0 ? 3
                     : p[0] < 0xf5 ? 4
                                   : 0;

    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static bool is_sound(const char *text, struct fault *ret)
{
    const size_t n = strlen(text);
    const uint8_t *p = (const uint8_t *)text;

    if (n > VALUE_TEXT_MAX)
        return fault_say(ret, "longer than %d octets: write less", VALUE_TEXT_MAX);
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
            return fault_say(ret, "a control character inside: write printable text on one line");
    for (size_t step = 0; *p != 0; p += step) {
        step = utf8(p);
        if (step == 0)
            return fault_say(ret, "no UTF-8: save the file in that encoding");
    }
    return true;
}

static char *copy_path(const char *text, const char *folder)
{
    AUTO_BUF(path, 2 * VALUE_TEXT_MAX);

    if (text[0] == 0 || text[0] == '/' || folder[0] == 0 ||
        strncmp(text, SCHEMA_STATE, strlen(SCHEMA_STATE)) == 0)
        return mem_text(text);
    buf_printf(&path, "%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/", text);
    return mem_text(buf_cstr(&path));
}

static char *copy_text(const struct schema_row *row, const char *text, const char *folder)
{
    return row->kind == KIND_PATH || row->kind == KIND_PATHS ? copy_path(text, folder)
                                                             : mem_text(text);
}

static bool set_text(const struct schema_row *row, void *object, const struct value *v,
                     const char *folder, struct fault *ret)
{
    if (v->kind != VALUE_TEXT)
        return fault_say(ret, "no text: write it in \"quotes\"");
    if (row->shown.standard == NULL && v->items[0][0] == 0)
        return fault_say(ret, "may not be empty");
    if (!is_sound(v->items[0], ret))
        return false;
    char *copy = copy_text(row, v->items[0], folder);
    if (copy == NULL)
        return fault_say(ret, "no memory");
    value_free(row, object);
    memcpy(field(row, object), &copy, sizeof(copy));
    return true;
}

static bool is_list(const struct schema_row *row, const struct value *v, struct fault *ret)
{
    if (v->kind != VALUE_TEXT && v->kind != VALUE_LIST)
        return fault_say(ret,
                         "no text and no list of texts: write \"one\" or [ \"one\", \"two\" ]");
    if (row->shown.standard == NULL && v->n == 0)
        return fault_say(ret, "may not be empty");
    if (v->n > VALUE_ITEMS_MAX)
        return fault_say(ret, "more than %d entries: write fewer", VALUE_ITEMS_MAX);
    for (size_t i = 0; i < v->n; i++) {
        if (v->items[i][0] == 0)
            return fault_say(ret, "an empty text in the list: leave it out");
        if (!is_sound(v->items[i], ret))
            return false;
    }
    return true;
}

static void free_texts(struct text_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        mem_free(l->items[i]);
    mem_free(l->items);
    *l = (struct text_list){ 0 };
}

static bool set_texts(const struct schema_row *row, void *object, const struct value *v,
                      const char *folder, struct fault *ret)
{
    struct text_list l = { .items = mem_array(v->n, sizeof(char *)) };

    if (l.items == NULL)
        return fault_say(ret, "no memory");
    for (; l.n < v->n; l.n++) {
        l.items[l.n] = copy_text(row, v->items[l.n], folder);
        if (l.items[l.n] == NULL) {
            free_texts(&l);
            return fault_say(ret, "no memory");
        }
    }
    value_free(row, object);
    memcpy(field(row, object), &l, sizeof(l));
    return true;
}

static bool set_networks(const struct schema_row *row, void *object, const struct value *v,
                         struct fault *ret)
{
    struct network_list l = { .items = mem_array(v->n, sizeof(struct network)) };

    if (l.items == NULL)
        return fault_say(ret, "no memory");
    for (; l.n < v->n; l.n++)
        if (!network_parse(v->items[l.n], &l.items[l.n])) {
            mem_free(l.items);
            return fault_say(ret,
                             "\"%s\" is no network: write address/bits, such as \"192.0.2.0/24\" "
                             "or \"2001:db8::/32\", or an address",
                             v->items[l.n]);
        }
    value_free(row, object);
    memcpy(field(row, object), &l, sizeof(l));
    return true;
}

static void free_urls(struct conf_urls *urls)
{
    for (size_t i = 0; i < urls->n; i++)
        url_done(&urls->items[i]);
    mem_free(urls->items);
    *urls = (struct conf_urls){ 0 };
}

static bool set_urls(const struct schema_row *row, void *object, const struct value *v,
                     struct fault *ret)
{
    const char *dot = strrchr(row->shown.path, '.');
    const struct schema_protocol *p = schema_protocol(dot + 1);
    struct conf_urls urls = { .items = mem_array(v->n, sizeof(*urls.items)) };

    CHECK(p != NULL);
    if (urls.items == NULL)
        return fault_say(ret, "no memory");
    for (; urls.n < v->n; urls.n++)
        if (!url_parse(p, v->items[urls.n], &urls.items[urls.n], ret)) {
            free_urls(&urls);
            return false;
        }
    value_free(row, object);
    memcpy(field(row, object), &urls, sizeof(urls));
    return true;
}

/* ---- numbers -------------------------------------------------------------------------- */

static void put_number(const struct schema_row *row, void *object, uint64_t number)
{
    const uint8_t u8 = (uint8_t)number;
    const uint16_t u16 = (uint16_t)number;
    const uint32_t u32 = (uint32_t)number;

    CHECK(row->size == 1 || row->size == 2 || row->size == 4);
    memcpy(field(row, object),
           row->size == 1   ? (const void *)&u8
           : row->size == 2 ? (const void *)&u16
                            : (const void *)&u32,
           row->size);
}

uint32_t value_number(const struct schema_row *row, const void *object)
{
    const char *at = (const char *)object + row->offset;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32 = 0;

    switch (row->size) {
    case 1:
        memcpy(&u8, at, 1);
        return u8;
    case 2:
        memcpy(&u16, at, 2);
        return u16;
    default:
        memcpy(&u32, at, sizeof(u32));
        return u32;
    }
}

static bool set_number(const struct schema_row *row, void *object, const struct value *v,
                       struct fault *ret)
{
    if (v->kind != VALUE_NUMBER)
        return fault_say(ret, "no number: write digits without quotes, %llu to %llu",
                         (unsigned long long)row->shown.min, (unsigned long long)row->shown.max);
    if (v->number < 0 || (uint64_t)v->number < row->shown.min ||
        (uint64_t)v->number > row->shown.max)
        return fault_say(ret, "%lld is out of range: write %llu to %llu", (long long)v->number,
                         (unsigned long long)row->shown.min, (unsigned long long)row->shown.max);
    put_number(row, object, (uint64_t)v->number);
    return true;
}

static const struct {
    const char *name;
    uint64_t ms;
} units[] = {
    { "w", 604800000 }, { "d", 86400000 }, { "h", 3600000 },
    { "m", 60000 },     { "s", 1000 },     { "ms", 1 },
};

bool value_duration_parse(const char *text, uint64_t *ret_ms)
{
    const size_t digits = strspn(text, "0123456789");
    uint64_t n;

    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (strcmp(text + digits, units[i].name) == 0 &&
            view_number(view_of(text, digits), INT64_MAX / units[i].ms, &n)) {
            *ret_ms = n * units[i].ms;
            return true;
        }
    return false;
}

const char *value_duration(uint64_t ms, char *text)
{
    size_t i = 1; /* no weeks: 400d reads better than some weeks and days */

    if (ms == 0)
        return memcpy(text, "0s", 3);
    while (ms % units[i].ms != 0)
        i++;
    (void)snprintf(text, 24, "%llu%s", (unsigned long long)(ms / units[i].ms), units[i].name);
    return text;
}

static bool set_duration(const struct schema_row *row, void *object, const struct value *v,
                         struct fault *ret)
{
    char low[24], high[24];
    uint64_t ms = 0;

    (void)value_duration(row->shown.min * row->unit_ms, low);
    (void)value_duration(row->shown.max * row->unit_ms, high);
    if (v->kind == VALUE_NUMBER) {
        if (v->number < 0 || (uint64_t)v->number > row->shown.max)
            return fault_say(ret, "%lld %s is out of range: write \"%s\" to \"%s\"",
                             (long long)v->number, row->shown.unit, low, high);
        ms = (uint64_t)v->number * row->unit_ms;
    } else if (v->kind != VALUE_TEXT || !value_duration_parse(v->items[0], &ms)) {
        return fault_say(ret,
                         "no duration: write digits and a unit (ms s m h d w), \"%s\" to \"%s\"",
                         low, high);
    }
    if (ms < row->shown.min * row->unit_ms || ms > row->shown.max * row->unit_ms)
        return fault_say(ret, "out of range: write \"%s\" to \"%s\"", low, high);
    if (ms % row->stored_ms != 0)
        return fault_say(ret, "too fine: write whole %s",
                         row->stored_ms == 1000 ? "seconds" : "days");
    put_number(row, object, ms / row->stored_ms);
    return true;
}

/* ---- words ---------------------------------------------------------------------------- */

struct view value_word(const struct schema_row *row, unsigned index)
{
    struct view rest = view_text(row->shown.type + strlen(SCHEMA_ONE_OF));

    for (; index > 0; index--)
        rest = view_skip(rest, view_find(rest, '|') + 1);
    return view_first(rest, view_find(rest, '|'));
}

static bool set_choice(const struct schema_row *row, void *object, const struct value *v,
                       struct fault *ret)
{
    const char *said = v->kind == VALUE_TEXT ? v->items[0] : NULL;
    AUTO_BUF(words, 256);

    for (unsigned i = 0; value_word(row, i).n != 0; i++) {
        const struct view word = value_word(row, i);
        if (said != NULL && view_is_equal(view_text(said), word)) {
            put_number(row, object, i);
            return true;
        }
        buf_printf(&words, "%s\"%.*s\"", i == 0 ? "" : " or ", (int)word.n, (const char *)word.p);
    }
    const char *list = buf_cstr(&words);
    if (said == NULL)
        return fault_say(ret, "no text: write %s", list == NULL ? "" : list);
    return fault_say(ret, "\"%s\" is unknown: write %s", said, list == NULL ? "" : list);
}

static bool set_flag(const struct schema_row *row, void *object, const struct value *v,
                     struct fault *ret)
{
    if (v->kind != VALUE_FLAG)
        return fault_say(ret, "neither true nor false: write true or false, without quotes");
    memcpy(field(row, object), &v->flag, sizeof(v->flag));
    return true;
}

/* ---- all kinds ------------------------------------------------------------------------ */

bool value_set(const struct schema_row *row, void *object, const struct value *v,
               const char *folder, struct fault *ret)
{
    switch (row->kind) {
    case KIND_TEXT:
    case KIND_PATH:
    case KIND_SECRET:
        return set_text(row, object, v, folder, ret);
    case KIND_TEXTS:
    case KIND_PATHS:
        return is_list(row, v, ret) && set_texts(row, object, v, folder, ret);
    case KIND_NETWORKS:
        return is_list(row, v, ret) && set_networks(row, object, v, ret);
    case KIND_URLS:
        return is_list(row, v, ret) && set_urls(row, object, v, ret);
    case KIND_FLAG:
        return set_flag(row, object, v, ret);
    case KIND_NUMBER:
        return set_number(row, object, v, ret);
    case KIND_DURATION:
        return set_duration(row, object, v, ret);
    case KIND_CHOICE:
        return set_choice(row, object, v, ret);
    }
    return fault_say(ret, "unknown kind of setting");
}

static bool set_all_protocols(const struct schema_row *row, void *object, struct fault *ret)
{
    const char *names[16];
    struct value v = { .kind = VALUE_LIST, .items = names };

    for (; v.n < COUNT_OF(names) && schema_protocol_at(v.n) != NULL; v.n++)
        names[v.n] = schema_protocol_at(v.n)->name;
    return value_set(row, object, &v, "", ret);
}

bool value_set_standard(const struct schema_row *row, void *object, struct fault *ret)
{
    const char *standard = row->shown.standard;
    struct value v = { .kind = VALUE_TEXT, .items = &standard, .n = 1 };
    uint64_t number;

    if (standard == NULL)
        return true;
    switch (row->kind) {
    case KIND_TEXTS:
    case KIND_PATHS:
    case KIND_NETWORKS:
    case KIND_URLS:
        if (strcmp(standard, SCHEMA_ALL_PROTOCOLS) == 0)
            return set_all_protocols(row, object, ret);
        v.kind = VALUE_LIST;
        v.n = 0;
        break;
    case KIND_FLAG:
        v = (struct value){ .kind = VALUE_FLAG, .flag = strcmp(standard, "true") == 0 };
        break;
    case KIND_NUMBER:
        CHECK(view_number(view_text(standard), UINT32_MAX, &number));
        v = (struct value){ .kind = VALUE_NUMBER, .number = (int64_t)number };
        break;
    case KIND_TEXT:
    case KIND_PATH:
    case KIND_SECRET:
    case KIND_DURATION:
    case KIND_CHOICE:
        break;
    }
    return value_set(row, object, &v, "", ret);
}

void value_free(const struct schema_row *row, void *object)
{
    void *at = field(row, object);
    char *text;

    switch (row->kind) {
    case KIND_TEXT:
    case KIND_PATH:
    case KIND_SECRET:
        memcpy(&text, at, sizeof(text));
        if (text != NULL)
            mem_wipe_free(text, strlen(text));
        memset(at, 0, sizeof(text));
        return;
    case KIND_TEXTS:
    case KIND_PATHS:
        free_texts(at);
        return;
    case KIND_NETWORKS:
        mem_free(((struct network_list *)at)->items);
        memset(at, 0, sizeof(struct network_list));
        return;
    case KIND_URLS:
        free_urls(at);
        return;
    case KIND_FLAG:
    case KIND_NUMBER:
    case KIND_DURATION:
    case KIND_CHOICE:
        return;
    }
}
