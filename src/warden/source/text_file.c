#include "warden/source/text_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A file that changed so lately may change again without a new time stamp. */
#define SETTLED_AFTER_S 2

struct text_reading {
    unsigned users; /* under the mutex */
    char *text;     /* owned; wiped */
    size_t n;
    void *table; /* owned */
    void (*drop)(void *table);
    struct stat seen;
    bool is_settled;
};

struct text_file {
    char *path; /* owned */
    struct text_file_conf conf;
    pthread_mutex_t mutex;
    struct text_reading *reading; /* owned; NULL: not read, or out of order */
};

static void text_reading_free(struct text_reading *r)
{
    if (r == NULL)
        return;
    if (r->table != NULL)
        r->drop(r->table);
    mem_wipe_free(r->text, r->n);
    mem_free(r);
}

AUTO_DEFINE(text_reading)

/* ---- reading -------------------------------------------------------------------------- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static enum err read_text(int fd, struct text_reading *r)
{
    struct stat after;

    if (fstat(fd, &r->seen) != 0 || !S_ISREG(r->seen.st_mode))
        return ERR_INVALID;
    if ((uint64_t)r->seen.st_size > TEXT_FILE_MAX)
        return ERR_TOO_LONG;
    size_t n = (size_t)r->seen.st_size;
    r->text = mem_alloc(n + 1);
    if (r->text == NULL)
        return ERR_MEMORY;
    while (r->n < n) {
        ssize_t got = read(fd, r->text + r->n, n - r->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERR_IO;
        if (got == 0)
            break;
        r->n += (size_t)got;
    }
    time_t now = time(NULL);
    r->is_settled = fstat(fd, &after) == 0 && is_same_file(&r->seen, &after) && r->n == n &&
                    (r->seen.st_mtime > now || now - r->seen.st_mtime > SETTLED_AFTER_S);
    return ERR_OK;
}

static enum err read_file(const struct text_file *f, struct text_reading **ret)
{
    AUTO(text_reading) r = NEW(text_reading);

    if (r == NULL)
        return ERR_MEMORY;
    r->drop = f->conf.drop;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return ERR_IO;
    enum err e = read_text(fd, r);
    (void)close(fd);
    if (e == ERR_OK)
        e = f->conf.parse(r->text, r->n, &r->table);
    if (e == ERR_OK)
        *ret = TAKE(r);
    return e;
}

/* ---- lending -------------------------------------------------------------------------- */

static void unref(struct text_reading *r)
{
    if (--r->users == 0)
        text_reading_free(r);
}

static void forget(struct text_file *f)
{
    if (f->reading != NULL)
        unref(f->reading);
    f->reading = NULL;
}

struct text_reading *text_file_borrow(struct text_file *f)
{
    struct stat now;

    CHECK(pthread_mutex_lock(&f->mutex) == 0);
    bool is_there = stat(f->path, &now) == 0;
    if (f->reading != NULL &&
        !(is_there && f->reading->is_settled && is_same_file(&f->reading->seen, &now)))
        forget(f);
    if (f->reading == NULL && is_there && read_file(f, &f->reading) == ERR_OK)
        f->reading->users = 1;
    struct text_reading *r = f->reading;
    if (r != NULL)
        r->users++;
    CHECK(pthread_mutex_unlock(&f->mutex) == 0);
    return r;
}

void text_file_give_back(struct text_file *f, struct text_reading *r)
{
    CHECK(pthread_mutex_lock(&f->mutex) == 0);
    unref(r);
    CHECK(pthread_mutex_unlock(&f->mutex) == 0);
}

const void *text_file_table(const struct text_reading *r)
{
    return r->table;
}

/* ---- life ----------------------------------------------------------------------------- */

void text_file_free(struct text_file *f)
{
    if (f == NULL)
        return;
    forget(f);
    (void)pthread_mutex_destroy(&f->mutex);
    mem_free(f->path);
    mem_free(f);
}

AUTO_DEFINE(text_file)

enum err text_file_new(const struct text_file_conf *conf, struct text_file **ret)
{
    AUTO(text_file) f = NEW(text_file);

    if (f == NULL)
        return ERR_MEMORY;
    CHECK(pthread_mutex_init(&f->mutex, NULL) == 0);
    f->conf = *conf;
    f->path = mem_text(conf->path);
    f->conf.path = f->path;
    if (f->path == NULL)
        return ERR_MEMORY;
    *ret = TAKE(f);
    return ERR_OK;
}
