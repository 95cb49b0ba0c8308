#include "edge/boot.h"

#include "base/mem.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 64
#define GATES_MAX 64

static struct file {
    char *name;
    void *map;
    size_t n;
} files[FILES_MAX];
static size_t file_count;

static struct waiting_gate {
    char name[LIMIT_NAME + 1];
    int fd;
} waiting[GATES_MAX];
static size_t waiting_count;

enum err boot_add_file(struct view name, int fd)
{
    struct stat st;

    if (fd < 0 || file_count == FILES_MAX || fstat(fd, &st) != 0 || st.st_size < 0) {
        (void)close(fd);
        return ERR_INVALID;
    }
    struct file f = { .name = mem_textn((const char *)name.p, name.n), .n = (size_t)st.st_size };
    f.map = f.n == 0 ? NULL : mmap(NULL, f.n, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (f.name == NULL || f.map == MAP_FAILED) {
        mem_free(f.name);
        return ERR_MEMORY;
    }
    files[file_count++] = f;
    return ERR_OK;
}

enum err boot_add_gate(struct view name, int fd)
{
    if (fd < 0 || waiting_count == GATES_MAX || name.n > LIMIT_NAME)
        return ERR_INVALID;
    struct waiting_gate *w = &waiting[waiting_count++];
    memcpy(w->name, name.p, name.n);
    w->name[name.n] = 0;
    w->fd = fd;
    return ERR_OK;
}

struct view boot_file(const char *name)
{
    for (size_t i = 0; i < file_count; i++)
        if (strcmp(files[i].name, name) == 0)
            return view_of(files[i].map, files[i].n);
    return VIEW_NONE;
}

void boot_forget_files(void)
{
    while (file_count > 0) {
        struct file *f = &files[--file_count];
        if (f->map != NULL)
            (void)munmap(f->map, f->n);
        mem_free(f->name);
    }
}

static enum err build_config(struct edge *e)
{
    const struct view text = boot_file("config");
    struct config_error problem;
    size_t count = 0;
    char *copy = mem_textn((const char *)text.p, text.n);

    if (copy == NULL)
        return ERR_MEMORY;
    e->config = config_parse(copy, &problem, 1, &count);
    mem_wipe_free(copy, text.n);
    if (e->config == NULL)
        log_event(LOG_ERROR, "configuration-refused", LOG_TEXT("problem", problem.text));
    return e->config == NULL ? ERR_INVALID : ERR_OK;
}

static enum err build_tls(struct edge *e)
{
    const struct config *c = e->config;
    const size_t n = c->tls.certificate.n;
    struct view *pem = mem_array(2 * n, sizeof(*pem));
    char why[256];

    if (pem == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < n; i++) {
        pem[i] = boot_file(c->tls.certificate.items[i]);
        pem[n + i] = boot_file(c->tls.key.items[i]);
    }
    const struct tls_server_conf conf = { .certificates = pem,
                                          .keys = pem + n,
                                          .count = n,
                                          .minimum = c->tls.minimum,
                                          .ciphers = c->tls.ciphers,
                                          .ciphersuites = c->tls.ciphersuites };
    e->tls = tls_server_new(&conf, why);
    mem_free(pem);
    if (e->tls == NULL)
        log_event(LOG_ERROR, "certificates-refused", LOG_TEXT("problem", why));
    return e->tls == NULL ? ERR_INVALID : ERR_OK;
}

/* *is_tls: one of the URLs asks for TLS. */
static enum err add_hosts(struct edge *e, const struct conf_urls *urls, bool *is_tls)
{
    for (size_t i = 0; i < urls->n; i++) {
        const struct conf_url *url = &urls->items[i];
        *is_tls = *is_tls || strstr(url->scheme, "+clear") == NULL;
        if (!url->is_unix && resolver_add(e->resolver, url->host) != ERR_OK)
            return ERR_MEMORY;
    }
    return ERR_OK;
}

static enum err build_upstream(struct edge *e, const struct conf_upstream *conf)
{
    struct edge_upstream *u = &e->upstreams[e->upstream_count++];
    bool is_tls = false;
    char why[256];

    u->conf = conf;
    for (int id = 0; id < PROTOCOL_COUNT; id++) {
        const struct protocol *p = protocol_find((enum protocol_id)id);
        if (p != NULL && add_hosts(e, config_urls(conf, p->name), &is_tls) != ERR_OK)
            return ERR_MEMORY;
    }
    if (!is_tls)
        return ERR_OK;
    const struct tls_client_conf tls = {
        .ca = conf->ca[0] == 0 ? VIEW_NONE : boot_file(conf->ca),
        .pins = &conf->pin,
    };
    u->tls = tls_client_new(&tls, why);
    if (u->tls == NULL)
        log_event(LOG_ERROR, "upstream-refused", LOG_TEXT("upstream", conf->name),
                  LOG_TEXT("problem", why));
    return u->tls == NULL ? ERR_INVALID : ERR_OK;
}

static enum err build_upstreams(struct edge *e)
{
    e->upstreams = mem_array(e->config->upstream_count, sizeof(*e->upstreams));
    if (e->upstreams == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < e->config->upstream_count; i++) {
        const enum err r = build_upstream(e, &e->config->upstreams[i]);
        if (r != ERR_OK)
            return r;
    }
    return ERR_OK;
}

static enum err build_gates(struct edge *e)
{
    e->gates = mem_array(waiting_count, sizeof(*e->gates));
    if (e->gates == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < waiting_count; i++) {
        struct gate *g = &e->gates[e->gate_count];
        g->conf = config_gate(e->config, view_text(waiting[i].name));
        g->protocol = g->conf == NULL ? NULL : protocol_named(g->conf->protocol);
        g->fd = waiting[i].fd;
        if (g->protocol == NULL || gate_open(e, g) != ERR_OK) {
            log_event(LOG_ERROR, "gate-refused", LOG_TEXT("gate", waiting[i].name));
            return ERR_INVALID;
        }
        e->gate_count++;
    }
    return ERR_OK;
}

enum err boot_build(struct edge *e)
{
    enum err r = build_config(e);

    if (r == ERR_OK)
        r = build_tls(e);
    if (r == ERR_OK)
        r = build_upstreams(e);
    if (r == ERR_OK)
        r = build_gates(e);
    return r;
}
