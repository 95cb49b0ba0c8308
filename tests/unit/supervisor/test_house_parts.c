/* The small parts of the supervisor: users, ticket keys, the state folder, generations, problems.
 */
#include "sample.h"

#include "supervisor/generation.h"
#include "supervisor/problem.h"
#include "supervisor/state.h"
#include "supervisor/tickets.h"
#include "sandbox/user.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];

static void test_users(void **state)
{
    struct user u;

    (void)state;
    assert_int_equal(user_find("nobody", &u), ERR_OK);
    assert_int_equal(u.uid, 65534);
    assert_string_equal(u.name, "nobody");
    assert_int_equal(user_find("61001", &u), ERR_OK);
    assert_int_equal(u.uid, 61001);
    assert_int_equal(u.gid, 61001);
    assert_string_equal(u.name, "");
    assert_int_equal(user_find("root", &u), ERR_DENIED);
    assert_int_equal(user_find("0", &u), ERR_DENIED);
    assert_int_equal(user_find("no-such-user", &u), ERR_NOT_FOUND);
    assert_int_equal(user_find("", &u), ERR_NOT_FOUND);
    assert_int_equal(user_find("4294967295", &u), ERR_NOT_FOUND);
    struct config *c = sample_config(folder, "");
    assert_string_equal(user_of_warden(c), "61002");
    c->users.warden[0] = 0;
    assert_string_equal(user_of_warden(c), "61001");
    config_free(c);
}

static void test_tickets(void **state)
{
    struct tickets t = { 0 };
    uint8_t first[TICKETS_KEY], second[TICKETS_KEY];

    (void)state;
    tickets_rotate(&t, 5);
    assert_int_equal(t.n, TICKETS_KEY);
    assert_int_equal(t.rotated_ms, 5);
    memcpy(first, t.keys, sizeof(first));
    tickets_rotate(&t, 6);
    memcpy(second, t.keys, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
    assert_memory_equal(t.keys + TICKETS_KEY, first, sizeof(first));
    for (int i = 0; i < 5; i++)
        tickets_rotate(&t, 7);
    assert_int_equal(t.n, TICKETS_KEPT * TICKETS_KEY);
    for (int i = 0; i < TICKETS_KEPT; i++)
        assert_memory_not_equal(t.keys + i * TICKETS_KEY, first, sizeof(first));
    tickets_done(&t);
    assert_int_equal(t.keys[0], 0);
}

static void check_state(const char *path, const char *complaint)
{
    struct config_error why = { "" };
    struct config *c = sample_config(path, "");

    assert_int_equal(state_prepare(c, &why), complaint == NULL);
    if (complaint != NULL)
        assert_non_null(strstr(why.text, complaint));
    config_free(c);
}

static void test_state(void **state)
{
    char path[128], link[128];
    struct stat st;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/state", folder);
    (void)snprintf(link, sizeof(link), "%s/link", folder);
    check_state(path, NULL);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(st.st_uid, geteuid() == 0 ? SAMPLE_UID + 1 : geteuid());
    check_state(path, NULL);
    assert_int_equal(chmod(path, 0750), 0);
    check_state(path, "chmod 700 it");
    assert_int_equal(chmod(path, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 0, 0), 0);
        check_state(path, NULL);
        assert_int_equal(chown(path, 12345, 0), 0);
        check_state(path, "belongs to user 12345");
    }
    assert_int_equal(symlink("/tmp", link), 0);
    check_state(link, "link");
    check_state("/nowhere/at/all", "cannot be made");
}

static void write_file(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static void test_generation(void **state)
{
    struct config_error why = { "" };
    char more[512], ca[128], space[16];

    (void)state;
    (void)snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
    (void)snprintf(
        more, sizeof(more),
        "edges: { count = 3; };\n"
        "upstreams: { a: { imap = \"imaps://a.example\"; ca = \"%s\";\n"
        "domains = [ \"a.example\" ]; }; b: { imap = \"imaps://b.example\"; ca = \"%s\"; }; };",
        ca, ca);
    assert_null(generation_new(0, sample_config(folder, more), &why));
    assert_non_null(strstr(why.text, "tls.certificate: \"/cert.pem\""));
    struct config *c = sample_config(folder, more);
    c->tls.certificate.n = c->tls.key.n = 0;
    write_file(ca, "authority");
    struct generation *g = generation_new(7, c, &why);
    assert_non_null(g);
    assert_int_equal(g->number, 7);
    assert_int_equal(g->edge_count, 3);
    /* The configuration, and the one file that both upstreams name. */
    assert_int_equal(g->for_edge.n, 2);
    assert_string_equal(g->for_edge.items[0].name, "config");
    assert_string_equal(g->for_edge.items[1].name, ca);
    assert_int_equal(g->for_warden.n, 1);
    const int fd = g->for_edge.items[1].fd;
    assert_int_equal(pread(fd, space, sizeof(space), 0), 9);
    assert_memory_equal(space, "authority", 9);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(fcntl(fd, F_GET_SEALS) & F_SEAL_SEAL, F_SEAL_SEAL);
    c->tls.certificate.n = c->tls.key.n = 1; /* as it was, for config_free */
    generation_free(g);
    generation_free(NULL);
}

static void test_problem(void **state)
{
    struct config_error why;
    struct config *c = sample_config(folder, "");

    (void)state;
    assert_false(problem_say(&why, c, "users.edge", "\"%s\" is wrong", "x"));
    assert_non_null(strstr(why.text, ":2: users.edge: \"x\" is wrong"));
    assert_false(problem_say(&why, c, "control", "is wrong"));
    assert_non_null(strstr(why.text, ": control: is wrong"));
    config_free(c);
}

static int set_up(void **state)
{
    (void)state;
    sample_folder(folder);
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
        cmocka_unit_test(test_users),   cmocka_unit_test(test_tickets),
        cmocka_unit_test(test_state),   cmocka_unit_test(test_generation),
        cmocka_unit_test(test_problem),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
