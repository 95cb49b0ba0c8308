/* One account, one app password, one lease, four protocols: what holds over all of them, and what
 * over one only. */
#include "test_verdict_rig.h"

enum { IMAP = 1, POP3, SUBMISSION, SIEVE, BEHIND };

static const char *const names[] = { "", "imap", "pop3", "submission", "sieve" };

static const struct rig_expected allow = { .verdict = VERDICT_ALLOW };

static int open_rig(void **state)
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

static void test_one_app_password_for_all(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "mailbox", NULL);

    for (uint8_t p = IMAP; p < BEHIND; p++)
        rig_judge(names[p], &(struct rig_question){ .user = "ann", .secret = good, .protocol = p },
                  &(struct rig_expected){ .verdict = VERDICT_ALLOW, .secret = "mailbox" });
}

static void test_app_password_for_some(void **state)
{
    (void)state;
    const struct rig_expected not_here = { .answer = WIRE_ANSWER_REFUSE_DEVICE,
                                           .reason = REASON_APP_PASSWORD_PROTOCOL };

    for (uint8_t its = IMAP; its < BEHIND; its++) {
        const struct store_app_password like = { .protocols = 1U << its };
        const char *good = rig_app_password("ann@example.org", "m", &like);
        for (uint8_t p = IMAP; p < BEHIND; p++)
            rig_judge(names[p],
                      &(struct rig_question){ .user = "ann", .secret = good, .protocol = p },
                      p == its ? &allow : &not_here);
    }
}

/* A list without a protocol shuts it there; only who has proven a device is told so. */
static void test_switched_off(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@some.test", "m", NULL);
    const char *off = rig_app_password("ann@off.test", "m", NULL);
    const struct rig_expected told = { .answer = WIRE_ANSWER_SWITCHED_OFF,
                                       .reason = REASON_PROTOCOL_OFF };
    const struct rig_expected not_told = { .answer = WIRE_ANSWER_REFUSE_PASSWORD,
                                           .reason = REASON_PROTOCOL_OFF };
    const struct rig_expected typo = { .answer = WIRE_ANSWER_REFUSE_DEVICE,
                                       .reason = REASON_APP_PASSWORD_FORM };
    const struct rig_expected no_factor = { .answer = WIRE_ANSWER_REFUSE_PASSWORD,
                                            .reason = REASON_NO_FACTOR };

    for (uint8_t p = IMAP; p < BEHIND; p++) {
        const bool is_on = p == POP3 || p == SIEVE;
        char bad[16], typed[16];
        (void)snprintf(bad, sizeof(bad), "pst_%d", p);
        (void)snprintf(typed, sizeof(typed), "typed %d", p);
        rig_judge(names[p],
                  &(struct rig_question){ .user = "ann@some.test", .secret = good, .protocol = p },
                  is_on ? &allow : &told);
        rig_judge(names[p],
                  &(struct rig_question){ .user = "ann@off.test", .secret = off, .protocol = p },
                  &told);
        rig_judge(names[p],
                  &(struct rig_question){ .user = "ann@some.test", .secret = bad, .protocol = p },
                  &typo);
        rig_judge(names[p],
                  &(struct rig_question){ .user = "ann@some.test", .secret = typed, .protocol = p },
                  is_on ? &no_factor : &not_told);
    }
}

/* An upstream without a server for the protocol is none: a fault of ours, not the client's. */
static void test_no_server(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@send.test", "m", NULL);
    const struct rig_expected none = { .verdict = VERDICT_LATER,
                                       .answer = WIRE_ANSWER_LATER,
                                       .reason = REASON_NO_UPSTREAM };

    for (uint8_t p = IMAP; p < BEHIND; p++)
        rig_judge(names[p],
                  &(struct rig_question){ .user = "ann@send.test", .secret = good, .protocol = p },
                  p == SUBMISSION ? &allow : &none);
}

/* ---- devices and networks ------------------------------------------------------------- */

/* Only IMAP clients say what they are: the label that one of them is bound by is not asked of the
 * others, nor is it ever bound by them. */
