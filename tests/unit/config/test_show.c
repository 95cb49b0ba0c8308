/* What is shown reads back as the same, and shows nobody what is not his. */
#include "given.h"

#define RICH                                                                                       \
    "domain = \"example.org\"; users: { edge = \"e\\\\\"; warden = \"w\\\"\"; };\n"                \
    "tls: { certificate = [ \"/a\", \"/b\" ]; key = [ \"/c\", \"/d\" ]; };\n"                      \
    "password: { source = \"ldap\"; ldap: { url = \"ldaps://h\"; bind_dn = \"uid={user}\"; }; "    \
    "};\n"                                                                                         \
    "gates: { a-1: { protocol = \"imap\"; listen = [ \"*:1\", \"[::1]:2\" ]; proxy_from = [ "      \
    "\"10.0.0.0/8\", \"::1\" ]; };\n"                                                              \
    "b: { protocol = \"submission\"; listen = \"*:465\"; bare_newline = \"normalise\"; }; };\n"    \
    "upstreams: { m_2: { submission = \"submission://[::1]\"; pop3 = [ \"pop3s://h:1\" ];\n"       \
    "  imap = [ \"imap+clear://unix:/run/x\", \"imap://[::1]:9\", "                                \
    "\"imaps://h\" ];\n"                                                                           \
    "  login = \"master\"; master_user = \"m\"; master_password = \"very \\\"secret\\\" "          \
    "indeed\"; };\n"                                                                               \
    "  n: { imap = \"imaps://n\"; domains = \"n.org\";\n"                                          \
    "       pin = \"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; }; };\n"                \
    "aliases: { source = \"ldap\"; ldap: { url = \"ldaps://h\"; base = \"dc=org\"; "               \
    "bind_dn = \"cn=r\"; bind_password = \"as secret indeed\"; }; };\n"                            \
    "policies: { z: { accounts = \"*@z.org\"; networks = \"10.0.0.0/8\"; otp_reuse = 90; "         \
    "sender = \"own\"; "                                                                           \
    "sessions = 3; }; };\n"                                                                        \
    "session: { refusal_delay = 1501; drain_timeout = 0; };\n"

#define DATABASE(url)                                                                              \
    WHOLE "policies: { default: { sender = \"own\"; }; };\n"                                       \
          "aliases: { source = \"sql\"; sql: { url = \"" url "\"; }; };\n"

static void show(const struct config *c, enum config_role role, bool is_json, struct buf *out)
{
    buf_clear(out);
    assert_int_equal(config_show(c, role, is_json, out), ERR_OK);
}

static void test_round_trip(void **state)
{
    static const char *const texts[] = { WHOLE, RICH, DATABASE("postgres://u:geheim@h/d"),
                                         DATABASE("sqlite:/var/a.db") };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        for (int role = CONFIG_FOR_ALL; role <= CONFIG_FOR_EYES; role++) {
            AUTO_BUF(first, 1 << 20);
            AUTO_BUF(second, 1 << 20);
            AUTO(config) c = given(texts[i]);
            show(c, (enum config_role)role, false, &first);
            AUTO(config) again = given(buf_cstr(&first));
            show(again, (enum config_role)role, false, &second);
            assert_string_equal(buf_cstr(&first), buf_cstr(&second));
        }
}

static bool has(struct buf *text, const char *what)
{
    return strstr(buf_cstr(text), what) != NULL;
}

static void test_who_sees_what(void **state)
{
    AUTO_BUF(text, 1 << 20);
    AUTO(config) c = given(RICH);

    (void)state;
    show(c, CONFIG_FOR_ALL, false, &text);
    assert_true(has(&text, "very \\\"secret\\\" indeed"));
    show(c, CONFIG_FOR_WARDEN, false, &text);
    assert_true(has(&text, "very \\\"secret\\\" indeed"));
    assert_true(has(&text, "event_days"));

    show(c, CONFIG_FOR_EYES, false, &text);
    assert_false(has(&text, "indeed"));
    assert_true(has(&text, "master_password = \"***\""));
    assert_true(has(&text, "event_days"));
    show(c, CONFIG_FOR_EYES, true, &text);
    assert_false(has(&text, "indeed"));

    show(c, CONFIG_FOR_EDGE, false, &text);
    assert_false(has(&text, "indeed"));
    assert_false(has(&text, "store"));
    assert_false(has(&text, "ldap"));
    assert_false(has(&text, "control"));
    assert_false(has(&text, "throttle"));
    assert_true(has(&text, "master_user = \"m\""));
}

/* Of a database's URL its kind is shown. */
static void test_url_is_masked(void **state)
{
    AUTO_BUF(text, 1 << 20);
    AUTO(config) c = given(DATABASE("postgresql://u:geheim@h/d"));

    (void)state;
    show(c, CONFIG_FOR_EYES, false, &text);
    assert_true(has(&text, "url = \"postgresql://***\""));
    assert_false(has(&text, "geheim"));
    show(c, CONFIG_FOR_WARDEN, false, &text);
    assert_true(has(&text, "url = \"postgresql://u:geheim@h/d\""));
}

/* Every setting is spelt out, in both forms. */
static void test_every_setting_is_shown(void **state)
{
    AUTO_BUF(text, 1 << 20);
    AUTO_BUF(json, 1 << 20);
    AUTO(config) c = given(WHOLE);

    (void)state;
    show(c, CONFIG_FOR_ALL, false, &text);
    show(c, CONFIG_FOR_ALL, true, &json);
    for (size_t i = 0; config_setting_at(i) != NULL; i++) {
        const struct config_setting *s = config_setting_at(i);
        const char *dot = strrchr(s->path, '.');
        char name[64], quoted[64];
        (void)snprintf(name, sizeof(name), "%s = ", dot == NULL ? s->path : dot + 1);
        (void)snprintf(quoted, sizeof(quoted), "\"%s\": ", dot == NULL ? s->path : dot + 1);
        if (!has(&text, name) || !has(&json, quoted))
            fail_msg("%s is not shown", s->path);
        assert_true(s->type[0] != 0 && s->unit != NULL);
        assert_true(s->sentence[strlen(s->sentence) - 1] == '.');
    }
}

static void test_bound(void **state)
{
    AUTO_BUF(text, 100);
    AUTO(config) c = given(WHOLE);

    (void)state;
    assert_int_equal(config_show(c, CONFIG_FOR_ALL, false, &text), ERR_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_who_sees_what),
        cmocka_unit_test(test_url_is_masked), cmocka_unit_test(test_every_setting_is_shown),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
