#include "supervisor/house.h"

#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Each child gets an open file of its own, whose position it shares with nobody. */
static void send_files(struct child *c, const struct memory_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", files->items[i].fd);
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        const struct wire_boot_file m = { .name = view_text(files->items[i].name) };
        channel_send(c->channel, WIRE_boot_file, &m, fd < 0 ? files->items[i].fd : fd);
        if (fd >= 0)
            (void)close(fd);
    }
}

static void send_gate(void *owner, const char *gate, int fd)
{
    struct child *c = owner;
    const struct wire_boot_gate m = { .name = view_text(gate) };

    channel_send(c->channel, WIRE_boot_gate, &m, fd);
}

static void send_tickets(const struct house *h, struct child *c)
{
    const struct wire_boot_tickets m = { .keys = tickets_view(&h->tickets) };

    channel_send(c->channel, WIRE_boot_tickets, &m, -1);
}

void boot_tickets_all(struct house *h)
{
    for (struct child *c = h->children; c != NULL; c = c->next)
        if (c->role->has_tickets && c->channel != NULL)
            send_tickets(h, c);
}

/* A verdict channel between the two; the old one, if any, is void. */
static void connect_pair(struct child *edge, struct child *warden)
{
    const struct wire_boot_channel m = { .edge = edge->id };
    int fds[2];

    if (channel_pair(fds) != ERR_OK) {
        /* The edge answers "try later" until it has a channel. */
        log_event(LOG_ERROR, "no-verdict-channel", LOG_NUM("edge", edge->id));
        return;
    }
    channel_send(warden->channel, WIRE_boot_channel, &m, fds[0]);
    channel_send(edge->channel, WIRE_boot_channel, &m, fds[1]);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

void boot_reconnect(struct house *h, struct child *edge)
{
    struct child *warden = h->warden.child;

    if (edge->role->peer == ROLE_WARDEN && edge->channel != NULL && warden != NULL &&
        warden->channel != NULL && !warden->is_draining)
        connect_pair(edge, warden);
}

static void send_start(struct child *c)
{
    const struct wire_boot_start m = { .edge = c->id, .generation = c->generation };

    channel_send(c->channel, WIRE_boot_start, &m, -1);
}

void boot_edge(struct house *h, struct child *c, const struct generation *g)
{
    struct child *warden = h->warden.child;

    send_files(c, &g->for_edge);
    sockets_of_edge(&h->sockets, g->config, c->slot->index, g->edge_count, send_gate, c);
    send_tickets(h, c);
    if (warden != NULL && warden->channel != NULL && !warden->is_draining)
        connect_pair(c, warden);
    send_start(c);
}

void boot_warden(struct house *h, struct child *c, const struct generation *g)
{
    const int metrics = sockets_metrics(&h->sockets, g->config);

    send_files(c, &g->for_warden);
    channel_send(c->channel, WIRE_boot_control, &(struct wire_boot_control){ 0 },
                 sockets_control(&h->sockets, g->config));
    if (metrics >= 0)
        channel_send(c->channel, WIRE_boot_control,
                     &(struct wire_boot_control){ .is_metrics = true }, metrics);
    for (struct child *e = h->children; e != NULL; e = e->next)
        if (e->role->peer == ROLE_WARDEN && e->channel != NULL)
            connect_pair(e, c);
    send_start(c);
}
