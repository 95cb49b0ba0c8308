/* One verdict channel and more: what an edge may say, what a hostile one gets, and the life of
 * sessions from the verdict to their end. */
#include "test_verdict_rig.h"

#include "warden/probe.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

static int open_upstream(void **state)
{
    (void)state;
    rig_open(RIG_UPSTREAM);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close();
    return 0;
}

/* A session of ann's, live. */
static uint64_t log_in(struct link *edge, const char *user, const char *secret)
{
    const struct rig_frame f =
        rig_ask(edge, &(struct rig_question){ .user = user, .secret = secret });

    assert_int_equal(f.verdict, VERDICT_ALLOW);
    rig_outcome(edge, f.session, OUTCOME_ACCEPTED);
    return f.session;
}

static void say_closed(struct link *edge, uint64_t session)
{
    const struct wire_closed c = {
        .session = session, .octets_up = 11, .octets_down = 22, .reason = VIEW_LIT("logout")
    };

    assert_true(rig_take(edge, WIRE_closed, &c));
}

/* ---- a login -------------------------------------------------------------------------- */

static void test_login(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "mailbox", NULL);
    struct store_app_password row;

    const struct rig_frame f =
        rig_ask(rig.edge, &(struct rig_question){ .user = "Ann", .secret = good });
    assert_int_equal(f.verdict, VERDICT_ALLOW);
    assert_string_equal(f.account, "ann@example.org");
    assert_string_equal(f.user, "ann@example.org");
    assert_string_equal(f.secret, "mailbox");
    assert_int_equal(strlen(f.credential), 10);
    assert_int_equal(rig_events("login", NULL), 0); /* not before the upstream has spoken */
    rig_outcome(rig.edge, f.session, OUTCOME_ACCEPTED);
    assert_int_equal(rig_events("login", ""), 1);
    assert_int_equal(store_app_password_find(rig.w.store, f.credential, &row), ERR_OK);
    assert_int_equal(row.last_used_at, RIG_NOW);
    assert_string_equal(row.last_source, "192.0.2.7");
    assert_int_equal(registry_count_of(rig.w.registry, "ann@example.org"), 1);
    say_closed(rig.edge, f.session);
    assert_int_equal(rig_events("closed", "logout"), 1);
    assert_int_equal(registry_count(rig.w.registry), 0);
    say_closed(rig.edge, f.session); /* twice: nothing */
}

static void test_refusals_look_alike(void **state)
{
    (void)state;
    rig_account("ann@example.org");
    const struct rig_question right = { .user = "ann", .secret = "right", .source = "192.0.2.1" };
    const struct rig_question wrong = { .user = "ann", .secret = "wrong", .source = "192.0.2.2" };
    const struct rig_question none = { .user = "nobody", .secret = "right", .source = "192.0.2.3" };
    const struct rig_question bad = { .user = "n@o@n@e", .secret = "right", .source = "192.0.2.4" };
    const struct rig_question *const all[] = { &right, &wrong, &none, &bad };

    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < COUNT_OF(all); i++) {
            struct rig_frame f = rig_ask(rig.edge, all[i]);
            struct rig_frame expected = { .number = WIRE_verdict,
                                          .session = f.session,
                                          .is_alert = again == 0 };
            assert_memory_equal(&f, &expected, sizeof(f));
        }
    }
    rig_pass_s(3600);
    assert_true(rig_ask(rig.edge, &none).is_alert);
    assert_int_equal(rig_events("refused", NULL), 4 + 1); /* the same secret again: no event */
}

