/* Source: PostgreSQL 15, libpq: "Asynchronous Command Processing", "Retrieving Query Results
 * Row-by-Row". Asynchronous, since its blocking calls know a deadline for connecting only. */
#include "base/limits.h"
#include "base/mem.h"
#include "warden/alias/alias_kinds.h"
#include "warden/source/turn.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>

struct alias_pgsql {
    char *url;   /* owned; secret, wiped */
    char *query; /* owned */
    uint32_t timeout_ms;
    struct turn turn;
    PGconn *conn; /* owned, with the turn; NULL: not connected */
};

/* ---- waiting -------------------------------------------------------------------------- */

static bool wait_for(const struct alias_pgsql *p, short what)
{
    struct pollfd fd = { .fd = PQsocket(p->conn), .events = what };

    for (;;) {
        const int left = turn_left_ms(&p->turn);
        if (left == 0 || fd.fd < 0)
            return false;
        const int n = poll(&fd, 1, left);
        if (n > 0)
            return true;
    }
}

static void hang_up(struct alias_pgsql *p)
{
    PQfinish(p->conn);
    p->conn = NULL;
}

/* ---- connecting ----------------------------------------------------------------------- */

/* Notices would go to standard error, which is the log. */
static void ignore_notice(void *arg, const PGresult *notice)
{
    (void)arg;
    (void)notice;
}

/* Never the library's own words: they may hold what stands in the URL. */
static const char *why_not(ConnStatusType reached)
{
    if (reached == CONNECTION_SSL_STARTUP)
        return "there is no TLS with the database, or no certificate that can be verified: see the "
               "URL's sslmode and sslrootcert";
    if (reached == CONNECTION_AWAITING_RESPONSE || reached == CONNECTION_AUTH_OK)
        return "the database refuses the login: see the URL and the server's pg_hba.conf and log";
    return "the database cannot be reached";
}

static enum err poll_connection(struct alias_pgsql *p, struct alias_answer *a)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    ConnStatusType reached = PQstatus(p->conn);

    while (next == PGRES_POLLING_WRITING || next == PGRES_POLLING_READING) {
        if (!wait_for(p, next == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            return alias_fail(a, "the database does not answer in time");
        reached = PQstatus(p->conn);
        next = PQconnectPoll(p->conn);
    }
    return next == PGRES_POLLING_OK ? ERR_OK : alias_fail(a, "%s", why_not(reached));
}

static enum err connect_to(struct alias_pgsql *p, struct alias_answer *a)
{
    char timeout_s[16];
    /* The URL overrides what stands before it. */
    const char *const names[] = { "sslmode",         "sslrootcert",      "gssencmode",
                                  "keepalives_idle", "dbname",           "connect_timeout",
                                  "client_encoding", "application_name", NULL };
    const char *const values[] = { "verify-full", "/etc/ssl/certs/ca-certificates.crt",
                                   "disable",     "60",
                                   p->url,        timeout_s,
                                   "UTF8",        "postern",
                                   NULL };

    (void)snprintf(timeout_s, sizeof(timeout_s), "%u", (p->timeout_ms + 999) / 1000);
    p->conn = PQconnectStartParams(names, values, 1);
    if (p->conn == NULL)
        return ERR_MEMORY;
    (void)PQsetNoticeReceiver(p->conn, ignore_notice, NULL);
    if (PQstatus(p->conn) == CONNECTION_BAD)
        return alias_fail(a, "the URL is no PostgreSQL URL, or its host is not known");
    const enum err e = poll_connection(p, a);
    if (e == ERR_OK && PQsetnonblocking(p->conn, 1) != 0)
        return ERR_MEMORY;
    return e;
}

/* ---- asking --------------------------------------------------------------------------- */

static bool flush(struct alias_pgsql *p)
{
    for (;;) {
        const int rc = PQflush(p->conn);
        if (rc <= 0)
            return rc == 0;
        /* The server may want to be read before it reads on. */
        if (!wait_for(p, POLLIN | POLLOUT) || PQconsumeInput(p->conn) == 0)
            return false;
    }
}

/* Does the next result lie ready? */
static bool await_result(struct alias_pgsql *p)
{
    while (PQisBusy(p->conn) != 0)
        if (!wait_for(p, POLLIN) || PQconsumeInput(p->conn) == 0)
            return false;
    return true;
}

static bool take_rows(const PGresult *r, struct alias_answer *a)
{
    bool is_going = PQnfields(r) > 0;

    for (int i = 0; i < PQntuples(r) && is_going; i++)
        if (PQgetisnull(r, i, 0) == 0)
            is_going = alias_put(a, view_of(PQgetvalue(r, i, 0), (size_t)PQgetlength(r, i, 0)));
    return is_going;
}

static enum err fail_result(const PGresult *r, struct alias_answer *a)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

    if (state == NULL)
        return alias_fail(a, "the connection to the database is lost");
    return alias_fail(a, "the database refuses the query with SQLSTATE %.5s", state);
}

