/* The sockets of the service: which there are, who gets which, and what stands in the way. */
#include "sample.h"

#include "base/log.h"
#include "supervisor/listen.h"
#include "supervisor/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];
static char control[128];

static struct config *config_with(const char *listen, const char *more)
{
    char text[1024];

    (void)snprintf(text, sizeof(text),
                   "gates: { imaps: { protocol = \"imap\"; listen = \"%s\"; }; };\n%s", listen,
                   more);
    return sample_config(folder, text);
}

static bool can_connect(int family, uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_port = htons(port),
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_connected =
        fd >= 0 && (family == AF_INET ? connect(fd, (struct sockaddr *)&in, sizeof(in))
                                      : connect(fd, (struct sockaddr *)&in6, sizeof(in6))) == 0;

    if (fd >= 0)
        (void)close(fd);
    return is_connected;
}

static void count(void *owner, const char *gate, int fd)
{
    int type = 0;
    socklen_t n = sizeof(type);

    assert_string_equal(gate, "imaps");
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &type, &n), 0);
    assert_int_equal(type, 1);
    (*(int *)owner)++;
}

static int sockets_for(const struct sockets *s, const struct config *c, uint32_t index,
                       uint32_t edges)
{
    int n = 0;

    sockets_of_edge(s, c, index, edges, count, &n);
    return n;
}

static void test_one_socket_an_edge(void **state)
{
    struct sockets s = { 0 };
    struct config_error why;
    char listen[64];
    const uint16_t port = sample_port();

    (void)state;
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", (unsigned)port);
    struct config *c = config_with(listen, "");
    assert_true(sockets_open(&s, c, 3, &why));
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(sockets_for(&s, c, i, 3), 1);
    /* Fewer edges: none is closed, since connections may wait in it. */
    assert_int_equal(sockets_for(&s, c, 0, 2), 2);
    assert_int_equal(sockets_for(&s, c, 1, 2), 1);
    /* More: the missing ones are opened beside those that are there. */
    assert_true(sockets_open(&s, c, 4, &why));
    assert_int_equal(sockets_for(&s, c, 3, 4), 1);
    assert_true(can_connect(AF_INET, port));
    assert_false(can_connect(AF_INET6, port));
    assert_true(sockets_control(&s, c) >= 0);
    assert_int_equal(sockets_metrics(&s, c), -1);
    sockets_close(&s);
    assert_false(can_connect(AF_INET, port));
    assert_int_not_equal(access(control, F_OK), 0);
    config_free(c);
}

static void test_any_is_both_families(void **state)
{
    struct sockets s = { 0 };
    struct config_error why;
    char listen[64];
    const uint16_t port = sample_port();

    (void)state;
    (void)snprintf(listen, sizeof(listen), "*:%u", (unsigned)port);
    struct config *c = config_with(listen, "");
    assert_true(sockets_open(&s, c, 1, &why));
    assert_true(can_connect(AF_INET, port));
    const int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0)
        assert_true(can_connect(AF_INET6, port));
    (void)close(probe);
    sockets_close(&s);
    config_free(c);
}

static void test_taken_port(void **state)
{
    struct sockets s = { 0 };
    struct config_error why;
    char listen[64];
    struct addr a = { .ip = { 127, 0, 0, 1 }, .octets = 4, .port = sample_port() };
    /* Even one that would share: a second Postern. */
    const int other = listen_tcp(&a, false, true);

    (void)state;
    assert_true(other >= 0);
    assert_int_equal(listen_tcp(&a, false, true), -1);
    assert_int_equal(errno, EADDRINUSE);
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", (unsigned)a.port);
    struct config *c = config_with(listen, "");
    assert_false(sockets_open(&s, c, 1, &why));
    assert_non_null(strstr(why.text, "gates.imaps.listen: "));
    assert_non_null(strstr(why.text, "another process listens there"));
    /* Nothing stays behind of what was opened before. */
    assert_int_equal(s.own_count, 0);
    assert_int_not_equal(access(control, F_OK), 0);
    (void)close(other);
    sockets_close(&s);
    config_free(c);
}

