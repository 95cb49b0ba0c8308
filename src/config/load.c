#include "config/check.h"
#include "config/nearest.h"
#include "config/report.h"
#include "config/schema.h"
#include "config/value.h"

#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX    1048576 /* octets of a configuration file: it is written by hand */
#define PATH_OCTETS 512     /* "upstreams.<name>.connect_timeout" and what is wrong of that size */
#define MEMBERS_MAX 1024    /* gates, upstreams or policies */

struct loader {
    struct config *config; /* owned until the end */
    const char *folder;    /* what relative paths start from; "": none */
    struct report *report;
    bool is_out_of_memory;
};

/* Where a group of the file leads: its paths, and the struct that its settings are in. */
struct spot {
    char path[PATH_OCTETS];   /* as the administrator writes it: "gates.imaps" */
    char schema[PATH_OCTETS]; /* as the table has it: "gates.*" */
    void *object;
};

static const char *file_of(const struct loader *l, const config_setting_t *s)
{
    return config_setting_source_file(s) == NULL ? l->config->file : config_setting_source_file(s);
}

#define SAY(l, s, path, ...)                                                                       \
    report_at((l)->report, file_of(l, s), config_setting_source_line(s), path, __VA_ARGS__)

/* ---- places --------------------------------------------------------------------------- */

static void note_place(struct loader *l, const config_setting_t *s, const char *path)
{
    struct config *c = l->config;
    struct conf_place *grown = mem_resize(c->places, (c->place_count + 1) * sizeof(*grown));

    if (grown == NULL) {
        l->is_out_of_memory = true;
        return;
    }
    c->places = grown;
    grown[c->place_count] = (struct conf_place){ .path = mem_text(path),
                                                 .file = mem_text(file_of(l, s)),
                                                 .line = config_setting_source_line(s) };
    if (grown[c->place_count].path == NULL || grown[c->place_count].file == NULL)
        l->is_out_of_memory = true;
    c->place_count++;
}

static bool has_place(const struct config *c, const char *path)
{
    for (size_t i = 0; i < c->place_count; i++)
        if (c->places[i].path != NULL && strcmp(c->places[i].path, path) == 0)
            return true;
    return false;
}

/* ---- one setting ---------------------------------------------------------------------- */

/* Fills *ret from a list or array; false: it was reported. `items` has room for VALUE_ITEMS_MAX. */
static bool read_items(struct loader *l, config_setting_t *s, const char *path, const char **items,
                       struct value *ret)
{
    const int n = config_setting_length(s);

    if (n > VALUE_ITEMS_MAX) {
        SAY(l, s, path, "more than %d entries: write fewer", VALUE_ITEMS_MAX);
        return false;
    }
    for (int i = 0; i < n; i++) {
        items[i] = config_setting_get_string_elem(s, i);
        if (items[i] == NULL) {
            SAY(l, s, path, "entry %d is no text: write it in \"quotes\"", i + 1);
            return false;
        }
    }
    *ret = (struct value){ .kind = VALUE_LIST, .items = items, .n = (size_t)n };
    return true;
}

static bool read_value(struct loader *l, config_setting_t *s, const char *path, const char **items,
                       struct value *ret)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        *ret = (struct value){ .kind = VALUE_NUMBER, .number = config_setting_get_int64(s) };
        return true;
    case CONFIG_TYPE_BOOL:
        *ret = (struct value){ .kind = VALUE_FLAG, .flag = config_setting_get_bool(s) != 0 };
        return true;
    case CONFIG_TYPE_STRING:
        items[0] = config_setting_get_string(s);
        *ret = (struct value){ .kind = VALUE_TEXT, .items = items, .n = 1 };
        return true;
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST:
        return read_items(l, s, path, items, ret);
    case CONFIG_TYPE_GROUP:
        SAY(l, s, path, "is a setting, not a group: write %s = value", config_setting_name(s));
        return false;
    default:
        SAY(l, s, path, "no fractions here: write a whole number, or a duration such as \"500ms\"");
        return false;
    }
}

static void load_setting(struct loader *l, config_setting_t *s, const struct schema_row *row,
                         const struct spot *at)
{
    const char *items[VALUE_ITEMS_MAX];
    struct value v;
    struct fault fault;

    if (!read_value(l, s, at->path, items, &v))
        return;
    if (!value_set(row, at->object, &v, l->folder, &fault))
        SAY(l, s, at->path, "%s", fault.text);
}

