/* The five steps: a situation a line, with the verdict, the words for the client and the reason. */
#include "test_verdict_rig.h"

#include "warden/account.h"
#include "warden/factor/totp.h"

#define ALLOW  VERDICT_ALLOW
#define REFUSE VERDICT_REFUSE
#define LATER  VERDICT_LATER

static int open_upstream(void **state)
{
    (void)state;
    rig_open(RIG_UPSTREAM);
    return 0;
}

static int open_file(void **state)
{
    (void)state;
    rig_open(RIG_FILE);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close();
    return 0;
}

static void expect(const char *name, const char *user, const char *secret, enum verdict v,
                   enum answer a, enum reason r)
{
    rig_judge(name, &(struct rig_question){ .user = user, .secret = secret },
              &(struct rig_expected){ .verdict = v, .answer = a, .reason = r });
}

/* ---- app passwords -------------------------------------------------------------------- */

static void test_app_password(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "mailbox", NULL);
    char dashed[64], other[64];

    rig_judge("good", &(struct rig_question){ .user = "ann@example.org", .secret = good },
              &(struct rig_expected){ .verdict = ALLOW,
                                      .user = "ann@example.org",
                                      .secret = "mailbox",
                                      .authorization = "" });
    rig_judge(
        "bare name, other case, spaces", &(struct rig_question){ .user = " Ann ", .secret = good },
        &(struct rig_expected){ .verdict = ALLOW, .user = "ann@example.org", .secret = "mailbox" });
    (void)snprintf(dashed, sizeof(dashed), "PST_%.10s-%.13s %s", good + 4, good + 14, good + 27);
    rig_judge("as a person types it", &(struct rig_question){ .user = "ann", .secret = dashed },
              &(struct rig_expected){ .verdict = ALLOW, .secret = "mailbox" });
    rig_judge(
        "authorization is oneself",
        &(struct rig_question){ .user = "ann", .secret = good, .authorization = "ann@example.org" },
        &(struct rig_expected){ .verdict = ALLOW, .secret = "mailbox" });
    rig_judge("authorization is somebody else",
              &(struct rig_question){ .user = "ann", .secret = good, .authorization = "bob" },
              &(struct rig_expected){ .answer = WIRE_ANSWER_REFUSE_DEVICE,
                                      .reason = REASON_AUTHORIZATION });
    (void)snprintf(other, sizeof(other), "%s", good);
    other[20] = other[20] == '7' ? '8' : '7';
    expect("a typo", "ann", other, REFUSE, WIRE_ANSWER_REFUSE_DEVICE, REASON_APP_PASSWORD_FORM);
    expect("prefix alone", "ann", "pst_", REFUSE, WIRE_ANSWER_REFUSE_DEVICE,
           REASON_APP_PASSWORD_FORM);
    rig_account("bob@example.org");
    expect("of another account", "bob", good, REFUSE, WIRE_ANSWER_REFUSE_DEVICE,
           REASON_APP_PASSWORD_OWNER);
}

/* The same public part with another secret behind it. */
static void test_app_password_forged(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "mailbox", NULL);
    struct app_password forged, again;
    static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";

    app_password_make(&forged);
    expect("unknown", "ann", forged.text, REFUSE, WIRE_ANSWER_REFUSE_DEVICE,
           REASON_APP_PASSWORD_UNKNOWN);
    memcpy(forged.text + 4, good + 4, 10);
    bool is_formed = false;
    for (size_t i = 0; i < 32 && !is_formed; i++) {
        forged.text[40] = letters[i];
        is_formed = app_password_parse(view_text(forged.text), &again);
    }
    assert_true(is_formed);
    expect("wrong", "ann", forged.text, REFUSE, WIRE_ANSWER_REFUSE_DEVICE,
           REASON_APP_PASSWORD_WRONG);
    app_password_done(&forged);
    app_password_done(&again);
}

