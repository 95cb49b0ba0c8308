#include "config/url.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>

bool url_is_host(struct view v)
{
    size_t label = 0;

    if (v.n == 0 || v.n > LIMIT_HOST)
        return false;
    for (size_t i = 0; i < v.n; i++) {
        const uint8_t c = v.p[i];
        const bool is_alnum =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (c == '.' ? label == 0 : !is_alnum && c != '_' && (c != '-' || label == 0))
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return true;
}

/* "host", "host:port", "[v6]", "[v6]:port"; *ret_port stays as it was without one. */
static bool split_port(struct view v, struct view *ret_host, uint16_t *ret_port)
{
    struct view rest;
    uint64_t port;

    if (v.n > 0 && v.p[0] == '[') {
        const size_t end = view_find(v, ']');
        if (end == v.n)
            return false;
        *ret_host = view_first(view_skip(v, 1), end - 1);
        rest = view_skip(v, end + 1);
    } else {
        *ret_host = view_first(v, view_find(v, ':'));
        rest = view_skip(v, ret_host->n);
    }
    if (rest.n == 0)
        return true;
    if (rest.p[0] != ':' || !view_number(view_skip(rest, 1), 65535, &port) || port == 0)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

static bool copy_host(struct view v, char *to, size_t room)
{
    if (v.n >= room)
        return false;
    if (v.n != 0)
        memcpy(to, v.p, v.n);
    to[v.n] = 0;
    return true;
}

bool config_listen(const char *text, struct addr *ret, bool *ret_is_any)
{
    char host[ADDR_TEXT_MAX];
    struct view v;
    struct addr a = { 0 };
    uint16_t port = 0;

    if (!split_port(view_text(text), &v, &port) || port == 0 || !copy_host(v, host, sizeof(host)))
        return false;
    const bool is_any = strcmp(host, "*") == 0;
    const bool is_bracketed = text[0] == '[';
    if (is_any ? is_bracketed : !addr_parse(host, &a))
        return false;
    if (is_bracketed != (strchr(host, ':') != NULL))
        return false;
    a.port = port;
    *ret = a;
    *ret_is_any = is_any;
    return true;
}

/* ---- URLs ----------------------------------------------------------------------------- */

static bool is_loopback(const char *host)
{
    struct addr a;

    return strcmp(host, "localhost") == 0 || (addr_parse(host, &a) && addr_is_loopback(&a));
}

static bool say_clear(const struct schema_protocol *p, const char *text, struct fault *fault)
{
    return fault_say(fault,
                     "\"%s\": credentials would cross the network in clear text: write %s:// (TLS) "
                     "or %s:// (STARTTLS), or a loopback address",
                     text, p->scheme_tls, p->scheme_starttls);
}

static bool parse_unix(const struct schema_protocol *p, const char *text, const char *path,
                       struct conf_url *ret, struct fault *fault)
{
    if (path[0] != '/' || strlen(path) > URL_UNIX_MAX)
        return fault_say(fault,
                         "\"%s\": no path of a socket: write %s://unix:/path, at most %d octets",
                         text, p->scheme_clear, URL_UNIX_MAX);
    ret->is_unix = true;
    ret->port = 0;
    ret->host = mem_text(path);
    return true;
}

static bool parse_place(const struct schema_protocol *p, const char *text, const char *place,
                        struct conf_url *ret, struct fault *fault)
{
    char host[LIMIT_HOST + 1];
    struct addr a;
    struct view v;
    const bool is_clear = strcmp(ret->scheme, p->scheme_clear) == 0;

    if (strncmp(place, "unix:", 5) == 0 && is_clear)
        return parse_unix(p, text, place + 5, ret, fault);
    if (!split_port(view_text(place), &v, &ret->port) || !copy_host(v, host, sizeof(host)) ||
        (place[0] == '[' ? !addr_parse(host, &a) : !url_is_host(v)))
        return fault_say(fault,
                         "\"%s\": no host and port after \"://\": write %s://host or "
                         "%s://host:port, an IPv6 address in [ ]",
                         text, ret->scheme, ret->scheme);
    if (is_clear && !is_loopback(host))
        return say_clear(p, text, fault);
    ret->host = mem_text(host);
    return true;
}

static bool say_scheme(const struct schema_protocol *p, const char *text, struct fault *fault)
{
    return fault_say(fault, "\"%s\": no such kind of URL: write %s://host or %s://host", text,
                     p->scheme_tls, p->scheme_starttls);
}

bool url_parse(const struct schema_protocol *p, const char *text, struct conf_url *ret,
               struct fault *fault)
{
    const char *colon = strstr(text, "://");
    const char *const schemes[] = { p->scheme_tls, p->scheme_starttls, p->scheme_clear };
    struct conf_url u = { .port = p->port_starttls };
    const char *scheme = NULL;

    for (size_t i = 0; colon != NULL && i < COUNT_OF(schemes); i++)
        if (strlen(schemes[i]) == (size_t)(colon - text) &&
            strncmp(schemes[i], text, strlen(schemes[i])) == 0)
            scheme = schemes[i];
    if (scheme == NULL)
        return say_scheme(p, text, fault);
    if (scheme == p->scheme_tls)
        u.port = p->port_tls;
    u.scheme = mem_text(scheme);
    if (u.scheme == NULL)
        return fault_say(fault, "no memory");
    if (!parse_place(p, text, colon + 3, &u, fault)) {
        url_done(&u);
        return false;
    }
    if (u.host == NULL) {
        url_done(&u);
        return fault_say(fault, "no memory");
    }
    *ret = u;
    return true;
}

void url_done(struct conf_url *u)
{
    mem_free(u->scheme);
    mem_free(u->host);
    *u = (struct conf_url){ 0 };
}

void url_put(const struct conf_url *u, struct buf *out)
{
    if (u->is_unix)
        buf_printf(out, "%s://unix:%s", u->scheme, u->host);
    else if (strchr(u->host, ':') != NULL)
        buf_printf(out, "%s://[%s]:%u", u->scheme, u->host, u->port);
    else
        buf_printf(out, "%s://%s:%u", u->scheme, u->host, u->port);
}
