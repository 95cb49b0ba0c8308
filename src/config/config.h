/* config.h: the configuration as the program uses it. Filled from one table of settings
 * (schema.c), which is the only list of names, types, ranges, defaults, units and sentences.
 *
 * Ownership: a struct config owns all that it points to; read-only after config_load, so any thread
 * may read it. Runs in: supervisor (from the file), its children (from the text that config_show
 * makes, without files), cli. Errors are values; nothing is logged here. */
#ifndef POSTERN_CONFIG_CONFIG_H
#define POSTERN_CONFIG_CONFIG_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

#include <stdint.h>

struct text_list {
    char **items; /* owned, each owned */
    size_t n;
};

struct network_list {
    struct network *items; /* owned */
    size_t n;
};

enum conf_tls { CONF_TLS_IMPLICIT = 0, CONF_TLS_STARTTLS }; /* a gate's mode             */
enum conf_minimum { CONF_TLS_1_2 = 0, CONF_TLS_1_3 };       /* lowest TLS version        */
enum conf_login { CONF_LOGIN_SEALED = 0, CONF_LOGIN_PASSTHROUGH, CONF_LOGIN_MASTER };
enum conf_source { CONF_SOURCE_UPSTREAM = 0, CONF_SOURCE_FILE, CONF_SOURCE_LDAP, CONF_SOURCE_PAM };
enum conf_require { CONF_REQUIRE_MFA = 0, CONF_REQUIRE_PASSWORD };
enum conf_mode { CONF_MODE_ENFORCE = 0, CONF_MODE_WARN, CONF_MODE_OBSERVE };
enum conf_bind { CONF_BIND_NONE = 0, CONF_BIND_NETWORK, CONF_BIND_DEVICE };
enum conf_proxy { CONF_PROXY_NONE = 0, CONF_PROXY_V2 };
enum conf_newline { CONF_NEWLINE_REFUSE = 0, CONF_NEWLINE_NORMALISE }; /* a bare CR or LF */
enum conf_sender { CONF_SENDER_ANY = 0, CONF_SENDER_OWN };
enum conf_aliases { CONF_ALIASES_NONE = 0, CONF_ALIASES_FILE, CONF_ALIASES_LDAP, CONF_ALIASES_SQL };

struct conf_gate {
    char *name;              /* owned, as are all char * below */
    char *protocol;          /* "imap" */
    struct text_list listen; /* "*:993", "[::1]:993", "127.0.0.1:993" */
    enum conf_tls tls;
    enum conf_newline bare_newline; /* submission: of a message */
    struct network_list proxy_from; /* not empty: every client speaks the PROXY protocol, and only
                                       these addresses may */
};

/* One URL of an upstream, taken apart. */
struct conf_url {
    char *scheme;  /* "imaps" */
    char *host;    /* name, address without brackets, or path of a Unix socket */
    uint16_t port; /* 0 for a Unix socket */
    bool is_unix;
};

struct conf_urls {
    struct conf_url *items; /* owned; tried in turn */
    size_t n;
};

struct conf_upstream {
    char *name;
    struct conf_urls imap, pop3, submission, sieve; /* none: it does not serve the protocol */
    char *ca;                                       /* path of a PEM file; "" : the system's */
    struct text_list pin;     /* "sha256/<base64>" of the public key; not empty: no CA */
    char *server_name;        /* name to verify and to send as SNI; "": the URL's host */
    struct text_list domains; /* accounts that it serves; empty: all */
    enum conf_login login;
    char *master_user;     /* login = master */
    char *master_password; /* SECRET */
    bool is_trusting;      /* setting `id`: tell it the client's address by IMAP ID */
    enum conf_proxy proxy;
    uint32_t connect_timeout_ms;
    uint32_t login_timeout_ms;
};

struct conf_policy {
    char *name;
    struct text_list accounts; /* patterns: "*@board.example.org"; empty: all (default) */
    enum conf_require require;
    enum conf_mode mode;
    struct text_list legacy;      /* protocols that are on */
    struct network_list networks; /* where sessions may come from; empty: anywhere */
    enum conf_sender sender;      /* submission: what MAIL FROM may name */
    enum conf_bind bind;          /* app passwords are bound at first use */
    uint32_t otp_reuse_s;         /* 0: a one-time code counts once */
    uint32_t session_cap;         /* live sessions of one account (setting session.per_account) */
};

/* Where a setting stands in the file. */
struct conf_place {
    char *path; /* "gates.imaps.listen" */
    char *file; /* the file, or one that it includes */
    unsigned line;
};

struct config {
    char *file; /* where it came from; for messages */
    char *state;
    char *domain;
    char *host;    /* by which clients reach the gates; "": the machine's name, and unchecked */
    char *control; /* path of the control socket; default <state>/control */

    struct {
        char *edge, *warden; /* names or numbers; "" stays as started */
    } users;

    struct {
        enum log_format format;
        enum log_level level;
    } log;

    struct {
        struct text_list certificate; /* PEM files, chain included; several: ECDSA and RSA, SNI */
        struct text_list key;         /* one for each certificate */
        enum conf_minimum minimum;
        char *ciphers;      /* TLS 1.2, OpenSSL's syntax */
        char *ciphersuites; /* TLS 1.3 */
        uint32_t ticket_rotation_s;
    } tls;

    struct {
        uint32_t count;    /* 0: one a core */
        uint32_t sessions; /* most sessions of one edge */
    } edges;

    struct {
        uint32_t per_account;
        uint32_t handshake_timeout_ms;
        uint32_t login_timeout_ms; /* from the greeting to a successful login */
        uint32_t idle_timeout_ms;  /* over 30 minutes, RFC 9051 §5.4 */
        uint32_t refusal_delay_ms; /* every refusal takes exactly this long */
        uint32_t drain_timeout_ms; /* SIGTERM */
        uint32_t keepalive_s;      /* TCP keepalive */
    } session;

