#include "supervisor/spawn.h"

#include "sandbox/user.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_FREE_FD                                                                              \
    10 /* the program's descriptor stays clear of those that a child begins with */
#define MOST_VARIABLES 8

/* Who is there, as whom, who speaks with whom, and what each is given. */
const struct role spawn_topology[ROLE_COUNT] = {
    [ROLE_EDGE] = { .name = "edge",
                    .peer = ROLE_WARDEN,
                    .sandbox = &sandbox_edge,
                    .user = user_of_edge,
                    .view = CONFIG_FOR_EDGE,
                    .has_gates = true,
                    .has_tickets = true },
    [ROLE_WARDEN] = { .name = "warden",
                      .peer = ROLE_EDGE,
                      .sandbox = &sandbox_warden,
                      .user = user_of_warden,
                      .view = CONFIG_FOR_WARDEN,
                      .has_control = true },
};

int spawn_pin_program(void)
{
    char path[PATH_MAX];
    /* By its name, not by opening the link: so it is the right one under an instrumenting tool. */
    const ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n <= 0)
        return -1;
    path[n] = 0;
    const int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    (void)close(fd);
    return high;
}

/* Nothing of our environment reaches a child; sanitizers need to be told how to report. */
static void clean_environment(char *ret[MOST_VARIABLES])
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char language[] = "LANG=C.UTF-8";
    static const char *const options[] = { "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=",
                                           "ASAN_SYMBOLIZER_PATH=" };
    size_t n = 0;

    ret[n++] = path;
    ret[n++] = language;
    for (char **v = environ; sandbox_is_loose() && *v != NULL && n < MOST_VARIABLES - 1; v++)
        for (size_t i = 0; i < COUNT_OF(options); i++)
            if (strncmp(*v, options[i], strlen(options[i])) == 0 && n < MOST_VARIABLES - 1)
                ret[n++] = *v;
    ret[n] = NULL;
}

/* Between fork and exec: only what is safe there. */
_Noreturn static void become(int program, char *const arguments[], char *const variables[],
                             int boot_fd)
{
    sigset_t none;
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    /* Ctrl-C is for the supervisor, which drains. */
    (void)setsid();
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, number == SIGPIPE ? SIG_IGN : SIG_DFL);
    if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
        _exit(127);
    if (boot_fd == SANDBOX_BOOT_FD ? fcntl(boot_fd, F_SETFD, 0) != 0
                                   : dup2(boot_fd, SANDBOX_BOOT_FD) < 0)
        _exit(127);
    (void)close_range(SANDBOX_BOOT_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)syscall(SYS_execveat, program, "", arguments, variables, AT_EMPTY_PATH);
    _exit(127);
}

pid_t spawn(int program, const struct role *role, int boot_fd)
{
    static char own_name[] = "postern", option[] = "--role";
    char name[16];
    char *const arguments[] = { own_name, option, name, NULL };
    char *variables[MOST_VARIABLES];
    sigset_t all, before;

    (void)snprintf(name, sizeof(name), "%s", role->name);
    clean_environment(variables);
    /* A signal for us must not run our handlers in the child. */
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t pid = fork();
    if (pid == 0)
        become(program, arguments, variables, boot_fd);
    const int number = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return pid;
}
