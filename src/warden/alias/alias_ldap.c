#include "base/mem.h"
#include "warden/alias/alias_kinds.h"
#include "warden/source/directory.h"

#include <ldap.h>

#define FILTER_OCTETS_MAX 8192

struct alias_ldap {
    char *url, *ca;      /* owned, as the next two lines */
    char *bind_dn;       /* "": anonymous */
    char *bind_password; /* secret; wiped */
    char *base, *filter, *attribute;
    uint32_t timeout_ms;
};

/* Octets of the word before the colon, colon included; 0: there is none. */
static size_t prefix_of(struct view v)
{
    const size_t colon = view_find(v, ':');

    for (size_t i = 0; i < colon && colon < v.n; i++) {
        const uint8_t c = v.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
            return 0;
    }
    return colon == v.n ? 0 : colon + 1;
}

static bool take_value(void *arg, struct view value)
{
    struct alias_answer *a = arg;
    const size_t prefix = prefix_of(value);

    if (view_starts_nocase(value, VIEW_LIT("smtp:")))
        return alias_put(a, view_skip(value, prefix));
    return prefix != 0 || alias_put(a, value);
}

static int find(const struct alias_ldap *l, const char *filter, struct alias_answer *a)
{
    const struct directory_conf conf = { l->url, l->ca, l->timeout_ms };
    const struct directory_search search = {
        .base = l->base, .filter = filter, .attribute = l->attribute, .each = take_value, .arg = a
    };
    struct directory *d = NULL;

    int rc = directory_open(&conf, &d);
    if (rc == LDAP_SUCCESS && *l->bind_dn != '\0')
        rc = directory_bind(d, l->bind_dn, view_text(l->bind_password));
    if (rc == LDAP_SUCCESS)
        rc = directory_find(d, &search);
    directory_free(d);
    return rc;
}

enum err alias_ldap_lookup(const struct alias_ldap *l, struct view account, struct alias_answer *a)
{
    AUTO_BUF(filter, FILTER_OCTETS_MAX);
    const char *text = NULL;

    if (directory_fill(l->filter, account, &filter) == ERR_OK)
        text = buf_cstr(&filter);
    if (text == NULL)
        return ERR_MEMORY;
    const int rc = find(l, text, a);
    if (rc == LDAP_SIZELIMIT_EXCEEDED)
        a->is_full = true;
    else if (rc != LDAP_SUCCESS)
        return alias_fail(a, "%s", directory_error(rc));
    return ERR_OK;
}

void alias_ldap_free(struct alias_ldap *l)
{
    if (l == NULL)
        return;
    mem_free(l->url);
    mem_free(l->ca);
    mem_free(l->bind_dn);
    if (l->bind_password != NULL)
        mem_wipe_free(l->bind_password, strlen(l->bind_password));
    mem_free(l->base);
    mem_free(l->filter);
    mem_free(l->attribute);
    mem_free(l);
}

AUTO_DEFINE(alias_ldap)

static char *copy(const char *text)
{
    return mem_text(text == NULL ? "" : text);
}

enum err alias_ldap_new(const struct config *c, struct alias_ldap **ret)
{
    if (c->aliases.ldap.url == NULL || !directory_is_url(c->aliases.ldap.url))
        return ERR_INVALID;
    AUTO(alias_ldap) l = NEW(alias_ldap);
    if (l == NULL)
        return ERR_MEMORY;
    l->timeout_ms = c->aliases.ldap.timeout_ms;
    l->url = copy(c->aliases.ldap.url);
    l->ca = copy(c->aliases.ldap.ca);
    l->bind_dn = copy(c->aliases.ldap.bind_dn);
    l->bind_password = copy(c->aliases.ldap.bind_password);
    l->base = copy(c->aliases.ldap.base);
    l->filter = copy(c->aliases.ldap.filter);
    l->attribute = copy(c->aliases.ldap.attribute);
    if (l->url == NULL || l->ca == NULL || l->bind_dn == NULL || l->bind_password == NULL ||
        l->base == NULL || l->filter == NULL || l->attribute == NULL)
        return ERR_MEMORY;
    if (*l->filter == '\0' || *l->attribute == '\0')
        return ERR_INVALID;
    *ret = TAKE(l);
    return ERR_OK;
}