    struct {
        enum conf_source source;
        char *file; /* source = file: user:hash lines, crypt(3) */
        struct {
            char *url;     /* ldaps://… or ldap:// (StartTLS required), ldapi:// */
            char *bind_dn; /* with {user}, {local}, {domain}; escaped by RFC 4514 */
            char *ca;
            uint32_t timeout_ms;
        } ldap;
        struct {
            char *service;
        } pam;
    } password;

    struct {
        enum conf_aliases source; /* of the addresses, beside its own, that an account sends as */
        char *file;               /* lines as of Postfix's smtpd_sender_login_maps */
        struct {
            char *url;                     /* as password.ldap.url */
            char *bind_dn, *bind_password; /* SECRET; "": anonymous */
            char *base;
            char *filter;    /* with {user}, {local}, {domain}; escaped by RFC 4515 */
            char *attribute; /* that holds the addresses */
            char *ca;
            uint32_t timeout_ms;
        } ldap;
        struct {
            char *url;   /* SECRET: postgresql://… (libpq's connection URI) or sqlite:/path */
            char *query; /* with $1 for the account; its first column holds addresses */
            uint32_t timeout_ms;
        } sql;
    } aliases;

    struct {
        uint32_t per_source;  /* failures in a window of one source prefix */
        uint32_t per_account; /* failures in a window of one account */
        uint32_t window_s;
        uint8_t prefix4, prefix6; /* what a source prefix is */
    } throttle;

    struct {
        char *url;
    } portal;

    struct {
        char *driver; /* "sqlite" */
        char *path;   /* default <state>/postern.db */
        char *key;    /* 32 octets outside the database; default <state>/key; made at first start */
        uint32_t event_days; /* events older than this are dropped */
    } store;

    struct {
        char *driver; /* "memory" */
    } shared;

    struct {
        char *listen; /* "127.0.0.1:9190", "unix:/path" or "" */
    } metrics;

    struct conf_gate *gates; /* owned */
    size_t gate_count;
    struct conf_upstream *upstreams; /* owned */
    size_t upstream_count;
    struct conf_policy *policies; /* owned; in the file's order, "default" last (made if missing) */
    size_t policy_count;

    struct conf_place *places; /* owned; what the file sets, for messages of later checks */
    size_t place_count;
};

/* What is wrong, and how to mend it. */
struct config_error {
    char text[512]; /* "postern.conf:12: tls.minimum: \"1.1\" …: write \"1.2\" or \"1.3\"" */
};

/* Who sees what: secrets and sections that a role has no business with are left out. */
enum config_role { CONFIG_FOR_ALL = 0, CONFIG_FOR_EDGE, CONFIG_FOR_WARDEN, CONFIG_FOR_EYES };

/* Reads and checks a file (paths in it relative to it are made absolute). `errors` gets up to `max`
 * problems; *ret_count how many. NULL: there was at least one. */
MUST_USE struct config *config_load(const char *path, struct config_error *errors, size_t max,
                                    size_t *ret_count);
/* The same from the text that config_show made; used by children, who have no files. */
MUST_USE struct config *config_parse(const char *text, struct config_error *errors, size_t max,
                                     size_t *ret_count);
/* What needs the file system, the clock or OpenSSL's word: certificates, their keys, ciphers, files
 * that can be read. */
size_t config_check_files(const struct config *c, struct config_error *errors, size_t max);
/* No errors: certificates that are good for less than a fortnight, in the same form. */
size_t config_check_expiring(const struct config *c, struct config_error *notes, size_t max);
void config_free(struct config *c); /* NULL is fine; wipes secrets */
AUTO_DEFINE(config)
/* The effective configuration as libconfig text (or JSON), every setting spelt out. */
MUST_USE enum err config_show(const struct config *c, enum config_role role, bool is_json,
                              struct buf *out);

/* NULL: none of that name. */
const struct conf_gate *config_gate(const struct config *c, struct view name);
const struct conf_upstream *config_upstream(const struct config *c, struct view name);
/* The URLs of an upstream for the protocol of this name; NULL: no such protocol. */
const struct conf_urls *config_urls(const struct conf_upstream *u, const char *protocol);
/* The policy that `account` falls under: the first whose pattern fits; never NULL. */
const struct conf_policy *config_policy(const struct config *c, struct view account);
/* The upstream that serves `account`; NULL: none. */
const struct conf_upstream *config_route(const struct config *c, struct view account);
/* The path in aliases.sql.url if it is "sqlite:/path"; NULL: it is another. Borrows. */
const char *config_sqlite_path(const char *url);
/* A gate's `listen`: "*:993", "192.0.2.1:993", "[2001:db8::1]:993". *ret has the port, and no
 * address when *ret_is_any. False: none of these. */
MUST_USE bool config_listen(const char *text, struct addr *ret, bool *ret_is_any);
/* '*' only; ASCII case folded. */
bool config_pattern_fits(const char *pattern, struct view account);

/* ---- the table itself, for --help, the man page and tests ----------------------------- */
struct config_setting {
    const char *path;     /* "tls.minimum", "gates.*.listen" */
    const char *type;     /* "text", "list of texts", "duration", "one of a|b" … */
    const char *standard; /* the default as text, with <state> for that folder; NULL: required */
    const char *unit;     /* of a bare number: "" or "s", "ms", "d" */
    uint64_t min, max;    /* range of a number or (in `unit`) a duration; 0, 0: none */
    const char *sentence;
};
const struct config_setting *config_setting_at(size_t index); /* NULL: behind the last */

#endif
