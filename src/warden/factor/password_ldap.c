#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"
#include "warden/factor/password_kinds.h"
#include "warden/factor/password_ldap_io.h"

#include <ldap.h>
#include <sys/time.h>

#define DN_OCTETS_MAX 8192

struct password_ldap {
    char *url;     /* owned */
    char *bind_dn; /* owned; the template */
    char *ca;      /* owned; "": the system's */
    uint32_t timeout_ms;
    bool is_starttls;
};

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Everything but letters, digits and "@.-_" is written as \XX, which RFC 4514 §2.4 permits for any
 * octet: there is no list of special characters to get wrong. */
static void put_escaped(struct buf *out, struct view value)
{
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '@' || c == '.' || c == '-' || c == '_';
        if (is_plain)
            buf_put_octet(out, c);
        else
            buf_printf(out, "\\%02X", (unsigned)c);
    }
}

enum err password_ldap_dn(const char *template, struct view account, struct buf *out)
{
    size_t at = view_find(account, '@');
    const struct {
        const char *mark;
        struct view value;
    } marks[] = {
        { "{user}", account },
        { "{local}", view_first(account, at) },
        { "{domain}", view_skip(account, at + 1) },
    };

    for (const char *c = template; *c != '\0';) {
        size_t i = 0;
        while (i < COUNT_OF(marks) && !starts(c, marks[i].mark))
            i++;
        if (i == COUNT_OF(marks)) {
            buf_put_octet(out, (uint8_t)*c++);
            continue;
        }
        put_escaped(out, marks[i].value);
        c += strlen(marks[i].mark);
    }
    return buf_is_ok(out) ? ERR_OK : ERR_MEMORY;
}

static int set_options(LDAP *ld, const struct password_ldap *l, const struct timeval *timeout)
{
    const int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
    const int minimum = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
    const struct {
        int option;
        const void *value;
    } options[] = {
        { LDAP_OPT_PROTOCOL_VERSION, &version },
        { LDAP_OPT_REFERRALS, LDAP_OPT_OFF }, /* a password goes to the configured server only */
        { LDAP_OPT_RESTART, LDAP_OPT_ON },
        { LDAP_OPT_NETWORK_TIMEOUT, timeout },
        { LDAP_OPT_TIMEOUT, timeout },
        { LDAP_OPT_X_TLS_REQUIRE_CERT, &demand }, /* whatever ldap.conf says */
        { LDAP_OPT_X_TLS_PROTOCOL_MIN, &minimum },
        { LDAP_OPT_X_TLS_CACERTFILE, *l->ca == '\0' ? NULL : l->ca },
        { LDAP_OPT_X_TLS_NEWCTX, &client }, /* last: takes the TLS settings up */
    };

    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (options[i].option == LDAP_OPT_X_TLS_CACERTFILE && options[i].value == NULL)
            continue;
        if (ldap_set_option(ld, options[i].option, options[i].value) != LDAP_OPT_SUCCESS)
            return LDAP_LOCAL_ERROR;
    }
    return LDAP_SUCCESS;
}

/* The server's result code of the bind, or why there is none. */
static int bind_as(LDAP *ld, const char *dn, const struct secret *secret,
                   const struct ldap_deadline *deadline)
{
    struct berval credential = { secret->n, (char *)secret->p };
    LDAPMessage *answer = NULL;
    int id = 0, code = LDAP_OTHER;

    int rc = ldap_sasl_bind(ld, dn, LDAP_SASL_SIMPLE, &credential, NULL, NULL, &id);
    if (rc != LDAP_SUCCESS)
        return rc;
    struct timeval left = ldap_deadline_left(deadline);
    rc = ldap_result(ld, id, LDAP_MSG_ALL, &left, &answer);
    if (rc == 0)
        return LDAP_TIMEOUT;
    if (rc != LDAP_RES_BIND) {
        (void)ldap_msgfree(answer);
        return LDAP_SERVER_DOWN;
    }
    rc = ldap_parse_result(ld, answer, &code, NULL, NULL, NULL, NULL, 1);
    return rc == LDAP_SUCCESS ? code : rc;
}

