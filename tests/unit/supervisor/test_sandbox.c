/* What a child can still do once it is down the ladder: each try runs in a process of its own,
 * which enters a profile and then makes one call. Run by root, everything is tried twice: as root,
 * which must lose its rights, and as a user without any. */
#include "sample.h"

#include "base/log.h"
#include "sandbox/sandbox.h"
#include "sandbox/user.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants the standard headers first */
#include <cmocka.h>

#define KILLED      1000 /* in place of an errno: the kernel ended the process */
#define PLAIN_UID   61003
#define NOT_ENTERED 201

static char folder[64];       /* the state folder; also holds the sockets below */
static char secret_file[128]; /* a password file in another folder */
static char other_folder[64];
static int tcp_port, tcp_fd, unix_fd;

/* ---- what is tried: 0 or an errno ----------------------------------------------------- */

static int outcome(long result)
{
    return result >= 0 ? 0 : errno;
}

static int try_open_passwd(void)
{
    return outcome(open("/etc/passwd", O_RDONLY));
}

static int try_stat_passwd(void)
{
    struct stat st;

    return outcome(stat("/etc/passwd", &st));
}

static int try_write_state(void)
{
    char path[128], to[128];

    (void)snprintf(path, sizeof(path), "%s/new", folder);
    (void)snprintf(to, sizeof(to), "%s/renamed", folder);
    const int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || ftruncate(fd, 0) != 0 ||
        rename(path, to) != 0 || unlink(to) != 0)
        return errno;
    return 0;
}

static int try_write_elsewhere(void)
{
    return outcome(open("/tmp/postern-test-elsewhere", O_RDWR | O_CREAT, 0600));
}

static int try_read_password_file(void)
{
    return outcome(open(secret_file, O_RDONLY));
}

static int try_write_password_file(void)
{
    return outcome(open(secret_file, O_WRONLY));
}

static int try_write_beside(void)
{
    char path[160];

    (void)snprintf(path, sizeof(path), "%s-journal", secret_file);
    return outcome(open(path, O_RDWR | O_CREAT, 0600));
}

static int try_socket(int domain, int type)
{
    return outcome(socket(domain, type, 0));
}

static int try_unix_socket(void)
{
    return try_socket(AF_UNIX, SOCK_STREAM);
}

static int try_netlink(void)
{
    return try_socket(AF_NETLINK, SOCK_RAW);
}

static int try_inet_socket(void)
{
    return try_socket(AF_INET, SOCK_DGRAM);
}

static int try_bind(void)
{
    const struct sockaddr_in in = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? ENOTSOCK : outcome(bind(fd, (const struct sockaddr *)&in, sizeof(in)));
}

static int try_listen(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? ENOTSOCK : outcome(listen(fd, 1));
}

static int try_connect(void)
{
    const struct sockaddr_in in = { .sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)tcp_port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? errno : outcome(connect(fd, (const struct sockaddr *)&in, sizeof(in)));
}

static int try_connect_unix(void)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/upstream", other_folder);
    return fd < 0 ? errno : outcome(connect(fd, (const struct sockaddr *)&un, sizeof(un)));
}

static int try_accept(void)
{
    const int e = outcome(accept4(tcp_fd, NULL, NULL, SOCK_NONBLOCK));

    return e == EAGAIN ? 0 : e;
}

static int try_exec(void)
{
    static char name[] = "true";
    char *const arguments[] = { name, NULL };

    return outcome(execve("/bin/true", arguments, arguments + 1));
}

static int try_fork(void)
{
    const pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return outcome(pid);
}

static int try_ptrace(void)
{
    return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_unshare(void)
{
    return outcome(syscall(SYS_unshare, 0x10000000));
}

static int try_setuid(void)
{
    return outcome(syscall(SYS_setuid, 0));
}

static int try_kill_parent(void)
{
    return outcome(kill(getppid(), 0));
}

static int try_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? errno
               : 0;
}

static int try_uring(void)
{
    char parameters[128] = { 0 };

    return outcome(syscall(SYS_io_uring_setup, 1, parameters));
}

static int try_limit(void)
{
    const struct rlimit limit = { 64, 64 };

    return outcome(setrlimit(RLIMIT_NOFILE, &limit));
}

static void *nothing(void *argument)
{
    return argument;
}

static int try_thread(void)
{
    pthread_t thread;
    const int e = pthread_create(&thread, NULL, nothing, NULL);

    return e != 0 ? e : pthread_join(thread, NULL);
}

