/* account.h: the name of an account, normalised: "user@domain" with ASCII letters in lower case and
 * the configured domain behind a bare name. Source: RFC 5321 §4.1.2, RFC 6531 (UTF-8 in names).
 * What is taken is narrower than an address: no quoted local parts, no controls, no spaces, and no
 * '*' or '%', which mail servers read as "log in as somebody else" and as routes.
 * Pure; any thread. */
#ifndef POSTERN_WARDEN_ACCOUNT_H
#define POSTERN_WARDEN_ACCOUNT_H

#include "base/attr.h"
#include "base/view.h"
#include "warden/store/store.h"

/* False: no account can be called so; `ret` is then empty. */
MUST_USE bool account_normalise(struct view text, const char *domain, char ret[STORE_NAME]);
/* UTF-8 without control characters (a label, what a client says of itself). */
bool account_is_printable(struct view text);

#endif