static void test_app_password_limits(void **state)
{
    (void)state;
    struct store_app_password like = { .expires_at = RIG_NOW + 100 };
    const char *ends = rig_app_password("ann@example.org", "m", &like);

    expect("not expired", "ann", ends, ALLOW, 0, REASON_NONE);
    rig_pass_s(100);
    expect("expired", "ann", ends, REFUSE, WIRE_ANSWER_REFUSE_DEVICE, REASON_APP_PASSWORD_EXPIRED);
    like = (struct store_app_password){ .protocols = 1U << 2 };
    expect("for pop3", "ann", rig_app_password("ann@example.org", "m", &like), REFUSE,
           WIRE_ANSWER_REFUSE_DEVICE, REASON_APP_PASSWORD_PROTOCOL);
    like = (struct store_app_password){ .protocols = 1U << 1 };
    expect("for imap", "ann", rig_app_password("ann@example.org", "m", &like), ALLOW, 0,
           REASON_NONE);
    like = (struct store_app_password){ .network = "198.51.100.0/24" };
    const char *near = rig_app_password("ann@example.org", "m", &like);
    expect("from elsewhere", "ann", near, REFUSE, WIRE_ANSWER_REFUSE_DEVICE,
           REASON_APP_PASSWORD_NETWORK);
    rig_judge("from there",
              &(struct rig_question){ .user = "ann", .secret = near, .source = "198.51.100.9" },
              &(struct rig_expected){ .verdict = ALLOW });
    expect("nothing sealed", "ann", rig_app_password("ann@example.org", NULL, NULL), REFUSE,
           WIRE_ANSWER_STALE, REASON_NOTHING_SEALED);
    const char *late = rig_app_password("ann@example.org", "m", NULL);
    assert_int_equal(store_account_enable(rig.w.store, "ann@example.org", false), ERR_OK);
    expect("disabled", "ann", late, REFUSE, WIRE_ANSWER_REFUSE_DEVICE, REASON_ACCOUNT_DISABLED);
}

static void test_binding(void **state)
{
    (void)state;
    const char *net = rig_app_password("ann@bindnet.test", "m", NULL);
    const char *dev = rig_app_password("ann@binddev.test", "m", NULL);
    const struct rig_expected allow = { .verdict = ALLOW };
    const struct rig_expected bound = { .answer = WIRE_ANSWER_REFUSE_DEVICE,
                                        .reason = REASON_APP_PASSWORD_BOUND };

    rig_judge("first network", &(struct rig_question){ .user = "ann@bindnet.test", .secret = net },
              &allow);
    rig_judge("same network",
              &(struct rig_question){
                  .user = "ann@bindnet.test", .secret = net, .source = "192.0.2.200" },
              &allow);
    rig_judge("other network",
              &(struct rig_question){
                  .user = "ann@bindnet.test", .secret = net, .source = "203.0.113.1" },
              &bound);
    rig_judge("first device",
              &(struct rig_question){ .user = "ann@binddev.test", .secret = dev, .client = "K-9" },
              &allow);
    rig_judge(
        "same device elsewhere",
        &(struct rig_question){
            .user = "ann@binddev.test", .secret = dev, .client = "K-9", .source = "203.0.113.1" },
        &allow);
    rig_judge("other device",
              &(struct rig_question){ .user = "ann@binddev.test", .secret = dev, .client = "Mail" },
              &bound);
    rig_judge("a device without a name",
              &(struct rig_question){ .user = "ann@binddev.test", .secret = dev }, &bound);
}

/* ---- gate ----------------------------------------------------------------------------- */

static void test_gate(void **state)
{
    (void)state;
    const char *off = rig_app_password("ann@off.test", "m", NULL);
    const char *seen = rig_app_password("ann@offseen.test", "m", NULL);
    const char *net = rig_app_password("ann@net.test", "m", NULL);

    expect("switched off, proven", "ann@off.test", off, REFUSE, WIRE_ANSWER_SWITCHED_OFF,
           REASON_PROTOCOL_OFF);
    expect("switched off, password", "ann@off.test", "right", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_PROTOCOL_OFF);
    expect("switched off, bad device", "ann@off.test", "pst_x", REFUSE, WIRE_ANSWER_REFUSE_DEVICE,
           REASON_APP_PASSWORD_FORM);
    rig_judge("switched off, only warned of",
              &(struct rig_question){ .user = "ann@offseen.test", .secret = seen },
              &(struct rig_expected){ .verdict = ALLOW, .observed = REASON_PROTOCOL_OFF });
    expect("from the network", "ann@net.test", net, ALLOW, 0, REASON_NONE);
    rig_judge(
        "from another network",
        &(struct rig_question){ .user = "ann@net.test", .secret = net, .source = "203.0.113.1" },
        &(struct rig_expected){ .answer = WIRE_ANSWER_REFUSE_DEVICE, .reason = REASON_NETWORK });
}

/* ---- passwords, the upstream judges --------------------------------------------------- */

