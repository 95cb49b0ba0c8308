/* sockets.h: every listening socket of the service. The supervisor keeps them for as long as the
 * configuration names them, so that connections wait in the kernel while an edge is restarted.
 *
 * A gate has, for each address, one socket an edge (SO_REUSEPORT: the kernel spreads connections),
 * or one that systemd passed under its name, which all edges share. When there are fewer edges than
 * sockets each edge gets several: closing one would reset what waits in it.
 *
 * Owns: the descriptors; the paths of Unix sockets are removed when theirs are closed. */
#ifndef POSTERN_SUPERVISOR_SOCKETS_H
#define POSTERN_SUPERVISOR_SOCKETS_H

#include "base/err.h"
#include "config/config.h"

struct socket_own {
    char *key;      /* owned: address as in the configuration, or path behind "unix:" */
    uint32_t index; /* which of the sockets of one address */
    int fd;
    bool is_wanted;
};

struct socket_given {
    char *gate; /* owned; FileDescriptorName= */
    int fd;
};

struct sockets {
    struct socket_own *own; /* owned */
    size_t own_count;
    struct socket_given *given; /* owned */
    size_t given_count;
};

/* Takes what systemd passed. */
MUST_USE enum err sockets_take_given(struct sockets *s);
/* Opens what `c` names and is not there yet. False: `ret` says why, and nothing was opened. */
MUST_USE bool sockets_open(struct sockets *s, const struct config *c, uint32_t edges,
                           struct config_error *ret);
/* Closes what `c` does not name. */
void sockets_keep(struct sockets *s, const struct config *c);
/* Closes all but Unix sockets: nobody new comes, and the command line still gets through. */
void sockets_close_gates(struct sockets *s);
void sockets_close(struct sockets *s);

/* Calls `each` with every socket of every gate that edge `index` of `edges` accepts on. */
void sockets_of_edge(const struct sockets *s, const struct config *c, uint32_t index,
                     uint32_t edges, void (*each)(void *owner, const char *gate, int fd),
                     void *owner);
/* -1: there is none. */
int sockets_control(const struct sockets *s, const struct config *c);
int sockets_metrics(const struct sockets *s, const struct config *c);

#endif
