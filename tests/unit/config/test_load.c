/* What a configuration may say, what becomes of what it does not say, and in which words everything
 * else is refused. */
#include "given.h"

#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

static void test_defaults(void **state)
{
    AUTO(config) c = given(WHOLE);

    (void)state;
    assert_string_equal(c->state, "/var/lib/postern");
    assert_string_equal(c->host, "");
    assert_string_equal(c->control, "/var/lib/postern/control");
    assert_string_equal(c->store.path, "/var/lib/postern/postern.db");
    assert_string_equal(c->store.key, "/var/lib/postern/key");
    assert_int_equal(c->tls.minimum, CONF_TLS_1_2);
    assert_int_equal(c->tls.ticket_rotation_s, 3600);
    assert_int_equal(c->edges.count, 0);
    assert_int_equal(c->edges.sessions, 20000);
    assert_int_equal(c->session.per_account, 64);
    assert_int_equal(c->session.handshake_timeout_ms, 10000);
    assert_int_equal(c->session.login_timeout_ms, 180000);
    assert_int_equal(c->session.idle_timeout_ms, 35 * 60 * 1000);
    assert_int_equal(c->session.refusal_delay_ms, 3500);
    assert_int_equal(c->session.drain_timeout_ms, 30000);
    assert_int_equal(c->session.keepalive_s, 120);
    assert_int_equal(c->throttle.per_source, 30);
    assert_int_equal(c->throttle.per_account, 10);
    assert_int_equal(c->throttle.window_s, 600);
    assert_int_equal(c->throttle.prefix4, 24);
    assert_int_equal(c->throttle.prefix6, 64);
    assert_int_equal(c->store.event_days, 400);
    assert_string_equal(c->metrics.listen, "");
    assert_int_equal(c->aliases.source, CONF_ALIASES_NONE);
    assert_string_equal(c->aliases.ldap.filter, "(mail={user})");
    assert_int_equal(c->aliases.sql.timeout_ms, 5000);

    assert_int_equal(c->gate_count, 1);
    assert_int_equal(c->gates[0].tls, CONF_TLS_IMPLICIT);
    assert_int_equal(c->gates[0].bare_newline, CONF_NEWLINE_REFUSE);
    assert_int_equal(c->gates[0].proxy_from.n, 0);
    assert_int_equal(c->upstreams[0].pop3.n, 0);
    assert_int_equal(c->upstreams[0].login, CONF_LOGIN_SEALED);
    assert_int_equal(c->upstreams[0].connect_timeout_ms, 10000);
    assert_int_equal(c->upstreams[0].login_timeout_ms, 30000);
    assert_false(c->upstreams[0].is_trusting);

    assert_int_equal(c->policy_count, 1);
    assert_string_equal(c->policies[0].name, "default");
    assert_int_equal(c->policies[0].require, CONF_REQUIRE_MFA);
    assert_int_equal(c->policies[0].mode, CONF_MODE_ENFORCE);
    assert_int_equal(c->policies[0].legacy.n, 4);
    assert_string_equal(c->policies[0].legacy.items[0], "imap");
    assert_string_equal(c->policies[0].legacy.items[1], "pop3");
    assert_string_equal(c->policies[0].legacy.items[2], "submission");
    assert_string_equal(c->policies[0].legacy.items[3], "sieve");
    assert_int_equal(c->policies[0].sender, CONF_SENDER_ANY);
    assert_int_equal(c->policies[0].bind, CONF_BIND_NONE);
    assert_int_equal(c->policies[0].otp_reuse_s, 0);
    assert_int_equal(c->policies[0].session_cap, 64);
}