static void test_outcomes(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "mailbox", NULL);
    const char *master = rig_app_password("ann@master.test", NULL, NULL);
    (void)rig_lease("bob@example.org", "192.0.2.0/24", "");
    const struct rig_question device = { .user = "ann", .secret = good };
    const struct rig_question leased = { .user = "bob", .secret = "guess" };
    const struct rig_question gate = { .user = "ann@master.test", .secret = master };

    struct rig_frame f = rig_ask(rig.edge, &device);
    rig_outcome(rig.edge, f.session, OUTCOME_REFUSED);
    assert_int_equal(rig_last(WIRE_verdict)->verdict, VERDICT_REFUSE);
    assert_int_equal(rig_last(WIRE_verdict)->answer, WIRE_ANSWER_STALE);
    assert_int_equal(rig_events("sealed-password-stale", NULL), 1);

    rig_pass_s(STALE_MS / 1000);
    f = rig_ask(rig.edge, &device);
    rig_outcome(rig.edge, f.session, OUTCOME_UNAVAILABLE);
    assert_int_equal(rig_last(WIRE_verdict)->verdict, VERDICT_LATER);
    assert_int_equal(rig_last(WIRE_verdict)->answer, WIRE_ANSWER_LATER);

    f = rig_ask(rig.edge, &gate);
    rig_outcome(rig.edge, f.session, OUTCOME_REFUSED);
    assert_int_equal(rig_last(WIRE_verdict)->verdict, VERDICT_LATER);
    assert_int_equal(rig_events("later", "upstream-refused-master"), 1);

    f = rig_ask(rig.edge, &leased);
    assert_int_equal(f.verdict, VERDICT_ALLOW);
    rig_outcome(rig.edge, f.session, OUTCOME_REFUSED);
    assert_int_equal(rig_last(WIRE_verdict)->verdict, VERDICT_REFUSE);
    assert_int_equal(rig_last(WIRE_verdict)->answer, WIRE_ANSWER_REFUSE_PASSWORD);
    assert_int_equal(rig_events("refused", "wrong-password"), 1);
    /* Remembered: the upstream is not asked again. */
    assert_int_equal(rig_ask(rig.edge, &leased).verdict, VERDICT_REFUSE);
    assert_int_equal(registry_count(rig.w.registry), 0);
}

/* A phone that goes on with a stale app password costs the mailbox no failed login each time, its
 * owner no ALERT each time, and is no guess. */
static void test_stale_is_remembered(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "old", NULL);
    const struct rig_question phone = { .user = "ann", .secret = good };
    const struct rig_question away = { .user = "ann", .secret = good, .source = "198.51.100.1" };

    struct rig_frame f = rig_ask(rig.edge, &phone);
    assert_int_equal(f.verdict, VERDICT_ALLOW);
    rig_outcome(rig.edge, f.session, OUTCOME_REFUSED);
    assert_true(rig_last(WIRE_verdict)->is_alert);
    for (int i = 0; i < 20; i++) {
        f = rig_ask(rig.edge, &phone);
        assert_int_equal(f.verdict, VERDICT_REFUSE);
        assert_int_equal(f.answer, WIRE_ANSWER_STALE);
        assert_false(f.is_alert);
        assert_string_equal(f.secret, "");
    }
    assert_true(rig_ask(rig.edge, &away).is_alert);
    assert_int_equal(rig_events("sealed-password-stale", NULL), 1);
    assert_int_equal(registry_count(rig.w.registry), 0);
    /* Somebody without the app password learns nothing of it. */
    char wrong[64];
    (void)snprintf(wrong, sizeof(wrong), "%s", good);
    wrong[20] = wrong[20] == 'a' ? 'b' : 'a';
    f = rig_ask(rig.edge, &(struct rig_question){ .user = "ann", .secret = wrong });
    assert_int_equal(f.answer, WIRE_ANSWER_REFUSE_DEVICE);
    rig_pass_s(3600);
    f = rig_ask(rig.edge, &phone);
    assert_int_equal(f.verdict, VERDICT_ALLOW);
    assert_int_equal(rig_ask(rig.edge, &phone).verdict, VERDICT_REFUSE); /* one asks for all */
    assert_true(rig_last(WIRE_verdict)->is_alert);                       /* the hour is over */
    rig_outcome(rig.edge, f.session, OUTCOME_ACCEPTED);
    (void)log_in(rig.edge, "ann", good);
}

