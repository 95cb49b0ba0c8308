/* Landlock: which files a role may reach. Source: Linux, userspace-api/landlock.rst. */
#include "sandbox/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights of later kernels than the oldest headers that we build with know. */
#define RIGHT_REFER     (1ULL << 13) /* ABI 2 */
#define RIGHT_TRUNCATE  (1ULL << 14) /* ABI 3 */
#define RIGHT_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define RIGHTS_ABI_1    ((1ULL << 13) - 1)
#define NET_BIND        (1ULL << 0) /* ABI 4 */
#define SCOPE_ABSTRACT  (1ULL << 0) /* ABI 6: abstract Unix sockets */
#define SCOPE_SIGNAL    (1ULL << 1) /* ABI 6 */

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_WRITE                                                                               \
    (RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |   \
     RIGHT_TRUNCATE)
/* What can be granted on a file that is no folder. */
#define RIGHTS_OF_FILES                                                                            \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)

struct ruleset {
    uint64_t files, net, scoped;
};

struct path_rights {
    const char *path;
    uint64_t rights;
};

/* What the resolver of the C library and TLS read. */
static const struct path_rights paths_of_names[] = {
    { "/etc/resolv.conf", RIGHTS_READ },
    { "/etc/hosts", RIGHTS_READ },
    { "/etc/nsswitch.conf", RIGHTS_READ },
    { "/etc/host.conf", RIGHTS_READ },
    { "/etc/gai.conf", RIGHTS_READ },
    { "/etc/services", RIGHTS_READ },
    { "/etc/ssl", RIGHTS_READ },
    { "/etc/gnutls", RIGHTS_READ },
    { "/etc/ldap", RIGHTS_READ },
    { "/usr/share/ca-certificates", RIGHTS_READ },
    { "/etc/ld.so.cache", RIGHTS_READ },
    { "/usr/lib", RIGHTS_READ },
    { "/lib64", RIGHTS_READ },
    { "/usr/share/p11-kit", RIGHTS_READ },
};

/* Modules are chosen by the administrator and read their own files; file modes still hold. */
static const struct path_rights paths_of_pam[] = {
    { "/etc", RIGHTS_READ },
    { "/usr/lib", RIGHTS_READ },
    { "/lib", RIGHTS_READ },
    { "/lib64", RIGHTS_READ },
    { "/usr/share", RIGHTS_READ },
    { "/var/lib/sss", RIGHTS_READ },
    { "/var/lib/extrausers", RIGHTS_READ },
    { "/run", RIGHTS_READ },
    { "/proc", RIGHTS_READ },
    { "/dev/null", RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE },
};

/* What is not there grants nothing. */
static bool add_rule(int ruleset, uint64_t handled, const char *path, uint64_t rights)
{
    struct stat st;
    const int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rights &= RIGHTS_OF_FILES;
    const struct landlock_path_beneath_attr rule = { .allowed_access = rights & handled,
                                                     .parent_fd = fd };
    const bool is_added =
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    (void)close(fd);
    return is_added;
}

static bool add_rules(int ruleset, uint64_t handled, const struct path_rights *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!add_rule(ruleset, handled, list[i].path, list[i].rights))
            return false;
    return true;
}

/* The folder that a file of the configuration lies in, since it may be replaced by renaming. */
static bool add_folder_of(int ruleset, uint64_t handled, const char *file, uint64_t rights)
{
    char folder[PATH_MAX];
    const char *slash = file == NULL ? NULL : strrchr(file, '/');

    if (slash == NULL)
        return true;
    if ((size_t)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - file), file) >=
        sizeof(folder)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return add_rule(ruleset, handled, folder[0] == 0 ? "/" : folder, rights);
}

/* What looks up names and speaks TLS, with authorities of its own or (ca empty) the system's. */
static bool add_client(int ruleset, uint64_t handled, const char *ca)
{
    return add_rules(ruleset, handled, paths_of_names, COUNT_OF(paths_of_names)) &&
           add_folder_of(ruleset, handled, ca, RIGHTS_READ);
}

