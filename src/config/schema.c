#include "config/schema.h"

#include <stddef.h>

/* How a setting is written and stored. */
#define TYPE(k, t)        .kind = (k), .shown.type = (t), .shown.unit = ""
#define IS_TEXT           TYPE(KIND_TEXT, "text")
#define IS_PATH           TYPE(KIND_PATH, "path")
#define IS_SECRET         TYPE(KIND_SECRET, "text, secret")
#define IS_TEXTS          TYPE(KIND_TEXTS, "text or list of texts")
#define IS_PATHS          TYPE(KIND_PATHS, "path or list of paths")
#define IS_NETWORKS       TYPE(KIND_NETWORKS, "network or list of networks")
#define IS_FLAG           TYPE(KIND_FLAG, "true or false")
#define IS_ONE_OF(w)      TYPE(KIND_CHOICE, SCHEMA_ONE_OF w)
#define IS_NUMBER(lo, hi) TYPE(KIND_NUMBER, "number"), .shown.min = (lo), .shown.max = (hi)
#define IS_URLS           TYPE(KIND_URLS, "URL or list of URLs")
/* A duration: unit of a bare number, and of the field, in milliseconds; range in the former. */
#define DURATION(u, u_ms, s_ms, lo, hi)                                                            \
    .kind = KIND_DURATION, .shown.type = "duration", .shown.unit = (u), .unit_ms = (u_ms),         \
    .stored_ms = (s_ms), .shown.min = (lo), .shown.max = (hi)
#define IS_S_IN_MS(lo, hi)  DURATION("s", 1000, 1, lo, hi)
#define IS_MS_IN_MS(lo, hi) DURATION("ms", 1, 1, lo, hi)
#define IS_S_IN_S(lo, hi)   DURATION("s", 1000, 1000, lo, hi)
#define IS_D_IN_D(lo, hi)   DURATION("d", 86400000, 86400000, lo, hi)

/* Where it is stored. */
#define MEMBER(s, type, m) .scope = (s), .offset = offsetof(type, m), .size = sizeof(((type *)0)->m)
#define TOP(m)             MEMBER(SCOPE_TOP, struct config, m)
#define GATE(m)            MEMBER(SCOPE_GATE, struct conf_gate, m)
#define UPSTREAM(m)        MEMBER(SCOPE_UPSTREAM, struct conf_upstream, m)
#define POLICY(m)          MEMBER(SCOPE_POLICY, struct conf_policy, m)
#define EDGE_BLIND         .is_edge_blind = true

#define SET(p, standard_, sentence_)                                                               \
    .shown.path = (p), .shown.standard = (standard_), .shown.sentence = (sentence_)
#define REQUIRED NULL

/* Mozilla's "intermediate" profile, https://wiki.mozilla.org/Security/Server_Side_TLS, 5.7. */
#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"       \
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"
#define CIPHERSUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* The table: the only list of settings. Settings of one group stand together, since config_show and
 * the manual follow this order. */
