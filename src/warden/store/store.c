/* The pool of connections and the choice of the driver. One connection writes, under a mutex: a
 * database file has one writer anyway, and so none of ours waits in SQLite. The others read. */
#include "warden/store/store.h"

#include "base/mem.h"
#include "warden/store/sql.h"

#include <pthread.h>

#define CONNECTIONS_MIN 2 /* the writer and a reader */
#define CONNECTIONS_MAX 64

static const struct sql_driver *const drivers[] = { &sql_sqlite };

struct store {
    const struct sql_driver *driver;
    pthread_mutex_t write_mutex;
    struct sql *writer; /* owned; under write_mutex */
    pthread_mutex_t mutex;
    pthread_cond_t given_back;
    struct sql *readers[CONNECTIONS_MAX]; /* owned; those that are free, under mutex */
    size_t free_count;
};

struct store_transaction {
    const struct sql_driver *driver;
    struct sql *connection; /* borrowed from the store */
};

const char *sql_text(enum sql_query q)
{
    static const char *const texts[SQL_QUERY_COUNT] = {
#define QUERY(name, text) [SQL_##name] = (text),
#include "warden/store/queries.def"
#undef QUERY
    };

    return texts[q];
}

/* ---- life ---- */

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    while (s->free_count > 0)
        s->driver->close(s->readers[--s->free_count]);
    s->driver->close(s->writer);
    (void)pthread_cond_destroy(&s->given_back);
    (void)pthread_mutex_destroy(&s->mutex);
    (void)pthread_mutex_destroy(&s->write_mutex);
    mem_free(s);
}

AUTO_DEFINE(store)

static const struct sql_driver *driver_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(drivers); i++) {
        if (strcmp(drivers[i]->name, name) == 0)
            return drivers[i];
    }
    return NULL;
}

enum err store_open(const struct store_conf *conf, struct store **ret)
{
    const struct sql_driver *driver = driver_of(conf->driver);

    if (driver == NULL || conf->connections > CONNECTIONS_MAX)
        return ERR_INVALID;
    AUTO(store) s = NEW(store);
    if (s == NULL)
        return ERR_MEMORY;
    s->driver = driver;
    CHECK(pthread_mutex_init(&s->write_mutex, NULL) == 0);
    CHECK(pthread_mutex_init(&s->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&s->given_back, NULL) == 0);
    enum err e = driver->open(conf, true, &s->writer);
    size_t readers =
        (conf->connections < CONNECTIONS_MIN ? CONNECTIONS_MIN : conf->connections) - 1;
    while (e == ERR_OK && s->free_count < readers) {
        e = driver->open(conf, false, &s->readers[s->free_count]);
        if (e == ERR_OK)
            s->free_count++;
    }
    if (e == ERR_OK)
        *ret = TAKE(s);
    return e;
}

/* ---- lending ---- */

static struct sql *lend_reader(struct store *s)
{
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    while (s->free_count == 0)
        CHECK(pthread_cond_wait(&s->given_back, &s->mutex) == 0);
    struct sql *c = s->readers[--s->free_count];
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    return c;
}

static void give_back_reader(struct store *s, struct sql *c)
{
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    s->readers[s->free_count++] = c;
    CHECK(pthread_cond_signal(&s->given_back) == 0);
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
}

enum err store_read(struct store *s, const struct sql_call *call)
{
    struct sql *c = lend_reader(s);
    enum err e = s->driver->run(c, call, NULL);

    give_back_reader(s, c);
    return e;
}

enum err store_change(struct store *s, const struct sql_call *call, uint64_t *ret_changes)
{
    CHECK(pthread_mutex_lock(&s->write_mutex) == 0);
    enum err e = s->driver->run(s->writer, call, ret_changes);
    if (e != ERR_OK)
        s->driver->rollback(s->writer);
    CHECK(pthread_mutex_unlock(&s->write_mutex) == 0);
    return e;
}

enum err store_transact(struct store *s,
                        enum err (*body)(void *arg, const struct store_transaction *t), void *arg)
{
    CHECK(pthread_mutex_lock(&s->write_mutex) == 0);
    const struct store_transaction t = { s->driver, s->writer };
    enum err e = s->driver->begin(s->writer);
    if (e == ERR_OK) {
        e = body(arg, &t);
        if (e == ERR_OK)
            e = s->driver->commit(s->writer);
        if (e != ERR_OK)
            s->driver->rollback(s->writer);
    }
    CHECK(pthread_mutex_unlock(&s->write_mutex) == 0);
    return e;
}

enum err store_run(const struct store_transaction *t, const struct sql_call *call,
                   uint64_t *ret_changes)
{
    return t->driver->run(t->connection, call, ret_changes);
}

/* ---- for the files beside this one ---- */

enum err store_check_name(const char *account)
{
    size_t n = strlen(account);

    return n == 0 ? ERR_INVALID : n > LIMIT_ACCOUNT ? ERR_TOO_LONG : ERR_OK;
}

void store_copy_text(char *to, size_t size, struct sql_value cell)
{
    size_t n = cell.octets.n < size ? cell.octets.n : size - 1;

    if (n != 0)
        memcpy(to, cell.octets.p, n);
    to[n] = '\0';
}
