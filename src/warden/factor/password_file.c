#include "base/limits.h"
#include "base/mem.h"
#include "warden/factor/password_hash.h"
#include "warden/factor/password_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_OCTETS_MAX ((size_t)64 << 20) /* some 500,000 accounts; more belong in a directory */
/* A file that changed so lately may change again without a new time stamp. */
#define SETTLED_AFTER_S 2

/* Yescrypt at its usual cost: what an unknown account costs where the file has no hash at all.
 * Nothing depends on its password, which was random. */
static const char SPARE_HASH[] =
    "$y$j9T$7dKottHLhcz5gfvbY8Zc21$MmToBsdUzpAbwcmKEIiH7ZqZvtNMcNd0q0VTHZhkDG/";

struct entry {
    const char *name; /* into the text; ASCII lower case */
    const char *hash; /* likewise */
};

/* One reading of the file; shared by the checks that run, freed by the last. */
struct table {
    unsigned users; /* under the mutex */
    char *text;     /* owned; hashes are worth wiping */
    size_t text_n;
    struct entry *entries; /* owned; sorted by name, then by place in the file */
    size_t n;
    const char **samples; /* owned; every hash that can be checked */
    size_t sample_count;
    struct stat seen;
    bool is_settled;
};

struct password_file {
    char *path;                              /* owned */
    char *domain;                            /* owned */
    uint8_t pick[crypto_shorthash_KEYBYTES]; /* which hash an unknown name is given */
    pthread_mutex_t mutex;
    struct table *table; /* owned; NULL: not read, or out of order */
};

static void table_free(struct table *t)
{
    if (t == NULL)
        return;
    mem_wipe_free(t->text, t->text_n);
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

static enum err parse(struct table *t)
{
    size_t lines = 1;

    for (size_t i = 0; i < t->text_n; i++)
        lines += t->text[i] == '\n';
    t->entries = mem_array(lines, sizeof(*t->entries));
    t->samples = mem_array(lines, sizeof(*t->samples));
    if (t->entries == NULL || t->samples == NULL)
        return ERR_MEMORY;
    for (char *line = t->text, *end = t->text + t->text_n; line < end;) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            stop = end; /* the octet behind the text is our NUL */
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
    return ERR_OK;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static enum err read_text(int fd, struct table *t)
{
    struct stat after;

    if (fstat(fd, &t->seen) != 0 || !S_ISREG(t->seen.st_mode))
        return ERR_INVALID;
    if ((uint64_t)t->seen.st_size > FILE_OCTETS_MAX)
        return ERR_TOO_LONG;
    size_t n = (size_t)t->seen.st_size;
    t->text = mem_alloc(n + 1);
    if (t->text == NULL)
        return ERR_MEMORY;
    while (t->text_n < n) {
        ssize_t got = read(fd, t->text + t->text_n, n - t->text_n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERR_IO;
        if (got == 0)
            break;
        t->text_n += (size_t)got;
    }
    time_t now = time(NULL);
    t->is_settled = fstat(fd, &after) == 0 && is_same_file(&t->seen, &after) && t->text_n == n &&
                    (t->seen.st_mtime > now || now - t->seen.st_mtime > SETTLED_AFTER_S);
    return ERR_OK;
}

static enum err table_read(const char *path, struct table **ret)
{
    AUTO(table) t = NEW(table);

    if (t == NULL)
        return ERR_MEMORY;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return ERR_IO;
    enum err e = read_text(fd, t);
    (void)close(fd);
    if (e == ERR_OK)
        e = parse(t);
    if (e == ERR_OK)
        *ret = TAKE(t);
    return e;
}

/* ---- sharing ---- */

static void table_unref(struct table *t)
{
    if (--t->users == 0)
        table_free(t);
}

static void forget_table(struct password_file *f)
{
    if (f->table != NULL)
        table_unref(f->table);
    f->table = NULL;
}

/* The table of the file as it is now, for this check; NULL: the file cannot be read. */
static struct table *borrow(struct password_file *f)
{
    struct stat now;

    CHECK(pthread_mutex_lock(&f->mutex) == 0);
    bool is_there = stat(f->path, &now) == 0;
    if (f->table != NULL &&
        !(is_there && f->table->is_settled && is_same_file(&f->table->seen, &now)))
        forget_table(f);
    if (f->table == NULL && is_there && table_read(f->path, &f->table) == ERR_OK)
        f->table->users = 1;
    struct table *t = f->table;
    if (t != NULL)
        t->users++;
    CHECK(pthread_mutex_unlock(&f->mutex) == 0);
    return t;
}

static void give_back(struct password_file *f, struct table *t)
{
    CHECK(pthread_mutex_lock(&f->mutex) == 0);
    table_unref(t);
    CHECK(pthread_mutex_unlock(&f->mutex) == 0);
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
    struct table *t = borrow(f);

    if (t == NULL) {
        *ret_reason = "the password file cannot be read";
        return PASSWORD_LATER;
    }
    enum password_result result = check_in(f, t, account, secret, ret_reason);
    give_back(f, t);
    return result;
}

/* ---- life ---- */

void password_file_free(struct password_file *f)
{
    if (f == NULL)
        return;
    forget_table(f);
    (void)pthread_mutex_destroy(&f->mutex);
    mem_free(f->path);
    mem_free(f->domain);
    mem_free(f);
}

AUTO_DEFINE(password_file)

enum err password_file_new(const char *path, const char *domain, struct password_file **ret)
{
    AUTO(password_file) f = NEW(password_file);

    if (f == NULL)
        return ERR_MEMORY;
    CHECK(pthread_mutex_init(&f->mutex, NULL) == 0);
    crypto_shorthash_keygen(f->pick);
    f->path = mem_text(path);
    f->domain = mem_text(domain);
    if (f->path == NULL || f->domain == NULL)
        return ERR_MEMORY;
    *ret = TAKE(f);
    return ERR_OK;
}
