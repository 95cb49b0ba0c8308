#include "supervisor/state.h"

#include "supervisor/problem.h"
#include "sandbox/user.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder made by root, or by a packaging tool for it, is handed to the warden. */
static bool check(const struct config *c, int fd, const struct user *warden,
                  struct config_error *ret)
{
    const uid_t owner = warden == NULL ? geteuid() : warden->uid;
    struct stat st;

    if (fstat(fd, &st) != 0)
        return problem_say(ret, c, "state", "\"%s\": %s", c->state, strerror(errno));
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return problem_say(ret, c, "state",
                           "\"%s\" is open to other users (mode %03o): chmod 700 it", c->state,
                           (unsigned)st.st_mode & 0777);
    if (st.st_uid == owner)
        return true;
    if (warden == NULL || st.st_uid != 0)
        return problem_say(ret, c, "state", "\"%s\" belongs to user %u: chown it to user %u",
                           c->state, (unsigned)st.st_uid, (unsigned)owner);
    if (fchown(fd, warden->uid, warden->gid) != 0)
        return problem_say(ret, c, "state", "\"%s\" cannot be given to user %u: %s", c->state,
                           (unsigned)owner, strerror(errno));
    return true;
}

bool state_prepare(const struct config *c, struct config_error *ret)
{
    struct user warden;
    const bool is_root = geteuid() == 0;

    if (is_root && user_find(user_of_warden(c), &warden) != ERR_OK)
        return problem_say(ret, c, "users.warden", "no such user");
    if (mkdir(c->state, 0700) != 0 && errno != EEXIST)
        return problem_say(ret, c, "state", "\"%s\" cannot be made: %s", c->state, strerror(errno));
    const int fd = open(c->state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return problem_say(ret, c, "state", "\"%s\": %s", c->state, strerror(errno));
    const bool is_good = check(c, fd, is_root ? &warden : NULL, ret);
    (void)close(fd);
    return is_good;
}
