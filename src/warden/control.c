#include "warden/control_inner.h"

#include "base/mem.h"
#include "warden/account.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUPS_MAX 64 /* supplementary groups of a peer that we look at */

struct control {
    struct warden *w;
    uv_poll_t poll;
    int fd; /* owned; listens */
    struct client *clients;
    size_t count;
};

static const struct command commands[] = {
    { WIRE_account_add, ACCOUNT_NEEDED, NULL, control_account_add, control_changed },
    { WIRE_account_invite, ACCOUNT_NEEDED, control_invite_check, control_invite, NULL },
    { WIRE_account_list, ACCOUNT_ABSENT, NULL, control_account_list, NULL },
    { WIRE_account_show, ACCOUNT_NEEDED, NULL, control_account_show,
      control_account_show_sessions },
    { WIRE_account_enable, ACCOUNT_NEEDED, NULL, control_account_enable, control_account_enabled },
    { WIRE_account_remove, ACCOUNT_NEEDED, NULL, control_account_remove, control_account_removed },
    { WIRE_app_password_add, ACCOUNT_NEEDED, control_app_password_check, control_app_password_add,
      control_changed },
    { WIRE_app_password_list, ACCOUNT_OPTIONAL, NULL, control_app_password_list, NULL },
    { WIRE_app_password_revoke, ACCOUNT_ABSENT, NULL, control_app_password_revoke,
      control_app_password_revoked },
    { WIRE_totp_enrol, ACCOUNT_NEEDED, NULL, control_totp_enrol, control_changed },
    { WIRE_lease_add, ACCOUNT_NEEDED, control_lease_check, control_lease_add, control_changed },
    { WIRE_lease_list, ACCOUNT_OPTIONAL, NULL, control_lease_list, NULL },
    { WIRE_lease_revoke, ACCOUNT_ABSENT, NULL, control_lease_revoke, control_lease_revoked },
    { WIRE_session_list, ACCOUNT_OPTIONAL, NULL, NULL, control_session_list },
    { WIRE_session_end, ACCOUNT_OPTIONAL, control_session_check, NULL, control_session_end },
    { WIRE_event_list, ACCOUNT_OPTIONAL, NULL, control_event_list, control_event_follow },
    { WIRE_status, ACCOUNT_ABSENT, NULL, control_status, control_status_finish },
};

/* ---- a request's life ----------------------------------------------------------------- */

static void request_free(struct request *r)
{
    if (r->client != NULL)
        r->client->request = NULL;
    buf_done(&r->frame);
    buf_done(&r->rows);
    secret_wipe(r->text, sizeof(r->text));
    mem_free(r);
}

/* Rows know what the store does; how many sessions live is known here only. */
static void complete_row(const struct warden *w, const struct wire_message *m, union wire_any *any)
{
    char account[STORE_NAME];

    if (m->number != WIRE_row_account)
        return;
    event_copy(account, sizeof(account), any->row_account.account);
    any->row_account.sessions = registry_count_of(w->registry, account);
}

static bool send_rows(struct request *r)
{
    struct channel *c = r->client->channel;

    while (r->rows_sent < r->rows.n) {
        const struct wire_message *m;
        union wire_any any;
        uint32_t n;
        if (channel_queued(c) >= CONTROL_AHEAD)
            return false;
        const uint8_t *at = r->rows.p + r->rows_sent;
        memcpy(&n, at, sizeof(n));
        CHECK(wire_decode(view_of(at + sizeof(n), n), &m, &any) == ERR_OK); /* made here */
        complete_row(r->w, m, &any);
        channel_send(c, (enum wire_number)m->number, &any, -1);
        r->rows_sent += sizeof(n) + n;
    }
    return true;
}

static void follow(struct client *c);

static void answer(struct request *r)
{
    if (r->client == NULL) {
        request_free(r);
        return;
    }
    if (!send_rows(r))
        return; /* control_tick goes on */
    struct client *c = r->client;
    if (r->last_event > c->last_event)
        c->last_event = r->last_event;
    c->is_following = c->is_following && r->status == ERR_OK;
    if (!c->is_following) {
        const struct wire_done done = { .status = (uint8_t)r->status, .text = view_text(r->text) };
        channel_send(c->channel, WIRE_done, &done, -1);
    }
    request_free(r);
    if (c->is_following && c->is_behind)
        follow(c);
}