static const struct schema_row rows[] = {
    { SET("state", "/var/lib/postern",
          "The folder that holds what Postern remembers; only the warden needs to write to it."),
      IS_TEXT, TOP(state) },
    { SET("domain", "", "The domain that completes account names without one."), IS_TEXT,
      TOP(domain) },
    { SET("host", "",
          "The name by which clients reach the gates: greetings show it and the certificate must "
          "have it; empty: the machine's name, and the certificate is not asked."),
      IS_TEXT, TOP(host) },
    { SET("control", "<state>/control",
          "The socket through which the command line speaks to the warden."),
      IS_PATH, TOP(control), EDGE_BLIND },

    { SET("users.edge", "",
          "The user, by name or number, as which edges run; empty: the one that started Postern."),
      IS_TEXT, TOP(users.edge) },
    { SET("users.warden", "",
          "The user, by name or number, as which the warden runs; empty: as users.edge."),
      IS_TEXT, TOP(users.warden) },

    { SET("log.format", "auto",
          "The form of the log on standard error; auto is text on a terminal and JSON elsewhere."),
      IS_ONE_OF("auto|text|json"), TOP(log.format) },
    { SET("log.level", "info", "The least important messages that are logged."),
      IS_ONE_OF("error|warn|info|debug"), TOP(log.level) },

    { SET("tls.certificate", REQUIRED,
          "PEM files with a certificate and its chain each; several serve ECDSA beside RSA, and "
          "several names (SNI)."),
      IS_PATHS, TOP(tls.certificate) },
    { SET("tls.key", REQUIRED, "PEM files with the private keys, one for each certificate."),
      IS_PATHS, TOP(tls.key) },
    { SET("tls.minimum", "1.2", "The lowest TLS version that is spoken."), IS_ONE_OF("1.2|1.3"),
      TOP(tls.minimum) },
    { SET("tls.ciphers", CIPHERS,
          "The TLS 1.2 ciphers in OpenSSL's syntax, best first; the default is Mozilla's "
          "intermediate "
          "profile."),
      IS_TEXT, TOP(tls.ciphers) },
    { SET("tls.ciphersuites", CIPHERSUITES,
          "The TLS 1.3 cipher suites in OpenSSL's syntax, best first."),
      IS_TEXT, TOP(tls.ciphersuites) },
    { SET("tls.ticket_rotation", "1h",
          "The time after which new keys encrypt session tickets; old ones are accepted for one "
          "more such time."),
      IS_S_IN_S(60, 86400), TOP(tls.ticket_rotation_s) },

    { SET("edges.count", "0", "The number of edge processes; 0: one for each core."),
      IS_NUMBER(0, 256), TOP(edges.count) },
    { SET("edges.sessions", "20000", "The most sessions that one edge serves."),
      IS_NUMBER(1, 1000000), TOP(edges.sessions) },

    { SET("session.per_account", "64",
          "The most live sessions of one account; over it, the one that has been idle longest "
          "ends."),
      IS_NUMBER(1, 100000), TOP(session.per_account) },
    { SET("session.handshake_timeout", "10s", "The time that a TLS handshake may take."),
      IS_S_IN_MS(1, 300), TOP(session.handshake_timeout_ms) },
    { SET("session.login_timeout", "3m",
          "The time from the greeting to a successful login; a mail program may be asking its user "
          "for the password meanwhile."),
      IS_S_IN_MS(1, 3600), TOP(session.login_timeout_ms) },
    { SET("session.idle_timeout", "35m",
          "The time without an octet after which a session ends; at least 30 minutes, so that "
          "IDLE lives (RFC 9051)."),
      IS_S_IN_MS(1800, 604800), TOP(session.idle_timeout_ms) },
    { SET("session.refusal_delay", "3500ms",
          "The time that every refusal takes, whatever its reason; it must be longer than the mail "
          "server takes to refuse (Dovecot 2 s, Cyrus 3 s), or that time tells a lease from none."),
      IS_MS_IN_MS(0, 30000), TOP(session.refusal_delay_ms) },
    { SET("session.drain_timeout", "30s", "The time that open sessions have to end after SIGTERM."),
      IS_S_IN_MS(0, 86400), TOP(session.drain_timeout_ms) },
    { SET("session.keepalive", "120s",
          "The silence after which TCP asks whether the peer is still there; 0: never."),
      IS_S_IN_S(0, 7200), TOP(session.keepalive_s) },

    { SET("password.source", "upstream",
          "What checks mailbox passwords: a login at the upstream, a file, an LDAP bind or PAM."),
      IS_ONE_OF("upstream|file|ldap|pam"), TOP(password.source), EDGE_BLIND },
    { SET("password.file", "",
          "For source \"file\": lines of user:hash, where the hash is yescrypt, argon2id or "
          "bcrypt."),
      IS_PATH, TOP(password.file), EDGE_BLIND },
    { SET("password.ldap.url", "",
          "For source \"ldap\": ldaps://host, ldap://host (StartTLS is required) or ldapi://path."),
      IS_TEXT, TOP(password.ldap.url), EDGE_BLIND },
    { SET("password.ldap.bind_dn", "",
          "The name to bind as, with {user}, {local} and {domain} for the account and its parts."),
      IS_TEXT, TOP(password.ldap.bind_dn), EDGE_BLIND },
    { SET("password.ldap.ca", "",
          "PEM file of the authorities that may vouch for the directory; empty: the system's."),
      IS_PATH, TOP(password.ldap.ca), EDGE_BLIND },
    { SET("password.ldap.timeout", "5s", "The time that the directory has to answer."),
      IS_S_IN_MS(1, 60), TOP(password.ldap.timeout_ms), EDGE_BLIND },
    { SET("password.pam.service", "postern", "For source \"pam\": the PAM service's name."),
      IS_TEXT, TOP(password.pam.service), EDGE_BLIND },

    { SET("aliases.source", "none",
          "For policies with sender = \"own\": where the addresses are that an account sends as, "
          "beside its own name."),
      IS_ONE_OF("none|file|ldap|sql"), TOP(aliases.source), EDGE_BLIND },
    { SET("aliases.file", "",
          "For source \"file\": lines of an address (or @domain) and the accounts that send as it, "
          "as in Postfix's smtpd_sender_login_maps."),
      IS_PATH, TOP(aliases.file), EDGE_BLIND },
    { SET("aliases.ldap.url", "",
          "For source \"ldap\": ldaps://host, ldap://host (StartTLS is required) or ldapi://path."),
      IS_TEXT, TOP(aliases.ldap.url), EDGE_BLIND },
    { SET("aliases.ldap.bind_dn", "", "The name to bind as; empty: anonymous."), IS_TEXT,
      TOP(aliases.ldap.bind_dn), EDGE_BLIND },
    { SET("aliases.ldap.bind_password", "", "Its password."), IS_SECRET,
      TOP(aliases.ldap.bind_password), EDGE_BLIND },
    { SET("aliases.ldap.base", "", "Where in the directory to search."), IS_TEXT,
      TOP(aliases.ldap.base), EDGE_BLIND },
    { SET("aliases.ldap.filter", "(mail={user})",
          "The filter that finds the account, with {user}, {local} and {domain} for it and its "
          "parts."),
      IS_TEXT, TOP(aliases.ldap.filter), EDGE_BLIND },
    { SET("aliases.ldap.attribute", "mailAlternateAddress",
          "The attribute that holds the addresses."),
      IS_TEXT, TOP(aliases.ldap.attribute), EDGE_BLIND },
    { SET("aliases.ldap.ca", "",
          "PEM file of the authorities that may vouch for the directory; empty: the system's."),
      IS_PATH, TOP(aliases.ldap.ca), EDGE_BLIND },
    { SET("aliases.ldap.timeout", "5s", "The time that the directory has to answer."),
      IS_S_IN_MS(1, 60), TOP(aliases.ldap.timeout_ms), EDGE_BLIND },
    { SET("aliases.sql.url", "",
          "For source \"sql\": the database, postgresql://user:password@host/name (TLS by its "
          "sslmode) or sqlite:/path."),
      IS_SECRET, TOP(aliases.sql.url), EDGE_BLIND },
    { SET("aliases.sql.query", "SELECT address FROM aliases WHERE account = $1",
          "The query whose first column holds the addresses; $1 is the account."),
      IS_TEXT, TOP(aliases.sql.query), EDGE_BLIND },
    { SET("aliases.sql.timeout", "5s", "The time that the database has to answer."),
      IS_S_IN_MS(1, 60), TOP(aliases.sql.timeout_ms), EDGE_BLIND },

    { SET("throttle.per_source", "30",
          "The failed logins that one source prefix may have in a window; over it, it is told to "
          "try later."),
      IS_NUMBER(1, 1000000), TOP(throttle.per_source), EDGE_BLIND },
    { SET("throttle.per_account", "10",
          "The failed logins that one account may have in a window; the same wrong secret counts "
          "once."),
      IS_NUMBER(1, 1000000), TOP(throttle.per_account), EDGE_BLIND },
    { SET("throttle.window", "10m", "The length of that window."), IS_S_IN_S(1, 86400),
      TOP(throttle.window_s), EDGE_BLIND },
    { SET("throttle.prefix4", "24", "The bits of an IPv4 address that make one source."),
      IS_NUMBER(8, 32), TOP(throttle.prefix4), EDGE_BLIND },
    { SET("throttle.prefix6", "64", "The bits of an IPv6 address that make one source."),
      IS_NUMBER(16, 128), TOP(throttle.prefix6), EDGE_BLIND },

    { SET("portal.url", "",
          "The address of the portal, shown to users who are refused; empty: none."),
      IS_TEXT, TOP(portal.url) },

    { SET("store.driver", "sqlite", "The database that remembers."), IS_TEXT, TOP(store.driver),
      EDGE_BLIND },
    { SET("store.path", "<state>/postern.db", "The database file."), IS_PATH, TOP(store.path),
      EDGE_BLIND },
    { SET("store.key", "<state>/key",
          "The file of the key that protects secrets at rest; made at the first start. Keep a "
          "copy apart from copies of the database."),
      IS_PATH, TOP(store.key), EDGE_BLIND },
    { SET("store.event_days", "400d", "The age at which events are dropped."), IS_D_IN_D(1, 36500),
      TOP(store.event_days), EDGE_BLIND },

    { SET("shared.driver", "memory", "Where the counters of the throttle live."), IS_TEXT,
      TOP(shared.driver), EDGE_BLIND },

    { SET("metrics.listen", "",
          "Where Prometheus metrics are served: a loopback \"address:port\" or \"unix:/path\"; "
          "empty: nowhere."),
      IS_TEXT, TOP(metrics.listen), EDGE_BLIND },

    { SET("gates.*.protocol", REQUIRED,
          "The protocol that the gate speaks: \"imap\", \"pop3\", "
          "\"submission\" or \"sieve\"."),
      IS_TEXT, GATE(protocol) },
    { SET("gates.*.listen", REQUIRED,
          "Where the gate listens: \"*:993\" (all addresses), \"192.0.2.1:993\", "
          "\"[2001:db8::1]:993\"."),
      IS_TEXTS, GATE(listen) },
    { SET("gates.*.tls", "implicit", "When TLS begins: at once, or by STARTTLS."),
      IS_ONE_OF("implicit|starttls"), GATE(tls) },
    { SET("gates.*.bare_newline", "refuse",
          "For protocol \"submission\": what becomes of a message with a bare CR or LF, which some "
          "servers take for the end of a line: it is refused, or they become CRLF."),
      IS_ONE_OF("refuse|normalise"), GATE(bare_newline) },
    { SET("gates.*.proxy_from", "",
          "If set, every client of this gate speaks the PROXY protocol first, and only these "
          "networks may connect."),
      IS_NETWORKS, GATE(proxy_from) },

    { SET("upstreams.*.imap", "",
          "Its IMAP servers, tried in turn: imaps://host[:993], imap://host[:143] (STARTTLS is "
          "required), or imap+clear:// with a loopback address or unix:/path."),
      IS_URLS, UPSTREAM(imap) },
    { SET("upstreams.*.pop3", "",
          "Its POP3 servers: pop3s://host[:995], pop3://host[:110] (STLS is required), or "
          "pop3+clear://."),
      IS_URLS, UPSTREAM(pop3) },
    { SET("upstreams.*.submission", "",
          "Its submission servers: submissions://host[:465], submission://host[:587] (STARTTLS is "
          "required), or submission+clear://."),
      IS_URLS, UPSTREAM(submission) },
    { SET("upstreams.*.sieve", "",
          "Its ManageSieve servers: sieve://host[:4190] (STARTTLS is required), sieves:// "
          "(implicit TLS, which few speak), or sieve+clear://."),
      IS_URLS, UPSTREAM(sieve) },
    { SET("upstreams.*.ca", "",
          "PEM file of the authorities that may vouch for it; empty: the system's."),
      IS_PATH, UPSTREAM(ca) },
    { SET("upstreams.*.pin", "",
          "Instead of authorities: \"sha256/\" and the base64 of the SHA-256 of its public key."),
      IS_TEXTS, UPSTREAM(pin) },
    { SET("upstreams.*.server_name", "",
          "The name that its certificate must have; empty: the host of the URL."),
      IS_TEXT, UPSTREAM(server_name) },
    { SET("upstreams.*.domains", "", "The domains that it serves; empty: all others."), IS_TEXTS,
      UPSTREAM(domains) },
    { SET("upstreams.*.login", "sealed",
          "How accounts are logged in there: with the mailbox password that was sealed when the "
          "app password was made, with what the client sent, or as a master user."),
      IS_ONE_OF("sealed|passthrough|master"), UPSTREAM(login) },
    { SET("upstreams.*.master_user", "", "For login \"master\": the user that logs in for others."),
      IS_TEXT, UPSTREAM(master_user) },
    { SET("upstreams.*.master_password", "", "For login \"master\": its password."), IS_SECRET,
      UPSTREAM(master_password) },
    { SET("upstreams.*.id", "false", "Tell it the client's address by IMAP ID (RFC 2971)."),
      IS_FLAG, UPSTREAM(is_trusting) },
    { SET("upstreams.*.proxy", "none", "Tell it the client's address by the PROXY protocol."),
      IS_ONE_OF("none|v2"), UPSTREAM(proxy) },
    { SET("upstreams.*.connect_timeout", "10s",
          "The time in which one of its addresses must answer and finish the TLS handshake."),
      IS_S_IN_MS(1, 300), UPSTREAM(connect_timeout_ms) },
    { SET("upstreams.*.login_timeout", "30s", "The time that it has for a login."),
      IS_S_IN_MS(1, 300), UPSTREAM(login_timeout_ms) },

    { SET("policies.*.accounts", "",
          "The accounts that fall under it, as patterns such as \"*@board.example.org\"; the "
          "policy \"default\" has none and takes all others."),
      IS_TEXTS, POLICY(accounts) },
    { SET("policies.*.require", "mfa",
          "What a session must prove: a second factor, or a password only."),
      IS_ONE_OF("mfa|password"), POLICY(require) },
    { SET("policies.*.mode", "enforce",
          "What becomes of a session that does not: it is refused, or let pass with a warning to "
          "its user, or let pass and logged."),
      IS_ONE_OF("enforce|warn|observe"), POLICY(mode) },
    { SET("policies.*.legacy", SCHEMA_ALL_PROTOCOLS,
          "The mail protocols that are on for its accounts; [ ] switches all off."),
      IS_TEXTS, POLICY(legacy) },
    { SET("policies.*.networks", "",
          "The networks from which its accounts may connect; empty: anywhere."),
      IS_NETWORKS, POLICY(networks) },
    { SET("policies.*.sender", "any",
          "The addresses as which its accounts may submit mail: any, or their own name and what "
          "aliases.source adds."),
      IS_ONE_OF("any|own"), POLICY(sender) },
    { SET("policies.*.bind", "none", "What an app password is bound to when it is first used."),
      IS_ONE_OF("none|network|device"), POLICY(bind) },
    { SET("policies.*.otp_reuse", "0s",
          "The time in which the same device may use the same one-time code again; 0: a code "
          "counts once."),
      IS_S_IN_S(0, 86400), POLICY(otp_reuse_s) },
    { SET("policies.*.sessions", "0",
          "The most live sessions of one of its accounts; 0: as session.per_account."),
      IS_NUMBER(0, 100000), POLICY(session_cap) },
};

