#include "net/resolve.h"

#include "base/mem.h"

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define FRESH_MS   30000 /* longest time an answer is used without asking again */
#define TIMEOUT_MS 2000
#define TRIES      2
#define TICK_MS    500 /* c-ares looks at its own timeouts */
#define SOCKETS    16

struct host {
    struct host *next;
    struct resolver *resolver; /* borrowed */
    char *name;                /* owned */
    struct addr addresses[LIMIT_ADDRESSES];
    size_t count;
    uint64_t fresh_until_ms;
    struct resolve_query *waiting;
    bool is_fixed; /* a literal, or in /etc/hosts */
    bool is_asking;
};

struct watched {
    uv_poll_t poll;
    ares_socket_t fd;
    struct resolver *resolver; /* borrowed; NULL: the slot is free */
};

struct resolver {
    uv_loop_t *loop;
    ares_channel channel;
    uv_timer_t tick;
    struct host *hosts; /* owned */
    struct watched sockets[SOCKETS];
};

/* ---- c-ares on the loop --------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct resolver *r = timer->data;
    bool is_asking = false;

    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    for (const struct host *h = r->hosts; h != NULL; h = h->next)
        is_asking = is_asking || h->is_asking;
    if (!is_asking)
        (void)uv_timer_stop(timer);
}

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
    const struct watched *w = poll->data;
    const bool is_readable = status < 0 || (events & UV_READABLE) != 0;
    const bool is_writable = status < 0 || (events & UV_WRITABLE) != 0;

    ares_process_fd(w->resolver->channel, is_readable ? w->fd : ARES_SOCKET_BAD,
                    is_writable ? w->fd : ARES_SOCKET_BAD);
}

static void on_socket_closed(uv_handle_t *handle)
{
    struct watched *w = handle->data;

    w->resolver = NULL;
}

static void on_socket_state(void *arg, ares_socket_t fd, int is_readable, int is_writable)
{
    struct resolver *r = arg;
    struct watched *free_slot = NULL;

    for (size_t i = 0; i < SOCKETS; i++) {
        struct watched *w = &r->sockets[i];
        if (w->resolver == NULL) {
            free_slot = w;
        } else if (w->fd == fd && !uv_is_closing((uv_handle_t *)&w->poll)) {
            if (is_readable == 0 && is_writable == 0)
                uv_close((uv_handle_t *)&w->poll, on_socket_closed);
            else
                (void)uv_poll_start(
                    &w->poll, (is_readable ? UV_READABLE : 0) | (is_writable ? UV_WRITABLE : 0),
                    on_socket_ready);
            return;
        }
    }
    /* Without a slot the query runs into its timeout: an upstream that is out of service. */
    if (free_slot == NULL || (is_readable == 0 && is_writable == 0) ||
        uv_poll_init_socket(r->loop, &free_slot->poll, fd) != 0)
        return;
    free_slot->fd = fd;
    free_slot->resolver = r;
    free_slot->poll.data = free_slot;
    (void)uv_poll_start(&free_slot->poll,
                        (is_readable ? UV_READABLE : 0) | (is_writable ? UV_WRITABLE : 0),
                        on_socket_ready);
}

struct resolver *resolver_new(uv_loop_t *loop)
{
    struct resolver *r = NEW(resolver);
    char lookups[] = "b";
    struct ares_options options = { .timeout = TIMEOUT_MS,
                                    .tries = TRIES,
                                    .lookups = lookups,
                                    .sock_state_cb = on_socket_state,
                                    .sock_state_cb_data = r };