/* Guesses behind a lease are counted, whoever judges. */
static void test_upstream_guesses_are_counted(void **state)
{
    (void)state;
    char secret[32];
    struct rig_frame f;

    (void)rig_lease("ann@example.org", "192.0.2.0/24", "");
    for (int i = 0; i < 4; i++) {
        (void)snprintf(secret, sizeof(secret), "guess %d", i);
        f = rig_ask(rig.edge, &(struct rig_question){ .user = "ann", .secret = secret });
        assert_int_equal(f.verdict, VERDICT_ALLOW);
        rig_outcome(rig.edge, f.session, OUTCOME_REFUSED);
    }
    f = rig_ask(rig.edge, &(struct rig_question){ .user = "ann", .secret = "guess 4" });
    assert_int_equal(f.verdict, VERDICT_LATER);
    assert_int_equal(rig_events("later", "throttled-account"), 1);
}

static void test_observed(void **state)
{
    (void)state;
    const uint64_t id = log_in(rig.edge, "ann@observe.test", "right");

    assert_int_equal(rig_events("login", NULL), 1);
    assert_int_equal(rig_events("observed", "no-second-factor"), 1);
    say_closed(rig.edge, id);
}

/* ---- revocation ----------------------------------------------------------------------- */

static void test_revocation_reaches_live_and_pending(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    struct link *other = rig_edge(2);
    const uint64_t live = log_in(rig.edge, "ann", good);
    const struct rig_frame pending =
        rig_ask(other, &(struct rig_question){ .user = "ann", .secret = good });
    const struct sessions_filter all = { .account = "ann@example.org" };

    assert_int_equal(sessions_end(&rig.w, &all, "account-disabled"), 2);
    assert_int_equal(rig_sent(WIRE_end_session), 2);
    assert_int_equal(sessions_end(&rig.w, &all, "account-disabled"), 0); /* told already */
    assert_int_equal(registry_count_of(rig.w.registry, "ann@example.org"), 0);
    /* The upstream took it at that very moment: it is ended all the same, and never live. */
    rig_outcome(other, pending.session, OUTCOME_ACCEPTED);
    assert_int_equal(rig_sent(WIRE_end_session), 3);
    say_closed(other, pending.session);
    say_closed(rig.edge, live);
    assert_int_equal(registry_count(rig.w.registry), 0);
    assert_int_equal(rig_events("login", NULL), 1);
}

static void test_revocation_by_app_password_and_lease(void **state)
{
    (void)state;
    const char *one = rig_app_password("ann@example.org", "m", NULL);
    const char *two = rig_app_password("ann@example.org", "m", NULL);
    const uint64_t lease = rig_lease("ann@example.org", "192.0.2.0/24", "");
    const uint64_t first = log_in(rig.edge, "ann", one);
    char id[16];

    (void)log_in(rig.edge, "ann", two);
    const uint64_t leased = log_in(rig.edge, "ann", "right");
    (void)snprintf(id, sizeof(id), "%.10s", one + 4);
    assert_int_equal(sessions_end(&rig.w, &(struct sessions_filter){ .app_password = id }, "x"), 1);
    assert_int_equal(rig_last(WIRE_end_session)->session, first);
    assert_int_equal(sessions_end(&rig.w, &(struct sessions_filter){ .lease = lease }, "x"), 1);
    assert_int_equal(rig_last(WIRE_end_session)->session, leased);
}

/* ---- the cap -------------------------------------------------------------------------- */

static void test_cap(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@cap.test", "m", NULL);
    const struct rig_question q = { .user = "ann@cap.test", .secret = good };

    for (int i = 0; i < 3; i++)
        (void)log_in(rig.edge, "ann@cap.test", good);
    assert_int_equal(rig_sent(WIRE_shed), 0);
    (void)log_in(rig.edge, "ann@cap.test", good);
    assert_int_equal(rig_sent(WIRE_shed), 1);
    assert_string_equal(rig_last(WIRE_shed)->account, "ann@cap.test");
    /* An edge that sheds nothing: at twice the cap it is over. */
    for (int i = 0; i < 2; i++)
        (void)log_in(rig.edge, "ann@cap.test", good);
    assert_int_equal(rig_ask(rig.edge, &q).verdict, VERDICT_LATER);
    assert_int_equal(rig_events("later", "too-many-sessions"), 1);
    const struct sessions_filter all = { .account = "ann@cap.test" };
    assert_int_equal(sessions_end(&rig.w, &all, "x"), 6);
    /* Sessions that are ending do not count, though none has ended yet. */
    assert_int_equal(rig_ask(rig.edge, &q).verdict, VERDICT_ALLOW);
}