static void test_everything(void **state)
{
    AUTO(config)
    c = given(
        "state = \"/srv/postern\"; domain = \"example.org\";\n"
        "tls: { certificate = [ \"/e\", \"/r\" ]; key = ( \"/ek\", \"/rk\" ); minimum = \"1.3\"; "
        "};\n"
        "session: { per_account = 7; idle_timeout = 1860; refusal_delay = 250; login_timeout = "
        "\"1500ms\"; };\n"
        "gates: { a: { protocol = \"imap\"; listen = [ \"127.0.0.1:1\", \"[::1]:2\" ]; tls = "
        "\"starttls\";\n"
        "              proxy_from = \"10.1.2.3/8\"; }; };\n"
        "upstreams: { m: { imap = [ \"imap://[2001:db8::1]\", \"imap+clear://unix:/run/x.sock\",\n"
        "                           \"imap+clear://127.0.0.1:1143\", \"imaps://10.0.0.5:9993\" ];\n"
        "  login = \"master\"; master_user = \"m\"; master_password = \"geheim\"; id = true; proxy "
        "= \"v2\"; }; };\n"
        "policies: { default: { mode = \"observe\"; };\n"
        "  board: { accounts = \"*@board.example.org\"; legacy = [ ]; bind = \"network\"; "
        "otp_reuse = \"2m\"; };\n"
        "  staff: { accounts = [ \"*@example.org\" ]; networks = [ \"2001:db8::/32\", \"10.0.0.1\" "
        "]; sessions = 9; };\n"
        "};\n");

    (void)state;
    assert_string_equal(c->store.path, "/srv/postern/postern.db");
    assert_int_equal(c->tls.certificate.n, 2);
    assert_string_equal(c->tls.key.items[1], "/rk");
    assert_int_equal(c->tls.minimum, CONF_TLS_1_3);
    assert_int_equal(c->session.idle_timeout_ms, 1860000);
    assert_int_equal(c->session.refusal_delay_ms, 250);
    assert_int_equal(c->session.login_timeout_ms, 1500);
    assert_int_equal(c->gates[0].listen.n, 2);
    assert_int_equal(c->gates[0].proxy_from.items[0].prefix, 8);
    assert_int_equal(c->gates[0].proxy_from.items[0].base.ip[1], 0);

    const struct conf_upstream *u = &c->upstreams[0];
    assert_int_equal(u->imap.n, 4);
    assert_string_equal(u->imap.items[0].scheme, "imap");
    assert_string_equal(u->imap.items[0].host, "2001:db8::1");
    assert_int_equal(u->imap.items[0].port, 143);
    assert_true(u->imap.items[1].is_unix);
    assert_string_equal(u->imap.items[1].host, "/run/x.sock");
    assert_int_equal(u->imap.items[1].port, 0);
    assert_int_equal(u->imap.items[2].port, 1143);
    assert_int_equal(u->imap.items[3].port, 9993);
    assert_string_equal(u->master_password, "geheim");
    assert_true(u->is_trusting);
    assert_int_equal(u->proxy, CONF_PROXY_V2);

    assert_int_equal(c->policy_count, 3); /* the default last, whatever its place in the file */
    assert_string_equal(c->policies[0].name, "board");
    assert_string_equal(c->policies[1].name, "staff");
    assert_string_equal(c->policies[2].name, "default");
    assert_int_equal(c->policies[0].legacy.n, 0);
    assert_int_equal(c->policies[0].session_cap, 7);
    assert_int_equal(c->policies[0].otp_reuse_s, 120);
    assert_int_equal(c->policies[1].session_cap, 9);
    assert_int_equal(c->policies[1].networks.items[1].prefix, 32);
    assert_int_equal(c->policies[2].mode, CONF_MODE_OBSERVE);
}

