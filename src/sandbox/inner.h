/* inner.h: between sandbox.c (the ladder), files.c (Landlock) and calls.c
 * (seccomp). Not for others. */
#ifndef POSTERN_SANDBOX_INNER_H
#define POSTERN_SANDBOX_INNER_H

#include "sandbox/sandbox.h"

/* What a role may ask the kernel for, as bits; several sets add up. */
enum sandbox_calls {
    CALLS_BASE = 1,     /* memory, time, threads, descriptors that are there, waiting */
    CALLS_INET = 2,     /* IPv4 and IPv6 sockets towards others; never bind or listen */
    CALLS_UNIX = 4,     /* Unix sockets towards others */
    CALLS_FILES = 8,    /* files, as far as Landlock lets them */
    CALLS_MODULES = 16, /* executable mappings: libraries loaded later (PAM, name services) */
    CALLS_FORK = 32,    /* copies of itself; a program still cannot be started */
};

struct sandbox_profile {
    const char *role; /* also the process name */
    bool has_files;   /* else: chroot into nothing, and no Landlock rule */
    const char *(*user)(const struct config *c);
    unsigned (*calls)(const struct config *c); /* enum sandbox_calls */
    /* May it keep the supplementary groups of its user? NULL: no. */
    bool (*has_groups)(const struct config *c);
};

/* A ruleset for sandbox_files_enter. -1 with errno ENOSYS or EOPNOTSUPP: there is no Landlock. */
MUST_USE int sandbox_files_prepare(const struct sandbox_profile *p, const struct config *c);
MUST_USE enum err sandbox_files_enter(int ruleset);
MUST_USE enum err sandbox_calls_enter(unsigned calls);

#endif
