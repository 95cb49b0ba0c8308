#include "warden/source/directory.h"

#include "base/mem.h"
#include "base/secret.h"
#include "warden/source/directory_io.h"

#include <strings.h>
#include <sys/time.h>

/* Entries and octets of one answer that are worth looking at: far over what LIMIT_SENDERS holds. */
#define ENTRIES_MAX 1024
#define OCTETS_MAX  ((ber_len_t)1 << 20)

struct directory {
    LDAP *ld; /* owned */
    struct directory_deadline deadline;
};

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool directory_is_url(const char *url)
{
    return (starts(url, "ldap://") || starts(url, "ldaps://") || starts(url, "ldapi://")) &&
           strpbrk(url, " ,\t\r\n") == NULL;
}

/* ---- names ---------------------------------------------------------------------------- */

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

enum err directory_fill(const char *template, struct view account, struct buf *out)
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

/* ---- connecting ----------------------------------------------------------------------- */

static int set_options(LDAP *ld, const char *ca, const struct timeval *timeout)
{
    const int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
    const int minimum = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
    const struct {
        int option;
        const void *value;
    } options[] = {
        { LDAP_OPT_PROTOCOL_VERSION, &version },
        { LDAP_OPT_REFERRALS, LDAP_OPT_OFF },
        { LDAP_OPT_RESTART, LDAP_OPT_ON },
        { LDAP_OPT_NETWORK_TIMEOUT, timeout },
        { LDAP_OPT_TIMEOUT, timeout },
        { LDAP_OPT_X_TLS_REQUIRE_CERT, &demand },
        { LDAP_OPT_X_TLS_PROTOCOL_MIN, &minimum },
        { LDAP_OPT_X_TLS_CACERTFILE, *ca == '\0' ? NULL : ca },
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

static int begin(struct directory *d, const struct directory_conf *conf)
{
    if (!directory_deadline_set(d->ld, &d->deadline, conf->timeout_ms))
        return LDAP_LOCAL_ERROR;
    const struct timeval timeout = directory_deadline_left(&d->deadline);
    int rc = set_options(d->ld, conf->ca, &timeout);
    if (rc != LDAP_SUCCESS || !starts(conf->url, "ldap://"))
        return rc;
    rc = ldap_start_tls_s(d->ld, NULL, NULL);
    /* Its refusals are not a bind's: none of them says anything of a password. */
    return rc == LDAP_SUCCESS && ldap_tls_inplace(d->ld) ? LDAP_SUCCESS : LDAP_CONNECT_ERROR;
}

AUTO_DEFINE(directory)

int directory_open(const struct directory_conf *conf, struct directory **ret)
{
    AUTO(directory) d = NEW(directory);

    if (d == NULL)
        return LDAP_NO_MEMORY;
    if (!directory_is_url(conf->url))
        return LDAP_PARAM_ERROR;
    int rc = ldap_initialize(&d->ld, conf->url);
    if (rc == LDAP_SUCCESS)
        rc = begin(d, conf);
    if (rc == LDAP_SUCCESS)
        *ret = TAKE(d);
    return rc;
}

void directory_free(struct directory *d)
{
    if (d == NULL)
        return;
    if (d->ld != NULL)
        (void)ldap_unbind_ext(d->ld, NULL, NULL);
    mem_free(d);
}

/* ---- asking --------------------------------------------------------------------------- */

/* The next message of the answer; its type, or why there is none as a negative code. */
static int next_message(struct directory *d, int id, int all, LDAPMessage **ret)
{
    struct timeval left = directory_deadline_left(&d->deadline);
    const int type = ldap_result(d->ld, id, all, &left, ret);

    if (type == 0)
        return LDAP_TIMEOUT;
    return type < 0 ? LDAP_SERVER_DOWN : type;
}

static int code_of(struct directory *d, LDAPMessage *answer)
{
    int code = LDAP_OTHER;
    const int rc = ldap_parse_result(d->ld, answer, &code, NULL, NULL, NULL, NULL, 0);

    return rc == LDAP_SUCCESS ? code : rc;
}

int directory_bind(struct directory *d, const char *dn, struct view secret)
{
    LDAPMessage *answer = NULL;
    struct secret copy = { 0 };
    int id = 0;

    if (*dn == '\0' || secret.n == 0)
        return LDAP_PARAM_ERROR;
    if (secret_set(&copy, secret) != ERR_OK)
        return LDAP_NO_MEMORY;
    struct berval credential = { copy.n, (char *)copy.p };
    int rc = ldap_sasl_bind(d->ld, dn, LDAP_SASL_SIMPLE, &credential, NULL, NULL, &id);
    secret_done(&copy);
    if (rc != LDAP_SUCCESS)
        return rc;
    rc = next_message(d, id, LDAP_MSG_ALL, &answer);
    if (rc == LDAP_RES_BIND)
        rc = code_of(d, answer);
    else if (rc >= 0)
        rc = LDAP_SERVER_DOWN;
    (void)ldap_msgfree(answer);
    return rc;
}

/* "proxyAddresses" of "proxyAddresses;range=0-1499": options of an attribute (RFC 4512 §2.5). */
static bool is_attribute(const char *name, const char *wanted)
{
    const size_t n = strlen(wanted);

    return strncasecmp(name, wanted, n) == 0 && (name[n] == '\0' || name[n] == ';');
}

static bool take_values(struct directory *d, LDAPMessage *entry, const char *name,
                        const struct directory_search *s)
{
    struct berval **values = ldap_get_values_len(d->ld, entry, name);
    bool is_going = true;

    for (size_t i = 0; values != NULL && values[i] != NULL && is_going; i++)
        is_going = s->each(s->arg, view_of(values[i]->bv_val, values[i]->bv_len));
    ldap_value_free_len(values);
    return is_going;
}

static int take_entry(struct directory *d, LDAPMessage *entry, const struct directory_search *s)
{
    BerElement *at = NULL;
    int rc = LDAP_SUCCESS;
    char *name = ldap_first_attribute(d->ld, entry, &at);

    while (name != NULL) {
        if (rc == LDAP_SUCCESS && is_attribute(name, s->attribute) &&
            (strcasestr(name, ";range=") != NULL || !take_values(d, entry, name, s)))
            rc = LDAP_SIZELIMIT_EXCEEDED;
        ldap_memfree(name);
        name = ldap_next_attribute(d->ld, entry, at);
    }
    ber_free(at, 0);
    return rc;
}

/* One message at a time, so that no answer has to be held as a whole. */
static int take_answer(struct directory *d, int id, const struct directory_search *s)
{
    for (int n = 0; n <= ENTRIES_MAX + 1; n++) {
        LDAPMessage *m = NULL;
        const int type = next_message(d, id, LDAP_MSG_ONE, &m);
        int rc = LDAP_SUCCESS;
        if (type == LDAP_RES_SEARCH_ENTRY)
            rc = take_entry(d, m, s);
        else if (type == LDAP_RES_SEARCH_RESULT)
            rc = code_of(d, m);
        else if (type != LDAP_RES_SEARCH_REFERENCE)
            rc = type < 0 ? type : LDAP_SERVER_DOWN;
        (void)ldap_msgfree(m);
        if (type == LDAP_RES_SEARCH_RESULT || rc != LDAP_SUCCESS)
            return rc;
    }
    return LDAP_SIZELIMIT_EXCEEDED;
}

int directory_find(struct directory *d, const struct directory_search *s)
{
    char *attributes[] = { mem_text(s->attribute), NULL };
    Sockbuf *sb = NULL;
    ber_len_t most = OCTETS_MAX;
    int id = 0;

    if (attributes[0] == NULL)
        return LDAP_NO_MEMORY;
    struct timeval left = directory_deadline_left(&d->deadline);
    if (ldap_get_option(d->ld, LDAP_OPT_SOCKBUF, (void *)&sb) == LDAP_OPT_SUCCESS && sb != NULL)
        (void)ber_sockbuf_ctrl(sb, LBER_SB_OPT_SET_MAX_INCOMING, &most);
    int rc = ldap_search_ext(d->ld, s->base, LDAP_SCOPE_SUBTREE, s->filter, attributes, 0, NULL,
                             NULL, &left, ENTRIES_MAX, &id);
    mem_free(attributes[0]);
    return rc == LDAP_SUCCESS ? take_answer(d, id, s) : rc;
}

const char *directory_error(int code)
{
    return ldap_err2string(code);
}