static void test_every_protocol(void **state)
{
    AUTO(config)
    c = given(TLS
              "host = \"mail.example.org\";\n"
              "gates: { imaps: { protocol = \"imap\"; listen = \"*:993\"; };\n"
              "  pops: { protocol = \"pop3\"; listen = \"*:995\"; };\n"
              "  pop: { protocol = \"pop3\"; listen = \"*:110\"; tls = \"starttls\"; };\n"
              "  submissions: { protocol = \"submission\"; listen = \"*:465\"; bare_newline = "
              "\"normalise\"; };\n"
              "  sieve: { protocol = \"sieve\"; listen = \"*:4190\"; tls = \"starttls\"; }; };\n"
              "upstreams: { box: { imap = \"imaps://b\"; pop3 = [ \"pop3s://b\", \"pop3://b\" ];\n"
              "    sieve = [ \"sieve://b\", \"sieves://b:5190\", \"sieve+clear://unix:/s\" ];\n"
              "    domains = \"example.org\"; };\n"
              "  out: { submission = [ \"submissions://o\", \"submission://o\",\n"
              "    \"submission+clear://127.0.0.1:10587\" ]; }; };\n");
    const struct conf_upstream *box = &c->upstreams[0], *out = &c->upstreams[1];

    (void)state;
    assert_string_equal(c->host, "mail.example.org");
    assert_int_equal(c->gates[3].bare_newline, CONF_NEWLINE_NORMALISE);
    assert_int_equal(c->gates[4].tls, CONF_TLS_STARTTLS);
    assert_ptr_equal(config_urls(box, "pop3"), &box->pop3);
    assert_int_equal(box->pop3.items[0].port, 995);
    assert_int_equal(box->pop3.items[1].port, 110);
    assert_int_equal(box->sieve.items[0].port, 4190);
    assert_int_equal(box->sieve.items[1].port, 5190);
    assert_true(box->sieve.items[2].is_unix);
    assert_int_equal(box->submission.n, 0);
    assert_int_equal(out->imap.n, 0);
    assert_int_equal(config_urls(out, "submission")->n, 3);
    assert_int_equal(out->submission.items[0].port, 465);
    assert_int_equal(out->submission.items[1].port, 587);
    assert_int_equal(out->submission.items[2].port, 10587);
    assert_null(config_urls(out, "https"));
}

#define OWN "policies: { default: { sender = \"own\"; }; };\n"

static void test_aliases(void **state)
{
    AUTO(config) none = given(WHOLE OWN);
    AUTO(config) file = given(WHOLE OWN "aliases: { source = \"file\"; file = \"/a\"; };\n");
    AUTO(config)
    ldap = given(WHOLE OWN "aliases: { source = \"ldap\"; ldap: { url = \"ldapi://%2frun%2fx\";\n"
                           "  base = \"dc=example,dc=org\"; bind_dn = \"cn=r\"; bind_password = "
                           "\"p\";\n"
                           "  filter = \"(&(a=\\\\28)(|(uid={local})(mail={user})))\"; }; };\n");
    AUTO(config)
    sql = given(WHOLE "policies: { b: { accounts = \"*@b.org\"; sender = \"own\"; }; };\n"
                      "aliases: { source = \"sql\"; sql: { url = \"postgres://u:p@h/d\"; timeout = "
                      "9; }; };\n");
    AUTO(config)
    lite = given(WHOLE OWN "aliases: { source = \"sql\"; sql: { url = \"sqlite:/var/a.db\"; }; };");

    (void)state;
    assert_int_equal(none->policies[0].sender, CONF_SENDER_OWN);
    assert_string_equal(file->aliases.file, "/a");
    assert_int_equal(ldap->aliases.source, CONF_ALIASES_LDAP);
    assert_string_equal(ldap->aliases.ldap.attribute, "mailAlternateAddress");
    assert_int_equal(sql->aliases.sql.timeout_ms, 9000);
    assert_string_equal(lite->aliases.sql.url, "sqlite:/var/a.db");
}

#define GATE(text)                                                                                 \
    TLS UPSTREAMS "gates: { g: { protocol = \"imap\"; listen = \"*:993\"; " text " }; };\n"
