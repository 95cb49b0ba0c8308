/* user.h: users of the configuration as numbers. Reads the user database: before the sandbox. */
#ifndef POSTERN_SANDBOX_USER_H
#define POSTERN_SANDBOX_USER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/limits.h"
#include "config/config.h"

#include <sys/types.h>

#define USER_GROUPS 64 /* supplementary groups of a user that are kept, where any are */

struct user {
    uid_t uid;
    gid_t gid;
    char name[LIMIT_NAME + 1]; /* "" when the number has no entry */
};

/* `text` is a name or a number; a number without an entry is its own group.
 * ERR_NOT_FOUND: no such user; ERR_DENIED: it is root. */
MUST_USE enum err user_find(const char *text, struct user *ret);

/* Who a role runs as when Postern was started by root; the warden, by default, as the edges. */
const char *user_of_edge(const struct config *c);
const char *user_of_warden(const struct config *c);

#endif
