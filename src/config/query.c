#include "config/config.h"

#include "base/mem.h"
#include "config/schema.h"
#include "config/value.h"

static void free_scope(enum schema_scope scope, void *object)
{
    for (size_t i = 0; schema_at(i) != NULL; i++)
        if (schema_at(i)->scope == scope)
            value_free(schema_at(i), object);
}

static void free_family(struct config *c, const struct schema_family *f)
{
    size_t count;
    char *members = schema_members(c, f, &count);

    for (size_t i = 0; i < count; i++) {
        char *member = members + i * f->size;
        char *name;
        free_scope(f->scope, member);
        memcpy(&name, member, sizeof(name));
        mem_free(name);
    }
    mem_free(members);
}

void config_free(struct config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; schema_family_at(i) != NULL; i++)
        free_family(c, schema_family_at(i));
    free_scope(SCOPE_TOP, c);
    for (size_t i = 0; i < c->place_count; i++) {
        mem_free(c->places[i].path);
        mem_free(c->places[i].file);
    }
    mem_free(c->places);
    mem_free(c->file);
    mem_free(c);
}

const struct conf_gate *config_gate(const struct config *c, struct view name)
{
    for (size_t i = 0; i < c->gate_count; i++)
        if (view_is_equal(view_text(c->gates[i].name), name))
            return &c->gates[i];
    return NULL;
}

const struct conf_upstream *config_upstream(const struct config *c, struct view name)
{
    for (size_t i = 0; i < c->upstream_count; i++)
        if (view_is_equal(view_text(c->upstreams[i].name), name))
            return &c->upstreams[i];
    return NULL;
}

const struct conf_urls *config_urls(const struct conf_upstream *u, const char *protocol)
{
    const struct {
        const char *protocol;
        const struct conf_urls *urls;
    } all[] = {
        { "imap", &u->imap },
        { "pop3", &u->pop3 },
        { "submission", &u->submission },
        { "sieve", &u->sieve },
    };

    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (strcmp(all[i].protocol, protocol) == 0)
            return all[i].urls;
    return NULL;
}

const char *config_sqlite_path(const char *url)
{
    static const char scheme[] = "sqlite:";

    return strncmp(url, scheme, sizeof(scheme) - 1) == 0 ? url + sizeof(scheme) - 1 : NULL;
}

static uint8_t lower(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + 32) : octet;
}

/* The usual walk with one point to come back to: linear but for repeated prefixes. */
bool config_pattern_fits(const char *pattern, struct view account)
{
    const char *star = NULL;
    size_t at = 0, star_at = 0;

    while (at < account.n) {
        if (*pattern == '*') {
            star = ++pattern;
            star_at = at;
        } else if (*pattern != 0 && lower((uint8_t)*pattern) == lower(account.p[at])) {
            pattern++;
            at++;
        } else if (star != NULL) {
            pattern = star;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == 0;
}

const struct conf_policy *config_policy(const struct config *c, struct view account)
{
    for (size_t i = 0; i < c->policy_count; i++) {
        const struct conf_policy *p = &c->policies[i];
        for (size_t k = 0; k < p->accounts.n; k++)
            if (config_pattern_fits(p->accounts.items[k], account))
                return p;
    }
    CHECK(c->policy_count > 0);
    return &c->policies[c->policy_count - 1];
}

static struct view domain_of(struct view account)
{
    size_t at = account.n;

    while (at > 0 && account.p[at - 1] != '@')
        at--;
    return at == 0 ? VIEW_NONE : view_skip(account, at);
}

const struct conf_upstream *config_route(const struct config *c, struct view account)
{
    const struct view domain = domain_of(account);
    const struct conf_upstream *others = NULL;

    for (size_t i = 0; i < c->upstream_count; i++) {
        const struct conf_upstream *u = &c->upstreams[i];
        if (u->domains.n == 0)
            others = u;
        for (size_t k = 0; k < u->domains.n; k++)
            if (view_is_equal_nocase(view_text(u->domains.items[k]), domain))
                return u;
    }
    return others;
}