#define LISTEN(text)   TLS UPSTREAMS "gates: { g: { protocol = \"imap\"; listen = " text "; }; };\n"
#define UPSTREAM(text) TLS GATES "upstreams: { u: { imap = \"imaps://h\"; " text " }; };\n"
#define URL(text)      TLS GATES "upstreams: { u: { imap = \"" text "\"; }; };\n"
#define POLICY(text)   WHOLE "policies: { " text " };\n"
#define SUBMISSION(text)                                                                           \
    TLS "upstreams: { u: { submission = \"submissions://h\"; }; };\n"                              \
        "gates: { g: { protocol = \"submission\"; listen = \"*:465\"; " text " }; };\n"
#define POP3(url)     UPSTREAM("pop3 = \"" url "\";")
#define ALIASES(text) WHOLE OWN "aliases: { " text " };\n"
#define LDAP(text)                                                                                 \
    ALIASES("source = \"ldap\"; ldap: { url = \"ldaps://h\"; base = \"dc=org\"; " text " };")
#define SQL(text) ALIASES("source = \"sql\"; sql: { " text " };")
#define CLEAR     "credentials would cross the network in clear text"

static const struct {
    const char *text, *expected;
    size_t count;
} wrong[] = {
    /* syntax */
    { WHOLE "state = ;", "configuration:4: syntax error", 1 },
    { WHOLE "state = \"/a\";\nstate = \"/b\";", "configuration:5: the same name twice", 1 },
    { WHOLE "@include \"nowhere\"", "cannot open include file", 1 },
    /* names */
    { WHOLE "stat = \"/a\";", "configuration:4: stat: unknown setting: did you mean state?", 1 },
    { WHOLE "session: { idle_timeuot = 1900; };", "did you mean idle_timeout?", 1 },
    { WHOLE "edges: { idle_timeout = 1900; };", "did you mean session.idle_timeout?", 1 },
    { WHOLE "polices: { };", "unknown group: did you mean policies?", 1 },
    { WHOLE "xyzzy: { };", "unknown group: there are state, domain, ", 1 },
    { WHOLE "session = 4;", "session: is a group, not a setting", 1 },
    { WHOLE "state: { };", "state: is a setting, not a group", 1 },
    { WHOLE "session: ( );", "session: is a group, not a setting", 1 },
    { UPSTREAM("") "upstream: { };", "did you mean upstreams?", 1 },
    { GATE("tls: { };"), "gates.g.tls: is a setting, not a group", 1 },
    { GATE("lissten = 1;"), "gates.g.lissten: unknown setting: did you mean listen?", 1 },
    { POLICY("x = 4;"), "policies.x: no group", 1 },
    { POLICY("a*b: { accounts = \"*\"; };"), "policies.a*b: no name for a policy", 1 },
    /* values */
    { WHOLE "state = 4;", "state: no text: write it in \"quotes\"", 1 },
    { WHOLE "domain = \"a\\nb\";", "domain: a control character inside", 1 },
    { WHOLE "domain = \"\xff\";", "domain: no UTF-8", 1 },
    { WHOLE "edges: { count = \"4\"; };", "edges.count: no number: write digits without quotes",
      1 },
    { WHOLE "edges: { count = 257; };", "edges.count: 257 is out of range: write 0 to 256", 1 },
    { WHOLE "edges: { count = -1; };", "edges.count: -1 is out of range", 1 },
    { WHOLE "edges: { sessions = 9999999999L; };", "edges.sessions: 9999999999 is out of range",
      1 },
    { WHOLE "edges: { sessions = 0.5; };", "edges.sessions: no fractions here", 1 },
    { WHOLE "session: { idle_timeout = \"29m\"; };", "write \"30m\" to \"7d\"", 1 },
    { WHOLE "session: { idle_timeout = 1799; };", "session.idle_timeout: out of range", 1 },
    { WHOLE "session: { idle_timeout = \"1y\"; };", "session.idle_timeout: no duration", 1 },
    { WHOLE "session: { idle_timeout = \"99999999999999999999s\"; };", "no duration", 1 },
    { WHOLE "session: { keepalive = \"1500ms\"; };", "too fine: write whole seconds", 1 },
    { WHOLE "store: { event_days = \"36h\"; };", "too fine: write whole days", 1 },
    { WHOLE "log: { level = \"loud\"; };", "write \"error\" or \"warn\" or \"info\" or \"debug\"",
      1 },
    { WHOLE "log: { level = 3; };", "log.level: no text: write \"error\"", 1 },
    { UPSTREAM("id = \"yes\";"), "upstreams.u.id: neither true nor false", 1 },
    { UPSTREAM("domains = ( \"a\", 5 );"), "entry 2 is no text", 1 },
    { UPSTREAM("domains = [ \"\" ];"), "an empty text in the list", 1 },
    { UPSTREAM("domains = 5;"), "no text and no list of texts", 1 },
    { GATE("proxy_from = \"10.0.0.0/33\";"), "\"10.0.0.0/33\" is no network", 1 },
    /* what is needed */
    { GATES UPSTREAMS "tls: { key = \"/k\"; };", "tls.certificate: missing", 1 },
    { GATES UPSTREAMS, "configuration:1: tls.key: missing", 2 },
    { GATES UPSTREAMS "tls: { certificate = [ ]; key = \"/k\"; };",
      "tls.certificate: may not be empty", 1 },
    { GATES UPSTREAMS "tls: { certificate = [ \"/a\", \"/b\" ]; key = \"/k\"; };",
      "1 keys for 2 certificates", 1 },
    { TLS UPSTREAMS, "gates: no gate: write gates: {", 1 },
    { TLS GATES, "upstreams: no upstream", 1 },
    { TLS GATES "upstreams: { u: { }; };", "configuration:3: upstreams.u.imap: missing", 2 },
    /* gates */
    { TLS UPSTREAMS "gates: { g: { protocol = \"pop4\"; listen = \"*:1\"; }; };",
      "gates.g.protocol: \"pop4\" is not spoken: write \"imap\", \"pop3\", \"submission\" or "
      "\"sieve\"",
      1 },
    { TLS UPSTREAMS "gates: { web: { protocol = \"https\"; listen = \"*:443\"; }; };",
      "\"https\" is not spoken: write \"imap\", ", 1 },
    { TLS UPSTREAMS "gates: { pops: { protocol = \"pop3\"; listen = \"*:995\"; }; };",
      "configuration:3: gates.pops.protocol: gate pops speaks pop3, but no upstream has pop3 URLs: "
      "write upstreams.mail.pop3 = \"pop3s://host\"",
      1 },
    { TLS UPSTREAMS "gates: { s: { protocol = \"sieve\"; listen = \"*:4190\"; }; };",
      "write upstreams.mail.sieve = \"sieve://host\"", 1 },
    { TLS UPSTREAMS "gates: { a: { protocol = \"submission\"; listen = \"*:465\"; };\n"
                    "  b: { protocol = \"submission\"; listen = \"*:587\"; }; };",
      "configuration:4: gates.b.protocol: gate b speaks submission", 2 },
    { GATE("bare_newline = \"normalise\";"),
      "configuration:3: gates.g.bare_newline: of no use unless protocol = \"submission\"", 1 },
    { SUBMISSION("bare_newline = \"keep\";"), "write \"refuse\" or \"normalise\"", 1 },
    { LISTEN("\"localhost:993\""), "no address and port", 1 },
    { LISTEN("\"*\""), "no address and port", 1 },
    { LISTEN("\"*:0\""), "no address and port", 1 },
    { LISTEN("\"*:65536\""), "no address and port", 1 },
    { LISTEN("\"::1:993\""), "no address and port", 1 },
    { LISTEN("\"[127.0.0.1]:993\""), "no address and port", 1 },
    { LISTEN("[ \"127.0.0.1:1\", \"127.0.0.1:1\" ]"), "is taken by gate g already", 1 },
    { LISTEN("[ \"*:1\", \"0.0.0.0:1\" ]"), "is taken by gate g already", 1 },
    /* upstreams */
    { URL("imap+clear://10.0.0.5"), CLEAR, 1 },
    { URL("imap+clear://mail.example.org"), CLEAR, 1 },
    { URL("imap+clear://[2001:db8::1]"), CLEAR, 1 },
    { URL("imap+clear://localhost.example.org"), CLEAR, 1 },
    { URL("imap+clear://127.0.0.1.example.org"), CLEAR, 1 },
    { URL("imap+clear://unix:run/x"), "no path of a socket", 1 },
    { URL("imaps://unix:/run/x"), "no host and port", 1 },
    { URL("imaps://user@host"), "no host and port", 1 },
    { URL("imaps://host/"), "no host and port", 1 },
    { URL("imaps://"), "no host and port", 1 },
    { URL("imaps://host:"), "no host and port", 1 },
    { URL("imaps://[::1"), "no host and port", 1 },
    { URL("pop3s://host"), "no such kind of URL: write imaps://host or imap://host", 1 },
    { URL("host"), "no such kind of URL", 1 },
    { POP3("imaps://h"), "upstreams.u.pop3: \"imaps://h\": no such kind of URL: write pop3s://host",
      1 },
    { POP3("pop3+clear://h"), CLEAR ": write pop3s:// (TLS) or pop3:// (STARTTLS)", 1 },
    { UPSTREAM("pin = \"sha256/AAAA\";"), "is no pin", 1 },
    { UPSTREAM("pin = \"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; ca = \"/x\";"),
      "of no use beside pin", 1 },
    { UPSTREAM("login = \"master\"; master_user = \"m\";"), "upstreams.u.master_password: missing",
      1 },
    { UPSTREAM("login = \"master\";"), "upstreams.u.master_user: missing", 2 },
    { UPSTREAM("master_user = \"m\";"), "of no use unless login = \"master\"", 1 },
    { UPSTREAM("domains = \"a b\";"), "\"a b\" is no domain", 1 },
    { TLS GATES "upstreams: { a: { imap = \"imaps://h\"; }; b: { imap = \"imaps://h\"; }; };",
      "upstream a serves all other domains already", 1 },
    { TLS GATES "upstreams: { a: { imap = \"imaps://h\"; domains = \"x.org\"; }; b: { imap = "
                "\"imaps://h\"; domains = \"X.org\"; }; };",
      "\"X.org\" is served by upstream a already", 1 },
    /* policies */
    { POLICY("default: { accounts = \"*\"; };"), "takes all accounts that no other does", 1 },
    { POLICY("board: { };"), "policies.board.accounts: missing", 1 },
    { POLICY("default: { legacy = \"http\"; };"),
      "configuration:4: policies.default.legacy: \"http\" is not spoken: write \"imap\", "
      "\"pop3\", ",
      1 },
    { POLICY("default: { sender = \"mine\"; };"), "write \"any\" or \"own\"", 1 },
    /* aliases */
    { WHOLE "aliases: { source = \"file\"; file = \"/a\"; };",
      "configuration:4: aliases.source: of no use unless a policy says sender = \"own\"", 1 },
    { ALIASES("source = \"file\";"),
      "configuration:5: aliases.file: missing, since aliases.source = "
      "\"file\"",
      1 },
    { ALIASES("file = \"/a\";"), "aliases.file: of no use unless aliases.source = \"file\"", 1 },
    { ALIASES("source = \"ldap\";"), "aliases.ldap.base: missing, since", 2 },
    { ALIASES("ldap: { url = \"ldaps://h\"; };"), "of no use unless aliases.source = \"ldap\"", 1 },
    { ALIASES("ldap: { bind_dn = \"cn=x\"; ca = \"/c\"; };"), "aliases.ldap.ca: of no use unless",
      2 },
    { LDAP("bind_dn = \"cn=x\";"), "aliases.ldap.bind_password: missing, since", 1 },
    { LDAP("bind_password = \"x\";"), "of no use unless aliases.ldap.bind_dn names who binds", 1 },
    { LDAP("filter = \"(mail=*)\";"), "aliases.ldap.filter: \"(mail=*)\" finds the same for every",
      1 },
    { LDAP("filter = \"(mail={user}\";"), "is no filter of RFC 4515", 1 },
    { LDAP("filter = \"mail={user}\";"), "is no filter of RFC 4515", 1 },
    { LDAP("filter = \"(mail={user}))\";"), "is no filter of RFC 4515", 1 },
    { LDAP("filter = \"(mail={user})(a=b)\";"), "is no filter of RFC 4515", 1 },
    { LDAP("filter = \")mail={user}(\";"), "is no filter of RFC 4515", 1 },
    { LDAP("filter = \"\";"), "\"\" finds the same for every account", 1 },
    { LDAP("attribute = \"a b\";"), "aliases.ldap.attribute: \"a b\" is no attribute", 1 },
    { LDAP("attribute = \"\";"), "\"\" is no attribute", 1 },
    { ALIASES("source = \"ldap\"; ldap: { url = \"http://h\"; base = \"dc=org\"; };"),
      "aliases.ldap.url: \"http://h\": no directory: write ldaps://host", 1 },
    { ALIASES("source = \"sql\";"), "aliases.sql.url: missing, since aliases.source = \"sql\"", 1 },
    { ALIASES("sql: { url = \"sqlite:/a\"; };"), "of no use unless aliases.source = \"sql\"", 1 },
    { SQL("url = \"mysql://u:geheim@h\";"), "aliases.sql.url: no database: write postgresql://",
      1 },
    { SQL("url = \"sqlite:a.db\";"), "sqlite: and an absolute path", 1 },
    { SQL("url = \"sqlite:/a\"; query = \"SELECT a FROM b\";"),
      "aliases.sql.query: \"SELECT a FROM b\" asks the same for every account: write $1", 1 },
    { POLICY("default: { require = \"password\"; otp_reuse = 60; };"), "of no use unless require",
      1 },
    /* the service */
    { WHOLE "state = \"lib\";", "\"lib\" is no absolute path", 1 },
    { WHOLE "domain = \"exa mple\";", "is no domain", 1 },
    { WHOLE "host = \"exa mple\";", "configuration:4: host: \"exa mple\" is no host name", 1 },
    { WHOLE "host = \"192.0.2.1\";", "host: \"192.0.2.1\" is no host name", 1 },
    { WHOLE "host = \"https://mail.example.org\";", "is no host name: write the one that clients",
      1 },
    { WHOLE "users: { edge = \"a\"; warden = \"a\"; };", "the same user as users.edge", 1 },
    { WHOLE "metrics: { listen = \"*:9190\"; };", "metrics are for this machine only", 1 },
    { WHOLE "metrics: { listen = \"10.0.0.1:9190\"; };", "metrics are for this machine only", 1 },
    { WHOLE "portal: { url = \"http://a\"; };", "is no address that can be shown", 1 },
    { WHOLE "portal: { url = \"https://a b\"; };", "is no address that can be shown", 1 },
    { WHOLE "store: { driver = \"oracle\"; };", "write \"sqlite\"", 1 },
    { WHOLE "shared: { driver = \"redis\"; };", "write \"memory\"", 1 },
    { WHOLE "password: { source = \"file\"; };", "password.file: missing, since", 1 },
    { WHOLE "password: { file = \"/x\"; };", "of no use unless password.source = \"file\"", 1 },
    { WHOLE "password: { source = \"ldap\"; };", "password.ldap.url: missing", 2 },
    { WHOLE
      "password: { source = \"ldap\"; ldap: { url = \"http://x\"; bind_dn = \"cn={user}\"; }; };",
      "no directory", 1 },
    { WHOLE "password: { source = \"ldap\"; ldap: { url = \"ldaps://x\"; bind_dn = \"cn=x\"; }; };",
      "the same name for every account", 1 },
    { WHOLE "password: { ldap: { tiemout = 5; }; };",
      "password.ldap.tiemout: unknown setting: did you mean timeout?", 1 },
    { WHOLE "password: { source = \"pam\"; pam: { service = \"../x\"; }; };", "a name, not a path",
      1 },
};

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        given_wrong(wrong[i].text, wrong[i].expected, wrong[i].count);
}

