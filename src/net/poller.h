/* poller.h: the readiness of very many sockets: one edge-triggered epoll set of ours inside the
 * loop.
 *
 * libuv's uv_poll costs four system calls to set up and two for each change of interest; here a
 * socket is told to the kernel once, for reading, and once more if ever a write blocks; close(2)
 * takes it out. In return the owner must read or write until it would block before it waits.
 * Source: epoll(7), "Level-triggered and edge-triggered".
 *
 * Owns: the epoll set. A watch is embedded in its owner, which owns the descriptor until
 * poller_close. Runs in: edge, on its loop's thread. */
#ifndef POSTERN_NET_POLLER_H
#define POSTERN_NET_POLLER_H

#include "base/err.h"
#include "net/loop.h"

struct poller;

/* What the kernel has reported since it was last asked. */
struct readiness {
    bool is_readable, is_writable;
    bool is_ending; /* the peer sends no more: what is there, then the end */
    bool is_broken; /* error or reset */
};

struct watch {
    struct watch *next; /* among those that are closing */
    void (*on_event)(struct watch *w, struct readiness e);
    void (*on_closed)(struct watch *w); /* the memory may go */
    int fd;                             /* -1: closed */
};

MUST_USE struct poller *poller_open(uv_loop_t *loop); /* NULL: no memory or descriptor */
/* Watches `fd` for reading. on_event is first called from the loop. */
MUST_USE enum err poller_add(struct poller *p, struct watch *w, int fd);
/* From now on for writing as well; an event follows if it is writable already. */
void poller_watch_writing(struct poller *p, struct watch *w);
/* Gives the descriptor of `from`, which is done with then, to `to`. */
void poller_hand_over(struct poller *p, struct watch *from, struct watch *to);
/* Closes the descriptor; no event follows; on_closed is called before the loop waits again. */
void poller_close(struct poller *p, struct watch *w);

#endif
