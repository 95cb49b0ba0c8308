/* state.h: the folder that holds what Postern remembers: made when it is missing, refused when
 * others could read it. Runs in: supervisor, before the warden is started. */
#ifndef POSTERN_SUPERVISOR_STATE_H
#define POSTERN_SUPERVISOR_STATE_H

#include "config/config.h"

/* False: `ret` says what is wrong and how to mend it. */
MUST_USE bool state_prepare(const struct config *c, struct config_error *ret);

#endif
