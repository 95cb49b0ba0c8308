#include "config/check.h"

#include "config/schema.h"
#include "config/url.h"

#include <sodium.h>
#include <stdio.h>

#define PATH_OCTETS 160 /* "upstreams.<name>.setting" */

/* "gates.imaps.listen" in `path`, which it returns. */
static const char *path_of(const char *group, const char *name, const char *setting, char *path)
{
    (void)snprintf(path, PATH_OCTETS, "%s.%s.%s", group, name, setting);
    return path;
}

static bool is_empty(const char *text)
{
    return text[0] == 0;
}

/* ---- the service ---------------------------------------------------------------------- */

static void check_socket_path(const struct config *c, struct report *r, const char *path,
                              const char *text)
{
    if (strlen(text) > URL_UNIX_MAX)
        report_setting(r, c, path, "a socket's path has at most %d octets: write a shorter one",
                       URL_UNIX_MAX);
}

static void check_metrics(const struct config *c, struct report *r)
{
    const char *listen = c->metrics.listen;
    struct addr a;
    bool is_any;

    if (is_empty(listen))
        return;
    if (strncmp(listen, "unix:/", 6) == 0)
        check_socket_path(c, r, "metrics.listen", listen + 5);
    else if (!config_listen(listen, &a, &is_any) || is_any || !addr_is_loopback(&a))
        report_setting(r, c, "metrics.listen",
                       "\"%s\": metrics are for this machine only: write a loopback address and "
                       "port, such as \"127.0.0.1:9190\", or \"unix:/path\"",
                       listen);
}

static bool is_url_text(const char *url)
{
    for (const char *p = url; *p != 0; p++)
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
            return false;
    return strncmp(url, "https://", 8) == 0 && url[8] != 0 && strlen(url) <= 200;
}

static void check_service(const struct config *c, struct report *r)
{
    if (c->state[0] != '/')
        report_setting(r, c, "state", "\"%s\" is no absolute path: begin it with /", c->state);
    if (!is_empty(c->domain) && !url_is_host(view_text(c->domain)))
        report_setting(r, c, "domain", "\"%s\" is no domain: write one such as \"example.org\"",
                       c->domain);
    check_socket_path(c, r, "control", c->control);
    if (!is_empty(c->users.edge) && strcmp(c->users.edge, c->users.warden) == 0)
        report_setting(r, c, "users.warden",
                       "the same user as users.edge, which could then read the warden's secrets: "
                       "write another user");
    if (!is_empty(c->portal.url) && !is_url_text(c->portal.url))
        report_setting(r, c, "portal.url",
                       "\"%s\" is no address that can be shown: write https://host/…, at most 200 "
                       "printable ASCII characters",
                       c->portal.url);
    if (strcmp(c->store.driver, "sqlite") != 0)
        report_setting(r, c, "store.driver", "\"%s\" is unknown: write \"sqlite\"",
                       c->store.driver);
    if (strcmp(c->shared.driver, "memory") != 0)
        report_setting(r, c, "shared.driver", "\"%s\" is unknown: write \"memory\"",
                       c->shared.driver);
    if (c->tls.certificate.n != c->tls.key.n)
        report_setting(r, c, "tls.key",
                       "%zu keys for %zu certificates: write one for each, in "
                       "the same order",
                       c->tls.key.n, c->tls.certificate.n);
    check_metrics(c, r);
}

/* ---- passwords ------------------------------------------------------------------------ */

static void need(const struct config *c, struct report *r, const char *path, const char *value,
                 bool is_needed, const char *what)
{
    if (is_needed && is_empty(value))
        report_setting(r, c, path, "missing, since %s: write it, or change that", what);
    if (!is_needed && !is_empty(value))
        report_setting(r, c, path, "of no use unless %s: write that, or leave this out", what);
}

static bool is_directory_url(const char *url)
{
    return strncmp(url, "ldaps://", 8) == 0 || strncmp(url, "ldap://", 7) == 0 ||
           strncmp(url, "ldapi://", 8) == 0;
}