/* What is wrong with a secret is said without it: messages go to logs. */
static void test_no_secret_is_said(void **state)
{
    struct config_error error;
    size_t n = 0;

    (void)state;
    assert_null(config_parse(SQL("url = \"mysql://u:geheim@h\";"), &error, 1, &n));
    assert_int_equal(n, 1);
    assert_null(strstr(error.text, "geheim"));
}

static void test_more_problems_than_room(void **state)
{
    struct config_error error;
    size_t n = 0;

    (void)state;
    assert_null(config_parse("a = 1; b = 2; c = 3;", &error, 1, &n));
    assert_int_equal(n, 5); /* and the two files of tls */
    assert_non_null(strstr(error.text, "configuration:1: a: unknown setting"));
}

/* ---- files ---------------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_relative_paths_and_includes(void **state)
{
    char folder[] = "/tmp/postern-config-XXXXXX", path[64], expected[64];
    struct config_error error;
    size_t n = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file(folder, "postern.conf",
               "tls: { certificate = \"c.pem\"; key = \"/k.pem\"; };\n@include \"rest.conf\"\n");
    write_file(folder, "rest.conf", GATES UPSTREAMS "control = \"run/control\";\n");
    (void)snprintf(path, sizeof(path), "%s/postern.conf", folder);
    AUTO(config) c = config_load(path, &error, 1, &n);
    if (c == NULL)
        fail_msg("%s", error.text);
    (void)snprintf(expected, sizeof(expected), "%s/c.pem", folder);
    assert_string_equal(c->tls.certificate.items[0], expected);
    assert_string_equal(c->tls.key.items[0], "/k.pem");
    (void)snprintf(expected, sizeof(expected), "%s/run/control", folder);
    assert_string_equal(c->control, expected);

    write_file(folder, "rest.conf", "\nstat = 1;\n" GATES UPSTREAMS);
    assert_null(config_load(path, &error, 1, &n));
    assert_non_null(strstr(error.text, "rest.conf:2: stat: unknown setting"));

    (void)snprintf(path, sizeof(path), "%s/rest.conf", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/postern.conf", folder);
    (void)unlink(path);
    assert_null(config_load(path, &error, 1, &n));
    assert_non_null(strstr(error.text, "No such file or directory"));
    assert_null(config_load(folder, &error, 1, &n));
    assert_non_null(strstr(error.text, "no plain file"));
    (void)rmdir(folder);
}

/* Each allocation fails once: no leak, no crash, and no half-read configuration. */
static void test_no_memory(void **state)
{
    struct config_error error;
    size_t n = 0;

    (void)state;
    for (unsigned long at = 1;; at++) {
        mem_fail_at(at);
        struct config *c = config_parse(WHOLE, &error, 1, &n);
        mem_fail_at(0);
        if (c == NULL) {
            assert_int_not_equal(n, 0);
            continue;
        }
        assert_int_equal(n, 0);
        AUTO_BUF(text, 65536);
        AUTO_BUF(expected, 65536);
        AUTO(config) right = given(WHOLE);
        assert_int_equal(config_show(right, CONFIG_FOR_ALL, false, &expected), ERR_OK);
        assert_int_equal(config_show(c, CONFIG_FOR_ALL, false, &text), ERR_OK);
        assert_true(view_is_equal(buf_view(&text), buf_view(&expected)));
        config_free(c);
        if (at > 2000)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_every_protocol),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_no_secret_is_said),
        cmocka_unit_test(test_more_problems_than_room),
        cmocka_unit_test(test_relative_paths_and_includes),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
