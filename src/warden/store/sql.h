/* sql.h: the seam between the store and a database: a connection that runs the statements of
 * queries.def. A driver is one row in store.c's table; it brings its schema. Internal to store/.
 *
 * A connection is used by one thread at a time. Cells given to a row function are borrowed until it
 * returns. Errors: ERR_EXISTS (a unique key), ERR_BUSY, ERR_MEMORY, ERR_IO; none of them leaves a
 * statement half done. Runs in: warden, pool threads. */
#ifndef POSTERN_WARDEN_STORE_SQL_H
#define POSTERN_WARDEN_STORE_SQL_H

#include "warden/store/store.h"

enum sql_query {
#define QUERY(name, text) SQL_##name,
#include "warden/store/queries.def"
#undef QUERY
    SQL_QUERY_COUNT
};
const char *sql_text(enum sql_query q);

#define SQL_COLUMNS_MAX 16

enum sql_kind { SQL_INTEGER = 0, SQL_TEXT, SQL_BLOB };

struct sql_value {
    enum sql_kind kind;
    int64_t integer;
    struct view octets; /* of TEXT and BLOB */
};

#define SQL_INT(i) ((struct sql_value){ .kind = SQL_INTEGER, .integer = (int64_t)(i) })
#define SQL_STR(s) ((struct sql_value){ .kind = SQL_TEXT, .octets = view_text(s) })
#define SQL_BIN(v) ((struct sql_value){ .kind = SQL_BLOB, .octets = (v) })

/* false stops; the statement has still succeeded. */
typedef bool sql_row_fn(void *arg, const struct sql_value *cells);

struct sql_call {
    enum sql_query query;
    const struct sql_value *args; /* borrowed for the call */
    size_t arg_count;
    sql_row_fn *each; /* NULL: rows are not wanted */
    void *arg;
};

struct sql; /* a connection, the driver's own */

struct sql_driver {
    const char *name;
    /* The first one opened brings the schema up to date. */
    enum err (*open)(const struct store_conf *conf, bool is_first, struct sql **ret);
    void (*close)(struct sql *c);     /* NULL is fine */
    enum err (*begin)(struct sql *c); /* for writing */
    enum err (*commit)(struct sql *c);
    void (*rollback)(struct sql *c); /* also after a failed commit; else harmless */
    enum err (*run)(struct sql *c, const struct sql_call *call, uint64_t *ret_changes);
};
extern const struct sql_driver sql_sqlite;

/* ---- store.c: what the store's own files use ---- */

/* Runs one reading statement on a lent connection. */
MUST_USE enum err store_read(struct store *s, const struct sql_call *call);
/* Runs one writing statement as a transaction of its own; ret_changes may be NULL. */
MUST_USE enum err store_change(struct store *s, const struct sql_call *call, uint64_t *ret_changes);
/* Several statements in one transaction: `body` runs them, an error from it undoes all. */
struct store_transaction;
MUST_USE enum err store_transact(struct store *s,
                                 enum err (*body)(void *arg, const struct store_transaction *t),
                                 void *arg);
MUST_USE enum err store_run(const struct store_transaction *t, const struct sql_call *call,
                            uint64_t *ret_changes);
/* ERR_INVALID: empty; ERR_TOO_LONG: over LIMIT_ACCOUNT. */
MUST_USE enum err store_check_name(const char *account);
/* A cell into an array of `size` octets, NUL-terminated; cut if it does not fit. */
void store_copy_text(char *to, size_t size, struct sql_value cell);

/* A call in place: query, row function and its argument, then the values of $1, $2 … */
#define SQL_CALL(q, fn, to, ...)                                                                   \
    (&(const struct sql_call){ .query = SQL_##q,                                                   \
                               .args = (const struct sql_value[]){ __VA_ARGS__ },                  \
                               .arg_count = sizeof((const struct sql_value[]){ __VA_ARGS__ }) /    \
                                            sizeof(struct sql_value),                              \
                               .each = (fn),                                                       \
                               .arg = (to) })
#define SQL_CALL_BARE(q, fn, to)                                                                   \
    (&(const struct sql_call){ .query = SQL_##q, .each = (fn), .arg = (to) })

#endif
