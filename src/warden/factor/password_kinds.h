/* password_kinds.h: the three password sources behind password.h. Internal to factor/; contracts
 * (results, reasons, threads) as there. Accounts are not empty, secrets neither. */
#ifndef POSTERN_WARDEN_FACTOR_PASSWORD_KINDS_H
#define POSTERN_WARDEN_FACTOR_PASSWORD_KINDS_H

#include "warden/factor/password.h"

/* The name by which a source without domains knows the account: the local part, if the account is
 * of `domain`, else the whole: other@elsewhere is never taken for the local user "other". */
struct view password_local_name(struct view account, const char *domain);

/* ---- file: "user:hash[:…]" lines; "#" and empty lines are skipped; the first of a name counts.
 * Read again when it has changed. The name is the whole account, or its local name. ---- */
struct password_file;
MUST_USE enum err password_file_new(const char *path, const char *domain,
                                    struct password_file **ret);
void password_file_free(struct password_file *f); /* NULL is fine */
MUST_USE enum password_result password_file_check(struct password_file *f, struct view account,
                                                  struct view secret, const char **ret_reason);

/* ---- LDAP: a simple bind as the account; over TLS (ldaps:// or StartTLS) or a Unix socket ---- */
struct password_ldap;
MUST_USE enum err password_ldap_new(const struct config *c, struct password_ldap **ret);
void password_ldap_free(struct password_ldap *l); /* NULL is fine */
MUST_USE enum password_result password_ldap_check(const struct password_ldap *l,
                                                  struct view account, struct view secret,
                                                  const char **ret_reason);

/* ---- PAM: the service's auth and account stacks; the user is the local name. ---- */
MUST_USE enum password_result password_pam_check(const char *service, const char *domain,
                                                 struct view account, struct view secret,
                                                 const char **ret_reason);

#endif
