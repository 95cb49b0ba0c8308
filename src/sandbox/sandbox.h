/* sandbox.h: the ladder down which a child climbs before it serves. Each role's start reads:
 *
 *   sandbox_close_descriptors();              only standard ones and the boot channel stay
 *   …frames of the boot channel until boot_start; open what must be opened by path…
 *   sandbox_enter(&sandbox_edge, config);     files, uid, privileges, system calls: gone
 *   …ready, loop…
 *
 * Rungs of sandbox_enter, each logged at debug: the user is looked up; Landlock rules are made;
 * chroot into nothing (edge, as root); groups, gid, uid; capabilities; no new privileges; Landlock;
 * not dumpable, no core; seccomp. Must be called by a process with one thread: Landlock binds the
 * calling thread and those that it starts. What is refused afterwards: EACCES by Landlock, EPERM by
 * seccomp, and death for what no honest code of ours asks for (execve, ptrace, mount …).
 *
 * Sanitizers need /proc, ptrace and a symbolizer: builds with them stop after the capabilities.
 * Runs in: edge, warden. Needs base and config only, so any role may include it. */
#ifndef POSTERN_SANDBOX_SANDBOX_H
#define POSTERN_SANDBOX_SANDBOX_H

#include "base/attr.h"
#include "base/err.h"
#include "config/config.h"

#define SANDBOX_BOOT_FD 3 /* the boot channel of every child */

struct sandbox_profile;
extern const struct sandbox_profile sandbox_edge; /* no files; TCP and DNS; no bind, no listen */
extern const struct sandbox_profile
    sandbox_warden; /* the state folder; what password.source and aliases.source need */

/* Closes every descriptor above the boot channel. */
void sandbox_close_descriptors(void);
/* The failure is logged; the child must end. ERR_DENIED: a rung did not hold; ERR_NOT_FOUND: no
 * such user; ERR_MEMORY. A kernel without Landlock is a warning: seccomp and the uid still hold. */
MUST_USE enum err sandbox_enter(const struct sandbox_profile *profile, const struct config *c);

/* True in builds with AddressSanitizer, whose processes cannot live in the full sandbox. */
bool sandbox_is_loose(void);

#endif
