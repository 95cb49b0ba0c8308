#include "warden/metrics_server.h"

#include "base/mem.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct scrape {
    uv_poll_t poll;
    struct metrics_server *server;
    int fd; /* owned */
    uint64_t until_ms;
    struct buf in, out;
    bool is_answering;
    struct scrape *next, **before;
};

struct metrics_server {
    uv_poll_t poll;
    struct warden *w;
    int fd; /* owned; listens */
    struct scrape *scrapes;
    size_t count;
};

static void on_scrape_closed(uv_handle_t *h)
{
    struct scrape *s = h->data;

    (void)close(s->fd);
    buf_done(&s->in);
    buf_done(&s->out);
    mem_free(s);
}

static void scrape_close(struct scrape *s)
{
    *s->before = s->next;
    if (s->next != NULL)
        s->next->before = s->before;
    s->server->count--;
    uv_close((uv_handle_t *)&s->poll, on_scrape_closed);
}

static bool ends_head(struct view v)
{
    return v.n >= 4 && memcmp(v.p + v.n - 4, "\r\n\r\n", 4) == 0;
}

static void respond(struct scrape *s)
{
    AUTO_BUF(text, METRICS_TEXT);
    const bool is_get = view_starts_nocase(buf_view(&s->in), VIEW_LIT("GET "));

    if (is_get)
        metrics_text(s->server->w, &text);
    else
        buf_put_text(&text, "only GET\n");
    buf_printf(&s->out,
               "HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
               "Content-Length: %zu\r\nConnection: close\r\n\r\n",
               is_get ? "200 OK" : "405 Method Not Allowed", text.n);
    buf_put(&s->out, buf_view(&text));
}

/* False: over, one way or the other. */
static bool receive(struct scrape *s)
{
    uint8_t space[METRICS_REQUEST];
    const ssize_t n = recv(s->fd, space, sizeof(space), 0);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    buf_put(&s->in, view_of(space, (size_t)n));
    if (n == 0 || !buf_is_ok(&s->in))
        return false;
    if (ends_head(buf_view(&s->in))) {
        respond(s);
        s->is_answering = true;
        return buf_is_ok(&s->out);
    }
    return true;
}

static bool transmit(struct scrape *s)
{
    const ssize_t n = send(s->fd, s->out.p, s->out.n, MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    buf_consume(&s->out, (size_t)n);
    return s->out.n != 0;
}

static void on_scrape(uv_poll_t *poll, int status, int events)
{
    struct scrape *s = poll->data;

    (void)events;
    bool goes_on = status == 0;
    if (goes_on && !s->is_answering)
        goes_on = receive(s);
    if (goes_on && s->is_answering)
        goes_on = transmit(s);
    if (!goes_on)
        scrape_close(s);
    else if (s->is_answering)
        (void)uv_poll_start(&s->poll, UV_WRITABLE, on_scrape);
}

static void scrape_new(struct metrics_server *m, int fd)
{
    struct scrape *s = m->count >= METRICS_CLIENTS ? NULL : NEW(scrape);

    if (s == NULL || uv_poll_init(m->w->loop, &s->poll, fd) != 0) {
        mem_free(s);
        (void)close(fd);
        return;
    }
    s->server = m;
    s->fd = fd;
    s->poll.data = s;
    s->until_ms = core_now_ms(m->w) + METRICS_END_MS;
    buf_init(&s->in, METRICS_REQUEST);
    buf_init(&s->out, METRICS_TEXT + 512);
    s->before = &m->scrapes;
    s->next = m->scrapes;
    if (s->next != NULL)
        s->next->before = &s->next;
    m->scrapes = s;
    m->count++;
    (void)uv_poll_start(&s->poll, UV_READABLE, on_scrape);
}

static void on_accept(uv_poll_t *poll, int status, int events)
{
    struct metrics_server *m = poll->data;

    (void)events;
    if (status < 0)
        return;
    const int fd = accept4(m->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        scrape_new(m, fd);
}

enum err metrics_server_open(struct warden *w, int fd)
{
    struct metrics_server *m = NEW(metrics_server);

    if (m == NULL || uv_poll_init(w->loop, &m->poll, fd) != 0) {
        mem_free(m);
        (void)close(fd);
        return ERR_MEMORY;
    }
    m->w = w;
    m->fd = fd;
    m->poll.data = m;
    (void)uv_poll_start(&m->poll, UV_READABLE, on_accept);
    w->metrics_server = m;
    return ERR_OK;
}

static void on_closed(uv_handle_t *h)
{
    struct metrics_server *m = h->data;

    (void)close(m->fd);
    mem_free(m);
}

void metrics_server_close(struct warden *w)
{
    struct metrics_server *m = TAKE(w->metrics_server);

    if (m == NULL)
        return;
    while (m->scrapes != NULL)
        scrape_close(m->scrapes);
    uv_close((uv_handle_t *)&m->poll, on_closed);
}

void metrics_server_tick(struct warden *w)
{
    struct scrape *next = NULL;
    const uint64_t now_ms = core_now_ms(w);

    for (struct scrape *s = w->metrics_server == NULL ? NULL : w->metrics_server->scrapes;
         s != NULL; s = next) {
        next = s->next;
        if (now_ms >= s->until_ms)
            scrape_close(s);
    }
}