static void test_keep(void **state)
{
    struct sockets s = { 0 };
    struct config_error why;
    char listen[64], metrics[128];
    const uint16_t first = sample_port(), second = sample_port();

    (void)state;
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", (unsigned)first);
    (void)snprintf(metrics, sizeof(metrics), "metrics: { listen = \"unix:%s/metrics\"; };", folder);
    struct config *old = config_with(listen, metrics);
    assert_true(sockets_open(&s, old, 2, &why));
    assert_true(sockets_metrics(&s, old) >= 0);
    const int before = sockets_control(&s, old);
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", (unsigned)second);
    struct config *new = config_with(listen, "");
    assert_true(sockets_open(&s, new, 2, &why));
    assert_true(can_connect(AF_INET, first) && can_connect(AF_INET, second));
    sockets_keep(&s, new);
    assert_false(can_connect(AF_INET, first));
    assert_true(can_connect(AF_INET, second));
    assert_int_equal(sockets_control(&s, new), before);
    (void)snprintf(metrics, sizeof(metrics), "%s/metrics", folder);
    assert_int_not_equal(access(metrics, F_OK), 0);
    sockets_close_gates(&s);
    assert_false(can_connect(AF_INET, second));
    assert_int_equal(access(control, F_OK), 0);
    sockets_close(&s);
    config_free(old);
    config_free(new);
}

/* ---- Unix sockets --------------------------------------------------------------------- */

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_control_socket(void **state)
{
    int fd, other;

    (void)state;
    assert_int_equal(listen_unix(control, SOCK_SEQPACKET, geteuid(), &fd), LISTEN_OK);
    assert_int_equal(mode_of(control), 0600);
    assert_int_equal(listen_unix(control, SOCK_SEQPACKET, geteuid(), &other), LISTEN_ANSWERED);
    (void)close(fd);
    /* Nobody answers any more: it is replaced. */
    assert_int_equal(listen_unix(control, SOCK_SEQPACKET, geteuid(), &fd), LISTEN_OK);
    (void)close(fd);
    assert_int_equal(unlink(control), 0);
    assert_int_equal(chmod(folder, 02755), 0);
    assert_int_equal(listen_unix(control, SOCK_SEQPACKET, geteuid(), &fd), LISTEN_OK);
    assert_int_equal(mode_of(control), 0660);
    (void)close(fd);
    assert_int_equal(unlink(control), 0);
    assert_int_equal(chmod(folder, 0755), 0);
}

static void test_bad_places(void **state)
{
    char path[256];
    int fd;

    (void)state;
    assert_int_equal(listen_unix("relative", SOCK_STREAM, 0, &fd), LISTEN_PATH);
    assert_int_equal(listen_unix("/nowhere/control", SOCK_STREAM, 0, &fd), LISTEN_FOLDER);
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = 0;
    assert_int_equal(listen_unix(path, SOCK_STREAM, 0, &fd), LISTEN_PATH);
    assert_int_equal(listen_unix("/tmp/postern-control", SOCK_STREAM, 0, &fd), LISTEN_FOLDER_OPEN);
    assert_int_equal(chmod(folder, 0775), 0);
    assert_int_equal(listen_unix(control, SOCK_STREAM, 0, &fd), LISTEN_FOLDER_OPEN);
    assert_int_equal(chmod(folder, 0755), 0);
    FILE *file = fopen(control, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(listen_unix(control, SOCK_STREAM, 0, &fd), LISTEN_OCCUPIED);
    assert_int_equal(unlink(control), 0);
    /* A link is not followed. */
    assert_int_equal(symlink("/etc/passwd", control), 0);
    assert_int_equal(listen_unix(control, SOCK_STREAM, 0, &fd), LISTEN_OCCUPIED);
    assert_int_equal(unlink(control), 0);
}

static int set_up(void **state)
{
    (void)state;
    log_open("test", LOG_FORMAT_TEXT, LOG_ERROR);
    sample_folder(folder);
    (void)snprintf(control, sizeof(control), "%s/control", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sample_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_socket_an_edge), cmocka_unit_test(test_any_is_both_families),
        cmocka_unit_test(test_taken_port),         cmocka_unit_test(test_keep),
        cmocka_unit_test(test_control_socket),     cmocka_unit_test(test_bad_places),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
