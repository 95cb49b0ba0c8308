/* boot.h: what the supervisor hands to an edge before it serves: files and listening sockets.
 * Owns: the mappings and, until gate_open, the sockets. Private to src/edge. Runs in: edge. */
#ifndef POSTERN_EDGE_BOOT_H
#define POSTERN_EDGE_BOOT_H

#include "base/err.h"
#include "base/view.h"
#include "edge/context.h"

/* Keeps a file that came as a memory file; takes `fd`. */
MUST_USE enum err boot_add_file(struct view name, int fd);
/* Keeps a listening socket; takes `fd`. */
MUST_USE enum err boot_add_gate(struct view name, int fd);
/* The contents of a file, or an empty view. */
struct view boot_file(const char *name);
/* Makes configuration, TLS, upstreams and gates of `e` from what has come. The failure is logged.
 */
MUST_USE enum err boot_build(struct edge *e);
/* Unmaps the files: keys are now OpenSSL's alone. */
void boot_forget_files(void);

#endif