static void test_bound_device(void **state)
{
    (void)state;
    const char *user = "ann@binddev.test";
    const char *good = rig_app_password(user, "m", NULL);
    const struct rig_expected bound = { .answer = WIRE_ANSWER_REFUSE_DEVICE,
                                        .reason = REASON_APP_PASSWORD_BOUND };

    for (int round = 0; round < 2; round++) {
        for (uint8_t p = POP3; p < BEHIND; p++)
            rig_judge(names[p],
                      &(struct rig_question){ .user = user, .secret = good, .protocol = p },
                      &allow);
        rig_judge("imap binds, and has bound",
                  &(struct rig_question){ .user = user, .secret = good, .client = "K-9" }, &allow);
    }
    rig_judge("another device",
              &(struct rig_question){ .user = user, .secret = good, .client = "Mail" }, &bound);
    /* A label from such a protocol (no edge sends one) changes nothing. */
    rig_judge("a label that nobody asks for",
              &(struct rig_question){
                  .user = user, .secret = good, .client = "Mail", .protocol = SUBMISSION },
              &allow);
}

static void test_bound_network(void **state)
{
    (void)state;
    const char *user = "ann@bindnet.test";
    const struct rig_expected bound = { .answer = WIRE_ANSWER_REFUSE_DEVICE,
                                        .reason = REASON_APP_PASSWORD_BOUND };

    for (uint8_t first = IMAP; first < BEHIND; first++) {
        const char *good = rig_app_password(user, "m", NULL);
        rig_judge("binds",
                  &(struct rig_question){ .user = user, .secret = good, .protocol = first },
                  &allow);
        for (uint8_t p = IMAP; p < BEHIND; p++) {
            rig_judge(names[p],
                      &(struct rig_question){
                          .user = user, .secret = good, .protocol = p, .source = "192.0.2.200" },
                      &allow);
            rig_judge(names[p],
                      &(struct rig_question){
                          .user = user, .secret = good, .protocol = p, .source = "203.0.113.1" },
                      &bound);
        }
    }
}

static void test_leases(void **state)
{
    (void)state;
    (void)rig_lease("ann@example.org", "192.0.2.0/24", "");
    (void)rig_lease("bob@example.org", "", "K-9");
    (void)rig_lease("cem@example.org", "192.0.2.0/24", "K-9");
    const struct rig_expected none = { .answer = WIRE_ANSWER_REFUSE_PASSWORD,
                                       .reason = REASON_NO_FACTOR };
    const char *far = "203.0.113.1";

    for (uint8_t p = IMAP; p < BEHIND; p++) {
        const char *client = p == IMAP ? "K-9" : "";
        const struct rig_question ann = { .user = "ann", .secret = "right", .protocol = p };
        struct rig_question bob = {
            .user = "bob", .secret = "right", .protocol = p, .client = client
        };
        rig_judge(names[p], &ann, &allow);
        /* Nothing would limit it over the others. */
        rig_judge(names[p], &bob, p == IMAP ? &allow : &none);
        bob.client = "K-9";
        rig_judge(names[p], &bob, p == IMAP ? &allow : &none);
        const struct rig_question cem = {
            .user = "cem", .secret = "right", .protocol = p, .client = client
        };
        struct rig_question elsewhere = cem;
        elsewhere.source = far;
        rig_judge(names[p], &cem, &allow);
        rig_judge(names[p], &elsewhere, &none);
    }
}

/* ---- the throttle ----------------------------------------------------------------------*/

/* A forgotten client that goes round all protocols with one wrong password has failed once, and its
 * owner is not locked out; four different ones are four failures, wherever they were tried. */
