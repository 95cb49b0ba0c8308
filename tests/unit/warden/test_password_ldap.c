/* LDAP without a directory: what is sent where, and that nothing of it ever becomes "right". What a
 * real server answers is an integration test. */
#include "test_store_scratch.h"

#include "warden/factor/password.h"
#include "warden/source/directory.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

static void names_in_a_dn(void **state)
{
    static const struct {
        const char *template, *account, *dn;
    } cases[] = {
        { "uid={local},ou=people,dc=example", "ann@example.org", "uid=ann,ou=people,dc=example" },
        { "mail={user},dc={domain}", "ann@example.org", "mail=ann@example.org,dc=example.org" },
        { "uid={local}", "a,ou=admins", "uid=a\\2Cou\\3Dadmins" },
        { "uid={local}", "#a+b\"c\\d<e>f;g= ", "uid=\\23a\\2Bb\\22c\\5Cd\\3Ce\\3Ef\\3Bg\\3D\\20" },
        { "uid={local}", "{domain}@example.org", "uid=\\7Bdomain\\7D" },
        { "uid={local}", "j\xc3\xb6rg@example.org", "uid=j\\C3\\B6rg" },
        { "uid={local}", "a*)(uid=b", "uid=a\\2A\\29\\28uid\\3Db" },
        { "{user}", "ann@ad.example.org", "ann@ad.example.org" },
        { "uid={other}{local", "ann", "uid={other}{local" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF(dn, 1024);
        assert_int_equal(directory_fill(cases[i].template, view_text(cases[i].account), &dn),
                         ERR_OK);
        assert_string_equal(buf_cstr(&dn), cases[i].dn);
    }
    AUTO_BUF(nul, 64);
    assert_int_equal(directory_fill("uid={local}", view_of("a\0b", 3), &nul), ERR_OK);
    assert_string_equal(buf_cstr(&nul), "uid=a\\00b");
}

struct texts {
    char url[128], dn[64], ca[8], domain[16];
    struct config c;
};

static enum err open_source(struct texts *t, const char *url, uint32_t timeout_ms,
                            struct password_source **ret)
{
    COPY(t->url, url);
    COPY(t->dn, "uid={local},dc=example");
    COPY(t->ca, "");
    COPY(t->domain, "example.org");
    t->c = (struct config){ .domain = t->domain };
    t->c.password.source = CONF_SOURCE_LDAP;
    t->c.password.ldap.url = t->url;
    t->c.password.ldap.bind_dn = t->dn;
    t->c.password.ldap.ca = t->ca;
    t->c.password.ldap.timeout_ms = timeout_ms;
    return password_open(&t->c, ret);
}

static void urls(void **state)
{
    static const char *const bad[] = {
        "", "http://x", "cldap://x", "LDAP", "ldaps//x", "ldaps://a ldap://b", "ldaps://a,ldap://b"
    };
    static const char *const good[] = { "ldaps://x", "ldap://x:389", "ldapi://%2frun%2fldapi" };
    struct texts t;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad) + COUNT_OF(good); i++) {
        struct password_source *src = NULL;
        bool is_bad = i < COUNT_OF(bad);
        enum err e = open_source(&t, is_bad ? bad[i] : good[i - COUNT_OF(bad)], 1000, &src);
        assert_int_equal(e, is_bad ? ERR_INVALID : ERR_OK);
        password_free(src);
    }
}

static int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static enum password_result ask(const char *url, uint32_t timeout_ms, const char *secret)
{
    struct texts t;
    struct password_source *src = NULL;
    const char *reason = NULL;

    assert_int_equal(open_source(&t, url, timeout_ms, &src), ERR_OK);
    enum password_result r =
        password_check(src, VIEW_LIT("ann@example.org"), view_text(secret), &reason);
    assert_non_null(reason);
    password_free(src);
    return r;
}