/* ---- the table ------------------------------------------------------------------------ */

#define FILE_SOURCE "password: { source = \"file\"; file = \"%s\"; };"
#define PAM_SOURCE  "password: { source = \"pam\"; };"
#define SOME_OWN    " policies: { default: { sender = \"own\"; }; };"
#define ALIAS_FILE  "aliases: { source = \"file\"; file = \"%s\"; };" SOME_OWN
#define ALIAS_LDAP                                                                                 \
    "aliases: { source = \"ldap\"; ldap: { url = \"ldaps://127.0.0.1\"; base = \"dc=example\";"    \
    " ca = \"%s\"; }; };" SOME_OWN
#define ALIAS_SQL(url) "aliases: { source = \"sql\"; sql: { url = \"" url "\"; }; };" SOME_OWN
#define ALIAS_SQLITE   ALIAS_SQL("sqlite:%s")
#define ALIAS_PGSQL    ALIAS_SQL("postgresql://a:b@127.0.0.1/c")
#define ALIAS_PGSQL_CA ALIAS_SQL("postgresql://a:b@127.0.0.1/c?sslmode=verify-ca&sslrootcert=%s")
#define ALIAS_PGSQL_XX ALIAS_SQL("postgresql://a@127.0.0.1/c?sslrootcert=%%2F..%s&sslkey=/x%%zz")
#define UNIX_HOP       "upstreams: { mail: { imap = \"imap+clear://unix:%s/upstream\"; }; };"

static const struct trial {
    const char *name;
    const struct sandbox_profile *profile;
    const char *more; /* of the configuration; %s: the password file or the folder of the sockets */
    int (*call)(void);
    int expected;
} trials[] = {
    { "an edge opens no file", &sandbox_edge, "", try_open_passwd, EPERM },
    { "nor looks at one", &sandbox_edge, "", try_stat_passwd, EPERM },
    { "an edge connects", &sandbox_edge, "", try_connect, 0 },
    { "accepts on what it was given", &sandbox_edge, "", try_accept, 0 },
    { "starts threads", &sandbox_edge, "", try_thread, 0 },
    { "but binds nothing", &sandbox_edge, "", try_bind, EPERM },
    { "nor listens", &sandbox_edge, "", try_listen, EPERM },
    { "no Unix socket without such an upstream", &sandbox_edge, "", try_unix_socket, EPERM },
    { "no netlink", &sandbox_edge, "", try_netlink, EAFNOSUPPORT },
    { "an edge reaches a Unix upstream", &sandbox_edge, UNIX_HOP, try_connect_unix, 0 },
    { "and still no file", &sandbox_edge, UNIX_HOP, try_open_passwd, EPERM },
    { "an edge starts no process", &sandbox_edge, "", try_fork, EPERM },
    { "signals nobody", &sandbox_edge, "", try_kill_parent, EPERM },
    { "maps no code", &sandbox_edge, "", try_code, EPERM },
    { "no io_uring", &sandbox_edge, "", try_uring, EPERM },
    { "raises no limit", &sandbox_edge, "", try_limit, EPERM },
    { "dies by execve", &sandbox_edge, "", try_exec, KILLED },
    { "by ptrace", &sandbox_edge, "", try_ptrace, KILLED },
    { "by unshare", &sandbox_edge, "", try_unshare, KILLED },
    { "by setuid", &sandbox_edge, "", try_setuid, KILLED },
    { "the warden writes its folder", &sandbox_warden, "", try_write_state, 0 },
    { "reads no other file", &sandbox_warden, "", try_open_passwd, EACCES },
    { "writes nowhere else", &sandbox_warden, "", try_write_elsewhere, EACCES },
    { "not the password file without that source", &sandbox_warden, "", try_read_password_file,
      EACCES },
    { "has no network", &sandbox_warden, "", try_inet_socket, EPERM },
    { "no Unix socket either", &sandbox_warden, "", try_unix_socket, EPERM },
    { "accepts on what it was given", &sandbox_warden, "", try_accept, 0 },
    { "starts threads", &sandbox_warden, "", try_thread, 0 },
    { "starts no process", &sandbox_warden, "", try_fork, EPERM },
    { "dies by execve", &sandbox_warden, "", try_exec, KILLED },
    { "by ptrace", &sandbox_warden, "", try_ptrace, KILLED },
    { "reads the password file", &sandbox_warden, FILE_SOURCE, try_read_password_file, 0 },
    { "does not write it", &sandbox_warden, FILE_SOURCE, try_write_password_file, EACCES },
    { "reads the alias file", &sandbox_warden, ALIAS_FILE, try_read_password_file, 0 },
    { "does not write it", &sandbox_warden, ALIAS_FILE, try_write_password_file, EACCES },
    { "has no network for it", &sandbox_warden, ALIAS_FILE, try_inet_socket, EPERM },
    { "reads an SQLite file of aliases", &sandbox_warden, ALIAS_SQLITE, try_read_password_file, 0 },
    { "does not write it", &sandbox_warden, ALIAS_SQLITE, try_write_password_file, EACCES },
    { "nor beside it", &sandbox_warden, ALIAS_SQLITE, try_write_beside, EACCES },
    { "has no network for it", &sandbox_warden, ALIAS_SQLITE, try_inet_socket, EPERM },
    { "reaches PostgreSQL", &sandbox_warden, ALIAS_PGSQL, try_connect, 0 },
    { "by a Unix socket, too", &sandbox_warden, ALIAS_PGSQL, try_connect_unix, 0 },
    { "reads no file for it", &sandbox_warden, ALIAS_PGSQL, try_read_password_file, EACCES },
    { "but those that its URL names", &sandbox_warden, ALIAS_PGSQL_CA, try_read_password_file, 0 },
    { "however they are written", &sandbox_warden, ALIAS_PGSQL_XX, try_read_password_file, 0 },
    { "binds nothing", &sandbox_warden, ALIAS_PGSQL, try_bind, EPERM },
    { "starts no process", &sandbox_warden, ALIAS_PGSQL, try_fork, EPERM },
    { "starts no program", &sandbox_warden, ALIAS_PGSQL, try_exec, KILLED },
    { "reaches a directory of aliases", &sandbox_warden, ALIAS_LDAP, try_connect, 0 },
    { "reads its authorities", &sandbox_warden, ALIAS_LDAP, try_read_password_file, 0 },
    { "reads no other file", &sandbox_warden, ALIAS_LDAP, try_open_passwd, EACCES },
    { "with PAM it has a network", &sandbox_warden, PAM_SOURCE, try_connect, 0 },
    { "but binds nothing", &sandbox_warden, PAM_SOURCE, try_bind, EPERM },
    { "copies itself", &sandbox_warden, PAM_SOURCE, try_fork, 0 },
    { "starts no program", &sandbox_warden, PAM_SOURCE, try_exec, EPERM },
    { "maps code, which modules are", &sandbox_warden, PAM_SOURCE, try_code, 0 },
    { "dies by ptrace", &sandbox_warden, PAM_SOURCE, try_ptrace, KILLED },
};