static void test_one_wrong_secret_is_one_failure(void **state)
{
    (void)state;
    const struct rig_expected refused = { .answer = WIRE_ANSWER_REFUSE_PASSWORD,
                                          .reason = REASON_NO_FACTOR };
    const struct rig_expected over = { .verdict = VERDICT_LATER,
                                       .answer = WIRE_ANSWER_LATER,
                                       .reason = REASON_THROTTLED_ACCOUNT };

    rig_account("ann@example.org");
    for (int round = 0; round < 5; round++)
        for (uint8_t p = IMAP; p < BEHIND; p++)
            rig_judge(names[p],
                      &(struct rig_question){ .user = "ann", .secret = "stale", .protocol = p },
                      &refused);
    for (uint8_t p = POP3; p < BEHIND; p++)
        rig_judge(names[p],
                  &(struct rig_question){ .user = "ann", .secret = names[p], .protocol = p },
                  &refused);
    for (uint8_t p = IMAP; p < BEHIND; p++)
        rig_judge(names[p],
                  &(struct rig_question){ .user = "ann", .secret = "a fifth", .protocol = p },
                  &over);
}

/* The same where the upstream judges: its refusals come later, as outcomes. */
static void test_one_wrong_secret_upstream(void **state)
{
    (void)state;
    const struct rig_question guess = { .user = "ann@plain.test", .secret = "another" };

    for (int round = 0; round < 3; round++)
        for (uint8_t p = IMAP; p < BEHIND; p++) {
            const struct rig_frame f =
                rig_ask(rig.edge, &(struct rig_question){
                                      .user = "ann@plain.test", .secret = "stale", .protocol = p });
            assert_int_equal(f.verdict, VERDICT_ALLOW);
            rig_outcome(rig.edge, f.session, OUTCOME_REFUSED);
        }
    for (int i = 0; i < 3; i++) {
        char secret[16];
        (void)snprintf(secret, sizeof(secret), "guess %d", i);
        const struct rig_frame f =
            rig_ask(rig.edge, &(struct rig_question){ .user = "ann@plain.test",
                                                      .secret = secret,
                                                      .protocol = (uint8_t)(POP3 + i) });
        assert_int_equal(f.verdict, VERDICT_ALLOW);
        rig_outcome(rig.edge, f.session, OUTCOME_REFUSED);
    }
    assert_int_equal(rig_ask(rig.edge, &guess).verdict, VERDICT_LATER);
    assert_int_equal(rig_events("later", "throttled-account"), 1);
}

/* ---- what is written down --------------------------------------------------------------*/

struct seen {
    unsigned logins, refusals; /* bits by protocol */
};

static bool see(void *arg, const struct store_event *e)
{
    struct seen *s = arg;

    for (uint8_t p = IMAP; p < BEHIND; p++)
        if (strcmp(e->protocol, names[p]) == 0) {
            s->logins |= strcmp(e->kind, "login") == 0 ? 1U << p : 0;
            s->refusals |= strcmp(e->kind, "refused") == 0 ? 1U << p : 0;
        }
    return true;
}

static void test_events_name_the_protocol(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    struct seen seen = { 0 };

    for (uint8_t p = IMAP; p < BEHIND; p++) {
        const struct rig_frame f = rig_ask(
            rig.edge, &(struct rig_question){ .user = "ann", .secret = good, .protocol = p });
        assert_int_equal(f.verdict, VERDICT_ALLOW);
        rig_outcome(rig.edge, f.session, OUTCOME_ACCEPTED);
        (void)rig_ask(rig.edge,
                      &(struct rig_question){ .user = "ann", .secret = "pst_x", .protocol = p });
    }
    writer_flush(rig.w.writer);
    assert_int_equal(store_event_list(rig.w.store, "", 0, 1000, see, &seen), ERR_OK);
    assert_int_equal(seen.logins, 0x1e);
    assert_int_equal(seen.refusals, 0x1e);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_app_password_for_all),
        TEST(test_app_password_for_some),
        TEST(test_switched_off),
        TEST(test_no_server),
        TEST(test_bound_device),
        TEST(test_bound_network),
        TEST(test_leases),
        TEST(test_one_wrong_secret_is_one_failure),
        TEST(test_one_wrong_secret_upstream),
        TEST(test_events_name_the_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
