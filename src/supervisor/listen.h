/* listen.h: makes one listening socket. Descriptors are close-on-exec and non-blocking.
 * Runs in: supervisor, before anything of it serves; a Unix socket may wait for a stale one. */
#ifndef POSTERN_SUPERVISOR_LISTEN_H
#define POSTERN_SUPERVISOR_LISTEN_H

#include "base/addr.h"
#include "base/err.h"

#define LISTEN_BACKLOG 4096 /* connections that wait while an edge is restarted */

/* `is_any`: both families on one socket, IPv4 alone where there is no IPv6. `is_first`: the address
 * must be free; further sockets share it by SO_REUSEPORT. -1 with errno. */
MUST_USE int listen_tcp(const struct addr *a, bool is_any, bool is_first);

enum listen_fault {
    LISTEN_OK = 0,
    LISTEN_FAILED,      /* see errno */
    LISTEN_PATH,        /* the path is too long, or not absolute */
    LISTEN_FOLDER,      /* the folder is not there */
    LISTEN_FOLDER_OPEN, /* others than its owner may put files into the folder */
    LISTEN_OCCUPIED,    /* what lies there is no socket */
    LISTEN_ANSWERED,    /* somebody answers there */
};
/* A Unix socket, mode 0600, or 0660 in a folder with the set-group-ID bit, which hands its group
 * on. A socket that nobody answers on is replaced. `type`: SOCK_SEQPACKET or SOCK_STREAM. `keeper`:
 * a user besides root and oneself who may own the folder (the warden: the state folder is its). */
MUST_USE enum listen_fault listen_unix(const char *path, int type, unsigned keeper, int *ret_fd);
/* The mend for a fault; a phrase. */
const char *listen_mend(enum listen_fault f);

#endif
