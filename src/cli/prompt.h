/* prompt.h: a secret from the person at the terminal, without echo, or from standard input. */
#ifndef POSTERN_CLI_PROMPT_H
#define POSTERN_CLI_PROMPT_H

#include "base/buf.h"
#include "base/err.h"

/* Standard input is a terminal: asks `question` on /dev/tty. Otherwise: the first line of standard
 * input. Without the line's end; empty at the end of input. `out` is bounded and wiped by its
 * owner. ERR_TOO_LONG: over its bound. A signal that ends the process restores the terminal first.
 */
MUST_USE enum err prompt_secret(const char *question, struct buf *out);

#endif
