#include "warden/factor/password.h"

#include "base/mem.h"
#include "warden/factor/password_kinds.h"

#include <sodium.h>

struct password_source {
    enum conf_source kind;
    char *domain;               /* owned */
    struct password_file *file; /* owned; of its kind only, as the next two */
    struct password_ldap *ldap; /* owned */
    char *pam_service;          /* owned */
};

static void password_source_free(struct password_source *src)
{
    if (src == NULL)
        return;
    password_file_free(src->file);
    password_ldap_free(src->ldap);
    mem_free(src->pam_service);
    mem_free(src->domain);
    mem_free(src);
}

AUTO_DEFINE(password_source)

struct view password_local_name(struct view account, const char *domain)
{
    size_t at = view_find(account, '@');

    if (at == 0 || at == account.n || *domain == '\0')
        return account;
    bool is_ours = view_is_equal_nocase(view_skip(account, at + 1), view_text(domain));
    return is_ours ? view_first(account, at) : account;
}

static enum err open_kind(struct password_source *src, const struct config *c)
{
    switch (src->kind) {
    case CONF_SOURCE_UPSTREAM:
        break;
    case CONF_SOURCE_FILE:
        return password_file_new(c->password.file, src->domain, &src->file);
    case CONF_SOURCE_LDAP:
        return password_ldap_new(c, &src->ldap);
    case CONF_SOURCE_PAM:
        src->pam_service = mem_text(c->password.pam.service);
        return src->pam_service == NULL ? ERR_MEMORY : ERR_OK;
    }
    return ERR_INVALID;
}

enum err password_open(const struct config *c, struct password_source **ret)
{
    if (c->password.source == CONF_SOURCE_UPSTREAM) {
        *ret = NULL;
        return ERR_OK;
    }
    if (sodium_init() < 0)
        return ERR_IO;
    AUTO(password_source) src = NEW(password_source);
    if (src == NULL)
        return ERR_MEMORY;
    src->kind = c->password.source;
    src->domain = mem_text(c->domain == NULL ? "" : c->domain);
    if (src->domain == NULL)
        return ERR_MEMORY;
    enum err e = open_kind(src, c);
    if (e == ERR_OK)
        *ret = TAKE(src);
    return e;
}

void password_free(struct password_source *src)
{
    password_source_free(src);
}

enum password_result password_check(const struct password_source *src, struct view account,
                                    struct view secret, const char **ret_reason)
{
    *ret_reason = "there is no password source";
    if (src == NULL)
        return PASSWORD_LATER;
    if (account.n == 0 || secret.n == 0) {
        *ret_reason = "empty name or password";
        return PASSWORD_WRONG;
    }
    switch (src->kind) {
    case CONF_SOURCE_UPSTREAM:
        break;
    case CONF_SOURCE_FILE:
        return password_file_check(src->file, account, secret, ret_reason);
    case CONF_SOURCE_LDAP:
        return password_ldap_check(src->ldap, account, secret, ret_reason);
    case CONF_SOURCE_PAM:
        return password_pam_check(src->pam_service, src->domain, account, secret, ret_reason);
    }
    return PASSWORD_LATER;
}