/* ---- a warden that has just started --------------------------------------------------- */

static struct wire_resume resume(uint64_t id, const char *account, const char *credential)
{
    struct wire_resume r = { .session = id,
                             .account = view_text(account),
                             .app_password = view_text(credential),
                             .gate = VIEW_LIT("imaps"),
                             .protocol = 1,
                             .tls_version = 0x0304,
                             .opened_at = RIG_NOW - 1000 };

    assert_true(addr_parse("192.0.2.7", &r.source));
    return r;
}

static void test_resume(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    char id[16];
    (void)snprintf(id, sizeof(id), "%.10s", good + 4);
    const uint64_t lease = rig_lease("ann@example.org", "192.0.2.0/24", "");
    const uint64_t others = rig_lease("bob@example.org", "192.0.2.0/24", "");
    char leased[JUDGEMENT_CREDENTIAL], foreign[JUDGEMENT_CREDENTIAL];
    (void)snprintf(leased, sizeof(leased), "lease %llu", (unsigned long long)lease);
    (void)snprintf(foreign, sizeof(foreign), "lease %llu", (unsigned long long)others);
    rig_account("off@example.org");
    assert_int_equal(store_account_enable(rig.w.store, "off@example.org", false), ERR_OK);

    struct wire_resume r = resume(1, "ann@example.org", id);
    assert_true(rig_take(rig.edge, WIRE_resume, &r));
    r = resume(2, "ann@example.org", "aaaaaaaaaa"); /* revoked while we were away */
    assert_true(rig_take(rig.edge, WIRE_resume, &r));
    r = resume(3, "off@example.org", "otp");
    assert_true(rig_take(rig.edge, WIRE_resume, &r));
    r = resume(4, "ann@example.org", leased);
    assert_true(rig_take(rig.edge, WIRE_resume, &r));
    r = resume(5, "ann@example.org", "lease 77"); /* revoked while we were away */
    assert_true(rig_take(rig.edge, WIRE_resume, &r));
    r = resume(6, "ann@example.org", foreign);
    assert_true(rig_take(rig.edge, WIRE_resume, &r));
    assert_int_equal(registry_count(rig.w.registry), 6);
    rig_pass_s(7200); /* a lease that has merely expired ends nothing that it let in */
    sessions_tick(&rig.w);
    assert_int_equal(rig_sent(WIRE_end_session), 4);
    assert_int_equal(registry_find(rig.w.registry, 2)->state, SESSION_ENDING);
    assert_int_equal(registry_find(rig.w.registry, 3)->state, SESSION_ENDING);
    assert_int_equal(registry_find(rig.w.registry, 4)->state, SESSION_LIVE);
    assert_int_equal(registry_find(rig.w.registry, 5)->state, SESSION_ENDING);
    assert_int_equal(registry_find(rig.w.registry, 6)->state, SESSION_ENDING);
    assert_int_equal(registry_find(rig.w.registry, 4)->lease, lease);
    assert_int_equal(sessions_end(&rig.w, &(struct sessions_filter){ .lease = lease }, "x"), 1);
    r = resume(1, "ann@example.org", id);
    assert_false(rig_take(rig.edge, WIRE_resume, &r)); /* twice */
}

