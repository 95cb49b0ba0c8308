#include "config/check.h"

#include "config/schema.h"

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

/* Has any upstream servers for this protocol? */
static bool is_served(const struct config *c, const char *protocol)
{
    for (size_t i = 0; i < c->upstream_count; i++)
        if (config_urls(&c->upstreams[i], protocol)->n != 0)
            return true;
    return false;
}

static void check_protocol(const struct config *c, struct report *r, const struct conf_gate *g)
{
    const struct schema_protocol *p = schema_protocol(g->protocol);
    char path[REPORT_PATH];

    (void)report_path("gates", g->name, "protocol", path);
    if (p == NULL)
        report_setting(r, c, path, "\"%s\" is not spoken: write " SCHEMA_PROTOCOL_WORDS,
                       g->protocol);
    else if (c->upstream_count != 0 && !is_served(c, p->name))
        report_setting(r, c, path,
                       "gate %s speaks %s, but no upstream has %s URLs: write upstreams.%s.%s = "
                       "\"%s://host\", or leave the gate out",
                       g->name, p->name, p->name, c->upstreams[0].name, p->name,
                       p->port_tls == p->port_starttls ? p->scheme_starttls : p->scheme_tls);
    if (g->bare_newline != CONF_NEWLINE_REFUSE && strcmp(g->protocol, "submission") != 0)
        report_setting(r, c, report_path("gates", g->name, "bare_newline", path),
                       "of no use unless protocol = \"submission\": write that, or leave this "
                       "out");
}

static void check_listen(const struct config *c, struct report *r, size_t index)
{
    const struct conf_gate *g = &c->gates[index];
    char path[REPORT_PATH];
    struct addr a;
    bool is_any;

    (void)report_path("gates", g->name, "listen", path);
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

void check_gates(const struct config *c, struct report *r)
{
    if (c->gate_count == 0)
        report_setting(r, c, "gates",
                       "no gate: write gates: { imaps: { protocol = \"imap\"; listen = \"*:993\"; "
                       "}; };");
    for (size_t i = 0; i < c->gate_count; i++) {
        check_protocol(c, r, &c->gates[i]);
        check_listen(c, r, i);
    }
}
