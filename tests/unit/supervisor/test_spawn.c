/* What a child inherits: this program starts itself as the supervisor starts its children, and the
 * child reports what it found. */
#include "base/log.h"
#include "net/channel.h"
#include "supervisor/spawn.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define REPORT_MAX 4096

/* ---- the child ------------------------------------------------------------------------ */

static void report_descriptors(struct buf *out)
{
    DIR *d = opendir("/proc/self/fd");

    for (const struct dirent *e = d == NULL ? NULL : readdir(d); e != NULL; e = readdir(d)) {
        char target[256];
        const ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
        if (n <= 0 || strtol(e->d_name, NULL, 10) == dirfd(d))
            continue;
        target[n] = 0;
        buf_printf(out, "fd %s %s\n", e->d_name, target);
    }
    if (d != NULL)
        (void)closedir(d);
}

static int be_child(int argc, char **argv)
{
    AUTO_BUF(out, REPORT_MAX);
    struct sigaction pipe_action, term_action;
    sigset_t blocked;

    for (int i = 0; i < argc; i++)
        buf_printf(&out, "argument %s\n", argv[i]);
    for (char **v = environ; *v != NULL; v++)
        buf_printf(&out, "variable %s\n", *v);
    report_descriptors(&out);
    (void)sigaction(SIGPIPE, NULL, &pipe_action);
    (void)sigaction(SIGTERM, NULL, &term_action);
    (void)sigprocmask(SIG_SETMASK, NULL, &blocked);
    if (pipe_action.sa_handler == SIG_IGN && term_action.sa_handler == SIG_DFL &&
        sigismember(&blocked, SIGTERM) == 0)
        buf_put_text(&out, "signals good\n");
    if (getsid(0) == getpid())
        buf_put_text(&out, "session own\n");
    return send(SANDBOX_BOOT_FD, out.p, out.n, MSG_NOSIGNAL) == (ssize_t)out.n ? 42 : 1;
}

/* ---- the tests ------------------------------------------------------------------------ */

static char report[REPORT_MAX + 1];

static void spawn_and_listen(void)
{
    int fds[2], status;
    sigset_t term;
    const int program = spawn_pin_program();

    assert_true(program >= 10);
    assert_int_equal(setenv("POSTERN_TEST_SECRET", "x", 1), 0);
    /* Open for the child to find, were it not closed; and blocked, were it not reset. */
    const int leak = open("/etc/passwd", O_RDONLY);
    const int high = fcntl(leak, F_DUPFD, 200);
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &term, NULL);
    assert_int_equal(channel_pair(fds), ERR_OK);
    const pid_t pid = spawn(program, &spawn_topology[ROLE_EDGE], fds[1]);
    assert_true(pid > 0);
    (void)sigprocmask(SIG_UNBLOCK, &term, NULL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    const ssize_t n = recv(fds[0], report, REPORT_MAX, 0);
    assert_true(n > 0);
    report[n] = 0;
    (void)close(fds[0]);
    (void)close(fds[1]);
    (void)close(leak);
    (void)close(high);
    (void)close(program);
}

static int count_of(const char *what)
{
    int n = 0;

    for (const char *at = strstr(report, what); at != NULL; at = strstr(at + 1, what))
        n++;
    return n;
}

static void test_inheritance(void **state)
{
    (void)state;
    spawn_and_listen();
    assert_non_null(strstr(report, "argument postern\nargument --role\nargument edge\n"));
    assert_null(strstr(report, "POSTERN_TEST_SECRET"));
    assert_non_null(strstr(report, "variable PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"));
    assert_non_null(strstr(report, "fd 0 /dev/null\n"));
    assert_non_null(strstr(report, "fd 1 /dev/null\n"));
    assert_non_null(strstr(report, "fd 2 "));
    assert_non_null(strstr(report, "fd 3 socket:"));
    assert_int_equal(count_of("fd "), 4);
    assert_null(strstr(report, "/etc/passwd"));
    assert_non_null(strstr(report, "signals good\n"));
    assert_non_null(strstr(report, "session own\n"));
}

static void test_failed_start(void **state)
{
    int fds[2], status;

    (void)state;
    assert_int_equal(channel_pair(fds), ERR_OK);
    /* No program at all: the child ends by itself, with the shell's word for it. */
    const pid_t pid = spawn(-1, &spawn_topology[ROLE_WARDEN], fds[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 127);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_topology(void **state)
{
    const struct role *edge = &spawn_topology[ROLE_EDGE];
    const struct role *warden = &spawn_topology[ROLE_WARDEN];

    (void)state;
    for (int i = 0; i < ROLE_COUNT; i++) {
        assert_non_null(spawn_topology[i].name);
        assert_non_null(spawn_topology[i].sandbox);
        assert_non_null(spawn_topology[i].user);
        assert_int_equal(spawn_topology[spawn_topology[i].peer].peer, i);
        assert_int_not_equal(spawn_topology[i].view, CONFIG_FOR_ALL);
    }
    /* What faces strangers has no way to command the warden, and the warden faces nobody. */
    assert_true(edge->has_gates && edge->has_tickets && !edge->has_control);
    assert_true(warden->has_control && !warden->has_gates && !warden->has_tickets);
    assert_ptr_not_equal(edge->sandbox, warden->sandbox);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inheritance),
        cmocka_unit_test(test_failed_start),
        cmocka_unit_test(test_topology),
    };

    if (argc == 3 && strcmp(argv[1], "--role") == 0)
        return be_child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
