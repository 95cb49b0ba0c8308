/* nearest.h: what somebody may have meant by a name that is unknown. Internal to src/config, and
 * used by cli for its own names. Pure. */
#ifndef POSTERN_CONFIG_NEAREST_H
#define POSTERN_CONFIG_NEAREST_H

#include "base/buf.h"

/* Edits (insert, delete, replace, swap) between two names, at most `max` + 1. */
unsigned nearest_distance(struct view a, struct view b, unsigned max);
/* Appends advice for `name`, unknown in the group `schema` ("": the top): the name that is nearest
 * to it, or the group that it belongs to, or what there is. */
void nearest_setting(const char *schema, const char *name, struct buf *out);

#endif
