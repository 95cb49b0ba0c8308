/* As whom a submission session may send: its app password's one address, the account's own ones, or
 * anyone; and that nothing slow, missing or too long ends in "anyone". */
#include "test_verdict_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { IMAP = 1, POP3, SUBMISSION, SIEVE, BEHIND };

#define ANY "" /* not held */

static int open_plain(void **state)
{
    (void)state;
    rig_open(RIG_UPSTREAM);
    return 0;
}

static int open_aliases(void **state)
{
    (void)state;
    rig_open(RIG_ALIASES);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close();
    return 0;
}

static void write_aliases(const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/aliases", rig.scratch.folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void expect(const char *name, const char *user, const char *secret, const char *senders)
{
    rig_judge(name,
              &(struct rig_question){ .user = user, .secret = secret, .protocol = SUBMISSION },
              &(struct rig_expected){ .verdict = VERDICT_ALLOW, .senders = senders });
}

static void expect_later(const char *name, const char *user, const char *secret, enum reason why)
{
    rig_judge(name,
              &(struct rig_question){ .user = user, .secret = secret, .protocol = SUBMISSION },
              &(struct rig_expected){
                  .verdict = VERDICT_LATER, .answer = WIRE_ANSWER_LATER, .reason = why });
}

static void test_without_aliases(void **state)
{
    (void)state;
    const struct store_app_password printer = { .sender = "printer@own.test" };
    const char *free = rig_app_password("ann@example.org", "m", NULL);
    const char *own = rig_app_password("ann@own.test", "m", NULL);
    const char *held = rig_app_password("ann@example.org", "m", &printer);
    const char *both = rig_app_password("ann@own.test", "m", &printer);

    for (int known = 0; known < 2; known++) { /* from the store, then from memory */
        expect("policy any", "ann", free, ANY);
        expect("policy own", "ann@own.test", own, "ann@own.test");
        expect("by another spelling", " Ann@OWN.test", own, "ann@own.test");
        expect("the app password's", "ann", held, "printer@own.test");
        expect("the app password's, policy own", "ann@own.test", both, "printer@own.test");
    }
    (void)rig_lease("ann@own.test", "192.0.2.0/24", "");
    expect("a password", "ann@own.test", "right", "ann@own.test");
    for (uint8_t p = IMAP; p < BEHIND; p++)
        if (p != SUBMISSION)
            rig_judge(
                "another protocol",
                &(struct rig_question){ .user = "ann@own.test", .secret = both, .protocol = p },
                &(struct rig_expected){ .verdict = VERDICT_ALLOW, .senders = ANY });
}

static void test_aliases(void **state)
{
    (void)state;
    const struct store_app_password printer = { .sender = "printer@own.test" };
    const char *own = rig_app_password("ann@own.test", "m", NULL);
    const char *held = rig_app_password("ann@own.test", "m", &printer);
    const char *free = rig_app_password("ann@example.org", "m", NULL);

    write_aliases("Sales@Own.test ann@own.test, bob@own.test\n"
                  "@ann.test ann@own.test\n"
                  "nonsense ann@own.test\n"
                  "info@own.test bob@own.test\n"
                  "all@example.org ann\n");
    for (int known = 0; known < 2; known++) {
        expect("own and aliases", "ann@own.test", own, "ann@own.test sales@own.test @ann.test");
        expect("an app password adds none", "ann@own.test", held, "printer@own.test");
        expect("policy any needs none", "ann", free, ANY);
    }
    const char *bob = rig_app_password("bob@own.test", "m", NULL);
    expect("somebody else's", "bob@own.test", bob, "bob@own.test sales@own.test info@own.test");
    const char *cem = rig_app_password("cem@own.test", "m", NULL);
    expect("who has none", "cem@own.test", cem, "cem@own.test");
    write_aliases("new@own.test ann@own.test\n");
    expect("changed meanwhile", "ann@own.test", own, "ann@own.test new@own.test");
}

static void test_out_of_service(void **state)
{
    (void)state;
    const struct store_app_password printer = { .sender = "printer@own.test" };
    const char *own = rig_app_password("ann@own.test", "m", NULL);
    const char *held = rig_app_password("ann@own.test", "m", &printer);
    const char *free = rig_app_password("ann@example.org", "m", NULL);

    (void)rig_lease("ann@own.test", "192.0.2.0/24", "");
    for (int again = 0; again < 2; again++) {
        expect_later("an app password", "ann@own.test", own, REASON_ALIASES);
        expect_later("a password", "ann@own.test", "right", REASON_ALIASES);
        expect("it needs none", "ann@own.test", held, "printer@own.test");
        expect("nor does this policy", "ann", free, ANY);
        rig_judge("nor this protocol",
                  &(struct rig_question){ .user = "ann@own.test", .secret = own },
                  &(struct rig_expected){ .verdict = VERDICT_ALLOW, .senders = ANY });
        rig_judge("who is refused does not learn of it",
                  &(struct rig_question){
                      .user = "bob@own.test", .secret = "right", .protocol = SUBMISSION },
                  &(struct rig_expected){ .answer = WIRE_ANSWER_REFUSE_PASSWORD,
                                          .reason = again == 0 ? REASON_UNKNOWN_ACCOUNT
                                                               : REASON_KNOWN_SECRET,
                                          .senders = ANY });
    }
    write_aliases("sales@own.test ann@own.test\n");
    expect("mended", "ann@own.test", own, "ann@own.test sales@own.test");
}

/* What fits is sent whole; what does not fit lets nobody in with a part of it. */
static void test_too_many(void **state)
{
    (void)state;
    const char *own = rig_app_password("ann@own.test", "m", NULL);
    const size_t own_octets = sizeof("ann@own.test") - 1, line_octets = sizeof(" a00000@b.c") - 1;
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/aliases", rig.scratch.folder);
    for (size_t over = 0; over < 2; over++) {
        const size_t room = LIMIT_SENDERS - own_octets;
        const size_t n = room / line_octets, rest = room % line_octets;
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        for (size_t i = 0; i + 1 < n; i++)
            (void)fprintf(f, "a%05zu@b.c ann@own.test\n", i);
        /* the last one to the octet, or one over */
        (void)fprintf(f, "%.*s@b.c ann@own.test\n", (int)(6 + rest + over),
                      "zzzzzzzzzzzzzzzzzzzzzz");
        assert_int_equal(fclose(f), 0);
        if (over == 0) {
            const struct rig_frame v = rig_ask(
                rig.edge, &(struct rig_question){
                              .user = "ann@own.test", .secret = own, .protocol = SUBMISSION });
            assert_int_equal(v.verdict, VERDICT_ALLOW);
            assert_true(v.is_sender_held);
            assert_int_equal(strncmp(v.senders, "ann@own.test a00000@b.c a00001@b.c ", 35), 0);
        } else {
            expect_later("one octet over", "ann@own.test", own, REASON_TOO_MANY_ALIASES);
        }
    }
    assert_int_equal(rig_events("later", NULL), 0);
    assert_int_equal(rig_ask(rig.edge, &(struct rig_question){ .user = "ann@own.test",
                                                               .secret = own,
                                                               .protocol = SUBMISSION })
                         .verdict,
                     VERDICT_LATER);
    assert_int_equal(rig_events("later", "more-aliases-than-can-be-held"), 1);
}

/* What the edge is told, and that its refusals tell nothing. */
static void test_frames(void **state)
{
    (void)state;
    const struct store_app_password printer = { .sender = "printer@own.test",
                                                .protocols = 1U << SUBMISSION };
    const char *held = rig_app_password("ann@own.test", "m", &printer);
    struct rig_question q = { .user = "ann@own.test", .secret = held, .protocol = SUBMISSION };

    struct rig_frame f = rig_ask(rig.edge, &q);
    assert_int_equal(f.verdict, VERDICT_ALLOW);
    assert_true(f.is_sender_held);
    assert_string_equal(f.senders, "printer@own.test");
    q.secret = rig_app_password("ann@example.org", "m", NULL);
    q.user = "ann";
    f = rig_ask(rig.edge, &q);
    assert_int_equal(f.verdict, VERDICT_ALLOW);
    assert_false(f.is_sender_held);
    assert_string_equal(f.senders, "");
    q = (struct rig_question){ .user = "ann@own.test", .secret = held };
    f = rig_ask(rig.edge, &q);
    assert_int_equal(f.verdict, VERDICT_REFUSE);
    assert_false(f.is_sender_held);
    assert_string_equal(f.senders, "");
}

/* ---- what waits ----------------------------------------------------------------------- */

static struct judgement *asked(const char *user, const char *secret, uint8_t protocol)
{
    const struct rig_question q = { .user = user, .secret = secret, .protocol = protocol };
    const struct wire_question w = rig_question(&q);
    struct judgement *j = judgement_new();
    enum verdict_next next;

    assert_non_null(j);
    assert_int_equal(verdict_ask(&rig.w.parts, j, &w, core_now_ms(&rig.w), rig.w.wall_s(), &next),
                     ERR_OK);
    assert_int_equal(next, VERDICT_NEEDS_WORK);
    throttle_leave(rig.w.throttle, &j->ticket, THROTTLE_UNDECIDED, core_now_ms(&rig.w));
    return j;
}

static void expect_line(const char *user, const char *secret, uint8_t protocol, bool is_quick,
                        bool is_slow)
{
    AUTO(judgement) j = asked(user, secret, protocol);

    assert_int_equal(verdict_is_quick(&rig.w.parts, j), is_quick);
    assert_int_equal(verdict_is_slow(&rig.w.parts, j), is_slow);
}

/* A directory that accepts and says nothing. */
static struct alias_source *silent_directory(int *ret_fd)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(a);
    static char url[64], nothing[] = "", filter[] = "(mail={user})", attribute[] = "mail";
    struct config c = { .domain = nothing };
    struct alias_source *src = NULL;

    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*ret_fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&a, &n), 0);
    assert_int_equal(listen(*ret_fd, 64), 0);
    (void)snprintf(url, sizeof(url), "ldap://127.0.0.1:%u", ntohs(a.sin_port));
    c.aliases.source = CONF_ALIASES_LDAP;
    c.aliases.ldap.url = url;
    c.aliases.ldap.bind_dn = c.aliases.ldap.bind_password = nothing;
    c.aliases.ldap.base = c.aliases.ldap.ca = nothing;
    c.aliases.ldap.filter = filter;
    c.aliases.ldap.attribute = attribute;
    c.aliases.ldap.timeout_ms = 500;
    assert_int_equal(alias_open(&c, &src), ERR_OK);
    return src;
}

