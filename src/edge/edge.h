/* edge.h: the process where all octets from strangers end: TLS, fronts, guard, relay. It has no
 * files and no store; it holds what its own sessions need and nothing of the others'. */
#ifndef POSTERN_EDGE_EDGE_H
#define POSTERN_EDGE_EDGE_H

/* The life of an edge; the boot channel is descriptor 3. Returns the exit status. */
int edge_main(void);

#endif
