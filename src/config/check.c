#include "config/check.h"

#include "config/url.h"

static bool is_empty(const char *text)
{
    return text[0] == 0;
}

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

/* No address: no certificate of ours would be asked for one, and greetings show a name. */
static bool is_name(const char *host)
{
    struct addr a;

    return url_is_host(view_text(host)) && !addr_parse(host, &a);
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
    if (!is_empty(c->host) && !is_name(c->host))
        report_setting(r, c, "host",
                       "\"%s\" is no host name: write the one that clients use, such as "
                       "\"mail.example.org\"",
                       c->host);
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

void check_all(const struct config *c, struct report *r)
{
    check_service(c, r);
    check_password(c, r);
    check_aliases(c, r);
    check_gates(c, r);
    check_upstreams(c, r);
    check_policies(c, r);
}