static void test_lines(void **state)
{
    (void)state;
    const struct store_app_password printer = { .sender = "printer@own.test" };
    const char *own = rig_app_password("ann@own.test", "m", NULL);
    const char *held = rig_app_password("ann@own.test", "m", &printer);
    const char *free = rig_app_password("ann@example.org", "m", NULL);
    int fd = -1;

    write_aliases("");
    /* Seen once, they are known. */
    expect("own", "ann@own.test", own, "ann@own.test");
    expect("held", "ann@own.test", held, "printer@own.test");
    expect("free", "ann", free, ANY);
    /* A file's lookup is for the pool, in the common line. */
    expect_line("ann@own.test", own, SUBMISSION, false, false);
    expect_line("ann@own.test", own, IMAP, true, false);
    expect_line("ann@own.test", held, SUBMISSION, true, false);
    expect_line("ann", free, SUBMISSION, true, false);
    /* A directory's has a line of its own. */
    struct alias_source *file = rig.w.aliases;
    rig.w.parts.aliases = silent_directory(&fd);
    expect_line("ann@own.test", own, SUBMISSION, false, true);
    expect_line("ann@own.test", own, IMAP, true, false);
    expect_line("ann@own.test", held, SUBMISSION, true, false);
    expect_line("ann", free, SUBMISSION, true, false);
    expect_line("ann@own.test", "password", SUBMISSION, false, true);
    expect_line("ann", "password", SUBMISSION, false, false);
    rows_forget(rig.w.rows);
    expect_line("ann@own.test", held, SUBMISSION, false, true); /* who knows? */
    expect_line("ann", free, SUBMISSION, false, false);
    alias_free((struct alias_source *)rig.w.parts.aliases);
    rig.w.parts.aliases = file;
    (void)close(fd);
}

