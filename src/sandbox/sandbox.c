#include "sandbox/sandbox.h"

#include "base/log.h"
#include "sandbox/inner.h"
#include "sandbox/user.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define IS_LOOSE true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define IS_LOOSE true
#endif
#endif
#ifndef IS_LOOSE
#define IS_LOOSE false
#endif

/* ---- the profiles --------------------------------------------------------------------- */

static bool has_unix_upstream(const struct config *c)
{
    for (size_t i = 0; i < c->gate_count; i++)
        for (size_t k = 0; k < c->upstream_count; k++) {
            const struct conf_urls *urls = config_urls(&c->upstreams[k], c->gates[i].protocol);
            for (size_t u = 0; urls != NULL && u < urls->n; u++)
                if (urls->items[u].is_unix)
                    return true;
        }
    return false;
}

static unsigned calls_of_edge(const struct config *c)
{
    return CALLS_BASE | CALLS_INET | (has_unix_upstream(c) ? CALLS_UNIX : 0);
}

/* Name services and TLS libraries load modules. */
#define CALLS_CLIENT (CALLS_INET | CALLS_UNIX | CALLS_MODULES)

static unsigned calls_of_passwords(const struct config *c)
{
    switch (c->password.source) {
    case CONF_SOURCE_PAM:
        return CALLS_CLIENT | CALLS_FORK;
    case CONF_SOURCE_LDAP:
        return CALLS_CLIENT;
    case CONF_SOURCE_UPSTREAM:
    case CONF_SOURCE_FILE:
        break;
    }
    return 0;
}

static unsigned calls_of_aliases(const struct config *c)
{
    switch (c->aliases.source) {
    case CONF_ALIASES_LDAP:
        return CALLS_CLIENT;
    case CONF_ALIASES_SQL:
        return config_sqlite_path(c->aliases.sql.url) != NULL ? 0 : CALLS_CLIENT;
    case CONF_ALIASES_NONE:
    case CONF_ALIASES_FILE:
        break;
    }
    return 0;
}

static unsigned calls_of_warden(const struct config *c)
{
    return CALLS_BASE | CALLS_FILES | calls_of_passwords(c) | calls_of_aliases(c);
}

/* PAM's module for local accounts starts a set-group-ID helper, which nobody here may. It reads the
 * shadow file itself when the warden's user is in that file's group; when not, its copy that fails
 * to become the helper makes it say "unavailable", where a failing fork would make it say "wrong".
 */
static bool warden_has_groups(const struct config *c)
{
    return c->password.source == CONF_SOURCE_PAM;
}

const struct sandbox_profile sandbox_edge = {
    .role = "postern-edge",
    .user = user_of_edge,
    .calls = calls_of_edge,
};

const struct sandbox_profile sandbox_warden = {
    .role = "postern-warden",
    .has_files = true,
    .user = user_of_warden,
    .calls = calls_of_warden,
    .has_groups = warden_has_groups,
};

bool sandbox_is_loose(void)
{
    return IS_LOOSE;
}

/* ---- the rungs ------------------------------------------------------------------------ */

static void say_rung(const char *rung)
{
    log_event(LOG_DEBUG, "sandbox", LOG_TEXT("rung", rung));
}

static enum err fail(const char *rung, enum err e)
{
    const int number = errno;

    log_event(LOG_ERROR, "sandbox-failed", LOG_TEXT("rung", rung), LOG_TEXT("error", err_text(e)),
              LOG_TEXT("system", number == 0 ? "" : strerror(number)));
    return e;
}

void sandbox_close_descriptors(void)
{
    if (close_range(SANDBOX_BOOT_FD + 1, ~0U, 0) == 0)
        return;
    const long most = sysconf(_SC_OPEN_MAX);
    for (int fd = SANDBOX_BOOT_FD + 1; fd < most; fd++)
        (void)close(fd);
}

/* Landlock and the system call filter bind threads, not processes. */
static bool is_single_threaded(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    if (tasks == NULL)
        return true;
    for (const struct dirent *e = readdir(tasks); e != NULL; e = readdir(tasks))
        count += e->d_name[0] != '.';
    (void)closedir(tasks);
    return count == 1;
}