/* The words of a choice are in the order of its enum. */
_Static_assert(CONF_TLS_STARTTLS == 1 && CONF_TLS_1_3 == 1 && CONF_PROXY_V2 == 1, "order");
_Static_assert(CONF_LOGIN_PASSTHROUGH == 1 && CONF_LOGIN_MASTER == 2, "order");
_Static_assert(CONF_SOURCE_FILE == 1 && CONF_SOURCE_LDAP == 2 && CONF_SOURCE_PAM == 3, "order");
_Static_assert(CONF_REQUIRE_PASSWORD == 1, "order");
_Static_assert(CONF_NEWLINE_NORMALISE == 1 && CONF_SENDER_OWN == 1, "order");
_Static_assert(CONF_ALIASES_FILE == 1 && CONF_ALIASES_LDAP == 2 && CONF_ALIASES_SQL == 3, "order");
_Static_assert(CONF_MODE_WARN == 1 && CONF_MODE_OBSERVE == 2, "order");
_Static_assert(CONF_BIND_NETWORK == 1 && CONF_BIND_DEVICE == 2, "order");
_Static_assert(LOG_FORMAT_TEXT == 1 && LOG_FORMAT_JSON == 2, "order");
_Static_assert(LOG_WARN == 1 && LOG_INFO == 2 && LOG_DEBUG == 3, "order");