/* ---- groups --------------------------------------------------------------------------- */

/* Appends ".name" to both paths. False: too long. */
static bool spot_enter(const struct spot *from, const char *name, const char *schema_name,
                       struct spot *ret)
{
    const char *dot = from->path[0] == 0 ? "" : ".";
    const int n = snprintf(ret->path, sizeof(ret->path), "%s%s%s", from->path, dot, name);
    const int m =
        snprintf(ret->schema, sizeof(ret->schema), "%s%s%s", from->schema, dot, schema_name);

    ret->object = from->object;
    return n >= 0 && (size_t)n < sizeof(ret->path) && m >= 0 && (size_t)m < sizeof(ret->schema);
}

static void say_unknown(struct loader *l, config_setting_t *s, const struct spot *at,
                        const char *parent)
{
    AUTO_BUF(mend, 1024);

    nearest_setting(parent, config_setting_name(s), &mend);
    const char *text = buf_cstr(&mend);
    SAY(l, s, at->path, "unknown %s: %s", config_setting_is_group(s) ? "group" : "setting",
        text == NULL ? "see postern.conf(5)" : text);
}

static void set_standards(struct loader *l, enum schema_scope scope, void *object)
{
    struct fault fault;

    for (size_t i = 0; schema_at(i) != NULL; i++)
        if (schema_at(i)->scope == scope && !value_set_standard(schema_at(i), object, &fault))
            l->is_out_of_memory = true; /* defaults are right: what else */
}

static bool is_name(const char *name)
{
    static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    return strspn(name, known) == strlen(name) && strlen(name) <= LIMIT_NAME;
}

static void load_group(struct loader *l, config_setting_t *group, const struct spot *at);

/* The next member of a family: name and defaults set. NULL: no memory. */
static void *new_member(struct loader *l, const struct schema_family *f, const char *name)
{
    size_t count;
    char *members = schema_members(l->config, f, &count);
    char *member = members + count * f->size;
    char *copy = mem_text(name);

    if (copy == NULL) {
        l->is_out_of_memory = true;
        return NULL;
    }
    memcpy(member, &copy, sizeof(copy));
    count++;
    memcpy((char *)l->config + f->offset_count, &count, sizeof(count));
    set_standards(l, f->scope, member);
    return member;
}

static void load_member(struct loader *l, const struct schema_family *f, config_setting_t *s,
                        const struct spot *family)
{
    struct spot at;
    const char *name = config_setting_name(s);

    if (!spot_enter(family, name, "*", &at)) {
        SAY(l, s, family->path, "a name of more than %d octets: write a shorter one", LIMIT_NAME);
        return;
    }
    note_place(l, s, at.path);
    if (!config_setting_is_group(s)) {
        SAY(l, s, at.path, "no group: write %s: { … };", name);
        return;
    }
    if (!is_name(name)) {
        SAY(l, s, at.path, "no name for a %s: write letters, digits, '-' and '_', at most %d",
            f->noun, LIMIT_NAME);
        return;
    }
    at.object = new_member(l, f, name);
    if (at.object != NULL)
        load_group(l, s, &at);
}

/* Makes the array of a family, with room for one more (the policy "default"). */
static bool make_members(struct loader *l, const struct schema_family *f, size_t n)
{
    void *members = mem_array(n + 1, f->size);

    if (members == NULL) {
        l->is_out_of_memory = true;
        return false;
    }
    memcpy((char *)l->config + f->offset, &members, sizeof(members));
    return true;
}

static void load_family(struct loader *l, const struct schema_family *f, config_setting_t *group,
                        const struct spot *at)
{
    const int n = config_setting_length(group);

    if (n > MEMBERS_MAX) {
        SAY(l, group, at->path, "more than %d of them: write fewer", MEMBERS_MAX);
        return;
    }
    /* What libconfig refuses already (a name twice) cannot come twice here. */
    for (int i = 0; i < n; i++)
        load_member(l, f, config_setting_get_elem(group, (unsigned)i), at);
}

static const struct schema_family *family_named(const char *schema)
{
    for (size_t i = 0; schema_family_at(i) != NULL; i++)
        if (strcmp(schema_family_at(i)->group, schema) == 0)
            return schema_family_at(i);
    return NULL;
}