static bool add_passwords(int ruleset, uint64_t handled, const struct config *c)
{
    switch (c->password.source) {
    case CONF_SOURCE_FILE:
        return add_folder_of(ruleset, handled, c->password.file, RIGHTS_READ);
    case CONF_SOURCE_LDAP:
        return add_client(ruleset, handled, c->password.ldap.ca);
    case CONF_SOURCE_PAM:
        return add_rules(ruleset, handled, paths_of_names, COUNT_OF(paths_of_names)) &&
               add_rules(ruleset, handled, paths_of_pam, COUNT_OF(paths_of_pam));
    case CONF_SOURCE_UPSTREAM:
        break;
    }
    return true;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* A parameter's value up to the next one, with its %XX decoded (RFC 3986 §2.1). False: too long. */
static bool decode_value(const char *from, char to[PATH_MAX])
{
    size_t n = 0;

    for (; *from != 0 && *from != '&'; from++) {
        const int high = *from == '%' ? digit_of(from[1]) : -1;
        const int low = high >= 0 ? digit_of(from[2]) : -1;
        if (n + 1 == PATH_MAX)
            return false;
        to[n++] = low >= 0 ? (char)(high * 16 + low) : *from;
        from += low >= 0 ? 2 : 0;
    }
    to[n] = 0;
    return true;
}

/* The files that a database's URL names for TLS: "…?sslmode=verify-full&sslrootcert=/path". */
static bool add_files_of_url(int ruleset, uint64_t handled, const char *url)
{
    static const char *const names[] = { "sslrootcert=", "sslcert=", "sslkey=", "sslcrl=" };
    char path[PATH_MAX];

    for (const char *at = strchr(url, '?'); at != NULL; at = strchr(at, '&')) {
        at++;
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (strncmp(at, names[i], strlen(names[i])) == 0 &&
                (!decode_value(at + strlen(names[i]), path) ||
                 !add_folder_of(ruleset, handled, path, RIGHTS_READ)))
                return false;
    }
    return true;
}

static bool add_aliases(int ruleset, uint64_t handled, const struct config *c)
{
    const char *url = c->aliases.sql.url;

    switch (c->aliases.source) {
    case CONF_ALIASES_NONE:
        break;
    case CONF_ALIASES_FILE:
        return add_folder_of(ruleset, handled, c->aliases.file, RIGHTS_READ);
    case CONF_ALIASES_LDAP:
        return add_client(ruleset, handled, c->aliases.ldap.ca);
    case CONF_ALIASES_SQL:
        if (config_sqlite_path(url) != NULL)
            return add_folder_of(ruleset, handled, config_sqlite_path(url), RIGHTS_READ);
        return add_client(ruleset, handled, "") && add_files_of_url(ruleset, handled, url);
    }
    return true;
}

static bool add_warden(int ruleset, uint64_t handled, const struct config *c)
{
    return add_rule(ruleset, handled, c->state, RIGHTS_WRITE) &&
           add_folder_of(ruleset, handled, c->store.path, RIGHTS_WRITE) &&
           add_folder_of(ruleset, handled, c->store.key, RIGHTS_WRITE) &&
           add_rule(ruleset, handled, "/dev/urandom", RIGHTS_READ) &&
           add_passwords(ruleset, handled, c) && add_aliases(ruleset, handled, c);
}

/* As much as this kernel can forbid. Modules of PAM may speak to services by abstract sockets. */
static struct ruleset handled_rights(long abi, bool has_modules)
{
    return (struct ruleset){
        .files = RIGHTS_ABI_1 | (abi >= 2 ? RIGHT_REFER : 0) | (abi >= 3 ? RIGHT_TRUNCATE : 0) |
                 (abi >= 5 ? RIGHT_IOCTL_DEV : 0),
        .net = abi >= 4 ? NET_BIND : 0,
        .scoped = abi < 6 ? 0 : SCOPE_SIGNAL | (has_modules ? 0 : SCOPE_ABSTRACT),
    };
}

int sandbox_files_prepare(const struct sandbox_profile *p, const struct config *c)
{
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi < 1)
        return -1;
    const struct ruleset attr = handled_rights(abi, (p->calls(c) & CALLS_MODULES) != 0);
    const size_t size = abi >= 6   ? sizeof(attr)
                        : abi >= 4 ? offsetof(struct ruleset, scoped)
                                   : offsetof(struct ruleset, net);
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0)
        return -1;
    if (p->has_files && !add_warden(ruleset, attr.files, c)) {
        const int number = errno;
        (void)close(ruleset);
        errno = number == ENOSYS || number == EOPNOTSUPP ? EIO : number;
        return -1;
    }
    return ruleset;
}

enum err sandbox_files_enter(int ruleset)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? ERR_OK : ERR_DENIED;
}
