#include "config/check.h"

#include "config/schema.h"
#include "config/url.h"

#include <sodium.h>

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
    char path[REPORT_PATH];

    for (size_t i = 0; i < u->pin.n; i++)
        if (!is_pin(u->pin.items[i]))
            report_setting(r, c, report_path("upstreams", u->name, "pin", path),
                           "\"%s\" is no pin: write \"sha256/\" and the base64 of the 32 octets of "
                           "the public key's SHA-256",
                           u->pin.items[i]);
    if (u->pin.n != 0 && u->ca[0] != 0)
        report_setting(r, c, report_path("upstreams", u->name, "ca", path),
                       "of no use beside pin, which comes instead of authorities: leave one out");
    if (u->server_name[0] != 0 && !url_is_host(view_text(u->server_name)))
        report_setting(r, c, report_path("upstreams", u->name, "server_name", path),
                       "\"%s\" is no host name: write one such as \"mail.example.org\"",
                       u->server_name);
}

static void check_master(const struct config *c, struct report *r, const struct conf_upstream *u)
{
    const bool is_master = u->login == CONF_LOGIN_MASTER;
    char path[REPORT_PATH];

    report_need(r, c, report_path("upstreams", u->name, "master_user", path), u->master_user,
                is_master, "login = \"master\"");
    report_need(r, c, report_path("upstreams", u->name, "master_password", path),
                u->master_password, is_master, "login = \"master\"");
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

static bool has_servers(const struct conf_upstream *u)
{
    for (size_t i = 0; schema_protocol_at(i) != NULL; i++)
        if (config_urls(u, schema_protocol_at(i)->name)->n != 0)
            return true;
    return false;
}

static void check_servers(const struct config *c, struct report *r, const struct conf_upstream *u)
{
    char path[REPORT_PATH];

    if (!has_servers(u))
        report_setting(r, c, report_path("upstreams", u->name, "imap", path),
                       "missing, as are pop3, submission and sieve: write what it serves, such as "
                       "imap = \"imaps://host\"");
}

static void check_domains(const struct config *c, struct report *r, size_t index)
{
    const struct conf_upstream *u = &c->upstreams[index];
    char path[REPORT_PATH];

    (void)report_path("upstreams", u->name, "domains", path);
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

void check_upstreams(const struct config *c, struct report *r)
{
    if (c->upstream_count == 0)
        report_setting(r, c, "upstreams",
                       "no upstream: write upstreams: { mail: { imap = \"imaps://host\"; }; };");
    for (size_t i = 0; i < c->upstream_count; i++) {
        check_servers(c, r, &c->upstreams[i]);
        check_trust(c, r, &c->upstreams[i]);
        check_master(c, r, &c->upstreams[i]);
        check_domains(c, r, i);
    }
}