static void load_one(struct loader *l, config_setting_t *s, const struct spot *parent)
{
    struct spot at;
    const char *name = config_setting_name(s);
    const bool is_entered = spot_enter(parent, name, name, &at);
    const struct schema_row *row = is_entered ? schema_find(at.schema) : NULL;

    if (!is_entered || (row == NULL && !schema_is_group(at.schema))) {
        say_unknown(l, s, &at, parent->schema);
        return;
    }
    note_place(l, s, at.path);
    if (row != NULL) {
        load_setting(l, s, row, &at);
        return;
    }
    if (!config_setting_is_group(s)) {
        SAY(l, s, at.path, "is a group, not a setting: write %s: { … };", name);
        return;
    }
    const struct schema_family *f = family_named(at.schema);
    if (f != NULL)
        load_family(l, f, s, &at);
    else
        load_group(l, s, &at);
}

/* Recursion ends with the table: what is no group in it is not entered. */
static void load_group(struct loader *l, config_setting_t *group, const struct spot *at)
{
    const int n = config_setting_length(group);

    for (int i = 0; i < n; i++)
        load_one(l, config_setting_get_elem(group, (unsigned)i), at);
}

/* ---- what the file does not say ------------------------------------------------------- */

static void replace(char **text, char *by, struct loader *l)
{
    l->is_out_of_memory = l->is_out_of_memory || by == NULL;
    mem_free(*text);
    *text = by;
}

/* Defaults that begin with "<state>". */
static void put_state(struct loader *l)
{
    const size_t n = strlen(SCHEMA_STATE);

    for (size_t i = 0; schema_at(i) != NULL; i++) {
        const struct schema_row *row = schema_at(i);
        char *text;
        if (row->scope != SCOPE_TOP || row->kind != KIND_PATH)
            continue;
        memcpy(&text, (char *)l->config + row->offset, sizeof(text));
        if (text == NULL || strncmp(text, SCHEMA_STATE, n) != 0 || l->config->state == NULL)
            continue;
        AUTO_BUF(path, 2 * VALUE_TEXT_MAX);
        buf_printf(&path, "%s%s", l->config->state, text + n);
        replace(&text, mem_text(buf_cstr(&path)), l);
        memcpy((char *)l->config + row->offset, &text, sizeof(text));
    }
}

/* The policy "default" comes last, and there always is one. */
static void put_default_policy(struct loader *l)
{
    struct config *c = l->config;
    size_t at = 0;

    while (at < c->policy_count && strcmp(c->policies[at].name, "default") != 0)
        at++;
    if (at == c->policy_count && new_member(l, schema_family(SCOPE_POLICY), "default") == NULL)
        return;
    const struct conf_policy last = c->policies[at];
    for (; at + 1 < c->policy_count; at++)
        c->policies[at] = c->policies[at + 1];
    c->policies[at] = last;
    for (size_t i = 0; i < c->policy_count; i++)
        if (c->policies[i].session_cap == 0)
            c->policies[i].session_cap = c->session.per_account;
}

static void check_required(struct loader *l, const struct schema_row *row, const char *path)
{
    if (row->shown.standard == NULL && !has_place(l->config, path))
        report_setting(l->report, l->config, path, "missing: write it. %s", row->shown.sentence);
}

static void check_all_required(struct loader *l)
{
    for (size_t i = 0; schema_at(i) != NULL; i++) {
        const struct schema_row *row = schema_at(i);
        const struct schema_family *f = schema_family(row->scope);
        size_t count = 0;
        const char *members = f == NULL ? NULL : schema_members(l->config, f, &count);
        if (f == NULL)
            check_required(l, row, row->shown.path);
        for (size_t k = 0; k < count; k++) {
            AUTO_BUF(path, 1024);
            buf_printf(&path, "%s.%s%s", f->group, schema_member_name(members + k * f->size),
                       strrchr(row->shown.path, '.'));
            const char *text = buf_cstr(&path);
            if (text != NULL)
                check_required(l, row, text);
        }
    }
}

/* ---- from libconfig to struct config -------------------------------------------------- */

static void fill(struct loader *l, const config_t *lib)
{
    config_setting_t *root = config_root_setting(lib);
    struct spot top = { .object = l->config };

    set_standards(l, SCOPE_TOP, l->config);
    for (size_t i = 0; schema_family_at(i) != NULL; i++) {
        const struct schema_family *f = schema_family_at(i);
        config_setting_t *group = config_setting_get_member(root, f->group);
        const int n = group == NULL ? 0 : config_setting_length(group);
        if (!make_members(l, f, n > MEMBERS_MAX ? 0 : (size_t)n))
            return;
    }
    load_group(l, root, &top);
    put_state(l);
    put_default_policy(l);
    if (l->is_out_of_memory)
        return;
    check_all_required(l);
    if (l->report->n == 0)
        check_all(l->config, l->report);
}

