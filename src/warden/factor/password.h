/* password.h: is this the account's mailbox password? Asked of a file, a directory (LDAP) or PAM.
 * The source "upstream" is not here: an edge has to ask the mail server.
 *
 * A check blocks (slow hash, network): it runs on the thread pool, never on the loop, several at
 * once. The file's checks cost the same whether or not the account exists. What a source cannot
 * answer is PASSWORD_LATER, the zero value: never a refusal, never an allow.
 * Owns: all that it needs; the configuration may go after password_open.
 * Runs in: warden, any thread. */
#ifndef POSTERN_WARDEN_FACTOR_PASSWORD_H
#define POSTERN_WARDEN_FACTOR_PASSWORD_H

#include "base/attr.h"
#include "base/err.h"
#include "base/view.h"
#include "config/config.h"

enum password_result {
    PASSWORD_LATER = 0, /* out of service, or not able to judge */
    PASSWORD_WRONG,
    PASSWORD_RIGHT,
    PASSWORD_UNKNOWN, /* no such account; to everyone but the log the same as wrong */
};

struct password_source;

/* CONF_SOURCE_UPSTREAM: ERR_OK and *ret = NULL. A file, directory or service that is out of order
 * does not fail here but makes the checks LATER until it is mended. */
MUST_USE enum err password_open(const struct config *c, struct password_source **ret);
void password_free(struct password_source *src); /* NULL is fine */

/* `account` is normalised ("user@domain"). *ret_reason, for the log, is always set: a short text
 * that lives for ever. An empty secret is wrong without being asked (RFC 4513 §5.1.2). */
MUST_USE enum password_result password_check(const struct password_source *src, struct view account,
                                             struct view secret, const char **ret_reason);

#endif