static void finish(struct request *r)
{
    if (!buf_is_ok(&r->rows) && r->status == ERR_OK)
        request_fail(r, ERR_TOO_LONG, "the answer is too long: name an account");
    if (r->status == ERR_OK && r->command->finish != NULL)
        r->command->finish(r);
    if (r->status != ERR_OK)
        buf_clear(&r->rows);
    const bool is_recorded = r->is_recorded;
    struct warden *w = r->w;
    r->is_answering = true;
    answer(r);
    if (is_recorded)
        control_events_written(w);
}

static void run(struct job *j)
{
    struct request *r = (struct request *)j;

    r->command->run(r);
}

static void ran(struct job *j)
{
    finish((struct request *)j);
}

void request_go_on(struct request *r)
{
    if (r->client == NULL && r->is_waiting)
        request_free(r);
    else if (r->status == ERR_OK && r->command->run != NULL)
        job_start(&r->w->jobs, &r->job, run, ran);
    else
        finish(r);
}

static struct request *request_new(struct client *c, const struct command *command)
{
    struct request *r = NEW(request);

    if (r == NULL)
        return NULL;
    r->w = c->control->w;
    r->client = c;
    r->uid = c->uid;
    r->command = command;
    buf_init(&r->frame, LIMIT_FRAME);
    buf_init(&r->rows, CONTROL_ROWS);
    c->request = r;
    return r;
}

/* ---- following events ----------------------------------------------------------------- */

/* Who follows asks the store again whenever something was written: no gap between the list and what
 * comes later, and no queue for who reads slowly. */
static void follow(struct client *c)
{
    static const struct command newer = { WIRE_event_list, ACCOUNT_OPTIONAL, NULL,
                                          control_event_list, NULL };

    if (c->request != NULL) {
        c->is_behind = true;
        return;
    }
    struct request *r = request_new(c, &newer);
    if (r == NULL)
        return; /* the next event tries again */
    c->is_behind = false;
    event_copy(r->account, sizeof(r->account), view_text(c->followed));
    r->last_event = c->last_event;
    r->is_newer = true;
    r->any.event_list.limit = CONTROL_FOLLOWED;
    job_start(&r->w->jobs, &r->job, run, ran);
}

void control_events_written(struct warden *w)
{
    if (w->control == NULL || w->is_ending)
        return;
    for (struct client *c = w->control->clients; c != NULL; c = c->next)
        if (c->is_following)
            follow(c);
}

/* ---- clients -------------------------------------------------------------------------- */

static void client_close(struct client *c)
{
    if (c->request != NULL) {
        struct request *r = TAKE(c->request);
        r->client = NULL;
        /* No job owns it while its rows wait for the reader. */
        if (r->is_answering)
            request_free(r);
    }
    *c->before = c->next;
    if (c->next != NULL)
        c->next->before = c->before;
    c->control->count--;
    channel_close(c->channel);
    mem_free(c);
}

/* Copies the request, since it is worked on after the frame is gone. */
static bool take(struct request *r, const struct wire_message *m, const union wire_any *any)
{
    const struct wire_message *same;

    return wire_encode((enum wire_number)m->number, any, &r->frame) == ERR_OK &&
           wire_decode(buf_view(&r->frame), &same, &r->any) == ERR_OK;
}

static struct view account_field(const struct wire_message *m, const union wire_any *any)
{
    struct view v = VIEW_NONE;

    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->fields[i].name, "account") == 0)
            memcpy(&v, (const uint8_t *)any + m->fields[i].offset, sizeof(v));
    return v;
}

static void check_account(struct request *r, const struct wire_message *m)
{
    const struct view text = account_field(m, &r->any);

    if (r->command->account == ACCOUNT_ABSENT ||
        (r->command->account == ACCOUNT_OPTIONAL && text.n == 0))
        return;
    if (!account_normalise(text, r->w->config->domain, r->account))
        request_fail(r, ERR_INVALID, "\"%.*s\" cannot be an account: write it as user@example.org",
                     (int)text.n, (const char *)text.p);
}

