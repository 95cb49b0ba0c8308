#include "net/channel.h"

#include "base/mem.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BATCH 64 /* records in one turn of the loop, so that others get theirs */
#define SOCKET_BUFFER (1 << 20)

struct queued {
    struct queued *next;
    struct buf frame;
    int fd; /* owned, or -1 */
};

struct channel {
    struct channel_conf conf;
    uv_poll_t poll;
    struct wire_gatekeeper gatekeeper;
    struct buf scratch; /* the frame being encoded; storage is kept */
    struct queued *first, **last;
    size_t queued;
    bool is_closing; /* the owner has let go */
    bool is_over;    /* no more octets either way; on_end was or will be called */
};

/* One a process: frames are handled to their end before the next is received. */
static uint8_t receive_space[LIMIT_FRAME];

static void free_queued(struct queued *q)
{
    if (q->fd >= 0)
        (void)close(q->fd);
    buf_done(&q->frame);
    mem_free(q);
}

/* ---- sending -------------------------------------------------------------------------- */

static ssize_t send_frame(int socket, struct view frame, int fd)
{
    union {
        struct cmsghdr header;
        uint8_t space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    union {
        const uint8_t *in;
        void *out;
    } octets = { .in = frame.p };
    struct iovec iov = { .iov_base = octets.out, .iov_len = frame.n };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof(control.space);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    ssize_t n;
    do
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct channel *c)
{
    (void)uv_poll_start(&c->poll, UV_READABLE | (c->first != NULL ? UV_WRITABLE : 0), on_poll);
}

/* The socket's end wakes the loop, which then tells the owner: never from inside channel_send. */
static void give_up(struct channel *c)
{
    c->is_over = true;
    (void)shutdown(c->conf.fd, SHUT_RDWR);
}

static void enqueue(struct channel *c, int fd)
{
    struct queued *q = c->queued >= LIMIT_FRAME_QUEUE ? NULL : NEW(queued);

    if (q == NULL) {
        give_up(c);
        return;
    }
    q->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    buf_init(&q->frame, LIMIT_FRAME);
    buf_put(&q->frame, buf_view(&c->scratch));
    if (!buf_is_ok(&q->frame) || (fd >= 0 && q->fd < 0)) {
        free_queued(q);
        give_up(c);
        return;
    }
    *c->last = q;
    c->last = &q->next;
    c->queued++;
    watch(c);
}

void channel_send(struct channel *c, enum wire_number number, const void *message, int fd)
{
    if (c->is_over || c->is_closing)
        return;
    buf_clear(&c->scratch);
    if (wire_encode(number, message, &c->scratch) != ERR_OK) {
        give_up(c);
    } else if (c->first != NULL) {
        enqueue(c, fd);
    } else if (send_frame(c->conf.fd, buf_view(&c->scratch), fd) < 0) {
        if (errno == EAGAIN || errno == ENOBUFS)
            enqueue(c, fd);
        else
            give_up(c);
    }
    buf_clear(&c->scratch);
}

size_t channel_queued(const struct channel *c)
{
    return c->queued;
}

static void flush(struct channel *c)
{
    while (c->first != NULL && !c->is_over) {
        struct queued *q = c->first;
        if (send_frame(c->conf.fd, buf_view(&q->frame), q->fd) < 0) {
            if (errno != EAGAIN && errno != ENOBUFS)
                give_up(c);
            break;
        }
        c->first = q->next;
        if (c->first == NULL)
            c->last = &c->first;
        c->queued--;
        free_queued(q);
    }
    watch(c);
}

/* ---- receiving ------------------------------------------------------------------------ */

/* The descriptor that came along, or -1; more than one are closed. */
static int take_descriptor(struct msghdr *message)
{
    int taken = -1;

    for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h != NULL; h = CMSG_NXTHDR(message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
            if (taken < 0)
                taken = fd;
            else
                (void)close(fd);
        }
    }
    return taken;
}

/* Octets received, 0 at the end, or -1 with errno (EMSGSIZE: more than a frame). */
static ssize_t receive_frame(int socket, uint8_t *space, size_t size, int *ret_fd)
{
    union {
        struct cmsghdr header;
        uint8_t space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { .iov_base = space, .iov_len = size };
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space) };
    ssize_t n;

    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    *ret_fd = n < 0 ? -1 : take_descriptor(&message);
    if (n >= 0 && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        if (*ret_fd >= 0)
            (void)close(*ret_fd);
        *ret_fd = -1;
        errno = EMSGSIZE;
        return -1;
    }
    return n;
}