/* ---- the runner ----------------------------------------------------------------------- */

static void become_plain(void)
{
    if (geteuid() == 0)
        CHECK(setgroups(0, NULL) == 0 && setresgid(PLAIN_UID, PLAIN_UID, PLAIN_UID) == 0 &&
              setresuid(PLAIN_UID, PLAIN_UID, PLAIN_UID) == 0);
}

static int wait_for(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : KILLED + WTERMSIG(status);
    return WEXITSTATUS(status);
}

static void own_folders(uid_t uid)
{
    if (geteuid() == 0) {
        assert_int_equal(chown(folder, uid, (gid_t)uid), 0);
        assert_int_equal(chown(secret_file, uid, (gid_t)uid), 0);
    }
}

/* The configuration with its paths; "%%" is a "%". */
static void fill(const char *more, char *to, size_t size)
{
    const char *path = strstr(more, "unix:%s") != NULL ? other_folder : secret_file;
    size_t n = 0;

    for (; *more != 0 && n + 1 < size; more++) {
        if (more[0] != '%') {
            to[n++] = *more;
        } else if (*++more == 's') {
            n += (size_t)snprintf(to + n, size - n, "%s", path);
        } else {
            to[n++] = *more;
        }
    }
    to[n] = 0;
}

static int run_trial(const struct trial *t, bool is_plain)
{
    char more[512];
    const pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid != 0)
        return wait_for(pid);
    if (is_plain)
        become_plain();
    fill(t->more, more, sizeof(more));
    const struct config *c = sample_config(folder, more);
    if (sandbox_enter(t->profile, c) != ERR_OK)
        _exit(NOT_ENTERED);
    _exit(t->call());
}