static void test_resume_many(void **state)
{
    (void)state;
    struct link *edges[10];

    rig_account("ann@example.org");
    for (uint32_t e = 0; e < COUNT_OF(edges); e++) {
        edges[e] = rig_edge(e + 10);
        for (uint64_t i = 0; i < 32; i++) {
            struct wire_resume r = resume((uint64_t)e * 100 + i, "ann@example.org", "otp");
            assert_true(rig_take(edges[e], WIRE_resume, &r));
        }
    }
    sessions_tick(&rig.w);
    assert_int_equal(registry_count(rig.w.registry), 320);
    assert_int_equal(rig_sent(WIRE_end_session), 0);
    link_close(edges[0], "edge-lost");
    assert_int_equal(registry_count(rig.w.registry), 288);
    assert_int_equal(rig_events("closed", "edge-lost"), 32);
}

/* ---- hostile edges -------------------------------------------------------------------- */

static void test_only_its_own_sessions(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    struct link *hostile = rig_edge(66);
    const uint64_t id = log_in(rig.edge, "ann", good);
    const struct rig_frame pending =
        rig_ask(rig.edge, &(struct rig_question){ .user = "ann", .secret = good });
    const struct wire_label label = { .session = id, .client = VIEW_LIT("evil") };
    const struct rig_question steal = { .user = "ann", .secret = good, .session = id };
    struct wire_resume r = resume(id, "ann@example.org", "otp");

    say_closed(hostile, id);
    assert_true(rig_take(hostile, WIRE_label, &label));
    rig_outcome(hostile, pending.session, OUTCOME_REFUSED);
    assert_true(rig_take(hostile, WIRE_resume, &r));
    const struct session *s = registry_find(rig.w.registry, id);
    assert_non_null(s);
    assert_ptr_equal(s->holder, &rig.edge->holder);
    assert_null(s->client);
    assert_int_equal(registry_find(rig.w.registry, pending.session)->state, SESSION_PENDING);
    assert_int_equal(rig_ask(hostile, &steal).verdict, VERDICT_LATER);
    link_close(hostile, "edge-lost");
    assert_int_equal(registry_count(rig.w.registry), 2);
}

static void test_misbehaviour(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    const uint64_t id = log_in(rig.edge, "ann", good);
    const struct wire_question twice =
        rig_question(&(struct rig_question){ .user = "ann", .secret = good, .session = id });
    const struct wire_outcome again = { .session = id, .result = OUTCOME_ACCEPTED };
    const struct wire_outcome odd = { .session = id, .result = 3 };
    const struct wire_probed probed = { .probe = 1, .result = 3 };
    const struct wire_hello hello = { .edge = 1 };
    struct wire_resume r = resume(99, "no account", "otp");

    assert_false(rig_take(rig.edge, WIRE_question, &twice));
    assert_false(rig_take(rig.edge, WIRE_outcome, &again));
    assert_false(rig_take(rig.edge, WIRE_outcome, &odd));
    assert_false(rig_take(rig.edge, WIRE_probed, &probed));
    assert_false(rig_take(rig.edge, WIRE_hello, &hello));
    assert_false(rig_take(rig.edge, WIRE_resume, &r));
    r = resume(99, "ann@example.org", "a credential that is far longer than ours");
    assert_false(rig_take(rig.edge, WIRE_resume, &r));
    r = resume(99, "ann@example.org", "otp");
    r.protocol = 4;
    assert_false(rig_take(rig.edge, WIRE_resume, &r));
    const struct wire_status status = { 0 };
    assert_false(rig_take(rig.edge, WIRE_status, &status));
}

static void test_too_many_sessions_of_an_edge(void **state)
{
    (void)state;
    rig_account("ann@example.org");
    const char *good = rig_app_password("ann@example.org", "m", NULL);

    for (uint64_t i = 0; i < 32; i++) {
        struct wire_resume r = resume(i, "ann@example.org", "otp");
        assert_true(rig_take(rig.edge, WIRE_resume, &r));
    }
    const struct rig_question q = { .user = "ann", .secret = good };
    assert_int_equal(rig_ask(rig.edge, &q).verdict, VERDICT_LATER);
    struct wire_resume r = resume(100, "ann@example.org", "otp");
    assert_false(rig_take(rig.edge, WIRE_resume, &r));
}

