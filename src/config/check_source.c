#include "config/check.h"

/* ---- what both know ------------------------------------------------------------------- */

static bool is_empty(const char *text)
{
    return text[0] == 0;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_directory_url(const char *url)
{
    return starts(url, "ldaps://") || starts(url, "ldap://") || starts(url, "ldapi://");
}

static void check_directory(const struct config *c, struct report *r, const char *path,
                            const char *url)
{
    if (!is_empty(url) && !is_directory_url(url))
        report_setting(r, c, path,
                       "\"%s\": no directory: write ldaps://host, ldap://host or ldapi://path",
                       url);
}

static bool names_account(const char *template)
{
    return strstr(template, "{user}") != NULL || strstr(template, "{local}") != NULL;
}

/* ---- passwords ------------------------------------------------------------------------ */

void check_password(const struct config *c, struct report *r)
{
    const bool is_ldap = c->password.source == CONF_SOURCE_LDAP;

    report_need(r, c, "password.file", c->password.file, c->password.source == CONF_SOURCE_FILE,
                "password.source = \"file\"");
    report_need(r, c, "password.ldap.url", c->password.ldap.url, is_ldap,
                "password.source = \"ldap\"");
    report_need(r, c, "password.ldap.bind_dn", c->password.ldap.bind_dn, is_ldap,
                "password.source = \"ldap\"");
    if (is_ldap)
        check_directory(c, r, "password.ldap.url", c->password.ldap.url);
    if (is_ldap && !is_empty(c->password.ldap.bind_dn) && !names_account(c->password.ldap.bind_dn))
        report_setting(r, c, "password.ldap.bind_dn",
                       "the same name for every account: put {user} or {local} where the account "
                       "belongs, such as \"uid={local},ou=people,dc=example,dc=org\"");
    if (c->password.source == CONF_SOURCE_PAM && is_empty(c->password.pam.service))
        report_setting(r, c, "password.pam.service",
                       "empty, since password.source = \"pam\": write the service's name");
    if (strchr(c->password.pam.service, '/') != NULL)
        report_setting(r, c, "password.pam.service",
                       "\"%s\": a name, not a path: write that of a file in /etc/pam.d",
                       c->password.pam.service);
}

/* ---- aliases -------------------------------------------------------------------------- */

/* One filter in one pair of parentheses (RFC 4515 §3): a literal one is written \28 or \29. */
static bool is_balanced(const char *filter)
{
    size_t depth = 0;

    for (const char *p = filter; *p != 0; p++) {
        if (*p == '(')
            depth++;
        else if (depth == 0)
            return false;
        else if (*p == ')')
            depth--;
        if (depth == 0 && p[1] != 0)
            return false;
    }
    return depth == 0;
}

static bool is_attribute(const char *name)
{
    static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.;";

    return !is_empty(name) && strspn(name, known) == strlen(name);
}

static void check_aliases_filter(const struct config *c, struct report *r)
{
    const char *filter = c->aliases.ldap.filter;

    if (!names_account(filter))
        report_setting(r, c, "aliases.ldap.filter",
                       "\"%s\" finds the same for every account: put {user} or {local} where the "
                       "account belongs, such as \"(mail={user})\"",
                       filter);
    if (!is_balanced(filter))
        report_setting(r, c, "aliases.ldap.filter",
                       "\"%s\" is no filter of RFC 4515: write one pair of ( ) around the whole, "
                       "and as many ( as ), such as \"(&(objectClass=person)(mail={user}))\"",
                       filter);
}

static void check_aliases_ldap(const struct config *c, struct report *r)
{
    static const char source[] = "aliases.source = \"ldap\"";
    const bool is_ldap = c->aliases.source == CONF_ALIASES_LDAP;
    const bool is_bound = is_ldap && !is_empty(c->aliases.ldap.bind_dn);

    report_need(r, c, "aliases.ldap.url", c->aliases.ldap.url, is_ldap, source);
    report_need(r, c, "aliases.ldap.base", c->aliases.ldap.base, is_ldap, source);
    if (!is_ldap)
        report_need(r, c, "aliases.ldap.bind_dn", c->aliases.ldap.bind_dn, false, source);
    if (!is_ldap)
        report_need(r, c, "aliases.ldap.ca", c->aliases.ldap.ca, false, source);
    /* A name without a password is an anonymous bind that looks like another: RFC 4513 §5.1.2. */
    report_need(r, c, "aliases.ldap.bind_password", c->aliases.ldap.bind_password, is_bound,
                "aliases.ldap.bind_dn names who binds");
    if (!is_ldap)
        return;
    check_directory(c, r, "aliases.ldap.url", c->aliases.ldap.url);
    check_aliases_filter(c, r);
    if (!is_attribute(c->aliases.ldap.attribute))
        report_setting(r, c, "aliases.ldap.attribute",
                       "\"%s\" is no attribute: write its name, such as \"mailAlternateAddress\"",
                       c->aliases.ldap.attribute);
}

/* The URL has a password: no message shows it. */
static void check_aliases_sql(const struct config *c, struct report *r)
{
    const bool is_sql = c->aliases.source == CONF_ALIASES_SQL;
    const char *url = c->aliases.sql.url;

    report_need(r, c, "aliases.sql.url", url, is_sql, "aliases.source = \"sql\"");
    if (!is_sql)
        return;
    if (!is_empty(url) && !starts(url, "postgresql://") && !starts(url, "postgres://") &&
        !starts(url, "sqlite:/"))
        report_setting(r, c, "aliases.sql.url",
                       "no database: write postgresql://user:password@host/name, or sqlite: and an "
                       "absolute path");
    if (strstr(c->aliases.sql.query, "$1") == NULL)
        report_setting(
            r, c, "aliases.sql.query",
            "\"%s\" asks the same for every account: write $1 where the account belongs, "
            "such as \"SELECT address FROM aliases WHERE account = $1\"",
            c->aliases.sql.query);
}

static bool is_sender_held(const struct config *c)
{
    for (size_t i = 0; i < c->policy_count; i++)
        if (c->policies[i].sender == CONF_SENDER_OWN)
            return true;
    return false;
}

void check_aliases(const struct config *c, struct report *r)
{
    if (c->aliases.source != CONF_ALIASES_NONE && !is_sender_held(c))
        report_setting(r, c, "aliases.source",
                       "of no use unless a policy says sender = \"own\": write that, or leave this "
                       "out");
    report_need(r, c, "aliases.file", c->aliases.file, c->aliases.source == CONF_ALIASES_FILE,
                "aliases.source = \"file\"");
    check_aliases_ldap(c, r);
    check_aliases_sql(c, r);
}