static void test_upstream_password(void **state)
{
    (void)state;
    rig_account("ann@example.org");
    expect("no factor", "ann", "right", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD, REASON_NO_FACTOR);
    expect("unknown account", "nobody", "right", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_UNKNOWN_ACCOUNT);
    expect("no name at all", "a b@c", "right", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_BAD_NAME);
    expect("empty secret", "ann", "", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD, REASON_EMPTY_SECRET);
    rig_judge("require = password",
              &(struct rig_question){ .user = "ann@plain.test", .secret = "any" },
              &(struct rig_expected){ .verdict = ALLOW,
                                      .user = "ann@plain.test",
                                      .secret = "any",
                                      .credential = "password" });
    rig_judge(
        "observed", &(struct rig_question){ .user = "ann@observe.test", .secret = "any" },
        &(struct rig_expected){ .verdict = ALLOW, .secret = "any", .observed = REASON_NO_FACTOR });
    expect("no upstream", "ann@plain.test.example", "x", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_UNKNOWN_ACCOUNT);
    rig_account("dis@observe.test");
    assert_int_equal(store_account_enable(rig.w.store, "dis@observe.test", false), ERR_OK);
    expect("disabled, though observed", "dis@observe.test", "any", REFUSE,
           WIRE_ANSWER_REFUSE_PASSWORD, REASON_ACCOUNT_DISABLED);
}

static void test_lease(void **state)
{
    (void)state;
    (void)rig_lease("ann@example.org", "192.0.2.0/24", "");
    (void)rig_lease("bob@example.org", "", "K-9");
    const struct rig_expected none = { .answer = WIRE_ANSWER_REFUSE_PASSWORD,
                                       .reason = REASON_NO_FACTOR };

    rig_judge("by network", &(struct rig_question){ .user = "ann", .secret = "right" },
              &(struct rig_expected){ .verdict = ALLOW,
                                      .user = "ann@example.org",
                                      .secret = "right",
                                      .credential = "lease 1" });
    rig_judge("from elsewhere",
              &(struct rig_question){ .user = "ann", .secret = "right", .source = "203.0.113.9" },
              &none);
    rig_judge("by device",
              &(struct rig_question){ .user = "bob", .secret = "right", .client = "K-9" },
              &(struct rig_expected){ .verdict = ALLOW, .credential = "lease 2" });
    rig_judge("other device",
              &(struct rig_question){ .user = "bob", .secret = "right", .client = "Mail" }, &none);
    rig_judge("no device", &(struct rig_question){ .user = "bob", .secret = "right" }, &none);
    rig_pass_s(3600);
    expect("over", "ann", "right", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD, REASON_NO_FACTOR);
}

static void test_otp(void **state)
{
    (void)state;
    uint8_t seed[20];
    char code[7], appended[32], comma[32];

    rig_totp("ann@example.org", seed);
    rig_code(seed, 0, code);
    (void)snprintf(appended, sizeof(appended), "right%s", code);
    rig_judge("appended", &(struct rig_question){ .user = "ann", .secret = appended },
              &(struct rig_expected){ .verdict = ALLOW, .secret = "right", .credential = "otp" });
    expect("replayed", "ann", appended, REFUSE, WIRE_ANSWER_REFUSE_PASSWORD, REASON_OTP_REPLAYED);
    (void)snprintf(comma, sizeof(comma), "wrong,%s", code);
    expect("the same code, another password", "ann", comma, REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_OTP_REPLAYED);
    rig_code(seed, 1, code);
    (void)snprintf(comma, sizeof(comma), "right,%s", code);
    rig_judge("the next, with a comma", &(struct rig_question){ .user = "ann", .secret = comma },
              &(struct rig_expected){ .verdict = ALLOW, .secret = "right" });
    rig_code(seed, 0, code);
    rig_pass_s(90);
    (void)snprintf(comma, sizeof(comma), "right,%s", code);
    expect("an old one", "ann", comma, REFUSE, WIRE_ANSWER_REFUSE_PASSWORD, REASON_NO_FACTOR);
    rig_account("bob@example.org");
    expect("of somebody without TOTP", "bob", comma, REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_NO_FACTOR);
}

