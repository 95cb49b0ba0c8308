#include "warden/link.h"

#include "base/log.h"
#include "base/mem.h"
#include "warden/docket.h"
#include "warden/probe.h"
#include "warden/sessions.h"
#include "warden/shed.h"

#include <unistd.h>

static void send_on_channel(struct link *l, enum wire_number number, const void *message)
{
    channel_send(l->channel, number, message, -1);
}

struct link *link_new(struct warden *w,
                      void (*send)(struct link *l, enum wire_number number, const void *message))
{
    struct link *l = NEW(link);

    if (l == NULL)
        return NULL;
    l->w = w;
    l->send = send;
    l->before = &w->links;
    l->next = w->links;
    if (l->next != NULL)
        l->next->before = &l->next;
    w->links = l;
    return l;
}

static void misbehaved(struct link *l, const char *reason)
{
    l->w->metrics.channels_closed++;
    log_event(LOG_WARN, "edge-channel-closed", LOG_NUM("edge", l->edge),
              LOG_TEXT("reason", reason));
    link_close(l, "edge-lost");
}

static void on_message(void *owner, struct channel *c, const struct wire_message *m,
                       const union wire_any *any, int fd)
{
    struct link *l = owner;

    (void)c;
    (void)fd; /* never comes along: the channel saw to that */
    if (!link_take(l, m, any))
        misbehaved(l, m->name);
}

static void on_end(void *owner, struct channel *c, const char *reason)
{
    struct link *l = owner;

    (void)c;
    log_event(LOG_INFO, "edge-channel-ended", LOG_NUM("edge", l->edge), LOG_TEXT("reason", reason));
    link_close(l, "edge-lost");
}

enum err link_open(struct warden *w, int fd)
{
    struct link *l = link_new(w, send_on_channel);
    const struct channel_conf conf = {
        .loop = w->loop,
        .fd = fd,
        .peer = WIRE_EDGE,
        .owner = l,
        .on_message = on_message,
        .on_end = on_end,
    };

    if (l == NULL) {
        (void)close(fd);
        return ERR_MEMORY;
    }
    l->channel = channel_open(&conf);
    if (l->channel != NULL)
        return ERR_OK;
    link_close(l, "no-memory");
    return ERR_MEMORY;
}

bool link_take(struct link *l, const struct wire_message *m, const union wire_any *any)
{
    if (m->number == WIRE_hello) {
        if (l->is_said_hello)
            return false;
        l->edge = any->hello.edge;
        l->generation = any->hello.generation;
        l->is_said_hello = true;
        if (l->channel != NULL)
            channel_set_open(l->channel);
        return true;
    }
    if (!l->is_said_hello)
        return false;
    switch (m->number) {
    case WIRE_question:
        return docket_ask(l, &any->question);
    case WIRE_outcome:
        return sessions_outcome(l, &any->outcome);
    case WIRE_closed:
        sessions_closed(l, &any->closed);
        return true;
    case WIRE_label:
        sessions_label(l, &any->label);
        return true;
    case WIRE_resume:
        return sessions_resume(l, &any->resume);
    case WIRE_probed:
        return probe_answered(l, &any->probed);
    case WIRE_idlest:
        return shed_answered(l, &any->idlest);
    default:
        return false;
    }
}

void link_close(struct link *l, const char *reason)
{
    docket_forget(l);
    probe_forget(l);
    shed_forget(l);
    sessions_drop(l, reason);
    *l->before = l->next;
    if (l->next != NULL)
        l->next->before = l->before;
    channel_close(l->channel);
    mem_free(l);
}