    if (r == NULL || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        ares_init_options(&r->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                              ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
        mem_free(r);
        return NULL;
    }
    r->loop = loop;
    (void)uv_timer_init(loop, &r->tick);
    r->tick.data = r;
    return r;
}

void resolver_free(struct resolver *r)
{
    if (r == NULL)
        return;
    ares_destroy(r->channel);
    while (r->hosts != NULL) {
        struct host *h = r->hosts;
        r->hosts = h->next;
        mem_free(h->name);
        mem_free(h);
    }
    mem_free(r);
}

/* ---- hosts ---------------------------------------------------------------------------- */

static struct host *find_host(struct resolver *r, const char *name)
{
    for (struct host *h = r->hosts; h != NULL; h = h->next)
        if (strcmp(h->name, name) == 0)
            return h;
    return NULL;
}

static void add_from_file(struct resolver *r, struct host *h, int family)
{
    struct hostent *entry = NULL;

    if (ares_gethostbyname_file(r->channel, h->name, family, &entry) != ARES_SUCCESS)
        return;
    for (char **p = entry->h_addr_list; *p != NULL && h->count < LIMIT_ADDRESSES; p++) {
        struct addr *a = &h->addresses[h->count++];
        a->octets = family == AF_INET ? 4 : 16;
        memcpy(a->ip, *p, a->octets);
    }
    h->is_fixed = true;
    ares_free_hostent(entry);
}

enum err resolver_add(struct resolver *r, const char *name)
{
    if (find_host(r, name) != NULL)
        return ERR_OK;
    struct host *h = NEW(host);
    if (h == NULL || (h->name = mem_text(name)) == NULL) {
        mem_free(h);
        return ERR_MEMORY;
    }
    h->resolver = r;
    h->next = r->hosts;
    r->hosts = h;
    if (addr_parse(name, &h->addresses[0])) {
        h->count = 1;
        h->is_fixed = true;
        return ERR_OK;
    }
    add_from_file(r, h, AF_INET6);
    add_from_file(r, h, AF_INET);
    return ERR_OK;
}

/* RFC 8305 §4: the families take turns, IPv6 first. */
static size_t interleave(const struct addr *six, size_t six_n, const struct addr *four,
                         size_t four_n, struct addr *to)
{
    size_t n = 0;

    for (size_t i = 0; n < LIMIT_ADDRESSES && (i < six_n || i < four_n); i++) {
        if (i < six_n)
            to[n++] = six[i];
        if (i < four_n && n < LIMIT_ADDRESSES)
            to[n++] = four[i];
    }
    return n;
}

static void tell_waiting(struct host *h)
{
    struct resolve_query *q = TAKE(h->waiting);

    while (q != NULL) {
        struct resolve_query *next = q->next;
        q->is_waiting = false;
        q->on_done(q, h->addresses, h->count);
        q = next;
    }
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct host *h = arg;
    struct addr six[LIMIT_ADDRESSES], four[LIMIT_ADDRESSES];
    size_t six_n = 0, four_n = 0;

    (void)timeouts;
    h->is_asking = false;
    if (status == ARES_EDESTRUCTION)
        return;
    if (status == ARES_SUCCESS) {
        int ttl = FRESH_MS / 1000;
        for (const struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next) {
            struct addr a;
            ttl = n->ai_ttl < ttl ? n->ai_ttl : ttl;
            if (!addr_from_sockaddr(n->ai_addr, &a))
                continue;
            if (a.octets == 16 && six_n < LIMIT_ADDRESSES)
                six[six_n++] = a;
            else if (a.octets == 4 && four_n < LIMIT_ADDRESSES)
                four[four_n++] = a;
        }
        h->count = interleave(six, six_n, four, four_n, h->addresses);
        h->fresh_until_ms = loop_now_ms(h->resolver->loop) + (uint64_t)(ttl > 0 ? ttl : 1) * 1000;
    }
    if (info != NULL)
        ares_freeaddrinfo(info);
    tell_waiting(h);
}

void resolver_ask(struct resolver *r, struct resolve_query *q, const char *name)
{
    struct host *h = find_host(r, name);
    const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
                                               .ai_socktype = SOCK_STREAM,
                                               .ai_flags = ARES_AI_NOSORT };

    if (h == NULL || h->is_fixed || (h->count != 0 && loop_now_ms(r->loop) < h->fresh_until_ms)) {
        q->on_done(q, h == NULL ? NULL : h->addresses, h == NULL ? 0 : h->count);
        return;
    }
    q->next = h->waiting;
    q->is_waiting = true;
    h->waiting = q;
    if (h->is_asking)
        return;
    h->is_asking = true;
    (void)uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
    ares_getaddrinfo(r->channel, name, NULL, &hints, on_answer, h);
}

void resolver_cancel(struct resolver *r, struct resolve_query *q)
{
    if (!q->is_waiting)
        return;
    for (struct host *h = r->hosts; h != NULL; h = h->next)
        for (struct resolve_query **at = &h->waiting; *at != NULL; at = &(*at)->next)
            if (*at == q) {
                *at = q->next;
                q->is_waiting = false;
                return;
            }
}

void resolver_prefer(struct resolver *r, const char *name, const struct addr *address)
{
    struct host *h = find_host(r, name);

    for (size_t i = 1; h != NULL && i < h->count; i++) {
        if (!addr_is_equal(&h->addresses[i], address))
            continue;
        const struct addr good = h->addresses[i];
        memmove(&h->addresses[1], &h->addresses[0], i * sizeof(good));
        h->addresses[0] = good;
        return;
    }
}

size_t resolver_count(struct resolver *r, const char *name)
{
    const struct host *h = find_host(r, name);

    return h == NULL ? 0 : h->count;
}

void resolver_demote(struct resolver *r, const char *name)
{
    struct host *h = find_host(r, name);

    if (h == NULL || h->count < 2)
        return;
    const struct addr bad = h->addresses[0];
    memmove(&h->addresses[0], &h->addresses[1], (h->count - 1) * sizeof(bad));
    h->addresses[h->count - 1] = bad;
}
