#include "config/cipher.h"

#include "config/pem.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#define SEPARATORS ":, ;" /* openssl-ciphers(1) */
#define BITS_MIN   128
#define LEAVE_OUT  "or leave this out for the default, which is good"

/* ---- what is too weak ----------------------------------------------------------------- */

/* A cipher has it if `property` is one of `nids` (0 ends them, and is the first of NULL's). */
static const struct weakness {
    const char *what, *mend;
    int (*property)(const SSL_CIPHER *);
    int nids[5];
} weaknesses[] = {
    { "no encryption", "!eNULL", SSL_CIPHER_get_cipher_nid, { NID_undef } },
    { "no certificate, so anybody may stand between",
      "!aNULL",
      SSL_CIPHER_get_auth_nid,
      { NID_auth_null } },
    { "static RSA key exchange, no forward secrecy",
      "!kRSA",
      SSL_CIPHER_get_kx_nid,
      { NID_kx_rsa } },
    { "pre-shared keys, which a gate has none of",
      "!PSK",
      SSL_CIPHER_get_kx_nid,
      { NID_kx_psk, NID_kx_rsa_psk, NID_kx_dhe_psk, NID_kx_ecdhe_psk } },
    { "RC4, which is broken", "!RC4", SSL_CIPHER_get_cipher_nid, { NID_rc4 } },
    { "blocks of 64 bits or a key too short",
      "!3DES:!DES:!IDEA:!RC2",
      SSL_CIPHER_get_cipher_nid,
      { NID_des_ede3_cbc, NID_des_cbc, NID_idea_cbc, NID_rc2_cbc } },
    { "SEED, which nobody needs", "!SEED", SSL_CIPHER_get_cipher_nid, { NID_seed_cbc } },
    { "MD5, which is broken", "!MD5", SSL_CIPHER_get_digest_nid, { NID_md5 } },
};

static bool has(const struct weakness *w, const SSL_CIPHER *cipher)
{
    const int nid = w->property(cipher);

    if (nid == w->nids[0])
        return true;
    for (size_t i = 1; i < COUNT_OF(w->nids) && w->nids[i] != 0; i++)
        if (nid == w->nids[i])
            return true;
    return false;
}

/* One message for all ciphers that have it. */
static void say_weak(const struct config *c, struct report *r, const STACK_OF(SSL_CIPHER) * list,
                     const struct weakness *w)
{
    const char *first = NULL;
    size_t others = 0;
    char more[32] = "";

    for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
        if (!has(w, sk_SSL_CIPHER_value(list, i)))
            continue;
        if (first == NULL)
            first = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(list, i));
        else
            others++;
    }
    if (others != 0)
        (void)snprintf(more, sizeof(more), " and %zu more", others);
    if (first != NULL)
        report_setting(r, c, "tls.ciphers", "%s%s: %s: write \":%s\" at the end, " LEAVE_OUT, first,
                       more, w->what, w->mend);
}

static void check_strength(const struct config *c, struct report *r, SSL_CTX *context)
{
    const STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(context);

    for (size_t i = 0; i < COUNT_OF(weaknesses); i++)
        say_weak(c, r, list, &weaknesses[i]);
    for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(list, i);
        const int bits = SSL_CIPHER_get_bits(cipher, NULL);
        if (bits > 0 && bits < BITS_MIN)
            report_setting(r, c, "tls.ciphers", "%s: a key of %d bits: take it out, " LEAVE_OUT,
                           SSL_CIPHER_get_name(cipher), bits);
    }
}

/* ---- words ---------------------------------------------------------------------------- */

/* The next word of *text; empty: there is none. */
static struct view next_word(const char **text, const char *separators)
{
    *text += strspn(*text, separators);
    const struct view word = view_of(*text, strcspn(*text, separators));
    *text += word.n;
    return word;
}

/* OpenSSL passes over what it does not know (export ciphers, say), and a gate would be another than
 * the one that is written. Only words that add something count: those that take away do no harm. */
static bool check_words(const struct config *c, struct report *r, SSL_CTX *scratch)
{
    const char *text = c->tls.ciphers;
    char copy[128];
    bool is_known = true;

    for (struct view w = next_word(&text, SEPARATORS); w.n != 0; w = next_word(&text, SEPARATORS)) {
        (void)snprintf(copy, sizeof(copy), "%.*s", (int)w.n, (const char *)w.p);
        if (strchr("!-+@", copy[0]) != NULL || SSL_CTX_set_cipher_list(scratch, copy) == 1)
            continue;
        ERR_clear_error();
        is_known = false;
        report_setting(
            r, c, "tls.ciphers",
            "\"%s\" is no cipher that OpenSSL has for TLS 1.2%s: take it out, " LEAVE_OUT, copy,
            strncmp(copy, "TLS_", 4) == 0 ? " (tls.ciphersuites is for 1.3)" : "");
    }
    return is_known;
}

static void check_ciphers(const struct config *c, struct report *r, SSL_CTX *context,
                          SSL_CTX *scratch)
{
    const int level = SSL_CTX_get_security_level(context);

    if (!check_words(c, r, scratch))
        return;
    if (SSL_CTX_set_cipher_list(context, c->tls.ciphers) != 1) {
        report_setting(r, c, "tls.ciphers",
                       "not taken by OpenSSL (%s): leave it out, or see openssl-ciphers(1)",
                       pem_reason());
        return;
    }
    if (SSL_CTX_get_security_level(context) < level)
        report_setting(r, c, "tls.ciphers",
                       "lowers OpenSSL's security level from %d to %d: take @SECLEVEL out", level,
                       SSL_CTX_get_security_level(context));
    check_strength(c, r, context);
}

/* ---- TLS 1.3 -------------------------------------------------------------------------- */

static bool is_suite(SSL_CTX *scratch, const char *name)
{
    if (SSL_CTX_set_ciphersuites(scratch, name) != 1)
        return false;
    const STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(scratch);
    for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(list, i);
        if (strcmp(SSL_CIPHER_get_name(cipher), name) == 0)
            return SSL_CIPHER_get_cipher_nid(cipher) != NID_undef;
    }
    return false;
}

static void check_suites(const struct config *c, struct report *r, SSL_CTX *scratch)
{
    const char *text = c->tls.ciphersuites;
    size_t n = 0;
    char copy[128];

    for (struct view w = next_word(&text, ":"); w.n != 0; w = next_word(&text, ":")) {
        (void)snprintf(copy, sizeof(copy), "%.*s", (int)w.n, (const char *)w.p);
        n++;
        if (!is_suite(scratch, copy))
            report_setting(r, c, "tls.ciphersuites",
                           "\"%s\" is no suite that OpenSSL has for TLS 1.3, or encrypts nothing: "
                           "take it out, " LEAVE_OUT,
                           copy);
        ERR_clear_error();
    }
    if (n == 0 && c->tls.minimum == CONF_TLS_1_3)
        report_setting(r, c, "tls.ciphersuites",
                       "empty, and tls.minimum = \"1.3\": nobody could come in: leave this out");
}

void cipher_check(const struct config *c, struct report *r)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX *scratch = SSL_CTX_new(TLS_server_method());

    if (context != NULL && scratch != NULL && SSL_CTX_set_ciphersuites(context, "") == 1) {
        check_ciphers(c, r, context, scratch);
        check_suites(c, r, scratch);
    } else {
        report_setting(r, c, "tls.ciphers", "no memory");
    }
    SSL_CTX_free(context);
    SSL_CTX_free(scratch);
}