static void test_otp_reuse(void **state)
{
    (void)state;
    uint8_t seed[20];
    char code[7], secret[32], other[32];
    const char *user = "ann@reuse.test";
    const struct rig_expected allow = { .verdict = ALLOW, .secret = "right" };
    const struct rig_expected replay = { .answer = WIRE_ANSWER_REFUSE_PASSWORD,
                                         .reason = REASON_OTP_REPLAYED };

    rig_totp(user, seed);
    rig_code(seed, 0, code);
    (void)snprintf(secret, sizeof(secret), "right%s", code);
    (void)snprintf(other, sizeof(other), "Right%s", code);
    rig_judge("first", &(struct rig_question){ .user = user, .secret = secret, .client = "K-9" },
              &allow);
    rig_judge("again", &(struct rig_question){ .user = user, .secret = secret, .client = "K-9" },
              &allow);
    rig_judge("other device", &(struct rig_question){ .user = user, .secret = secret }, &replay);
    rig_judge("other address",
              &(struct rig_question){
                  .user = user, .secret = secret, .client = "K-9", .source = "192.0.2.8" },
              &replay);
    rig_judge("other password",
              &(struct rig_question){ .user = user, .secret = other, .client = "K-9" }, &replay);
    rig_pass_s(299);
    rig_judge("when the code is long over",
              &(struct rig_question){ .user = user, .secret = secret, .client = "K-9" }, &allow);
    rig_pass_s(1);
    rig_judge("when the window is",
              &(struct rig_question){ .user = user, .secret = secret, .client = "K-9" },
              &(struct rig_expected){ .answer = WIRE_ANSWER_REFUSE_PASSWORD,
                                      .reason = REASON_NO_FACTOR });
}

static void test_otp_reuse_ends_with_the_seed(void **state)
{
    (void)state;
    uint8_t seed[20];
    char code[7], secret[32];

    rig_totp("ann@reuse.test", seed);
    rig_code(seed, 0, code);
    (void)snprintf(secret, sizeof(secret), "right%s", code);
    expect("first", "ann@reuse.test", secret, ALLOW, 0, REASON_NONE);
    rig_totp("ann@reuse.test", seed);
    expect("enrolled anew", "ann@reuse.test", secret, REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_NO_FACTOR);
}

/* A password that nobody has checked never becomes a master login. */
static void test_master(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@master.test", NULL, NULL);

    rig_judge("app password", &(struct rig_question){ .user = "ann@master.test", .secret = good },
              &(struct rig_expected){ .verdict = ALLOW,
                                      .user = "gate",
                                      .secret = "of-the-gate",
                                      .authorization = "ann@master.test" });
    (void)rig_lease("ann@master.test", "192.0.2.0/24", "");
    rig_judge(
        "unverified", &(struct rig_question){ .user = "ann@master.test", .secret = "any" },
        &(struct rig_expected){
            .verdict = ALLOW, .user = "ann@master.test", .secret = "any", .authorization = "" });
}

/* ---- passwords from a file ------------------------------------------------------------ */

static void test_local_password(void **state)
{
    (void)state;
    uint8_t seed[20];
    char code[7], secret[32];

    rig_account("ann@example.org");
    expect("right, no factor", "ann", "right", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_NO_FACTOR);
    expect("wrong", "ann", "wrong", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD, REASON_WRONG_PASSWORD);
    expect("unknown", "nobody", "right", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_UNKNOWN_ACCOUNT);
    rig_judge("plain", &(struct rig_question){ .user = "ann@plain.test", .secret = "right" },
              &(struct rig_expected){ .verdict = ALLOW, .secret = "right" });
    expect("plain, wrong", "ann@plain.test", "wrong", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_UNKNOWN_ACCOUNT);
    expect("observed, wrong", "ann@observe.test", "wrong", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_UNKNOWN_ACCOUNT);
    (void)rig_lease("ann@master.test", "192.0.2.0/24", "");
    rig_judge("verified, master",
              &(struct rig_question){ .user = "ann@master.test", .secret = "right" },
              &(struct rig_expected){
                  .verdict = ALLOW, .user = "gate", .authorization = "ann@master.test" });
    expect("lease, wrong", "ann@master.test", "wrong", REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_WRONG_PASSWORD);
    rig_totp("ann@example.org", seed);
    rig_code(seed, 0, code);
    (void)snprintf(secret, sizeof(secret), "wrong%s", code);
    expect("wrong password, right code", "ann", secret, REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
           REASON_WRONG_PASSWORD);
    (void)snprintf(secret, sizeof(secret), "right%s", code);
    rig_judge("it did not use the code up",
              &(struct rig_question){ .user = "ann", .secret = secret },
              &(struct rig_expected){ .verdict = ALLOW, .secret = "right", .credential = "otp" });
    expect("replayed", "ann", secret, REFUSE, WIRE_ANSWER_REFUSE_PASSWORD, REASON_OTP_REPLAYED);
}