static int connect_and_bind(const struct password_ldap *l, const char *dn,
                            const struct secret *secret)
{
    struct ldap_deadline deadline;
    LDAP *ld = NULL;
    int rc = ldap_initialize(&ld, l->url);

    if (rc != LDAP_SUCCESS)
        return rc;
    rc = LDAP_LOCAL_ERROR;
    if (ldap_deadline_set(ld, &deadline, l->timeout_ms)) {
        const struct timeval timeout = ldap_deadline_left(&deadline);
        rc = set_options(ld, l, &timeout);
    }
    if (rc == LDAP_SUCCESS && l->is_starttls) {
        rc = ldap_start_tls_s(ld, NULL, NULL);
        /* Its refusals are not the bind's: none of them says anything of the password. */
        if (rc != LDAP_SUCCESS || !ldap_tls_inplace(ld))
            rc = LDAP_CONNECT_ERROR;
    }
    if (rc == LDAP_SUCCESS)
        rc = bind_as(ld, dn, secret, &deadline);
    (void)ldap_unbind_ext(ld, NULL, NULL);
    return rc;
}

static enum password_result result_of(int code, const char **ret_reason)
{
    *ret_reason = ldap_err2string(code);
    switch (code) {
    case LDAP_SUCCESS:
        return PASSWORD_RIGHT;
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INAPPROPRIATE_AUTH:   /* an entry without a password */
    case LDAP_CONSTRAINT_VIOLATION: /* too many tries, of some servers */
        return PASSWORD_WRONG;
    default:
        return PASSWORD_LATER;
    }
}

enum password_result password_ldap_check(const struct password_ldap *l, struct view account,
                                         struct view secret, const char **ret_reason)
{
    AUTO_BUF(dn, DN_OCTETS_MAX);
    struct secret copy = { 0 };
    const char *text = NULL;

    if (password_ldap_dn(l->bind_dn, account, &dn) == ERR_OK)
        text = buf_cstr(&dn);
    /* Without a name or a password a bind succeeds and proves nothing (RFC 4513 §5.1.1, §5.1.2). */
    if (text == NULL || *text == '\0' || secret.n == 0 || secret_set(&copy, secret) != ERR_OK) {
        *ret_reason = "no bind DN, no password, or no memory";
        return PASSWORD_LATER;
    }
    int code = connect_and_bind(l, text, &copy);
    secret_done(&copy);
    return result_of(code, ret_reason);
}

void password_ldap_free(struct password_ldap *l)
{
    if (l == NULL)
        return;
    mem_free(l->url);
    mem_free(l->bind_dn);
    mem_free(l->ca);
    mem_free(l);
}

AUTO_DEFINE(password_ldap)

enum err password_ldap_new(const struct config *c, struct password_ldap **ret)
{
    const char *url = c->password.ldap.url == NULL ? "" : c->password.ldap.url;

    /* One URL: with several, one without TLS could hide behind one with. */
    bool is_starttls = starts(url, "ldap://");
    if (!(is_starttls || starts(url, "ldaps://") || starts(url, "ldapi://")) ||
        strpbrk(url, " ,\t\r\n") != NULL)
        return ERR_INVALID;
    AUTO(password_ldap) l = NEW(password_ldap);
    if (l == NULL)
        return ERR_MEMORY;
    l->is_starttls = is_starttls;
    l->timeout_ms = c->password.ldap.timeout_ms;
    l->url = mem_text(url);
    l->bind_dn = mem_text(c->password.ldap.bind_dn == NULL ? "" : c->password.ldap.bind_dn);
    l->ca = mem_text(c->password.ldap.ca == NULL ? "" : c->password.ldap.ca);
    if (l->url == NULL || l->bind_dn == NULL || l->ca == NULL)
        return ERR_MEMORY;
    *ret = TAKE(l);
    return ERR_OK;
}
