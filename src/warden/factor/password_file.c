#include "base/limits.h"
#include "base/mem.h"
#include "warden/factor/password_hash.h"
#include "warden/factor/password_kinds.h"
#include "warden/source/text_file.h"

#include <sodium.h>

/* Yescrypt at its usual cost: what an unknown account costs where the file has no hash at all.
 * Nothing depends on its password, which was random. */
static const char SPARE_HASH[] =
    "$y$j9T$7dKottHLhcz5gfvbY8Zc21$MmToBsdUzpAbwcmKEIiH7ZqZvtNMcNd0q0VTHZhkDG/";

struct entry {
    const char *name; /* into the text; ASCII lower case */
    const char *hash; /* likewise */
};

/* One reading of the file. */
struct table {
    struct entry *entries; /* owned; sorted by name, then by place in the file */
    size_t n;
    const char **samples; /* owned; every hash that can be checked */
    size_t sample_count;
};

struct password_file {
    struct text_file *text;                  /* owned; its tables are struct table */
    char *domain;                            /* owned */
    uint8_t pick[crypto_shorthash_KEYBYTES]; /* which hash an unknown name is given */
};

static void table_free(struct table *t)
{
    if (t == NULL)
        return;
    mem_free(t->entries);
    mem_free(t->samples);
    mem_free(t);
}

AUTO_DEFINE(table)

/* ---- reading ---- */

/* Dovecot's files say the scheme in front; those that name what we accept anyway are harmless. */
static const char *skip_scheme(const char *hash)
{
    static const char *const schemes[] = { "{CRYPT}", "{BLF-CRYPT}", "{ARGON2ID}" };

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (strncmp(hash, schemes[i], strlen(schemes[i])) == 0)
            return hash + strlen(schemes[i]);
    }
    return hash;
}

/* Cuts one line in place; false: it holds no account. */
static bool read_line(char *line, struct entry *ret)
{
    char *colon = strchr(line, ':');

    if (*line == '#' || colon == NULL || colon == line)
        return false;
    *colon = '\0';
    for (char *c = line; c < colon; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    char *hash = colon + 1;
    hash[strcspn(hash, ":\r")] = '\0';
    *ret = (struct entry){ line, skip_scheme(hash) };
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : (x->name > y->name) - (x->name < y->name);
}

static void drop(void *table)
{
    table_free(table);
}

static enum err parse(char *text, size_t n, void **ret)
{
    AUTO(table) t = NEW(table);
    size_t lines = 1;

    if (t == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    t->entries = mem_array(lines, sizeof(*t->entries));
    t->samples = mem_array(lines, sizeof(*t->samples));
    if (t->entries == NULL || t->samples == NULL)
        return ERR_MEMORY;
    for (char *line = text, *end = text + n; line < end;) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            stop = end; /* where a NUL is */
        *stop = '\0';
        struct entry *e = &t->entries[t->n];
        if (read_line(line, e)) {
            t->n++;
            enum hash_kind kind = password_hash_kind(e->hash);
            if (kind == HASH_CRYPT || kind == HASH_ARGON2ID)
                t->samples[t->sample_count++] = e->hash;
        }
        line = stop + 1;
    }
    qsort(t->entries, t->n, sizeof(*t->entries), by_name);
    *ret = TAKE(t);
    return ERR_OK;
}

/* ---- checking ---- */

static const char *find_hash(const struct table *t, struct view name)
{
    char wanted[LIMIT_ACCOUNT + 1] = "";
    size_t low = 0, high = t->n;

    if (name.n >= sizeof(wanted) || view_find(name, 0) != name.n)
        return NULL;
    memcpy(wanted, name.p, name.n);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(t->entries[middle].name, wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->n && strcmp(t->entries[low].name, wanted) == 0 ? t->entries[low].hash : NULL;
}

/* A name without a hash of its own is always given the same one of the file, so that its cost is
 * drawn as those of real accounts are. */
static const char *stand_in(const struct password_file *f, const struct table *t,
                            struct view account)
{
    union {
        uint8_t octets[crypto_shorthash_BYTES];
        uint64_t number;
    } h;

    if (t->sample_count == 0)
        return SPARE_HASH;
    (void)crypto_shorthash(h.octets, account.p, account.n, f->pick);
    return t->samples[h.number % t->sample_count];
}

static enum password_result check_in(const struct password_file *f, const struct table *t,
                                     struct view account, struct view secret,
                                     const char **ret_reason)
{
    const char *ignored = NULL;
    const char *hash = find_hash(t, account);

    if (hash == NULL)
        hash = find_hash(t, password_local_name(account, f->domain));
    enum hash_kind kind = hash == NULL ? HASH_LOCKED : password_hash_kind(hash);
    if (kind == HASH_CRYPT || kind == HASH_ARGON2ID)
        return password_hash_check(hash, secret, ret_reason);
    (void)!password_hash_check(stand_in(f, t, account), secret, &ignored);
    if (kind == HASH_REFUSED) {
        *ret_reason = "the account's hash in the password file is of a kind that is refused";
        return PASSWORD_LATER;
    }
    *ret_reason = hash == NULL ? "not in the password file" : "locked in the password file";
    return hash == NULL ? PASSWORD_UNKNOWN : PASSWORD_WRONG;
}

enum password_result password_file_check(struct password_file *f, struct view account,
                                         struct view secret, const char **ret_reason)
{
    struct text_reading *r = text_file_borrow(f->text);

    if (r == NULL) {
        *ret_reason = "the password file cannot be read";
        return PASSWORD_LATER;
    }
    enum password_result result = check_in(f, text_file_table(r), account, secret, ret_reason);
    text_file_give_back(f->text, r);
    return result;
}

/* ---- life ---- */

void password_file_free(struct password_file *f)
{
    if (f == NULL)
        return;
    text_file_free(f->text);
    mem_free(f->domain);
    mem_free(f);
}

AUTO_DEFINE(password_file)

enum err password_file_new(const char *path, const char *domain, struct password_file **ret)
{
    const struct text_file_conf conf = { .path = path, .parse = parse, .drop = drop };
    AUTO(password_file) f = NEW(password_file);

    if (f == NULL)
        return ERR_MEMORY;
    crypto_shorthash_keygen(f->pick);
    f->domain = mem_text(domain);
    const enum err e = f->domain == NULL ? ERR_MEMORY : text_file_new(&conf, &f->text);
    if (e == ERR_OK)
        *ret = TAKE(f);
    return e;
}
