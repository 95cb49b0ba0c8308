#include "config/certificate.h"

#include "config/pem.h"
#include "config/value.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#define RSA_BITS_MIN  2048
#define EC_BITS_MIN   256
#define HASH_BITS_MIN 112 /* of security: SHA-224 has these, SHA-1 at most 63 */
#define EXPIRING_DAYS 14
#define DAY_S         86400
#define DAY_TEXT      16 /* "2026-01-02" */
#define NAMES_SHOWN   4

/* One certificate of a file; `where` names it: "/etc/cert.pem" or "/etc/cert.pem, certificate 2".
 */
struct subject {
    const struct config *c;
    struct report *r;
    X509 *x; /* borrowed */
    int index;
    const char *where;
};

#define SAY(s, ...) report_setting((s)->r, (s)->c, "tls.certificate", __VA_ARGS__)

/* ---- times ---------------------------------------------------------------------------- */

static const char *day_of(const ASN1_TIME *t, char *text)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1 || strftime(text, DAY_TEXT, "%Y-%m-%d", &tm) == 0)
        return "an unknown day";
    return text;
}

static void check_times(const struct subject *s)
{
    const ASN1_TIME *from = X509_get0_notBefore(s->x), *until = X509_get0_notAfter(s->x);
    const int began = X509_cmp_current_time(from), ends = X509_cmp_current_time(until);
    char day[DAY_TEXT];

    if (began == 0 || ends == 0)
        SAY(s, "%s: no times of RFC 5280 in it: have it issued anew", s->where);
    else if (ends < 0)
        SAY(s, "%s: expired on %s: %s", s->where, day_of(until, day),
            s->index == 0 ? "renew it" : "get the authority's present chain");
    else if (began > 0)
        SAY(s, "%s: not valid before %s: set the clock, or use another until then", s->where,
            day_of(from, day));
}

/* ---- strength ------------------------------------------------------------------------- */

static void check_key(const struct subject *s)
{
    const EVP_PKEY *key = X509_get0_pubkey(s->x);
    const int bits = key == NULL ? 0 : EVP_PKEY_get_bits(key);

    if (key == NULL)
        SAY(s, "%s: a public key that OpenSSL does not know (%s): make one of ECDSA with P-256",
            s->where, pem_reason());
    else if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) {
        if (bits < RSA_BITS_MIN)
            SAY(s, "%s: an RSA key of %d bits: make one of at least %d, or of ECDSA with P-256",
                s->where, bits, RSA_BITS_MIN);
    } else if (EVP_PKEY_is_a(key, "EC")) {
        if (bits < EC_BITS_MIN)
            SAY(s, "%s: an EC key of %d bits: make one of at least %d, with P-256", s->where, bits,
                EC_BITS_MIN);
    } else if (!EVP_PKEY_is_a(key, "ED25519") && !EVP_PKEY_is_a(key, "ED448")) {
        SAY(s, "%s: a %s key, which clients do not take: make one of ECDSA with P-256", s->where,
            EVP_PKEY_get0_type_name(key));
    }
}

/* A root's own signature is looked at by nobody. */
static void check_signature(const struct subject *s)
{
    int digest = NID_undef, security_bits = 0;

    if (s->index > 0 && X509_self_signed(s->x, 0) == 1)
        return;
    if (X509_get_signature_info(s->x, &digest, NULL, &security_bits, NULL) != 1) {
        ERR_clear_error();
        SAY(s, "%s: signed with %s, which OpenSSL does not take: have it issued anew with SHA-256",
            s->where, OBJ_nid2ln(X509_get_signature_nid(s->x)));
    } else if (security_bits < HASH_BITS_MIN) {
        SAY(s, "%s: signed with %s, which can be forged: have it issued anew with SHA-256",
            s->where, OBJ_nid2sn(digest));
    }
}

/* ---- names ---------------------------------------------------------------------------- */

/* Only what a host name has, as this goes to terminals and logs. */
static void put_name(struct buf *out, const ASN1_STRING *name)
{
    const uint8_t *p = ASN1_STRING_get0_data(name);

    for (int i = 0; i < ASN1_STRING_length(name); i++)
        buf_put_octet(out, p[i] > ' ' && p[i] <= '~' ? p[i] : '?');
}

/* "a.example, b.example" in `out`; returns how many there are. */
static size_t put_names(X509 *x, struct buf *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    size_t n = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS || ASN1_STRING_length(name->d.dNSName) == 0)
            continue;
        if (n < NAMES_SHOWN) {
            buf_put_text(out, n == 0 ? "" : ", ");
            put_name(out, name->d.dNSName);
        }
        n++;
    }
    if (n > NAMES_SHOWN)
        buf_put_text(out, " …");
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return n;
}