/* While a directory hangs, submission waits for it, and nothing else does. */
static void test_a_hanging_directory_holds_up_nobody_else(void **state)
{
    (void)state;
    const char *own = rig_app_password("ann@own.test", "m", NULL);
    struct wire_question q = rig_question(
        &(struct rig_question){ .user = "ann@own.test", .secret = own, .protocol = SUBMISSION });
    struct alias_source *file = rig.w.aliases, *directory;
    int fd = -1;

    rig.w.parts.aliases = directory = silent_directory(&fd);
    rig.w.jobs.is_inline = false;
    for (uint64_t i = 0; i < 2 * DOCKET_SLOW; i++) {
        q.session = 100 + i;
        assert_true(rig_take(rig.edge, WIRE_question, &q));
    }
    assert_int_equal(rig.w.slow_running, DOCKET_SLOW);
    assert_int_equal(rig.w.slow_waiting, DOCKET_SLOW);
    q = rig_question(&(struct rig_question){ .user = "ann@own.test", .secret = own });
    assert_true(rig_take(rig.edge, WIRE_question, &q));
    while (rig_sent(WIRE_verdict) == 0)
        (void)uv_run(&rig.loop, UV_RUN_ONCE);
    assert_int_equal(rig_last(WIRE_verdict)->session, q.session);
    assert_int_equal(rig_last(WIRE_verdict)->verdict, VERDICT_ALLOW);
    while (rig.w.jobs.under_way != 0)
        (void)uv_run(&rig.loop, UV_RUN_ONCE);
    rig.w.jobs.is_inline = true;
    assert_int_equal(rig_sent(WIRE_verdict), 2 * DOCKET_SLOW + 1);
    assert_int_equal(rig_last(WIRE_verdict)->verdict, VERDICT_LATER);
    assert_int_equal(rig_events("later", "alias-source-unavailable"), 2 * DOCKET_SLOW);
    rig.w.parts.aliases = file;
    alias_free(directory);
    (void)close(fd);
}

