#include "warden/alias/alias.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "warden/alias/alias_kinds.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

struct alias_source {
    enum conf_aliases kind;
    struct alias_file *file;     /* owned; one of these four */
    struct alias_ldap *ldap;     /* owned */
    struct alias_sqlite *sqlite; /* owned */
    struct alias_pgsql *pgsql;   /* owned */
    atomic_bool is_failing, is_skip_said;
};

/* ---- answers -------------------------------------------------------------------------- */

static bool is_address(struct view v)
{
    const size_t at = view_find(v, '@');

    if (v.n > LIMIT_ACCOUNT || at + 1 >= v.n ||
        view_find(view_skip(v, at + 1), '@') + at + 1 != v.n)
        return false;
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= ' ' || v.p[i] == 0x7f)
            return false;
    return true;
}

bool alias_put(struct alias_answer *a, struct view address)
{
    if (a->is_full)
        return false;
    if (!is_address(address)) {
        a->skipped++;
        return true;
    }
    if (address.n + 1 > a->out->max - a->out->n) {
        a->is_full = true;
        return false;
    }
    buf_put_octet(a->out, ' ');
    for (size_t i = 0; i < address.n; i++) {
        const uint8_t c = address.p[i];
        buf_put_octet(a->out, c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c);
    }
    return true;
}

enum err alias_fail(struct alias_answer *a, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(a->why, sizeof(a->why), format, args);
    va_end(args);
    return ERR_IO;
}

/* ---- the sources ---------------------------------------------------------------------- */

static enum err open_kind(struct alias_source *src, const struct config *c)
{
    const char *url = c->aliases.sql.url == NULL ? "" : c->aliases.sql.url;

    switch (src->kind) {
    case CONF_ALIASES_NONE:
        break;
    case CONF_ALIASES_FILE:
        return alias_file_new(c, &src->file);
    case CONF_ALIASES_LDAP:
        return alias_ldap_new(c, &src->ldap);
    case CONF_ALIASES_SQL:
        return config_sqlite_path(url) != NULL ? alias_sqlite_new(c, &src->sqlite)
                                               : alias_pgsql_new(c, &src->pgsql);
    }
    return ERR_INVALID;
}

void alias_free(struct alias_source *src)
{
    if (src == NULL)
        return;
    alias_file_free(src->file);
    alias_ldap_free(src->ldap);
    alias_sqlite_free(src->sqlite);
    alias_pgsql_free(src->pgsql);
    mem_free(src);
}

enum err alias_open(const struct config *c, struct alias_source **ret)
{
    *ret = NULL;
    if (c->aliases.source == CONF_ALIASES_NONE)
        return ERR_OK;
    struct alias_source *src = NEW(alias_source);
    if (src == NULL)
        return ERR_MEMORY;
    src->kind = c->aliases.source;
    const enum err e = open_kind(src, c);
    if (e == ERR_OK)
        *ret = src;
    else
        alias_free(src);
    return e;
}

bool alias_is_slow(const struct alias_source *src)
{
    return src != NULL && (src->ldap != NULL || src->pgsql != NULL);
}

static enum err look_up(struct alias_source *src, struct view account, struct alias_answer *a)
{
    if (src->file != NULL)
        return alias_file_lookup(src->file, account, a);
    if (src->ldap != NULL)
        return alias_ldap_lookup(src->ldap, account, a);
    return src->sqlite != NULL ? alias_sqlite_lookup(src->sqlite, account, a)
                               : alias_pgsql_lookup(src->pgsql, account, a);
}

static const char *name_of(const struct alias_source *src)
{
    return src->file != NULL     ? "file"
           : src->ldap != NULL   ? "ldap"
           : src->sqlite != NULL ? "sqlite"
                                 : "postgresql";
}

/* An outage is one line when it begins and one when it is over, however many ask meanwhile. */
static void tell(struct alias_source *src, struct view account, const struct alias_answer *a,
                 enum err e)
{
    const bool was_failing = atomic_exchange(&src->is_failing, e == ERR_IO);

    if (e == ERR_IO && !was_failing)
        log_event(LOG_WARN, "alias-source-failed", LOG_TEXT("source", name_of(src)),
                  LOG_TEXT("why", a->why));
    else if (e != ERR_IO && was_failing)
        log_event(LOG_INFO, "alias-source-back", LOG_TEXT("source", name_of(src)));
    if (a->skipped != 0 && !atomic_exchange(&src->is_skip_said, true))
        log_event(LOG_WARN, "alias-values-skipped", LOG_TEXT("source", name_of(src)),
                  LOG_VIEW("account", account), LOG_NUM("values", a->skipped),
                  LOG_TEXT("mend", "an address is user@domain, or @domain for all of a domain"));
}

enum err alias_lookup(struct alias_source *src, struct view account, struct buf *out)
{
    struct alias_answer a = { .out = out };
    enum err e = look_up(src, account, &a);

    if (e == ERR_OK && a.is_full)
        e = ERR_TOO_LONG;
    else if (e == ERR_OK && !buf_is_ok(out))
        e = ERR_MEMORY;
    tell(src, account, &a, e);
    return e;
}