static void out_of_service_is_later(void **state)
{
    uint16_t port = 0;
    char url[64];

    (void)state;
    int fd = listen_somewhere(&port); /* bound, nobody listens: refused */
    (void)snprintf(url, sizeof(url), "ldap://127.0.0.1:%u", port);
    assert_int_equal(ask(url, 1000, "secret"), PASSWORD_LATER);
    (void)snprintf(url, sizeof(url), "ldaps://127.0.0.1:%u", port);
    assert_int_equal(ask(url, 1000, "secret"), PASSWORD_LATER);
    assert_int_equal(ask("ldapi://%2Fnowhere%2Fat%2Fall", 1000, "secret"), PASSWORD_LATER);
    assert_int_equal(ask(url, 1000, ""), PASSWORD_WRONG); /* not even asked */
    (void)close(fd);
}

static int64_t ms_of(clockid_t clock)
{
    struct timespec t;

    assert_int_equal(clock_gettime(clock, &t), 0);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* It is "later" when the deadline comes, neither at once nor much after, and the wait is none that
 * keeps a processor busy. */
static void assert_later_in_time(const char *url)
{
    const int64_t start = ms_of(CLOCK_MONOTONIC), work = ms_of(CLOCK_PROCESS_CPUTIME_ID);

    assert_int_equal(ask(url, 600, "secret"), PASSWORD_LATER);
    const int64_t waited = ms_of(CLOCK_MONOTONIC) - start;
    assert_true(waited >= 550 && waited < 3000);
    assert_true(ms_of(CLOCK_PROCESS_CPUTIME_ID) - work < 300);
}

/* It accepts and says nothing, for ever. */
static void silence_ends_in_time(void **state)
{
    static const char *const schemes[] = { "ldap", "ldaps" };
    uint16_t port = 0;
    int fd = listen_somewhere(&port);

    (void)state;
    assert_int_equal(listen(fd, 8), 0);
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        char url[64];
        (void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u", schemes[i], port);
        assert_later_in_time(url);
    }
    (void)close(fd);
}

/* Agrees to StartTLS, begins a record, and then sends an octet now and then. */
static _Noreturn void trickle(int fd)
{
    static const uint8_t agreed[] = { 0x30, 0x0c, 2, 1, 1, 0x78, 7, 10, 1, 0, 4, 0, 4, 0 };
    static const uint8_t record[] = { 0x16, 3, 3, 0x40, 0 };
    const struct timespec pause = { 0, 20000000 };
    uint8_t request[512];

    (void)alarm(20);
    int c = accept(fd, NULL, NULL);
    if (c < 0 || read(c, request, sizeof(request)) <= 0 || write(c, agreed, sizeof(agreed)) < 0 ||
        write(c, record, sizeof(record)) < 0)
        _exit(1);
    while (send(c, "", 1, MSG_NOSIGNAL) == 1)
        (void)nanosleep(&pause, NULL);
    _exit(0);
}

static void trickling_ends_in_time(void **state)
{
    uint16_t port = 0;
    char url[64];
    int fd = listen_somewhere(&port), status = 0;

    (void)state;
    assert_int_equal(listen(fd, 8), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        trickle(fd);
    (void)close(fd);
    (void)snprintf(url, sizeof(url), "ldap://127.0.0.1:%u", port);
    assert_later_in_time(url);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void no_memory_is_later(void **state)
{
    struct texts t;
    const char *reason = NULL;

    (void)state;
    for (unsigned long n = 1;; n++) {
        struct password_source *src = NULL;
        mem_fail_at(n);
        enum err e = open_source(&t, "ldapi://%2Fnowhere", 100, &src);
        mem_fail_at(0);
        if (e == ERR_OK) {
            mem_fail_at(1);
            assert_int_equal(password_check(src, VIEW_LIT("a"), VIEW_LIT("b"), &reason),
                             PASSWORD_LATER);
            mem_fail_at(0);
            password_free(src);
            break;
        }
        assert_int_equal(e, ERR_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_a_dn),           cmocka_unit_test(urls),
        cmocka_unit_test(out_of_service_is_later), cmocka_unit_test(silence_ends_in_time),
        cmocka_unit_test(trickling_ends_in_time),  cmocka_unit_test(no_memory_is_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