/* ---- while questions are on the pool -------------------------------------------------- */

static void test_edge_gone_while_judged(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    struct link *other = rig_edge(2);

    rig.w.jobs.is_inline = false;
    for (int i = 0; i < 8; i++) {
        const struct wire_question q =
            rig_question(&(struct rig_question){ .user = "ann", .secret = good });
        assert_true(rig_take(other, WIRE_question, &q));
    }
    assert_int_equal(other->asked_count, 8);
    link_close(other, "edge-lost");
    while (rig.w.jobs.under_way != 0)
        (void)uv_run(&rig.loop, UV_RUN_ONCE);
    rig.w.jobs.is_inline = true;
    assert_int_equal(registry_count(rig.w.registry), 0);
    assert_int_equal(rig_sent(WIRE_verdict), 0);
}

static void test_question_twice_while_judged(void **state)
{
    (void)state;
    struct wire_question q =
        rig_question(&(struct rig_question){ .user = "ann", .secret = "x", .session = 5 });

    rig.w.jobs.is_inline = false;
    assert_true(rig_take(rig.edge, WIRE_question, &q));
    q.secret = VIEW_LIT("y");
    assert_false(rig_take(rig.edge, WIRE_question, &q));
    while (rig.w.jobs.under_way != 0)
        (void)uv_run(&rig.loop, UV_RUN_ONCE);
    assert_true(rig_take(rig.edge, WIRE_question, &q)); /* the second credential of that client */
    while (rig.w.jobs.under_way != 0)
        (void)uv_run(&rig.loop, UV_RUN_ONCE);
    rig.w.jobs.is_inline = true;
    assert_int_equal(rig_sent(WIRE_verdict), 2);
}

/* Revoked between the look at the store and the verdict: judged again. */
static void test_revoked_while_judged(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    const struct wire_question q =
        rig_question(&(struct rig_question){ .user = "ann", .secret = good });
    char id[16];

    (void)snprintf(id, sizeof(id), "%.10s", good + 4);
    rig.w.jobs.is_inline = false;
    assert_true(rig_take(rig.edge, WIRE_question, &q));
    const struct timespec a_while = { .tv_nsec = 50000000 };
    (void)nanosleep(&a_while, NULL); /* the work is done, but the loop has not seen it */
    assert_int_equal(store_app_password_revoke(rig.w.store, id), ERR_OK);
    rig.w.revision++;
    while (rig.w.jobs.under_way != 0)
        (void)uv_run(&rig.loop, UV_RUN_ONCE);
    rig.w.jobs.is_inline = true;
    assert_int_equal(rig_last(WIRE_verdict)->verdict, VERDICT_REFUSE);
}

/* ---- the store is out of service ------------------------------------------------------ */

static void test_full_queue(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    const struct rig_question q = { .user = "ann", .secret = good };

    while (!writer_is_full(rig.w.writer))
        assert_non_null(writer_next(rig.w.writer));
    assert_int_equal(rig_ask(rig.edge, &q).verdict, VERDICT_LATER);
    assert_int_equal(
        rig_ask(rig.edge, &(struct rig_question){ .user = "nobody", .secret = "x" }).verdict,
        VERDICT_LATER);
    writer_flush(rig.w.writer);
    assert_int_equal(rig_ask(rig.edge, &q).verdict, VERDICT_ALLOW);
}

/* The disk is full: who is good comes in, what happened is not lost, and is written when there is
 * room. */
static void test_disk_full(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    struct rlimit before, none;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 1;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    const uint64_t id = log_in(rig.edge, "ann", good);
    writer_flush(rig.w.writer);
    const bool is_failing = writer_is_failing(rig.w.writer);
    (void)log_in(rig.edge, "ann", good);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(is_failing);
    say_closed(rig.edge, id);
    writer_flush(rig.w.writer); /* what failed, first */
    assert_false(writer_is_failing(rig.w.writer));
    assert_int_equal(rig_events("login", NULL), 2);
    assert_int_equal(rig_events("closed", NULL), 1);
}

