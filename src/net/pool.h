/* pool.h: the buffers that sessions borrow while octets move. Each holds LIMIT_PIPE_BUFFER octets;
 * an idle session owns none. A few spare ones are kept, the rest go back to the system, so memory
 * falls when the load does. Runs in: edge, one thread. Wiped when they are given back. */
#ifndef POSTERN_NET_POOL_H
#define POSTERN_NET_POOL_H

#include "base/attr.h"
#include "base/view.h"

MUST_USE uint8_t *pool_borrow(void); /* NULL: no memory */
/* `used`: how many octets at the front may hold something. NULL is fine. */
void pool_return(uint8_t *space, size_t used);

#endif
