/* directory.h: one connection to an LDAP server, from connecting to its end, within one deadline.
 * Sources: RFC 4511 (LDAP), RFC 4513 (StartTLS, simple bind), RFC 4514 §2.4 and RFC 4515 §3
 * (escapes).
 *
 * Always TLS 1.2 or later with a verified certificate (ldaps://, or ldap:// with StartTLS), or a
 * Unix socket (ldapi://), whatever the machine's ldap.conf says; referrals are not followed, so
 * that a password goes to the configured server only. Blocks (name lookups by the C library without
 * our deadline); runs in: warden, any thread, one at a time. Results are libldap's codes:
 * LDAP_SUCCESS, what the server said, or why there is no answer. */
#ifndef POSTERN_WARDEN_SOURCE_DIRECTORY_H
#define POSTERN_WARDEN_SOURCE_DIRECTORY_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/view.h"

struct directory;

struct directory_conf {
    const char *url; /* borrowed for the call, as is ca */
    const char *ca;  /* PEM file of authorities; "": the system's */
    uint32_t timeout_ms;
};

/* One URL of a permitted scheme: with several, one without TLS could hide behind one with. */
bool directory_is_url(const char *url);
/* Connects; *ret is set on success only. */
MUST_USE int directory_open(const struct directory_conf *conf, struct directory **ret);
void directory_free(struct directory *d); /* NULL is fine; says good-bye */
/* A simple bind. Without a name or a password a server says yes, and nothing is proven (RFC 4513
 * §5.1.1, §5.1.2): LDAP_PARAM_ERROR. */
MUST_USE int directory_bind(struct directory *d, const char *dn, struct view secret);

struct directory_search {
    const char *base, *filter; /* the whole subtree */
    const char *attribute;
    /* Each value of each entry found; false: enough, the search fails as over its size. */
    bool (*each)(void *arg, struct view value);
    void *arg;
};
/* LDAP_SUCCESS: all of them were seen. Values that the server holds back (Active Directory's
 * ranges) are LDAP_SIZELIMIT_EXCEEDED. */
MUST_USE int directory_find(struct directory *d, const struct directory_search *s);

/* Appends the template with {user}, {local} and {domain} of the account filled in. Everything but
 * letters, digits and "@.-_" of a value is written as \XX, which the text of a DN (RFC 4514 §2.4)
 * and a filter (RFC 4515 §3) both permit for any octet: there is no list of special characters to
 * get wrong. Any thread. ERR_MEMORY: over the bound of `out`, too. */
MUST_USE enum err directory_fill(const char *template, struct view account, struct buf *out);
const char *directory_error(int code); /* a phrase that lives for ever */

#endif