static void test_source_out_of_service(void **state)
{
    (void)state;
    char path[256];
    const char *good = rig_app_password("ann@example.org", "m", NULL);

    (void)snprintf(path, sizeof(path), "%s/passwd", rig.scratch.folder);
    assert_int_equal(unlink(path), 0);
    expect("right", "ann", "right", LATER, WIRE_ANSWER_LATER, REASON_SOURCE);
    expect("unknown", "nobody", "right", LATER, WIRE_ANSWER_LATER, REASON_SOURCE);
    expect("plain", "ann@plain.test", "right", LATER, WIRE_ANSWER_LATER, REASON_SOURCE);
    expect("app passwords go on", "ann", good, ALLOW, 0, REASON_NONE);
}

/* ---- throttle, seen from here --------------------------------------------------------- */

static void test_throttled(void **state)
{
    (void)state;
    char secret[24];

    rig_account("ann@example.org");
    for (int i = 0; i < 4; i++) {
        (void)snprintf(secret, sizeof(secret), "guess-%d", i);
        expect("guess", "ann", secret, REFUSE, WIRE_ANSWER_REFUSE_PASSWORD, REASON_NO_FACTOR);
        expect("the same again", "ann", secret, REFUSE, WIRE_ANSWER_REFUSE_PASSWORD,
               REASON_KNOWN_SECRET);
    }
    expect("over the account's limit", "ann", "guess-4", LATER, WIRE_ANSWER_LATER,
           REASON_THROTTLED_ACCOUNT);
    expect("the right one too", "ann", "right", LATER, WIRE_ANSWER_LATER, REASON_THROTTLED_ACCOUNT);
    expect("an app password is no guess", "ann", rig_app_password("ann@example.org", "m", NULL),
           ALLOW, 0, REASON_NONE);
}

/* ---- questions that no honest edge asks ----------------------------------------------- */

static void test_bad_questions(void **state)
{
    (void)state;
    struct wire_question q = rig_question(&(struct rig_question){ .user = "ann", .secret = "x" });

    q.gate = VIEW_LIT("nowhere");
    assert_false(rig_take(rig.edge, WIRE_question, &q));
    q.gate = VIEW_LIT("imaps");
    q.protocol = 2;
    assert_false(rig_take(rig.edge, WIRE_question, &q));
    q.protocol = 1;
    q.mechanism = 7;
    assert_false(rig_take(rig.edge, WIRE_question, &q));
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name; /* NULL: none */
    } rows[] = {
        { "ann", "ann@example.org" },
        { " ANN\t", "ann@example.org" },
        { "Ann@Example.ORG", "ann@example.org" },
        { "j\xc3\xbcrg@b\xc3\xbc"
          "cher.example",
          "j\xc3\xbcrg@b\xc3\xbc"
          "cher.example" },
        { "a+b.c=d@x", "a+b.c=d@x" },
        { "", NULL },
        { "@example.org", NULL },
        { "ann@", NULL },
        { "ann@b@c", NULL },
        { "an n@c", NULL },
        { "ann*master@c", NULL },
        { "ann%c@d", NULL },
        { "\"ann\"@c", NULL },
        { "ann@-c", NULL },
        { "ann@c..d", NULL },
        { "ann@c.", NULL },
        { "ann\x01@c", NULL },
        { "ann\xff@c", NULL },
        { "ann\xc2\x85@c", NULL },
        { "ann\xed\xa0\x80@c", NULL },
    };
    char name[STORE_NAME];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const bool is = account_normalise(view_text(rows[i].text), "example.org", name);
        if (is != (rows[i].name != NULL))
            fail_msg("%s", rows[i].text);
        assert_string_equal(name, is ? rows[i].name : "");
    }
    assert_false(account_normalise(VIEW_LIT("ann"), "", name));
}

#define TEST(f, open) cmocka_unit_test_setup_teardown(f, open, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_app_password, open_upstream),
        TEST(test_app_password_forged, open_upstream),
        TEST(test_app_password_limits, open_upstream),
        TEST(test_binding, open_upstream),
        TEST(test_gate, open_upstream),
        TEST(test_upstream_password, open_upstream),
        TEST(test_lease, open_upstream),
        TEST(test_otp, open_upstream),
        TEST(test_otp_reuse, open_upstream),
        TEST(test_otp_reuse_ends_with_the_seed, open_upstream),
        TEST(test_master, open_upstream),
        TEST(test_local_password, open_file),
        TEST(test_source_out_of_service, open_file),
        TEST(test_throttled, open_upstream),
        TEST(test_bad_questions, open_upstream),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