static const struct schema_family families[] = {
    { SCOPE_GATE, "gates", "gate", sizeof(struct conf_gate), offsetof(struct config, gates),
      offsetof(struct config, gate_count) },
    { SCOPE_UPSTREAM, "upstreams", "upstream", sizeof(struct conf_upstream),
      offsetof(struct config, upstreams), offsetof(struct config, upstream_count) },
    { SCOPE_POLICY, "policies", "policy", sizeof(struct conf_policy),
      offsetof(struct config, policies), offsetof(struct config, policy_count) },
};
_Static_assert(offsetof(struct conf_gate, name) == 0, "schema_member_name");
_Static_assert(offsetof(struct conf_upstream, name) == 0, "schema_member_name");
_Static_assert(offsetof(struct conf_policy, name) == 0, "schema_member_name");

static const struct schema_protocol protocols[] = {
    { "imap", "imaps", "imap", "imap+clear", 993, 143 },
    { "pop3", "pop3s", "pop3", "pop3+clear", 995, 110 },
    { "submission", "submissions", "submission", "submission+clear", 465, 587 },
    { "sieve", "sieves", "sieve", "sieve+clear", 4190, 4190 },
};

const struct schema_row *schema_at(size_t index)
{
    return index < COUNT_OF(rows) ? &rows[index] : NULL;
}

