/* seccomp: which system calls a role may make, by name, so that the lists hold on every machine.
 * What is in no list gets EPERM, so that a library that tries something new goes without it; what
 * only an attacker would want ends the process. Source: seccomp(2), libseccomp. */
#include "sandbox/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define MOST_CALLS 512 /* of one list, far over what any has */

/* One name a word, so that a list reads as a list. */
static const char allowed_base[] =
    /* descriptors that are there */
    "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 close lseek _llseek "
    "fstat fstat64 fcntl fcntl64 dup dup3 shutdown sendfile splice tee "
    "recvfrom recvmsg recvmmsg recvmmsg_time64 sendto sendmsg sendmmsg accept accept4 "
    "getsockname getpeername getsockopt setsockopt "
    /* waiting */
    "epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll "
    "ppoll_time64 select pselect6 pselect6_time64 eventfd eventfd2 pipe pipe2 socketpair "
    "timerfd_create timerfd_settime timerfd_gettime "
    /* memory and threads; clone, mmap and mprotect are below */
    "brk munmap mremap madvise membarrier futex futex_time64 futex_waitv set_robust_list "
    "get_robust_list rseq set_tid_address sched_yield sched_getaffinity sched_getparam "
    "sched_getscheduler getcpu exit exit_group "
    /* signals to oneself; tgkill is below */
    "rt_sigaction rt_sigprocmask rt_sigreturn sigreturn rt_sigpending rt_sigtimedwait sigaltstack "
    "restart_syscall pause "
    /* time, chance, oneself */
    "clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep "
    "clock_nanosleep_time64 nanosleep gettimeofday time times getrandom getpid getppid gettid "
    "getuid geteuid getgid getegid getresuid getresgid getgroups getrlimit ugetrlimit getrusage "
    "uname sysinfo umask";

static const char allowed_files[] =
    "open openat openat2 creat stat stat64 lstat lstat64 newfstatat fstatat64 statx statfs "
    "statfs64 "
    "fstatfs fstatfs64 access faccessat faccessat2 readlink readlinkat getcwd chdir fchdir "
    "getdents getdents64 mkdir mkdirat rmdir link linkat unlink unlinkat rename renameat renameat2 "
    "truncate truncate64 ftruncate ftruncate64 fallocate fsync fdatasync sync_file_range fadvise64 "
    "fadvise64_64 flock chmod fchmod fchmodat utimensat futimesat utimes msync mlock munlock";

static const char deadly[] =
    "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd "
    "mount umount umount2 mount_setattr move_mount fsopen fsmount fsconfig fspick open_tree "
    "pivot_root chroot setns unshare swapon swapoff quotactl quotactl_fd acct "
    "init_module finit_module delete_module kexec_load kexec_file_load reboot bpf perf_event_open "
    "userfaultfd add_key request_key keyctl iopl ioperm modify_ldt personality "
    "open_by_handle_at lookup_dcookie mknod mknodat settimeofday clock_settime clock_settime64 "
    "clock_adjtime adjtimex sethostname setdomainname syslog vhangup "
    "setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid "
    "setfsgid capset";

static const char deadly_without_fork[] = "execve execveat";

/* Adds one action for each word of the list; names that this machine does not have are left out. */
static int add_list(scmp_filter_ctx filter, uint32_t action, const char *list)
{
    const char *at = list;

    for (int i = 0; i < MOST_CALLS && *at != 0; i++) {
        char name[32] = { 0 };
        const size_t n = strcspn(at, " ");
        CHECK(n < sizeof(name));
        memcpy(name, at, n);
        const int number = seccomp_syscall_resolve_name(name);
        const int e = number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, action, number, 0);
        /* -EDOM: the call exists, but not on this architecture. */
        if (e != 0 && e != -EDOM)
            return e;
        at += n + (at[n] == ' ');
    }
    return 0;
}

struct rule {
    int number;
    struct scmp_arg_cmp compare;
};

static int add_rules(scmp_filter_ctx filter, const struct rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int e =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, rules[i].number, 1, rules[i].compare);
        if (e != 0)
            return e;
    }
    return 0;
}

#define MASKED(argument, mask, value) SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, value)
#define EQUAL(argument, value)        SCMP_CMP64(argument, SCMP_CMP_EQ, value, 0)

