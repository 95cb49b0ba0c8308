/* alias_kinds.h: the alias sources behind alias.h. Internal to alias/; threads as there. Each opens
 * with what it needs of the configuration (ERR_INVALID, ERR_MEMORY), and looks up by putting what
 * it finds into an answer. */
#ifndef POSTERN_WARDEN_ALIAS_ALIAS_KINDS_H
#define POSTERN_WARDEN_ALIAS_ALIAS_KINDS_H

#include "warden/alias/alias.h"

#define ALIAS_WHY 128 /* octets, with NUL */

struct alias_answer {
    struct buf *out;     /* borrowed; bounded by who asks */
    bool is_full;        /* there is no room for all */
    size_t skipped;      /* values that are no addresses */
    char why[ALIAS_WHY]; /* set by a source that fails: for the log, without secrets */
};

/* Takes one value: an address ("user@domain") or a domain ("@domain"): one '@', nothing but blanks
 * and controls excluded. Others are counted and skipped. False: it is full, no more is of use. */
bool alias_put(struct alias_answer *a, struct view address);
/* Fails with why. */
MUST_USE enum err alias_fail(struct alias_answer *a, const char *format, ...) PRINTF(2, 3);

/* ---- file: "address account, account": the lines of Postfix's smtpd_sender_login_maps (an indexed
 * file there). "#" begins a comment line. A line that begins with a blank goes on where the one
 * before has ended, to Postfix: it is not known what its author meant by it, so such a file is out
 * of service. Accounts are whole names, or local names of `domain`. ---- */
struct alias_file;
MUST_USE enum err alias_file_new(const struct config *c, struct alias_file **ret);
void alias_file_free(struct alias_file *f); /* NULL is fine, as below */
MUST_USE enum err alias_file_lookup(struct alias_file *f, struct view account,
                                    struct alias_answer *a);

/* ---- LDAP: the values of one attribute of all entries that a filter finds. "smtp:" in front of a
 * value (Active Directory's proxyAddresses) is dropped; what has another word there ("x500:",
 * "sip:") is no mail address and left out. ---- */
struct alias_ldap;
MUST_USE enum err alias_ldap_new(const struct config *c, struct alias_ldap **ret);
void alias_ldap_free(struct alias_ldap *l);
MUST_USE enum err alias_ldap_lookup(const struct alias_ldap *l, struct view account,
                                    struct alias_answer *a);

/* ---- SQLite: the file is opened for reading only, and anew when another has taken its place. */
struct alias_sqlite;
MUST_USE enum err alias_sqlite_new(const struct config *c, struct alias_sqlite **ret);
void alias_sqlite_free(struct alias_sqlite *s);
MUST_USE enum err alias_sqlite_lookup(struct alias_sqlite *s, struct view account,
                                      struct alias_answer *a);

/* ---- PostgreSQL: one connection, kept, and made anew when it has failed. Where its URL says no
 * other, TLS is required and the server's certificate verified (sslmode=verify-full). ---- */
struct alias_pgsql;
MUST_USE enum err alias_pgsql_new(const struct config *c, struct alias_pgsql **ret);
void alias_pgsql_free(struct alias_pgsql *p);
MUST_USE enum err alias_pgsql_lookup(struct alias_pgsql *p, struct view account,
                                     struct alias_answer *a);

#endif