static void end(struct channel *c, const char *reason)
{
    c->is_over = true;
    (void)uv_poll_stop(&c->poll);
    c->conf.on_end(c->conf.owner, c, reason);
}

/* Why the frame is not taken, or NULL after it was handed on. */
static const char *handle(struct channel *c, struct view frame, int fd)
{
    const struct wire_message *m;
    union wire_any any;
    const char *refusal = NULL;

    if (wire_decode(frame, &m, &any) != ERR_OK)
        refusal = "malformed frame";
    else if (!wire_admit(&c->gatekeeper, m))
        refusal = "frame is not legal now";
    else if (fd >= 0 && c->conf.peer != WIRE_SUPERVISOR)
        refusal = "frame carries a descriptor";
    if (refusal == NULL)
        c->conf.on_message(c->conf.owner, c, m, &any, fd);
    else if (fd >= 0)
        (void)close(fd);
    return refusal;
}

static void receive(struct channel *c)
{
    for (int i = 0; i < RECEIVE_BATCH && !c->is_closing; i++) {
        int fd;
        const ssize_t n = receive_frame(c->conf.fd, receive_space, sizeof(receive_space), &fd);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            end(c, n == 0 ? "closed by the peer" : "broken");
            return;
        }
        const char *refusal = handle(c, view_of(receive_space, (size_t)n), fd);
        secret_wipe(receive_space, (size_t)n);
        if (refusal != NULL && !c->is_closing) {
            end(c, refusal);
            return;
        }
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct channel *c = poll->data;

    if (status < 0) {
        end(c, "broken");
        return;
    }
    if ((events & UV_WRITABLE) != 0)
        flush(c);
    if ((events & UV_READABLE) != 0)
        receive(c);
}

/* ---- life ----------------------------------------------------------------------------- */

struct channel *channel_open(const struct channel_conf *conf)
{
    struct channel *c = NEW(channel);
    const int size = SOCKET_BUFFER;

    if (c == NULL || uv_poll_init(conf->loop, &c->poll, conf->fd) != 0) {
        mem_free(c);
        (void)close(conf->fd);
        return NULL;
    }
    c->conf = *conf;
    c->poll.data = c;
    c->last = &c->first;
    c->gatekeeper.peer = (uint8_t)conf->peer;
    c->gatekeeper.state = conf->is_open ? WIRE_OPEN : WIRE_START;
    buf_init(&c->scratch, LIMIT_FRAME);
    /* Best effort: a small buffer only means a longer queue. */
    (void)setsockopt(conf->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    watch(c);
    return c;
}

void channel_set_open(struct channel *c)
{
    c->gatekeeper.state = WIRE_OPEN;
}

static void on_closed(uv_handle_t *handle)
{
    struct channel *c = handle->data;

    (void)close(c->conf.fd);
    while (c->first != NULL) {
        struct queued *q = c->first;
        c->first = q->next;
        free_queued(q);
    }
    buf_done(&c->scratch);
    mem_free(c);
}

void channel_close(struct channel *c)
{
    if (c == NULL || c->is_closing)
        return;
    c->is_closing = true;
    uv_close((uv_handle_t *)&c->poll, on_closed);
}

enum err channel_pair(int ret_fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) == 0
               ? ERR_OK
               : ERR_IO;
}

/* ---- blocking use --------------------------------------------------------------------- */

enum err channel_send_wait(int fd, enum wire_number number, const void *message)
{
    AUTO_BUF(frame, LIMIT_FRAME);
    const enum err e = wire_encode(number, message, &frame);

    if (e != ERR_OK)
        return e;
    return send_frame(fd, buf_view(&frame), -1) < 0 ? ERR_IO : ERR_OK;
}

enum err channel_receive_wait(int fd, struct buf *frame, const struct wire_message **ret_m,
                              union wire_any *ret, int *ret_fd)
{
    int descriptor;
    const ssize_t n = receive_frame(fd, receive_space, sizeof(receive_space), &descriptor);

    if (n <= 0)
        return ERR_IO;
    buf_clear(frame);
    buf_put(frame, view_of(receive_space, (size_t)n));
    secret_wipe(receive_space, (size_t)n);
    const enum err e = buf_is_ok(frame) ? wire_decode(buf_view(frame), ret_m, ret) : ERR_MEMORY;
    if (ret_fd != NULL && e == ERR_OK)
        *ret_fd = descriptor;
    else if (descriptor >= 0)
        (void)close(descriptor);
    return e;
}
