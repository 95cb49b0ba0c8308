/* check.h: what a configuration must be as a whole: settings that need each other, or contradict
 * each other. Nothing of the file system is looked at. Internal to src/config. */
#ifndef POSTERN_CONFIG_CHECK_H
#define POSTERN_CONFIG_CHECK_H

#include "config/report.h"

void check_all(const struct config *c, struct report *r);

/* Its parts, by subject. */
void check_gates(const struct config *c, struct report *r);
void check_upstreams(const struct config *c, struct report *r);
void check_policies(const struct config *c, struct report *r);
void check_password(const struct config *c, struct report *r);
void check_aliases(const struct config *c, struct report *r);

#endif