/* Takes all results of a query; rows go to the answer if `has_rows`. */
static enum err take_results(struct alias_pgsql *p, bool has_rows, struct alias_answer *a)
{
    while (await_result(p)) {
        PGresult *r = PQgetResult(p->conn);
        if (r == NULL)
            return ERR_OK;
        const ExecStatusType status = PQresultStatus(r);
        const bool is_good = status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK;
        const enum err e = is_good ? ERR_OK : fail_result(r, a);
        const bool is_going = !has_rows || (is_good && take_rows(r, a));
        PQclear(r);
        if (e != ERR_OK)
            return e;
        /* What else comes is not waited for. */
        if (!is_going && a->is_full)
            hang_up(p);
        if (p->conn == NULL)
            return ERR_OK;
    }
    return alias_fail(a, turn_left_ms(&p->turn) == 0 ? "the database does not answer in time"
                                                     : "the connection to the database is lost");
}

static enum err run(struct alias_pgsql *p, const char *query, const char *value, bool has_rows,
                    struct alias_answer *a)
{
    const char *const values[] = { value };

    if (PQsendQueryParams(p->conn, query, 1, NULL, values, NULL, NULL, 0) == 0 || !flush(p))
        return alias_fail(a, "the connection to the database is lost");
    (void)PQsetSingleRowMode(p->conn);
    return take_results(p, has_rows, a);
}

/* For the server's sake: it does not go on with a query that nobody waits for. */
static enum err limit_time(struct alias_pgsql *p, struct alias_answer *a)
{
    char ms[16];

    (void)snprintf(ms, sizeof(ms), "%u", p->timeout_ms);
    return run(p,
               "SELECT set_config('statement_timeout', $1, false),"
               " set_config('default_transaction_read_only', 'on', false)",
               ms, false, a);
}

static enum err ask(struct alias_pgsql *p, const char *account, struct alias_answer *a)
{
    const size_t before = a->out->n;
    enum err e = ERR_IO;

    if (p->conn != NULL) {
        e = run(p, p->query, account, true, a);
        if (e == ERR_OK)
            return e;
        /* It may have been lost while nobody looked, as after the server's restart. */
        hang_up(p);
        a->out->n = before;
        a->skipped = 0;
        a->is_full = false;
    }
    e = connect_to(p, a);
    if (e == ERR_OK)
        e = limit_time(p, a);
    return e == ERR_OK ? run(p, p->query, account, true, a) : e;
}

enum err alias_pgsql_lookup(struct alias_pgsql *p, struct view account, struct alias_answer *a)
{
    char name[LIMIT_ACCOUNT + 1] = "";

    if (account.n >= sizeof(name) || view_find(account, 0) != account.n)
        return ERR_INVALID;
    memcpy(name, account.p, account.n);
    if (!turn_take(&p->turn, p->timeout_ms))
        return alias_fail(a, "lookups before this one have taken all the time");
    const enum err e = ask(p, name, a);
    if (e != ERR_OK)
        hang_up(p);
    turn_give(&p->turn);
    return e;
}

/* ---- life ----------------------------------------------------------------------------- */

void alias_pgsql_free(struct alias_pgsql *p)
{
    if (p == NULL)
        return;
    hang_up(p);
    turn_done(&p->turn);
    if (p->url != NULL)
        mem_wipe_free(p->url, strlen(p->url));
    mem_free(p->query);
    mem_free(p);
}

AUTO_DEFINE(alias_pgsql)

static bool is_url(const char *url)
{
    static const char *const schemes[] = { "postgresql://", "postgres://" };

    for (size_t i = 0; i < COUNT_OF(schemes) && url != NULL; i++)
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return false;
}

enum err alias_pgsql_new(const struct config *c, struct alias_pgsql **ret)
{
    if (!is_url(c->aliases.sql.url) || c->aliases.sql.query == NULL)
        return ERR_INVALID;
    AUTO(alias_pgsql) p = NEW(alias_pgsql);
    if (p == NULL)
        return ERR_MEMORY;
    turn_init(&p->turn);
    p->timeout_ms = c->aliases.sql.timeout_ms;
    p->url = mem_text(c->aliases.sql.url);
    p->query = mem_text(c->aliases.sql.query);
    if (p->url == NULL || p->query == NULL)
        return ERR_MEMORY;
    *ret = TAKE(p);
    return ERR_OK;
}