/* ---- probes --------------------------------------------------------------------------- */

static int probed_result = -1;

static void on_probed(void *arg, enum outcome result)
{
    (void)arg;
    probed_result = (int)result;
}

static void test_probe(void **state)
{
    (void)state;
    const struct probe_conf conf = { .upstream = VIEW_LIT("mail"),
                                     .user = VIEW_LIT("ann"),
                                     .secret = VIEW_LIT("x"),
                                     .protocol = 1,
                                     .done = on_probed };
    struct link *other = rig_edge(2);
    struct wire_probed answer = { .result = OUTCOME_ACCEPTED };

    assert_int_equal(probe_start(&rig.w, &conf), ERR_OK);
    answer.probe = rig_last(WIRE_probe)->session;
    probed_result = -1;
    /* Whoever was not asked has no say. */
    struct link *asked = rig.w.links;
    assert_true(rig_take(asked == other ? rig.edge : other, WIRE_probed, &answer));
    assert_int_equal(probed_result, -1);
    assert_true(rig_take(asked, WIRE_probed, &answer));
    assert_int_equal(probed_result, OUTCOME_ACCEPTED);
    probed_result = -1;
    assert_true(rig_take(asked, WIRE_probed, &answer)); /* late: nothing */
    assert_int_equal(probed_result, -1);
    assert_int_equal(probe_start(&rig.w, &conf), ERR_OK);
    rig_pass_s(30);
    probe_tick(&rig.w);
    assert_int_equal(probed_result, OUTCOME_UNAVAILABLE);
    for (int i = 0; i < PROBE_MAX; i++)
        assert_int_equal(probe_start(&rig.w, &conf), ERR_OK);
    assert_int_equal(probe_start(&rig.w, &conf), ERR_BUSY);
    link_close(rig.w.links, "edge-lost");
    link_close(rig.w.links, "edge-lost");
    assert_null(rig.w.probes);
    assert_int_equal(probe_start(&rig.w, &conf), ERR_BUSY);
}

/* ---- no memory ------------------------------------------------------------------------ */

static void test_no_memory(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    const struct rig_question q = { .user = "ann", .secret = good };
    bool is_allowed = false;

    /* Each allocation fails once: never a crash, never "allow" without a registered session. */
    for (unsigned long n = 1; !is_allowed && n < 200; n++) {
        const struct wire_question w = rig_question(&q);
        AUTO_BUF(frame, LIMIT_FRAME);
        const struct wire_message *m;
        union wire_any any;
        assert_int_equal(wire_encode(WIRE_question, &w, &frame), ERR_OK);
        assert_int_equal(wire_decode(buf_view(&frame), &m, &any), ERR_OK);
        const size_t sent = rig.count;
        mem_fail_at(n);
        const bool is_honest = link_take(rig.edge, m, &any);
        mem_fail_at(0);
        assert_true(is_honest);
        assert_true(rig.count > sent);
        is_allowed = rig_last(WIRE_verdict)->verdict == VERDICT_ALLOW;
        assert_int_equal(registry_count(rig.w.registry), is_allowed);
    }
    assert_true(is_allowed);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_upstream, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_login),
        TEST(test_refusals_look_alike),
        TEST(test_outcomes),
        TEST(test_stale_is_remembered),
        TEST(test_upstream_guesses_are_counted),
        TEST(test_observed),
        TEST(test_revocation_reaches_live_and_pending),
        TEST(test_revocation_by_app_password_and_lease),
        TEST(test_cap),
        TEST(test_resume),
        TEST(test_resume_many),
        TEST(test_only_its_own_sessions),
        TEST(test_misbehaviour),
        TEST(test_too_many_sessions_of_an_edge),
        TEST(test_edge_gone_while_judged),
        TEST(test_question_twice_while_judged),
        TEST(test_revoked_while_judged),
        TEST(test_full_queue),
        TEST(test_disk_full),
        TEST(test_probe),
        TEST(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