static int add_base(scmp_filter_ctx filter)
{
    const struct rule rules[] = {
        /* threads, never processes */
        { SCMP_SYS(clone), MASKED(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM) },
        { SCMP_SYS(tgkill), EQUAL(0, (scmp_datum_t)getpid()) },
        { SCMP_SYS(mmap), MASKED(2, PROT_EXEC, 0) },
        { SCMP_SYS(mprotect), MASKED(2, PROT_EXEC, 0) },
        /* fstat of the C library: a descriptor, no path */
        { SCMP_SYS(newfstatat), MASKED(3, AT_EMPTY_PATH, AT_EMPTY_PATH) },
        { SCMP_SYS(prctl), EQUAL(0, PR_SET_NAME) },
        { SCMP_SYS(prctl), EQUAL(0, PR_GET_NAME) },
        { SCMP_SYS(prctl), EQUAL(0, PR_SET_VMA) },
        { SCMP_SYS(prlimit64), EQUAL(2, 0) }, /* reading limits */
        { SCMP_SYS(ioctl), EQUAL(1, FIONBIO) },
        { SCMP_SYS(ioctl), EQUAL(1, FIONREAD) },
        { SCMP_SYS(ioctl), EQUAL(1, FIOCLEX) },
        { SCMP_SYS(ioctl), EQUAL(1, TCGETS) },
    };
    int e = add_list(filter, SCMP_ACT_ALLOW, allowed_base);

    if (e == 0)
        e = add_rules(filter, rules, COUNT_OF(rules));
    /* Its flags lie in memory, where no filter can see them: the C library falls back on clone. */
    if (e == 0)
        e = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return e;
}

static int add_sockets(scmp_filter_ctx filter, unsigned calls)
{
    const struct rule inet[] = {
        { SCMP_SYS(socket), EQUAL(0, AF_INET) },
        { SCMP_SYS(socket), EQUAL(0, AF_INET6) },
    };
    const struct rule local[] = { { SCMP_SYS(socket), EQUAL(0, AF_UNIX) } };
    /* As from a kernel without it: PAM takes "not permitted" for a broken system, the resolver does
     * without. */
    int e = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                             EQUAL(0, AF_NETLINK));

    if (e == 0 && (calls & CALLS_INET) != 0)
        e = add_rules(filter, inet, COUNT_OF(inet));
    if (e == 0 && (calls & CALLS_UNIX) != 0)
        e = add_rules(filter, local, COUNT_OF(local));
    if (e == 0 && (calls & (CALLS_INET | CALLS_UNIX)) != 0)
        e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
    return e;
}

static int add_modules(scmp_filter_ctx filter)
{
    const int e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 0);

    return e != 0 ? e : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 0);
}

static int add_fork(scmp_filter_ctx filter)
{
    const int e = add_list(filter, SCMP_ACT_ALLOW, "fork wait4 waitid dup2");

    return e != 0 ? e : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 0);
}

static int fill(scmp_filter_ctx filter, unsigned calls)
{
    /* Calls by the numbers of another architecture. */
    int e = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    if (e == 0)
        e = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* A search tree instead of a chain: every call passes through it. */
    if (e == 0)
        e = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (e == 0)
        e = add_list(filter, SCMP_ACT_KILL_PROCESS, deadly);
    if (e == 0 && (calls & CALLS_FORK) == 0)
        e = add_list(filter, SCMP_ACT_KILL_PROCESS, deadly_without_fork);
    if (e == 0)
        e = add_base(filter);
    if (e == 0)
        e = add_sockets(filter, calls);
    if (e == 0 && (calls & CALLS_FILES) != 0)
        e = add_list(filter, SCMP_ACT_ALLOW, allowed_files);
    if (e == 0 && (calls & CALLS_MODULES) != 0)
        e = add_modules(filter);
    if (e == 0 && (calls & CALLS_FORK) != 0)
        e = add_fork(filter);
    return e;
}

enum err sandbox_calls_enter(unsigned calls)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

    if (filter == NULL)
        return ERR_MEMORY;
    int e = fill(filter, calls);
    if (e == 0)
        e = seccomp_load(filter);
    seccomp_release(filter);
    if (e == 0)
        return ERR_OK;
    errno = -e;
    return e == -ENOMEM ? ERR_MEMORY : ERR_DENIED;
}
