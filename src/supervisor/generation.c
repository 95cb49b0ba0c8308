#include "supervisor/generation.h"

#include "base/limits.h"
#include "base/mem.h"
#include "supervisor/problem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS           (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define CONFIG_TEXT_MAX (4U << 20) /* octets; a text of 256 gates with 256 networks each fits */

uint32_t generation_edges(const struct config *c)
{
    cpu_set_t set;

    if (c->edges.count != 0)
        return c->edges.count;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online <= 256 ? (uint32_t)online : 1;
}

/* ---- memory files --------------------------------------------------------------------- */

static bool write_all(int fd, struct view v)
{
    while (v.n > 0) {
        const ssize_t n = write(fd, v.p, v.n);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            v = view_skip(v, (size_t)n);
    }
    return true;
}

/* -1 with errno. What is in it can no longer be changed by anyone. */
static int seal(const char *name, struct view content)
{
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (!write_all(fd, content) || fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
        const int number = errno;
        (void)close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

/* False with errno. */
static bool add(struct memory_files *files, const char *name, struct view content)
{
    struct memory_file *more = mem_resize(files->items, (files->n + 1) * sizeof(*more));

    if (more == NULL) {
        errno = ENOMEM;
        return false;
    }
    files->items = more;
    struct memory_file *f = &files->items[files->n];
    f->name = mem_text(name);
    f->fd = f->name == NULL ? -1 : seal("postern", content);
    if (f->fd < 0) {
        mem_free(f->name);
        return false;
    }
    files->n++;
    return true;
}

static bool read_all(int fd, struct buf *out)
{
    uint8_t space[4096];

    for (;;) {
        const ssize_t n = read(fd, space, sizeof(space));
        if (n < 0 && errno != EINTR)
            return false;
        if (n == 0)
            break;
        if (n > 0)
            buf_put(out, view_of(space, (size_t)n));
    }
    explicit_bzero(space, sizeof(space));
    if (!buf_is_ok(out))
        errno = EFBIG;
    return buf_is_ok(out);
}

/* A file that several settings name is passed once. */
static bool add_file(struct generation *g, const char *setting, const char *path,
                     struct config_error *why)
{
    struct memory_files *files = &g->for_edge;
    AUTO_BUF(content, LIMIT_FILE);

    for (size_t i = 0; i < files->n; i++)
        if (strcmp(files->items[i].name, path) == 0)
            return true;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return problem_say(why, g->config, setting, "\"%s\": %s", path, strerror(errno));
    const bool is_added = read_all(fd, &content) && add(files, path, buf_view(&content));
    const int number = errno;
    (void)close(fd);
    return is_added || problem_say(why, g->config, setting, "\"%s\": %s", path, strerror(number));
}

static bool add_list(struct generation *g, const char *setting, const struct text_list *list,
                     struct config_error *why)
{
    for (size_t i = 0; i < list->n; i++)
        if (!add_file(g, setting, list->items[i], why))
            return false;
    return true;
}

static bool add_text(struct generation *g, enum config_role role, struct memory_files *files,
                     struct config_error *why)
{
    AUTO_BUF(text, CONFIG_TEXT_MAX);
    const enum err e = config_show(g->config, role, false, &text);

    if (e != ERR_OK)
        return problem_say(why, g->config, "state", "the configuration as text: %s", err_text(e));
    return add(files, "config", buf_view(&text)) ||
           problem_say(why, g->config, "state", "a memory file: %s", strerror(errno));
}

/* The warden opens its own files, below its folder; an edge has none. */
static bool read_files(struct generation *g, struct config_error *why)
{
    const struct config *c = g->config;

    if (!add_text(g, CONFIG_FOR_EDGE, &g->for_edge, why) ||
        !add_text(g, CONFIG_FOR_WARDEN, &g->for_warden, why) ||
        !add_list(g, "tls.certificate", &c->tls.certificate, why) ||
        !add_list(g, "tls.key", &c->tls.key, why))
        return false;
    for (size_t i = 0; i < c->upstream_count; i++)
        if (c->upstreams[i].ca[0] != 0 && !add_file(g, "upstreams", c->upstreams[i].ca, why))
            return false;
    return true;
}

static void files_done(struct memory_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        (void)close(files->items[i].fd);
        mem_free(files->items[i].name);
    }
    mem_free(files->items);
}

/* ---- life ----------------------------------------------------------------------------- */

struct generation *generation_new(uint32_t number, struct config *config, struct config_error *why)
{
    struct generation *g = NEW(generation);

    if (g == NULL) {
        (void)problem_say(why, config, "state", "no memory");
        config_free(config);
        return NULL;
    }
    g->number = number;
    g->config = config;
    g->edge_count = generation_edges(config);
    g->edges = mem_array(g->edge_count, sizeof(*g->edges));
    if (g->edges == NULL)
        (void)problem_say(why, config, "edges.count", "no memory");
    for (uint32_t i = 0; g->edges != NULL && i < g->edge_count; i++)
        g->edges[i].index = i;
    if (g->edges == NULL || !read_files(g, why)) {
        generation_free(g);
        return NULL;
    }
    return g;
}

void generation_free(struct generation *g)
{
    if (g == NULL)
        return;
    files_done(&g->for_edge);
    files_done(&g->for_warden);
    mem_free(g->edges);
    config_free(g->config);
    mem_free(g);
}
