#include "net/dial.h"

#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ATTEMPT_DELAY_MS 250 /* RFC 8305 §5 */

struct attempt {
    struct watch watch; /* first, so that a watch is its attempt */
    struct dial *dial;
    struct addr address;
    bool is_open;
};

struct dial {
    struct dial_conf conf;
    struct resolve_query query;
    uv_timer_t next;     /* starts the next attempt */
    uv_timer_t deadline; /* of all of it */
    struct addr addresses[LIMIT_ADDRESSES];
    size_t count, started, failed;
    size_t url; /* index of the one being tried */
    struct attempt attempts[LIMIT_ADDRESSES];
    unsigned handles; /* open ones; the memory goes with the last */
    bool is_over;
};

static void start_url(struct dial *d);

static void release(struct dial *d)
{
    if (--d->handles == 0)
        mem_free(d);
}

static void on_handle_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_attempt_closed(struct watch *w)
{
    const struct attempt *a = (const struct attempt *)(void *)w;

    release(a->dial);
}

static void close_attempt(struct attempt *a)
{
    if (!a->is_open)
        return;
    a->is_open = false;
    poller_close(a->dial->conf.poller, &a->watch);
}

static void tear_down(struct dial *d)
{
    if (d->is_over)
        return;
    d->is_over = true;
    resolver_cancel(d->conf.resolver, &d->query);
    for (size_t i = 0; i < d->started; i++)
        close_attempt(&d->attempts[i]);
    uv_close((uv_handle_t *)&d->next, on_handle_closed);
    uv_close((uv_handle_t *)&d->deadline, on_handle_closed);
}

void dial_cancel(struct dial *d)
{
    if (d != NULL)
        tear_down(d);
}

static void finish(struct dial *d, struct attempt *winner)
{
    if (d->is_over)
        return;
    const struct dial_conf conf = d->conf;
    const struct conf_url *url = &conf.urls[d->url < conf.url_count ? d->url : 0];
    /* The callee takes the winner's socket before the rest is torn down; the memory lives on until
     * the loop's next turn. */
    d->handles++;
    conf.on_done(conf.owner, winner == NULL ? NULL : &winner->watch, url);
    tear_down(d);
    release(d);
}

static void on_deadline(uv_timer_t *timer)
{
    finish(timer->data, NULL);
}

/* ---- one attempt ---------------------------------------------------------------------- */

static void start_attempt(struct dial *d);

static void on_next_url(uv_timer_t *timer)
{
    start_url(timer->data);
}

static void attempt_failed(struct dial *d)
{
    d->failed++;
    if (d->started < d->count) {
        start_attempt(d);
    } else if (d->failed >= d->count) {
        /* In the next turn, when the handles of this URL's attempts are closed and their slots
         * free. */
        d->url++;
        (void)uv_timer_start(&d->next, on_next_url, 0, 0);
    }
}

static void on_next(uv_timer_t *timer)
{
    struct dial *d = timer->data;

    if (d->started < d->count)
        start_attempt(d);
}

static void on_event(struct watch *w, struct readiness r)
{
    struct attempt *a = (struct attempt *)(void *)w;
    struct dial *d = a->dial;
    int e = 0;
    socklen_t n = sizeof(e);

    if (!r.is_writable || d->is_over)
        return;
    if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0 || e != 0) {
        close_attempt(a);
        attempt_failed(d);
        return;
    }
    if (a->address.octets != 0)
        resolver_prefer(d->conf.resolver, d->conf.urls[d->url].host, &a->address);
    finish(d, a);
}

static socklen_t sockaddr_for(const struct conf_url *url, const struct addr *a,
                              struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){ 0 };
    if (url->is_unix) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        const size_t n = strlen(url->host);
        if (n >= sizeof(un.sun_path))
            return 0;
        memcpy(un.sun_path, url->host, n);
        memcpy(ret, &un, sizeof(un));
        return sizeof(un);
    }
    if (a->octets == 4) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(url->port) };
        memcpy(&in.sin_addr, a->ip, 4);
        memcpy(ret, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(url->port) };
    memcpy(&in6.sin6_addr, a->ip, 16);
    memcpy(ret, &in6, sizeof(in6));
    return sizeof(in6);
}

static int begin_connect(const struct conf_url *url, const struct addr *a)
{
    struct sockaddr_storage to;
    const socklen_t n = sockaddr_for(url, a, &to);
    const int on = 1;

    if (n == 0)
        return -1;
    const int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (!url->is_unix)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&to, n) != 0 && errno != EINPROGRESS) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void start_attempt(struct dial *d)
{
    struct attempt *a = &d->attempts[d->started];

    *a = (struct attempt){ .watch = { .on_event = on_event, .on_closed = on_attempt_closed },
                           .dial = d,
                           .address = d->addresses[d->started] };
    d->started++;
    const int fd = begin_connect(&d->conf.urls[d->url], &a->address);
    if (fd < 0 || poller_add(d->conf.poller, &a->watch, fd) != ERR_OK) {
        if (fd >= 0)
            (void)close(fd);
        attempt_failed(d);
        return;
    }
    poller_watch_writing(d->conf.poller, &a->watch); /* a connection that is up is writable */
    a->is_open = true;
    d->handles++;
    if (d->started < d->count)
        (void)uv_timer_start(&d->next, on_next, ATTEMPT_DELAY_MS, 0);
}

/* ---- one URL -------------------------------------------------------------------------- */

static void fail_later(struct dial *d)
{
    (void)uv_timer_start(&d->deadline, on_deadline, 0, 0);
}

static void on_addresses(struct resolve_query *q, const struct addr *addresses, size_t n)
{
    struct dial *d = q->owner;

    d->count = n;
    if (n != 0)
        memcpy(d->addresses, addresses, n * sizeof(*addresses));
    if (n == 0) {
        d->url++;
        start_url(d);
    } else {
        start_attempt(d);
    }
}

static void start_url(struct dial *d)
{
    if (d->url >= d->conf.url_count || d->url >= LIMIT_ADDRESSES) {
        fail_later(d);
        return;
    }
    const struct conf_url *url = &d->conf.urls[d->url];
    const struct addr local = { 0 };
    d->failed = d->started = 0;
    if (url->is_unix)
        on_addresses(&d->query, &local, 1);
    else
        resolver_ask(d->conf.resolver, &d->query, url->host);
}

struct dial *dial_start(const struct dial_conf *conf)
{
    struct dial *d = NEW(dial);

    if (d == NULL)
        return NULL;
    d->conf = *conf;
    d->query = (struct resolve_query){ .owner = d, .on_done = on_addresses };
    (void)uv_timer_init(conf->loop, &d->next);
    (void)uv_timer_init(conf->loop, &d->deadline);
    d->next.data = d->deadline.data = d;
    d->handles = 2;
    (void)uv_timer_start(&d->deadline, on_deadline, conf->timeout_ms, 0);
    start_url(d);
    return d;
}