static void check_password(const struct config *c, struct report *r)
{
    const bool is_ldap = c->password.source == CONF_SOURCE_LDAP;

    need(c, r, "password.file", c->password.file, c->password.source == CONF_SOURCE_FILE,
         "password.source = \"file\"");
    need(c, r, "password.ldap.url", c->password.ldap.url, is_ldap, "password.source = \"ldap\"");
    need(c, r, "password.ldap.bind_dn", c->password.ldap.bind_dn, is_ldap,
         "password.source = \"ldap\"");
    if (is_ldap && !is_empty(c->password.ldap.url) && !is_directory_url(c->password.ldap.url))
        report_setting(r, c, "password.ldap.url",
                       "\"%s\": no directory: write ldaps://host, ldap://host or ldapi://path",
                       c->password.ldap.url);
    if (is_ldap && !is_empty(c->password.ldap.bind_dn) &&
        strstr(c->password.ldap.bind_dn, "{user}") == NULL &&
        strstr(c->password.ldap.bind_dn, "{local}") == NULL)
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

/* ---- gates ---------------------------------------------------------------------------- */

/* "*", "0.0.0.0" and "[::]" all take every address. */
static bool is_everywhere(const struct addr *a)
{
    static const uint8_t zero[sizeof(a->ip)];

    return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

/* The gate that listens there before this entry of this gate, or NULL. */
static const char *also_listens(const struct config *c, size_t gate, size_t entry)
{
    struct addr a, b;
    bool is_any;

    if (!config_listen(c->gates[gate].listen.items[entry], &a, &is_any))
        return NULL;
    for (size_t i = 0; i <= gate; i++)
        for (size_t k = 0; k < (i == gate ? entry : c->gates[i].listen.n); k++)
            if (config_listen(c->gates[i].listen.items[k], &b, &is_any) && a.port == b.port &&
                (is_everywhere(&a) ? is_everywhere(&b) : addr_is_equal(&a, &b)))
                return c->gates[i].name;
    return NULL;
}

static void check_gate(const struct config *c, struct report *r, size_t index)
{
    const struct conf_gate *g = &c->gates[index];
    char path[PATH_OCTETS];
    struct addr a;
    bool is_any;

    if (schema_protocol(g->protocol) == NULL)
        report_setting(r, c, path_of("gates", g->name, "protocol", path),
                       "\"%s\" is not spoken: write \"%s\"", g->protocol,
                       schema_protocol_at(0)->name);
    (void)path_of("gates", g->name, "listen", path);
    for (size_t i = 0; i < g->listen.n; i++) {
        const char *other = also_listens(c, index, i);
        if (!config_listen(g->listen.items[i], &a, &is_any))
            report_setting(r, c, path,
                           "\"%s\": no address and port: write \"*:993\", \"192.0.2.1:993\" or "
                           "\"[2001:db8::1]:993\" (no names)",
                           g->listen.items[i]);
        else if (other != NULL)
            report_setting(r, c, path, "\"%s\" is taken by gate %s already: write another port",
                           g->listen.items[i], other);
    }
}

/* ---- upstreams ------------------------------------------------------------------------ */

static bool is_pin(const char *text)
{
    uint8_t digest[33];
    size_t n = 0;
    const char *end = NULL;

    return strncmp(text, "sha256/", 7) == 0 &&
           sodium_base642bin(digest, sizeof(digest), text + 7, strlen(text + 7), NULL, &n, &end,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           n == 32 && *end == 0;
}

static void check_trust(const struct config *c, struct report *r, const struct conf_upstream *u)
{
    char path[PATH_OCTETS];

    for (size_t i = 0; i < u->pin.n; i++)
        if (!is_pin(u->pin.items[i]))
            report_setting(r, c, path_of("upstreams", u->name, "pin", path),
                           "\"%s\" is no pin: write \"sha256/\" and the base64 of the 32 octets of "
                           "the public key's SHA-256",
                           u->pin.items[i]);
    if (u->pin.n != 0 && !is_empty(u->ca))
        report_setting(r, c, path_of("upstreams", u->name, "ca", path),
                       "of no use beside pin, which comes instead of authorities: leave one out");
    if (!is_empty(u->server_name) && !url_is_host(view_text(u->server_name)))
        report_setting(r, c, path_of("upstreams", u->name, "server_name", path),
                       "\"%s\" is no host name: write one such as \"mail.example.org\"",
                       u->server_name);
}

static void check_master(const struct config *c, struct report *r, const struct conf_upstream *u)
{
    const bool is_master = u->login == CONF_LOGIN_MASTER;
    char path[PATH_OCTETS];

    need(c, r, path_of("upstreams", u->name, "master_user", path), u->master_user, is_master,
         "login = \"master\"");
    need(c, r, path_of("upstreams", u->name, "master_password", path), u->master_password,
         is_master, "login = \"master\"");
}

/* The upstream before `index` that serves this domain, too ("": all others). */
static const char *also_serves(const struct config *c, size_t index, const char *domain)
{
    for (size_t i = 0; i < index; i++) {
        const struct text_list *l = &c->upstreams[i].domains;
        if (domain[0] == 0 && l->n == 0)
            return c->upstreams[i].name;
        for (size_t k = 0; k < l->n; k++)
            if (view_is_equal_nocase(view_text(l->items[k]), view_text(domain)))
                return c->upstreams[i].name;
    }
    return NULL;
}

static void check_upstream(const struct config *c, struct report *r, size_t index)
{
    const struct conf_upstream *u = &c->upstreams[index];
    char path[PATH_OCTETS];

    check_trust(c, r, u);
    check_master(c, r, u);
    (void)path_of("upstreams", u->name, "domains", path);
    if (u->domains.n == 0 && also_serves(c, index, "") != NULL)
        report_setting(r, c, path,
                       "missing: upstream %s serves all other domains already: write which ones "
                       "this one serves",
                       also_serves(c, index, ""));
    for (size_t i = 0; i < u->domains.n; i++) {
        const char *domain = u->domains.items[i];
        if (!url_is_host(view_text(domain)))
            report_setting(r, c, path, "\"%s\" is no domain: write one such as \"example.org\"",
                           domain);
        else if (also_serves(c, index, domain) != NULL)
            report_setting(r, c, path, "\"%s\" is served by upstream %s already: leave one out",
                           domain, also_serves(c, index, domain));
    }
}

/* ---- policies ------------------------------------------------------------------------- */

static void check_policy(const struct config *c, struct report *r, const struct conf_policy *p)
{
    const bool is_default = strcmp(p->name, "default") == 0;
    char path[PATH_OCTETS];

    (void)path_of("policies", p->name, "accounts", path);
    if (is_default && p->accounts.n != 0)
        report_setting(r, c, path,
                       "the policy \"default\" takes all accounts that no other does: "
                       "leave accounts out, or give the policy another name");
    if (!is_default && p->accounts.n == 0)
        report_setting(r, c, path,
                       "missing: write which accounts fall under it, such as "
                       "\"*@board.example.org\"");
    (void)path_of("policies", p->name, "legacy", path);
    for (size_t i = 0; i < p->legacy.n; i++)
        if (schema_protocol(p->legacy.items[i]) == NULL)
            report_setting(r, c, path, "\"%s\" is not spoken: write \"%s\"", p->legacy.items[i],
                           schema_protocol_at(0)->name);
    if (p->otp_reuse_s != 0 && p->require != CONF_REQUIRE_MFA)
        report_setting(r, c, path_of("policies", p->name, "otp_reuse", path),
                       "of no use unless require = \"mfa\": write that, or leave this out");
}

void check_all(const struct config *c, struct report *r)
{
    check_service(c, r);
    check_password(c, r);
    if (c->gate_count == 0)
        report_setting(r, c, "gates",
                       "no gate: write gates: { imaps: { protocol = \"imap\"; listen = \"*:993\"; "
                       "}; };");
    for (size_t i = 0; i < c->gate_count; i++)
        check_gate(c, r, i);
    if (c->upstream_count == 0)
        report_setting(r, c, "upstreams",
                       "no upstream: write upstreams: { mail: { imap = \"imaps://host\"; }; };");
    for (size_t i = 0; i < c->upstream_count; i++)
        check_upstream(c, r, i);
    for (size_t i = 0; i < c->policy_count; i++)
        check_policy(c, r, &c->policies[i]);
}
