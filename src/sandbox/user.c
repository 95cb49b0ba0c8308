#include "sandbox/user.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>

#define ENTRY_MAX 16384 /* octets of one entry of the user database */

const char *user_of_edge(const struct config *c)
{
    return c->users.edge;
}

const char *user_of_warden(const struct config *c)
{
    return c->users.warden[0] != 0 ? c->users.warden : c->users.edge;
}

static const struct passwd *look_up(const char *text, bool is_number, uid_t uid,
                                    struct passwd *space, char *text_space)
{
    struct passwd *found = NULL;

    if (is_number)
        (void)getpwuid_r(uid, space, text_space, ENTRY_MAX, &found);
    else
        (void)getpwnam_r(text, space, text_space, ENTRY_MAX, &found);
    return found;
}

enum err user_find(const char *text, struct user *ret)
{
    char text_space[ENTRY_MAX];
    struct passwd space;
    uint64_t number = 0;
    /* (uid_t)-1 means "leave it" to the kernel. */
    const bool is_number = view_number(view_text(text), UINT32_MAX - 1, &number);
    const struct passwd *found = look_up(text, is_number, (uid_t)number, &space, text_space);

    if (found == NULL && !is_number)
        return ERR_NOT_FOUND;
    struct user u = { .uid = (uid_t)number, .gid = (gid_t)number };
    if (found != NULL) {
        u.uid = found->pw_uid;
        u.gid = found->pw_gid;
        (void)snprintf(u.name, sizeof(u.name), "%s", found->pw_name);
    }
    if (u.uid == 0 || u.gid == 0)
        return ERR_DENIED;
    *ret = u;
    return ERR_OK;
}
