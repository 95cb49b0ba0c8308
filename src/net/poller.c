#include "net/poller.h"

#include "base/mem.h"

#include <sys/epoll.h>
#include <unistd.h>

#define READING (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define EVENTS  64 /* taken from the kernel at once */
#define ROUNDS  4  /* of these in one turn of the loop, so that timers and channels get theirs */

struct poller {
    uv_poll_t poll;
    uv_prepare_t prepare; /* closes what is closing, just before the loop waits */
    uv_check_t check;     /* … and just after, before timers can use the memory again */
    struct watch *closing;
    int epoll; /* owned */
};

static void dispatch(const struct epoll_event *e)
{
    struct watch *w = e->data.ptr;
    const bool is_broken = (e->events & (EPOLLERR | EPOLLHUP)) != 0;
    const struct readiness r = {
        .is_readable = is_broken || (e->events & EPOLLIN) != 0,
        .is_writable = is_broken || (e->events & EPOLLOUT) != 0,
        .is_ending = is_broken || (e->events & EPOLLRDHUP) != 0,
        .is_broken = is_broken,
    };

    if (w->fd >= 0) /* not closed by an event before it in the same batch */
        w->on_event(w, r);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct poller *p = poll->data;
    struct epoll_event ready[EVENTS];
    int n = EVENTS;

    (void)status;
    (void)events;
    for (int round = 0; round < ROUNDS && n == EVENTS; round++) {
        n = epoll_wait(p->epoll, ready, EVENTS, 0);
        for (int i = 0; i < n; i++)
            dispatch(&ready[i]);
    }
}

static void close_all(struct poller *p)
{
    while (p->closing != NULL) {
        struct watch *w = p->closing;
        p->closing = w->next;
        w->on_closed(w);
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    close_all(prepare->data);
}

static void on_check(uv_check_t *check)
{
    close_all(check->data);
}

struct poller *poller_open(uv_loop_t *loop)
{
    struct poller *p = NEW(poller);

    if (p == NULL)
        return NULL;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll < 0 || uv_poll_init(loop, &p->poll, p->epoll) != 0) {
        if (p->epoll >= 0)
            (void)close(p->epoll);
        mem_free(p);
        return NULL;
    }
    (void)uv_prepare_init(loop, &p->prepare);
    (void)uv_check_init(loop, &p->check);
    p->poll.data = p->prepare.data = p->check.data = p;
    (void)uv_poll_start(&p->poll, UV_READABLE, on_poll);
    (void)uv_prepare_start(&p->prepare, on_prepare);
    (void)uv_check_start(&p->check, on_check);
    return p;
}

enum err poller_add(struct poller *p, struct watch *w, int fd)
{
    struct epoll_event e = { .events = READING, .data.ptr = w };

    w->fd = epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? fd : -1;
    return w->fd < 0 ? ERR_IO : ERR_OK;
}

void poller_watch_writing(struct poller *p, struct watch *w)
{
    struct epoll_event e = { .events = READING | EPOLLOUT, .data.ptr = w };

    (void)epoll_ctl(p->epoll, EPOLL_CTL_MOD, w->fd, &e);
}

void poller_hand_over(struct poller *p, struct watch *from, struct watch *to)
{
    struct epoll_event e = { .events = READING, .data.ptr = to };

    to->fd = from->fd;
    from->fd = -1;
    (void)epoll_ctl(p->epoll, EPOLL_CTL_MOD, to->fd, &e);
}

void poller_close(struct poller *p, struct watch *w)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
    w->next = p->closing;
    p->closing = w;
}
