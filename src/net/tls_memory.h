/* tls_memory.h: where OpenSSL's record buffers come from. One a process; not thread-safe, since an
 * edge has one thread. Runs in: edge. */
#ifndef POSTERN_NET_TLS_MEMORY_H
#define POSTERN_NET_TLS_MEMORY_H

#include "base/attr.h"

#include <stdbool.h>

/* Before the first use of OpenSSL. false: no memory, or OpenSSL has allocated already. */
MUST_USE bool tls_memory_init(void);
/* Gives the memory of unused buffers back to the system: after a peak. */
void tls_memory_trim(void);

#endif