static bool is_for(X509 *x, const char *host)
{
    return X509_check_host(x, host, strlen(host),
                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                           NULL) == 1;
}

static void check_has_name(const struct subject *s)
{
    AUTO_BUF(names, 4096);

    if (put_names(s->x, &names) == 0)
        SAY(s,
            "%s: no DNS name in its subjectAltName, and clients look nowhere else (RFC 9525): have "
            "it issued for the name that they use",
            s->where);
}

/* With several certificates (SNI) one of them is enough. */
static void check_host(const struct config *c, struct report *r, X509 *const *leaves, size_t n)
{
    AUTO_BUF(names, 4096);

    if (c->host[0] == 0 || n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (leaves[i] == NULL || is_for(leaves[i], c->host))
            return;
    if (put_names(leaves[0], &names) == 0) /* reported */
        return;
    const char *text = buf_cstr(&names);
    report_setting(r, c, "tls.certificate",
                   "%s: is for %s, %s for \"%s\", the setting host: have it issued for that name, "
                   "or write the name that clients use as host",
                   c->tls.certificate.items[0], text == NULL ? "others" : text,
                   n == 1 ? "not" : "and no other is", c->host);
}

/* ---- one file ------------------------------------------------------------------------- */

static void check_one(const struct subject *s)
{
    check_times(s);
    check_key(s);
    check_signature(s);
    if (s->index == 0)
        check_has_name(s);
}

static void check_order(const struct subject *s, X509 *before)
{
    EVP_PKEY *key = X509_get0_pubkey(s->x);

    if (X509_check_issued(s->x, before) == X509_V_OK && key != NULL &&
        X509_verify(before, key) == 1)
        return;
    ERR_clear_error();
    SAY(s,
        "%s: did not issue the one before it: write the certificate first, then the one that "
        "issued "
        "it, and so on",
        s->where);
}

static void check_chain(const struct config *c, struct report *r, const char *file,
                        STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        AUTO_BUF(where, 8192);
        buf_put_text(&where, file);
        if (i > 0)
            buf_printf(&where, ", certificate %d", i + 1);
        const char *text = buf_cstr(&where);
        const struct subject s = { .c = c,
                                   .r = r,
                                   .x = sk_X509_value(chain, i),
                                   .index = i,
                                   .where = text == NULL ? file : text };
        check_one(&s);
        if (i > 0)
            check_order(&s, sk_X509_value(chain, i - 1));
    }
}

/* Returns the first certificate, a new reference, or NULL. */
static X509 *check_pair(const struct config *c, struct report *r, size_t index)
{
    const char *file = c->tls.certificate.items[index], *key_file = c->tls.key.items[index];
    STACK_OF(X509) *chain = pem_chain(r, c, "tls.certificate", file);
    EVP_PKEY *key = pem_key(r, c, "tls.key", key_file);
    X509 *leaf = chain == NULL ? NULL : sk_X509_value(chain, 0);

    if (leaf != NULL)
        check_chain(c, r, file, chain);
    if (leaf != NULL && key != NULL && X509_check_private_key(leaf, key) != 1) {
        ERR_clear_error();
        report_setting(r, c, "tls.key",
                       "%s: not the key of %s: list keys in the order of the certificates, and in "
                       "each of those files the certificate before its chain",
                       key_file, file);
    }
    if (leaf != NULL && X509_up_ref(leaf) != 1)
        leaf = NULL;
    sk_X509_pop_free(chain, X509_free);
    EVP_PKEY_free(key);
    return leaf;
}

void certificate_check(const struct config *c, struct report *r)
{
    X509 *leaves[VALUE_ITEMS_MAX];
    size_t n = 0;

    for (; n < c->tls.certificate.n && n < c->tls.key.n && n < COUNT_OF(leaves); n++)
        leaves[n] = check_pair(c, r, n);
    check_host(c, r, leaves, n);
    for (size_t i = 0; i < n; i++)
        X509_free(leaves[i]);
}

void certificate_check_expiring(const struct config *c, struct report *r)
{
    time_t soon = time(NULL) + (time_t)EXPIRING_DAYS * DAY_S;
    struct report ignored = { 0 };
    char day[DAY_TEXT];

    for (size_t i = 0; i < c->tls.certificate.n; i++) {
        const char *file = c->tls.certificate.items[i];
        X509 *x = pem_certificate(&ignored, c, "tls.certificate", file);
        if (x != NULL && X509_cmp_time(X509_get0_notAfter(x), &soon) < 0)
            report_setting(r, c, "tls.certificate", "%s: expires on %s: renew it", file,
                           day_of(X509_get0_notAfter(x), day));
        X509_free(x);
    }
}