/* No memory for the list: nobody is let in without one. */
static void test_no_memory(void **state)
{
    (void)state;
    const char *own = rig_app_password("ann@own.test", "m", NULL);
    bool is_through = false;

    write_aliases("sales@own.test ann@own.test\n");
    for (unsigned long n = 1; n < 200 && !is_through; n++) {
        const struct rig_question q = { .user = "ann@own.test",
                                        .secret = own,
                                        .protocol = SUBMISSION };
        rows_forget(rig.w.rows);
        const struct wire_question w = rig_question(&q);
        enum verdict_next next;
        AUTO(judgement) j = judgement_new();
        assert_non_null(j);
        mem_fail_at(n);
        const enum err e =
            verdict_ask(&rig.w.parts, j, &w, core_now_ms(&rig.w), rig.w.wall_s(), &next);
        if (e == ERR_OK && next == VERDICT_NEEDS_WORK)
            verdict_work(&rig.w.parts, j);
        mem_fail_at(0);
        if (e != ERR_OK)
            continue;
        throttle_leave(rig.w.throttle, &j->ticket, THROTTLE_UNDECIDED, core_now_ms(&rig.w));
        if (j->verdict != VERDICT_ALLOW)
            continue;
        is_through = true;
        assert_true(j->is_sender_held);
        assert_true(view_is_equal(buf_view(&j->senders), VIEW_LIT("ann@own.test sales@own.test")));
    }
    assert_true(is_through);
}

#define TEST(f, open) cmocka_unit_test_setup_teardown(f, open, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_aliases, open_plain),
        TEST(test_aliases, open_aliases),
        TEST(test_out_of_service, open_aliases),
        TEST(test_too_many, open_aliases),
        TEST(test_frames, open_plain),
        TEST(test_lines, open_aliases),
        TEST(test_a_hanging_directory_holds_up_nobody_else, open_aliases),
        TEST(test_no_memory, open_aliases),
    };

    /* as the warden has them */
    assert_int_equal(setenv("UV_THREADPOOL_SIZE", "8", 1), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
