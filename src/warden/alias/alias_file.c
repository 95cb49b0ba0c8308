#include "base/limits.h"
#include "base/mem.h"
#include "warden/alias/alias_kinds.h"
#include "warden/source/text_file.h"

/* One account of one line: views into the text, whose octets are at most TEXT_FILE_MAX. */
struct pair {
    uint32_t account, address;
    uint16_t account_n, address_n;
};

struct table {
    const char *text;   /* borrowed from the reading */
    struct pair *pairs; /* owned; sorted by account, then by place in the file */
    size_t n, capacity;
    size_t bad_line; /* 0: none; the first that begins with a blank */
};

struct alias_file {
    struct text_file *text; /* owned; its tables are struct table */
    char *domain;           /* owned */
};

/* ---- reading -------------------------------------------------------------------------- */

static void table_free(struct table *t)
{
    if (t == NULL)
        return;
    mem_free(t->pairs);
    mem_free(t);
}

AUTO_DEFINE(table)

static void drop(void *table)
{
    table_free(table);
}

static bool is_between(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == ',';
}

/* The next word of the line; empty: there is none. */
static struct view take_word(struct view *line)
{
    size_t n = 0;

    while (line->n > 0 && is_between(line->p[0]))
        *line = view_skip(*line, 1);
    while (n < line->n && !is_between(line->p[n]))
        n++;
    const struct view word = view_first(*line, n);
    *line = view_skip(*line, n);
    return word;
}

static enum err add(struct table *t, struct view account, struct view address)
{
    /* What is too long for a name is nobody's; what is too long for an address is shown as that. */
    if (account.n > LIMIT_ACCOUNT)
        return ERR_OK;
    if (t->n == t->capacity) {
        const size_t capacity = t->capacity == 0 ? 256 : t->capacity * 2;
        struct pair *grown = mem_resize(t->pairs, capacity * sizeof(*grown));
        if (grown == NULL)
            return ERR_MEMORY;
        t->pairs = grown;
        t->capacity = capacity;
    }
    const uint8_t *text = (const uint8_t *)t->text;
    t->pairs[t->n++] = (struct pair){
        .account = (uint32_t)(account.p - text),
        .account_n = (uint16_t)account.n,
        .address = (uint32_t)(address.p - text),
        .address_n = (uint16_t)(address.n > LIMIT_ACCOUNT ? LIMIT_ACCOUNT + 1 : address.n),
    };
    return ERR_OK;
}

static enum err read_line(struct table *t, struct view line, size_t number)
{
    const bool is_indented = line.n > 0 && is_between(line.p[0]);
    const struct view address = take_word(&line);
    enum err e = ERR_OK;

    if (address.n == 0 || address.p[0] == '#')
        return ERR_OK;
    if (is_indented && t->bad_line == 0)
        t->bad_line = number;
    for (struct view account = take_word(&line); account.n != 0 && e == ERR_OK;
         account = take_word(&line))
        e = add(t, account, address);
    return e;
}

static struct view account_of(const struct table *t, const struct pair *p)
{
    return view_of(t->text + p->account, p->account_n);
}

static int compare(struct view a, struct view b)
{
    const size_t n = a.n < b.n ? a.n : b.n;
    const int order = n == 0 ? 0 : memcmp(a.p, b.p, n);

    return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static int by_account(const void *a, const void *b, void *arg)
{
    const struct pair *x = a, *y = b;
    const int order = compare(account_of(arg, x), account_of(arg, y));

    return order != 0 ? order : (x->address > y->address) - (x->address < y->address);
}

static enum err parse(char *text, size_t n, void **ret)
{
    AUTO(table) t = NEW(table);
    struct view rest = view_of(text, n);

    if (t == NULL)
        return ERR_MEMORY;
    t->text = text;
    for (size_t i = 0; i < n; i++)
        text[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];
    for (size_t number = 1; rest.n != 0; number++) {
        const size_t end = view_find(rest, '\n');
        const enum err e = read_line(t, view_first(rest, end), number);
        if (e != ERR_OK)
            return e;
        rest = view_skip(rest, end + 1);
    }
    if (t->n != 0)
        qsort_r(t->pairs, t->n, sizeof(*t->pairs), by_account, t);
    *ret = TAKE(t);
    return ERR_OK;
}

/* ---- looking up ----------------------------------------------------------------------- */

static void put_all(const struct table *t, struct view account, struct alias_answer *a)
{
    size_t low = 0, high = t->n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare(account_of(t, &t->pairs[middle]), account) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < t->n && compare(account_of(t, &t->pairs[low]), account) == 0; low++)
        if (!alias_put(a, view_of(t->text + t->pairs[low].address, t->pairs[low].address_n)))
            return;
}

enum err alias_file_lookup(struct alias_file *f, struct view account, struct alias_answer *a)
{
    struct text_reading *r = text_file_borrow(f->text);
    const size_t at = view_find(account, '@');
    enum err e = ERR_OK;

    if (r == NULL)
        return alias_fail(a, "the file cannot be read");
    const struct table *t = text_file_table(r);
    if (t->bad_line != 0) {
        e = alias_fail(a, "line %zu goes on where another has ended: write it on one line",
                       t->bad_line);
    } else {
        put_all(t, account, a);
        if (*f->domain != '\0' &&
            view_is_equal_nocase(view_skip(account, at + 1), view_text(f->domain)))
            put_all(t, view_first(account, at), a);
    }
    text_file_give_back(f->text, r);
    return e;
}

/* ---- life ----------------------------------------------------------------------------- */

void alias_file_free(struct alias_file *f)
{
    if (f == NULL)
        return;
    text_file_free(f->text);
    mem_free(f->domain);
    mem_free(f);
}

AUTO_DEFINE(alias_file)

enum err alias_file_new(const struct config *c, struct alias_file **ret)
{
    const struct text_file_conf conf = { .path = c->aliases.file, .parse = parse, .drop = drop };
    AUTO(alias_file) f = NEW(alias_file);

    if (f == NULL)
        return ERR_MEMORY;
    if (c->aliases.file == NULL || c->aliases.file[0] == '\0')
        return ERR_INVALID;
    f->domain = mem_text(c->domain == NULL ? "" : c->domain);
    const enum err e = f->domain == NULL ? ERR_MEMORY : text_file_new(&conf, &f->text);
    if (e == ERR_OK)
        *ret = TAKE(f);
    return e;
}