/* The root becomes the fdinfo folder of a process that has ended: empty, and nobody can ever put
 * anything there. It needs no folder on disk that would have to be guarded. */
static bool chroot_into_nothing(void)
{
    int status = -1;
    const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        _exit(chroot("/proc/self/fdinfo") == 0 && chdir("/") == 0 ? 0 : 1);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return false;
    return access("/proc", F_OK) != 0;
}

static enum err drop_user(const struct user *u, bool is_keeping_groups)
{
    gid_t groups[USER_GROUPS];
    int count = 0;

    if (is_keeping_groups && u->name[0] != 0) {
        count = USER_GROUPS;
        if (getgrouplist(u->name, u->gid, groups, &count) < 0)
            return ERR_TOO_LONG;
    }
    if (setgroups((size_t)count, groups) != 0 || setresgid(u->gid, u->gid, u->gid) != 0 ||
        setresuid(u->uid, u->uid, u->uid) != 0)
        return ERR_DENIED;
    /* It must not be possible to climb back. */
    return setuid(0) == 0 || setgid(0) == 0 || geteuid() != u->uid || getegid() != u->gid
               ? ERR_DENIED
               : ERR_OK;
}

/* An unprivileged supervisor may hold one capability for low ports: its children need none. */
static enum err drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
                   syscall(SYS_capset, &header, none) == 0
               ? ERR_OK
               : ERR_DENIED;
}

static enum err forbid_dumps(void)
{
    const struct rlimit none = { 0, 0 };

    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0
               ? ERR_OK
               : ERR_DENIED;
}

static enum err enter_files(int ruleset)
{
    if (ruleset < 0) {
        log_event(LOG_WARN, "sandbox-weaker",
                  LOG_TEXT("mend", "this kernel has no Landlock: use Linux 5.13 or later with "
                                   "\"landlock\" among its lsm="));
        return ERR_OK;
    }
    const enum err e = sandbox_files_enter(ruleset);
    (void)close(ruleset);
    return e;
}

/* From here on nothing can be undone. */
static enum err give_up_privileges(const struct sandbox_profile *p, const struct config *c,
                                   const struct user *u, int ruleset)
{
    const unsigned calls = p->calls(c);
    enum err e = ERR_OK;

    if (u != NULL) {
        e = drop_user(u, p->has_groups != NULL && p->has_groups(c));
        if (e != ERR_OK)
            return fail("user", e);
        say_rung("user");
    }
    e = drop_capabilities();
    if (e != ERR_OK)
        return fail("capabilities", e);
    say_rung("capabilities");
    if (sandbox_is_loose()) {
        /* A change of uid makes a process undumpable; the leak checker attaches to itself. */
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        return ERR_OK;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail("no-new-privileges", ERR_DENIED);
    say_rung("no-new-privileges");
    e = enter_files(ruleset);
    if (e != ERR_OK)
        return fail("landlock", e);
    say_rung("landlock");
    e = forbid_dumps();
    if (e != ERR_OK)
        return fail("dumps", e);
    say_rung("dumps");
    e = sandbox_calls_enter(calls);
    if (e != ERR_OK)
        return fail("seccomp", e);
    say_rung("seccomp");
    return ERR_OK;
}

enum err sandbox_enter(const struct sandbox_profile *p, const struct config *c)
{
    const bool is_root = geteuid() == 0;
    struct user user;
    int ruleset = -1;

    (void)prctl(PR_SET_NAME, p->role, 0, 0, 0);
    if (is_root) {
        const enum err e = user_find(p->user(c), &user);
        if (e != ERR_OK)
            return fail("user", e);
    }
    if (!sandbox_is_loose()) {
        if (!is_single_threaded())
            return fail("threads", ERR_DENIED);
        ruleset = sandbox_files_prepare(p, c);
        if (ruleset < 0 && errno != ENOSYS && errno != EOPNOTSUPP)
            return fail("landlock", ERR_IO);
        /* A Unix socket of an upstream is found by its path: Landlock alone guards that edge. */
        if (is_root && !p->has_files && (p->calls(c) & CALLS_UNIX) == 0) {
            if (!chroot_into_nothing())
                return fail("chroot", ERR_DENIED);
            say_rung("chroot");
        }
    }
    return give_up_privileges(p, c, is_root ? &user : NULL, ruleset);
}
