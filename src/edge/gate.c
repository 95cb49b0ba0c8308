#include "edge/context.h"
#include "edge/session.h"

#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_MS      100
#define PAUSES_LOGGED 100 /* one line in ten seconds */

static void on_poll(uv_poll_t *poll, int status, int events);

static void listen_again(uv_timer_t *timer)
{
    struct gate *g = timer->data;

    if (g->is_listening)
        (void)uv_poll_start(&g->poll, UV_READABLE, on_poll);
}

/* Out of descriptors or memory: the queue waits in the kernel for a moment. */
static void pause_gate(struct gate *g)
{
    if (g->pauses++ % PAUSES_LOGGED == 0)
        log_event(LOG_WARN, "gate-paused", LOG_TEXT("gate", g->conf->name),
                  LOG_NUM("errno", errno));
    (void)uv_poll_stop(&g->poll);
    (void)uv_timer_start(&g->pause, listen_again, PAUSE_MS, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct gate *g = poll->data;
    struct edge *e = g->edge;

    (void)events;
    for (int i = 0; status == 0 && i < LIMIT_ACCEPT_BATCH && g->is_listening; i++) {
        struct sockaddr_storage from;
        socklen_t n = sizeof(from);
        struct addr source;
        const int fd = accept4(g->fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_gate(g); /* all else is the client's network: accept(2) */
            return;
        }
        if (e->session_count >= e->config->edges.sessions ||
            !addr_from_sockaddr((const struct sockaddr *)&from, &source)) {
            (void)close(fd);
            continue;
        }
        session_start(e, g, fd, &source);
    }
}

/* Linux lets accepted sockets inherit these: six system calls a session saved. */
static void set_inherited(const struct edge *e, int fd)
{
    const int on = 1, idle = (int)e->config->session.keepalive_s;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (idle == 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
}

enum err gate_open(struct edge *e, struct gate *g)
{
    g->edge = e;
    set_inherited(e, g->fd);
    if (uv_poll_init(e->loop, &g->poll, g->fd) != 0)
        return ERR_IO;
    (void)uv_timer_init(e->loop, &g->pause);
    g->poll.data = g->pause.data = g;
    return ERR_OK;
}

enum err gate_listen(struct gate *g)
{
    g->is_listening = true;
    return uv_poll_start(&g->poll, UV_READABLE, on_poll) == 0 ? ERR_OK : ERR_IO;
}

static void on_closed(uv_handle_t *handle)
{
    struct gate *g = handle->data;

    (void)close(g->fd);
}

void gate_stop(struct gate *g)
{
    if (!g->is_listening)
        return;
    g->is_listening = false;
    uv_close((uv_handle_t *)&g->pause, NULL);
    uv_close((uv_handle_t *)&g->poll, on_closed);
}