static void run_all(bool is_plain)
{
    for (size_t i = 0; i < COUNT_OF(trials); i++) {
        const struct trial *t = &trials[i];
        own_folders(is_plain                      ? PLAIN_UID
                    : t->profile == &sandbox_edge ? SAMPLE_UID
                                                  : SAMPLE_UID + 1);
        const int got = run_trial(t, is_plain);
        if (got != t->expected)
            print_error("%s: expected %d, got %d\n", t->name, t->expected, got);
        assert_int_equal(got, t->expected);
    }
}

static void test_as_started(void **state)
{
    (void)state;
    run_all(false);
}

static void test_as_plain_user(void **state)
{
    (void)state;
    run_all(true);
}

/* ---- what the kernel says of it ------------------------------------------------------- */

static void read_status(pid_t pid, char *text, size_t size)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    assert_true(n > 0);
    text[n] = 0;
    (void)close(fd);
}

static void test_status(void **state)
{
    int fds[2];
    char octet, text[4096];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        const bool is_in = sandbox_enter(&sandbox_edge, sample_config(folder, "")) == ERR_OK;
        if (!is_in || write(fds[1], "x", 1) != 1)
            _exit(NOT_ENTERED);
        _exit(read(fds[1], &octet, 1) == 0 ? 0 : 1);
    }
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], &octet, 1), 1);
    read_status(pid, text, sizeof(text));
    assert_non_null(strstr(text, "\nCapEff:\t0000000000000000"));
    assert_non_null(strstr(text, "\nCapPrm:\t0000000000000000"));
    if (geteuid() == 0) {
        assert_non_null(strstr(text, "\nUid:\t61001\t61001\t61001\t61001"));
        assert_non_null(strstr(text, "\nGid:\t61001\t61001\t61001\t61001"));
        assert_non_null(strstr(text, "\nGroups:\t \n"));
    }
    if (!sandbox_is_loose()) {
        assert_non_null(strstr(text, "\nNoNewPrivs:\t1"));
        assert_non_null(strstr(text, "\nSeccomp:\t2"));
    }
    (void)close(fds[0]);
    assert_int_equal(wait_for(pid), 0);
}

/* ---- refusals ------------------------------------------------------------------------- */

static void *sit(void *argument)
{
    (void)pause();
    return argument;
}

static int enter_with(const char *edge_user, bool has_thread)
{
    const pid_t pid = fork();
    pthread_t thread;

    if (pid != 0)
        return wait_for(pid);
    struct config *c = sample_config(folder, "");
    (void)snprintf(c->users.edge, strlen(c->users.edge) + 1, "%s", edge_user);
    if (has_thread)
        CHECK(pthread_create(&thread, NULL, sit, NULL) == 0);
    _exit((int)sandbox_enter(&sandbox_edge, c));
}

static void test_refusals(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        assert_int_equal(enter_with("0", false), ERR_DENIED);
        assert_int_equal(enter_with("", false), ERR_NOT_FOUND);
        assert_int_equal(enter_with("nix", false), ERR_NOT_FOUND);
    }
    if (!sandbox_is_loose())
        assert_int_equal(enter_with("61001", true), ERR_DENIED);
}

/* ---- the group ------------------------------------------------------------------------ */

static int set_up(void **state)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    (void)state;
    log_open("test", LOG_FORMAT_TEXT, LOG_ERROR);
    sample_folder(folder);
    sample_folder(other_folder);
    (void)snprintf(secret_file, sizeof(secret_file), "%s/passwd", other_folder);
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/upstream", other_folder);
    (void)close(open(secret_file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    tcp_port = sample_port();
    in.sin_port = htons((uint16_t)tcp_port);
    tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    unix_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(tcp_fd, (struct sockaddr *)&in, sizeof(in)) == 0 && listen(tcp_fd, 64) == 0);
    CHECK(bind(unix_fd, (struct sockaddr *)&un, sizeof(un)) == 0 && listen(unix_fd, 64) == 0);
    CHECK(chmod(un.sun_path, 0666) == 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sample_remove(folder);
    sample_remove(other_folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_as_started),
        cmocka_unit_test(test_as_plain_user),
    };
    const struct CMUnitTest loose[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_refusals),
    };

    /* Under a sanitizer there is nothing behind the change of user that could be tried. */
    return sandbox_is_loose() ? cmocka_run_group_tests(loose, set_up, tear_down)
                              : cmocka_run_group_tests(all, set_up, tear_down);
}