const struct config_setting *config_setting_at(size_t index)
{
    return index < COUNT_OF(rows) ? &rows[index].shown : NULL;
}

const struct schema_row *schema_find(const char *path)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcmp(rows[i].shown.path, path) == 0)
            return &rows[i];
    return NULL;
}

bool schema_is_group(const char *path)
{
    const size_t n = strlen(path);

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strncmp(rows[i].shown.path, path, n) == 0 && rows[i].shown.path[n] == '.')
            return true;
    return false;
}

const struct schema_family *schema_family_at(size_t index)
{
    return index < COUNT_OF(families) ? &families[index] : NULL;
}

const struct schema_family *schema_family(enum schema_scope scope)
{
    for (size_t i = 0; i < COUNT_OF(families); i++)
        if (families[i].scope == scope)
            return &families[i];
    return NULL;
}

const struct schema_protocol *schema_protocol_at(size_t index)
{
    return index < COUNT_OF(protocols) ? &protocols[index] : NULL;
}

const struct schema_protocol *schema_protocol(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(protocols); i++)
        if (strcmp(protocols[i].name, name) == 0)
            return &protocols[i];
    return NULL;
}

void *schema_members(const struct config *c, const struct schema_family *f, size_t *ret_count)
{
    void *members;

    memcpy(&members, (const char *)c + f->offset, sizeof(members));
    memcpy(ret_count, (const char *)c + f->offset_count, sizeof(*ret_count));
    return members;
}

const char *schema_member_name(const void *member)
{
    const char *name;

    memcpy(&name, member, sizeof(name));
    return name;
}
