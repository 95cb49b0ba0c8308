#include "base/mem.h"
#include "warden/factor/password_kinds.h"
#include "warden/source/directory.h"

#include <ldap.h>

#define DN_OCTETS_MAX 8192

struct password_ldap {
    char *url;     /* owned */
    char *bind_dn; /* owned; the template */
    char *ca;      /* owned; "": the system's */
    uint32_t timeout_ms;
};

static int connect_and_bind(const struct password_ldap *l, const char *dn, struct view secret)
{
    const struct directory_conf conf = { l->url, l->ca, l->timeout_ms };
    struct directory *d = NULL;

    int rc = directory_open(&conf, &d);
    if (rc != LDAP_SUCCESS)
        return rc;
    rc = directory_bind(d, dn, secret);
    directory_free(d);
    return rc;
}

static enum password_result result_of(int code, const char **ret_reason)
{
    *ret_reason = directory_error(code);
    switch (code) {
    case LDAP_SUCCESS:
        return PASSWORD_RIGHT;
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INAPPROPRIATE_AUTH:   /* an entry without a password */
    case LDAP_CONSTRAINT_VIOLATION: /* too many tries, of some servers */
        return PASSWORD_WRONG;
    default:
        return PASSWORD_LATER;
    }
}

enum password_result password_ldap_check(const struct password_ldap *l, struct view account,
                                         struct view secret, const char **ret_reason)
{
    AUTO_BUF(dn, DN_OCTETS_MAX);
    const char *text = NULL;

    if (directory_fill(l->bind_dn, account, &dn) == ERR_OK)
        text = buf_cstr(&dn);
    if (text == NULL) {
        *ret_reason = "no memory";
        return PASSWORD_LATER;
    }
    return result_of(connect_and_bind(l, text, secret), ret_reason);
}

void password_ldap_free(struct password_ldap *l)
{
    if (l == NULL)
        return;
    mem_free(l->url);
    mem_free(l->bind_dn);
    mem_free(l->ca);
    mem_free(l);
}

AUTO_DEFINE(password_ldap)

enum err password_ldap_new(const struct config *c, struct password_ldap **ret)
{
    const char *url = c->password.ldap.url == NULL ? "" : c->password.ldap.url;

    if (!directory_is_url(url))
        return ERR_INVALID;
    AUTO(password_ldap) l = NEW(password_ldap);
    if (l == NULL)
        return ERR_MEMORY;
    l->timeout_ms = c->password.ldap.timeout_ms;
    l->url = mem_text(url);
    l->bind_dn = mem_text(c->password.ldap.bind_dn == NULL ? "" : c->password.ldap.bind_dn);
    l->ca = mem_text(c->password.ldap.ca == NULL ? "" : c->password.ldap.ca);
    if (l->url == NULL || l->bind_dn == NULL || l->ca == NULL)
        return ERR_MEMORY;
    *ret = TAKE(l);
    return ERR_OK;
}