static void deny(struct client *c, enum err status, const char *text)
{
    const struct wire_done done = { .status = (uint8_t)status, .text = view_text(text) };

    channel_send(c->channel, WIRE_done, &done, -1);
}

static void on_message(void *owner, struct channel *channel, const struct wire_message *m,
                       const union wire_any *any, int fd)
{
    struct client *c = owner;
    const struct command *command = NULL;

    (void)channel;
    (void)fd; /* never comes along: the channel saw to that */
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (commands[i].number == m->number)
            command = &commands[i];
    if (command == NULL || c->request != NULL || c->is_following) {
        client_close(c);
        return;
    }
    if (!c->is_admitted) {
        deny(c, ERR_DENIED,
             "only root, the user of the warden and members of its group may do "
             "this: try again as one of them");
        return;
    }
    struct request *r = request_new(c, command);
    if (r == NULL || !take(r, m, any)) {
        if (r != NULL)
            request_free(r);
        deny(c, ERR_MEMORY, "no memory");
        return;
    }
    check_account(r, m);
    if (r->status == ERR_OK && command->prepare != NULL)
        command->prepare(r);
    if (!r->is_waiting)
        request_go_on(r);
}

static void on_end(void *owner, struct channel *channel, const char *reason)
{
    (void)channel;
    (void)reason;
    client_close(owner);
}

/* ---- the socket ----------------------------------------------------------------------- */

static bool is_in_group(int fd, gid_t primary)
{
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof(groups);
    const gid_t own = getegid();

    if (primary == own)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
        return false;
    for (size_t i = 0; i < size / sizeof(groups[0]); i++)
        if (groups[i] == own)
            return true;
    return false;
}

static void client_new(struct control *k, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    struct client *c = k->count >= CONTROL_CLIENTS ? NULL : NEW(client);

    if (c == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        mem_free(c);
        (void)close(fd);
        return;
    }
    c->control = k;
    c->uid = (uint32_t)peer.uid;
    c->is_admitted = peer.uid == 0 || peer.uid == geteuid() || is_in_group(fd, peer.gid);
    c->channel = channel_open(&(struct channel_conf){ .loop = k->w->loop,
                                                      .fd = fd,
                                                      .peer = WIRE_CLI,
                                                      .is_open = true,
                                                      .owner = c,
                                                      .on_message = on_message,
                                                      .on_end = on_end });
    if (c->channel == NULL) {
        mem_free(c);
        return;
    }
    c->before = &k->clients;
    c->next = k->clients;
    if (c->next != NULL)
        c->next->before = &c->next;
    k->clients = c;
    k->count++;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct control *k = poll->data;

    (void)events;
    if (status < 0)
        return;
    const int fd = accept4(k->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        client_new(k, fd);
}

enum err control_open(struct warden *w, int fd)
{
    struct control *k = NEW(control);

    if (k == NULL || uv_poll_init(w->loop, &k->poll, fd) != 0) {
        mem_free(k);
        (void)close(fd);
        return ERR_MEMORY;
    }
    k->w = w;
    k->fd = fd;
    k->poll.data = k;
    (void)uv_poll_start(&k->poll, UV_READABLE, on_poll);
    w->control = k;
    return ERR_OK;
}

static void on_closed(uv_handle_t *h)
{
    struct control *k = h->data;

    (void)close(k->fd);
    mem_free(k);
}

void control_close(struct warden *w)
{
    struct control *k = TAKE(w->control);

    if (k == NULL)
        return;
    while (k->clients != NULL)
        client_close(k->clients);
    uv_close((uv_handle_t *)&k->poll, on_closed);
}

bool control_tick(struct warden *w)
{
    struct client *next = NULL;
    bool is_busy = false;

    for (struct client *c = w->control == NULL ? NULL : w->control->clients; c != NULL; c = next) {
        next = c->next;
        if (c->request != NULL && c->request->is_answering)
            answer(c->request);
        is_busy = is_busy || (c->request != NULL && c->request->is_answering);
    }
    return is_busy;
}
