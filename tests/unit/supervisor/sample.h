/* sample.h: a configuration for tests, and a folder that is removed again. */
#ifndef POSTERN_TESTS_SUPERVISOR_SAMPLE_H
#define POSTERN_TESTS_SUPERVISOR_SAMPLE_H

#include "config/config.h"

#define SAMPLE_UID 61001 /* of children, when the tests are run by root */

/* A configuration with state folder `state`; `more` is further text, which may name gates. */
struct config *sample_config(const char *state, const char *more);
/* A new empty folder, mode 0755, below the temporary one. */
void sample_folder(char ret[64]);
void sample_remove(const char *folder); /* with the files in it */
/* A port on the loopback address that was free a moment ago. */
uint16_t sample_port(void);

#endif
