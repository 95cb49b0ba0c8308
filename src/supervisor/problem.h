/* problem.h: what stands in the way of a configuration, with file, line, setting and the mend, as
 * the checks of src/config say it. For what only the supervisor finds: users, sockets. Pure. */
#ifndef POSTERN_SUPERVISOR_PROBLEM_H
#define POSTERN_SUPERVISOR_PROBLEM_H

#include "config/config.h"

/* Always false, for `return problem_say(…)`. `setting` is a path: "gates.imaps.listen". */
bool problem_say(struct config_error *p, const struct config *c, const char *setting,
                 const char *format, ...) PRINTF(4, 5);

#endif
