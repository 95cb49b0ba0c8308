#include "supervisor/listen.h"

#include "base/attr.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)

/* ---- TCP ------------------------------------------------------------------------------ */

union any_address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static socklen_t fill_address(const struct addr *a, bool is_ipv6, union any_address *ret)
{
    *ret = (union any_address){ 0 };
    if (is_ipv6) {
        ret->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
        memcpy(&ret->in6.sin6_addr, a->ip, 16);
        return sizeof(ret->in6);
    }
    ret->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(a->port) };
    memcpy(&ret->in.sin_addr, a->ip, 4);
    return sizeof(ret->in);
}

static bool set_flag(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* Bound, not yet listening; -1 with errno. */
static int bind_tcp(const struct addr *a, bool is_ipv6, bool is_both, bool is_shared)
{
    union any_address address;
    const socklen_t n = fill_address(a, is_ipv6, &address);
    const int fd = socket(address.sa.sa_family, SOCK_STREAM | SOCKET_FLAGS, 0);

    if (fd < 0)
        return -1;
    if (!set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
        (is_shared && !set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1)) ||
        (is_ipv6 && !set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_both)) ||
        bind(fd, &address.sa, n) != 0) {
        const int number = errno;
        (void)close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

static bool is_without_ipv6(void)
{
    return errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
}

static int bind_family(const struct addr *a, bool is_any, bool is_shared)
{
    if (!is_any)
        return bind_tcp(a, a->octets == 16, false, is_shared);
    const int fd = bind_tcp(a, true, true, is_shared);
    return fd >= 0 || !is_without_ipv6() ? fd : bind_tcp(a, false, false, is_shared);
}

int listen_tcp(const struct addr *a, bool is_any, bool is_first)
{
    if (is_first) {
        /* With SO_REUSEPORT a second Postern of the same user would quietly share the port. */
        const int alone = bind_family(a, is_any, false);
        if (alone < 0)
            return -1;
        (void)close(alone);
    }
    const int fd = bind_family(a, is_any, true);
    if (fd < 0 || listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    const int number = errno;
    (void)close(fd);
    errno = number;
    return -1;
}

/* ---- Unix ----------------------------------------------------------------------------- */

/* Who can put files into the folder can take the socket's place. */
static enum listen_fault check_folder(const char *path, uid_t keeper, bool *ret_has_group)
{
    char folder[PATH_MAX];
    struct stat st;
    const char *slash = strrchr(path, '/');

    if (path[0] != '/' || slash == NULL)
        return LISTEN_PATH;
    if ((size_t)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path) >=
        sizeof(folder))
        return LISTEN_PATH;
    if (stat(folder[0] == 0 ? "/" : folder, &st) != 0 || !S_ISDIR(st.st_mode))
        return LISTEN_FOLDER;
    if ((st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != keeper) ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return LISTEN_FOLDER_OPEN;
    *ret_has_group = (st.st_mode & S_ISGID) != 0;
    return LISTEN_OK;
}

/* Does somebody answer at the address? */
static bool is_answered(const struct sockaddr_un *un, int type)
{
    const int fd = socket(AF_UNIX, type | SOCKET_FLAGS, 0);
    const bool is_connected = fd >= 0 && connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0;
    /* EAGAIN: a full queue is somebody, too. */
    const bool is_busy = fd >= 0 && !is_connected && errno == EAGAIN;

    if (fd >= 0)
        (void)close(fd);
    return is_connected || is_busy;
}

static enum listen_fault make_room(const struct sockaddr_un *un, int type)
{
    struct stat st;

    if (lstat(un->sun_path, &st) != 0)
        return errno == ENOENT ? LISTEN_OK : LISTEN_FAILED;
    if (!S_ISSOCK(st.st_mode))
        return LISTEN_OCCUPIED;
    if (is_answered(un, type))
        return LISTEN_ANSWERED;
    return unlink(un->sun_path) == 0 ? LISTEN_OK : LISTEN_FAILED;
}

enum listen_fault listen_unix(const char *path, int type, unsigned keeper, int *ret_fd)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    bool has_group = false;

    if (strlen(path) >= sizeof(un.sun_path))
        return LISTEN_PATH;
    memcpy(un.sun_path, path, strlen(path));
    enum listen_fault f = check_folder(path, keeper, &has_group);
    if (f == LISTEN_OK)
        f = make_room(&un, type);
    if (f != LISTEN_OK)
        return f;
    const int fd = socket(AF_UNIX, type | SOCKET_FLAGS, 0);
    if (fd < 0)
        return LISTEN_FAILED;
    /* By umask, not by chmod afterwards: the folder's owner could swap the path in between. */
    const mode_t before = umask(has_group ? 0117 : 0177);
    const bool is_bound = bind(fd, (const struct sockaddr *)&un, sizeof(un)) == 0;
    const int number = errno;
    (void)umask(before);
    if (!is_bound || listen(fd, LISTEN_BACKLOG) != 0) {
        errno = is_bound ? errno : number;
        (void)close(fd);
        return LISTEN_FAILED;
    }
    *ret_fd = fd;
    return LISTEN_OK;
}

const char *listen_mend(enum listen_fault f)
{
    switch (f) {
    case LISTEN_OK:
        return "";
    case LISTEN_FAILED:
        return strerror(errno);
    case LISTEN_PATH:
        return "write an absolute path of at most 107 octets";
    case LISTEN_FOLDER:
        return "its folder is not there: create it";
    case LISTEN_FOLDER_OPEN:
        return "its folder must belong to root or to Postern's user and be writable by nobody else";
    case LISTEN_OCCUPIED:
        return "something that is no socket lies there: move it away";
    case LISTEN_ANSWERED:
        return "another process answers there: is Postern running already?";
    }
    return "";
}