static void say_syntax(struct loader *l, const config_t *lib)
{
    const char *file = config_error_file(lib) == NULL ? l->config->file : config_error_file(lib);
    const char *what = config_error_text(lib) == NULL ? "unreadable" : config_error_text(lib);

    const unsigned line = config_error_line(lib) < 0 ? 1 : (unsigned)config_error_line(lib);

    if (strcmp(what, "duplicate setting name") == 0)
        report_at(l->report, file, line, "", "the same name twice in one group: leave one");
    else if (strcmp(what, "cannot open include file") == 0)
        report_at(l->report, file, line, "",
                  "%s: write a path relative to the configuration file, or an absolute one", what);
    else
        report_at(
            l->report, file, line, "",
            "%s: write `name = value;` for a setting and `name: { … };` for a group, and look "
            "at the line before, too",
            what);
}

static struct config *finish(struct loader *l, const config_t *lib, bool is_read, size_t *ret_count)
{
    if (!is_read)
        say_syntax(l, lib);
    else
        fill(l, lib);
    if (l->is_out_of_memory)
        report_at(l->report, l->config->file, 1, "", "no memory");
    *ret_count = l->report->n;
    if (l->report->n == 0)
        return TAKE(l->config);
    config_free(l->config);
    return NULL;
}

static struct config *new_config(const char *file, struct report *report, size_t *ret_count)
{
    AUTO(config) c = NEW(config);

    if (c != NULL)
        c->file = mem_text(file);
    if (c == NULL || c->file == NULL) {
        report_at(report, file, 1, "", "no memory");
        *ret_count = report->n;
        return NULL;
    }
    return TAKE(c);
}

struct config *config_parse(const char *text, struct config_error *errors, size_t max,
                            size_t *ret_count)
{
    struct report report = { .errors = errors, .max = max };
    struct loader l = { .folder = "", .report = &report };
    config_t lib;

    l.config = new_config("configuration", &report, ret_count);
    if (l.config == NULL)
        return NULL;
    config_init(&lib);
    struct config *c = finish(&l, &lib, config_read_string(&lib, text) == CONFIG_TRUE, ret_count);
    config_destroy(&lib);
    return c;
}

/* Opens a plain file of a sane size. NULL: it was reported. */
static FILE *open_file(const char *path, struct report *report)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        report_at(report, path, 1, "", "%s: %s", strerror(errno),
                  errno == EACCES ? "run as a user that may read it"
                                  : "write the file, or name another with -c FILE");
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        report_at(report, path, 1, "", "no plain file of at most 1 MiB: name another with -c FILE");
        (void)close(fd);
        return NULL;
    }
    FILE *f = fdopen(fd, "r");
    if (f == NULL) {
        report_at(report, path, 1, "", "no memory");
        (void)close(fd);
    }
    return f;
}

/* The absolute folder that `path` is in. */
static bool folder_of(const char *path, char *ret, struct report *report)
{
    char whole[PATH_MAX];

    if (realpath(path, whole) == NULL) {
        report_at(report, path, 1, "", "%s: name another file with -c FILE", strerror(errno));
        return false;
    }
    const size_t n = (size_t)(strrchr(whole, '/') - whole);
    memcpy(ret, whole, n == 0 ? 1 : n);
    ret[n == 0 ? 1 : n] = 0;
    return true;
}

struct config *config_load(const char *path, struct config_error *errors, size_t max,
                           size_t *ret_count)
{
    struct report report = { .errors = errors, .max = max };
    char folder[PATH_MAX];
    struct loader l = { .folder = folder, .report = &report };
    config_t lib;

    FILE *f = open_file(path, &report);
    l.config =
        f != NULL && folder_of(path, folder, &report) ? new_config(path, &report, ret_count) : NULL;
    *ret_count = report.n;
    if (l.config == NULL) {
        if (f != NULL)
            (void)fclose(f);
        return NULL;
    }
    config_init(&lib);
    config_set_include_dir(&lib, folder);
    struct config *c = finish(&l, &lib, config_read(&lib, f) == CONFIG_TRUE, ret_count);
    config_destroy(&lib);
    (void)fclose(f);
    return c;
}
