#include "supervisor/sockets.h"

#include "base/log.h"
#include "base/mem.h"
#include "supervisor/listen.h"
#include "supervisor/problem.h"
#include "sandbox/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define PREFIX "unix:"

/* ---- what systemd passed -------------------------------------------------------------- */

static bool is_gate_socket(int fd)
{
    return sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

enum err sockets_take_given(struct sockets *s)
{
    char **names = NULL;
    const int n = sd_listen_fds_with_names(1, &names);
    enum err e = ERR_OK;

    if (n <= 0)
        return n == 0 ? ERR_OK : ERR_IO;
    s->given = mem_array((size_t)n, sizeof(*s->given));
    for (int i = 0; i < n; i++) {
        struct socket_given *g = s->given == NULL ? NULL : &s->given[s->given_count];
        const int fd = SD_LISTEN_FDS_START + i;
        if (g != NULL && is_gate_socket(fd) && (g->gate = mem_text(names[i])) != NULL) {
            g->fd = fd;
            s->given_count++;
        } else {
            (void)close(fd);
            e = ERR_INVALID;
        }
        mem_free(names[i]);
    }
    mem_free(names);
    return e;
}

static bool is_given(const struct sockets *s, const char *gate)
{
    for (size_t i = 0; i < s->given_count; i++)
        if (strcmp(s->given[i].gate, gate) == 0)
            return true;
    return false;
}

/* ---- our own -------------------------------------------------------------------------- */

static struct socket_own *find(const struct sockets *s, const char *key, uint32_t index)
{
    for (size_t i = 0; i < s->own_count; i++)
        if (s->own[i].index == index && strcmp(s->own[i].key, key) == 0)
            return &s->own[i];
    return NULL;
}

static bool is_unix(const struct socket_own *o)
{
    return strncmp(o->key, PREFIX, strlen(PREFIX)) == 0;
}

static void drop(struct sockets *s, size_t at)
{
    struct socket_own *o = &s->own[at];

    (void)close(o->fd);
    if (is_unix(o))
        (void)unlink(o->key + strlen(PREFIX));
    if (o->index == 0)
        log_event(LOG_INFO, "socket-closed", LOG_TEXT("listen", o->key));
    mem_free(o->key);
    *o = s->own[--s->own_count];
}

/* Takes `fd` over, also on failure. */
static bool add(struct sockets *s, const char *key, uint32_t index, int fd)
{
    struct socket_own *more = mem_resize(s->own, (s->own_count + 1) * sizeof(*more));
    char *copy = mem_text(key);

    if (more != NULL)
        s->own = more;
    if (more == NULL || copy == NULL) {
        mem_free(copy);
        (void)close(fd);
        errno = ENOMEM;
        return false;
    }
    s->own[s->own_count++] = (struct socket_own){ .key = copy, .index = index, .fd = fd };
    if (index == 0)
        log_event(LOG_INFO, "socket-open", LOG_TEXT("listen", key));
    return true;
}

static const char *mend_of_bind(void)
{
    switch (errno) {
    case EADDRINUSE:
        return "another process listens there: stop it, or choose another address";
    case EACCES:
        return "no permission: ports under 1024 need root, CAP_NET_BIND_SERVICE or socket "
               "activation";
    case EADDRNOTAVAIL:
        return "no interface of this machine has that address";
    default:
        return strerror(errno);
    }
}

/* Addresses of ours on one port share it: a probe for strangers would find ourselves there. */
static bool is_our_port(const struct sockets *s, uint16_t port)
{
    struct addr a;
    bool is_any;

    for (size_t i = 0; i < s->own_count; i++)
        if (config_listen(s->own[i].key, &a, &is_any) && a.port == port)
            return true;
    return false;
}

static bool open_address(struct sockets *s, const struct config *c, const char *setting,
                         const char *text, uint32_t count, struct config_error *ret)
{
    struct addr a;
    bool is_any;

    if (!config_listen(text, &a, &is_any))
        return problem_say(ret, c, setting, "\"%s\" is no address to listen on", text);
    for (uint32_t i = 0; i < count; i++) {
        if (find(s, text, i) != NULL)
            continue;
        const int fd = listen_tcp(&a, is_any, !is_our_port(s, a.port));
        if (fd < 0 || !add(s, text, i, fd))
            return problem_say(ret, c, setting, "\"%s\": %s", text, mend_of_bind());
    }
    return true;
}

static bool open_gate(struct sockets *s, const struct config *c, const struct conf_gate *g,
                      uint32_t edges, struct config_error *ret)
{
    char setting[sizeof("gates..listen") + LIMIT_NAME];

    if (is_given(s, g->name))
        return true;
    (void)snprintf(setting, sizeof(setting), "gates.%s.listen", g->name);
    for (size_t i = 0; i < g->listen.n; i++)
        if (!open_address(s, c, setting, g->listen.items[i], edges, ret))
            return false;
    return true;
}

static bool open_unix(struct sockets *s, const struct config *c, const char *setting,
                      const char *path, int type, struct config_error *ret)
{
    struct user warden;
    char key[sizeof(PREFIX) + 128];
    int fd = -1;

    (void)snprintf(key, sizeof(key), PREFIX "%s", path);
    if (find(s, key, 0) != NULL)
        return true;
    const uid_t keeper = user_find(user_of_warden(c), &warden) == ERR_OK ? warden.uid : geteuid();
    const enum listen_fault f = listen_unix(path, type, keeper, &fd);
    if (f != LISTEN_OK)
        return problem_say(ret, c, setting, "\"%s\": %s", path, listen_mend(f));
    return add(s, key, 0, fd) || problem_say(ret, c, setting, "no memory");
}

static bool open_metrics(struct sockets *s, const struct config *c, struct config_error *ret)
{
    const char *text = c->metrics.listen;

    if (text[0] == 0)
        return true;
    if (strncmp(text, PREFIX, strlen(PREFIX)) == 0)
        return open_unix(s, c, "metrics.listen", text + strlen(PREFIX), SOCK_STREAM, ret);
    return open_address(s, c, "metrics.listen", text, 1, ret);
}

/* ---- as a configuration wants it ------------------------------------------------------ */

bool sockets_open(struct sockets *s, const struct config *c, uint32_t edges,
                  struct config_error *ret)
{
    const size_t before = s->own_count;
    bool is_open = open_unix(s, c, "control", c->control, SOCK_SEQPACKET, ret);

    for (size_t i = 0; is_open && i < c->gate_count; i++)
        is_open = open_gate(s, c, &c->gates[i], edges, ret);
    if (is_open)
        is_open = open_metrics(s, c, ret);
    while (!is_open && s->own_count > before)
        drop(s, s->own_count - 1);
    return is_open;
}

static void want(struct sockets *s, const char *key)
{
    for (size_t i = 0; i < s->own_count; i++)
        if (strcmp(s->own[i].key, key) == 0)
            s->own[i].is_wanted = true;
}

void sockets_keep(struct sockets *s, const struct config *c)
{
    char control[sizeof(PREFIX) + 128];

    for (size_t i = 0; i < s->own_count; i++)
        s->own[i].is_wanted = false;
    (void)snprintf(control, sizeof(control), PREFIX "%s", c->control);
    want(s, control);
    want(s, c->metrics.listen);
    for (size_t i = 0; i < c->gate_count; i++)
        for (size_t k = 0; k < c->gates[i].listen.n && !is_given(s, c->gates[i].name); k++)
            want(s, c->gates[i].listen.items[k]);
    for (size_t i = s->own_count; i > 0; i--)
        if (!s->own[i - 1].is_wanted)
            drop(s, i - 1);
}

void sockets_close_gates(struct sockets *s)
{
    for (size_t i = s->own_count; i > 0; i--)
        if (!is_unix(&s->own[i - 1]))
            drop(s, i - 1);
    for (size_t i = 0; i < s->given_count; i++) {
        (void)close(s->given[i].fd);
        mem_free(s->given[i].gate);
    }
    s->given_count = 0;
}

void sockets_close(struct sockets *s)
{
    sockets_close_gates(s);
    while (s->own_count > 0)
        drop(s, s->own_count - 1);
    mem_free(s->own);
    mem_free(s->given);
    *s = (struct sockets){ 0 };
}

void sockets_of_edge(const struct sockets *s, const struct config *c, uint32_t index,
                     uint32_t edges, void (*each)(void *owner, const char *gate, int fd),
                     void *owner)
{
    for (size_t g = 0; g < c->gate_count; g++) {
        const struct conf_gate *gate = &c->gates[g];
        for (size_t i = 0; i < s->given_count; i++)
            if (strcmp(s->given[i].gate, gate->name) == 0)
                each(owner, gate->name, s->given[i].fd);
        for (size_t k = 0; k < gate->listen.n && !is_given(s, gate->name); k++)
            for (size_t i = 0; i < s->own_count; i++)
                if (s->own[i].index % edges == index &&
                    strcmp(s->own[i].key, gate->listen.items[k]) == 0)
                    each(owner, gate->name, s->own[i].fd);
    }
}

int sockets_control(const struct sockets *s, const struct config *c)
{
    char key[sizeof(PREFIX) + 128];

    (void)snprintf(key, sizeof(key), PREFIX "%s", c->control);
    const struct socket_own *o = find(s, key, 0);
    return o == NULL ? -1 : o->fd;
}

int sockets_metrics(const struct sockets *s, const struct config *c)
{
    const struct socket_own *o = find(s, c->metrics.listen, 0);

    return o == NULL ? -1 : o->fd;
}
