/* channel.h: a SOCK_SEQPACKET channel between two of our processes: one record, one bounded frame.
 * The peer is hostile: a record that does not decode, is not legal now (wire_admit), or carries a
 * descriptor it must not, ends the channel, and nothing else.
 *
 * Owns: its descriptor and a bounded queue of frames that the socket did not take
 * (LIMIT_FRAME_QUEUE; over it the channel is closed). Sent secrets are wiped.
 * Lifetime: after channel_close the memory goes in libuv's close callback; on_end is called once,
 * for an end that the caller did not ask for, and the caller then calls channel_close.
 * Runs in: every process, on its loop's thread. */
#ifndef POSTERN_NET_CHANNEL_H
#define POSTERN_NET_CHANNEL_H

#include "net/loop.h"
#include "wire/wire.h"

struct channel;

struct channel_conf {
    uv_loop_t *loop;
    int fd;                /* taken over, also on failure */
    enum wire_sender peer; /* whose messages are taken */
    bool is_open;          /* begin in WIRE_OPEN instead of WIRE_START */
    void *owner;
    /* A frame arrived. Views live until it returns. `fd` is the descriptor that came with it, or
     * -1; the callee takes it over. The frame is wiped afterwards. */
    void (*on_message)(void *owner, struct channel *c, const struct wire_message *m,
                       const union wire_any *any, int fd);
    /* The channel is over: closed by the peer, broken, or the peer misbehaved (`reason`, static).
     */
    void (*on_end)(void *owner, struct channel *c, const char *reason);
};

MUST_USE struct channel *channel_open(const struct channel_conf *conf); /* NULL: no memory */
void channel_close(struct channel *c);                                  /* NULL is fine */
/* Moves the channel's state to WIRE_OPEN: messages of the START state are refused from now on. */
void channel_set_open(struct channel *c);
/* Encodes and sends; `fd` (or -1) goes along and stays the caller's. After an error the channel is
 * over (on_end follows from the loop): nothing to do for the caller. */
void channel_send(struct channel *c, enum wire_number number, const void *message, int fd);
/* Frames that wait for the peer; what a producer of many rows looks at before it makes more. */
size_t channel_queued(const struct channel *c);

/* A pair of connected SOCK_SEQPACKET descriptors, close-on-exec and non-blocking. */
MUST_USE enum err channel_pair(int ret_fds[2]);

/* Blocking use, for the command line and before a child's loop runs. ERR_IO: closed or broken;
 * ERR_INVALID: what came is no frame of ours. `frame` holds what *ret points into. */
MUST_USE enum err channel_send_wait(int fd, enum wire_number number, const void *message);
MUST_USE enum err channel_receive_wait(int fd, struct buf *frame, const struct wire_message **ret_m,
                                       union wire_any *ret, int *ret_fd);

#endif
