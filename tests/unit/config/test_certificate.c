/* Certificates that no gate may serve: each weakness by itself, and what is said of it. */
#include "pki.h"

#include <time.h>

#define NAME  "DNS:mail.example.org"
#define DAY_S 86400L

static char yesterday[16], tomorrow[16], in_ten_days[16];

static void set_day(char *text, long days)
{
    const time_t t = time(NULL) + days * DAY_S;
    struct tm tm;

    (void)strftime(text, 16, "%Y-%m-%d", gmtime_r(&t, &tm));
}

static EVP_PKEY *dsa_key(void)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    EVP_PKEY *params = NULL, *key = NULL;

    assert_int_equal(EVP_PKEY_paramgen_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_dsa_paramgen_bits(context, 1024), 1);
    assert_int_equal(EVP_PKEY_paramgen(context, &params), 1);
    EVP_PKEY_CTX_free(context);
    context = EVP_PKEY_CTX_new_from_pkey(NULL, params, NULL);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_keygen(context, &key), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(params);
    return key;
}

static void write_keys(EVP_PKEY *ec)
{
    const struct {
        const char *name, *file;
        EVP_PKEY *key; /* owned */
    } made[] = {
        { "rsa2048.key", "rsa2048.pem", EVP_RSA_gen(2048) },
        { "rsa1024.key", "rsa1024.pem", EVP_RSA_gen(1024) },
        { "p192.key", "p192.pem", EVP_EC_gen("P-192") },
        { "p224.key", "p224.pem", EVP_EC_gen("P-224") },
        { "p384.key", "p384.pem", EVP_EC_gen("P-384") },
        { "ed25519.key", "ed25519.pem", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") },
        { "dsa.key", "dsa.pem", dsa_key() },
    };

    pki_write_key("ec.key", ec, NULL);
    pki_write("md5.pem",
              &(struct pki_kind){ .key = made[0].key, .san = NAME, .digest = EVP_md5() });
    for (size_t i = 0; i < COUNT_OF(made); i++) {
        pki_write_key(made[i].name, made[i].key, NULL);
        pki_write(made[i].file, &(struct pki_kind){ .key = made[i].key, .san = NAME });
        EVP_PKEY_free(made[i].key);
    }
}

static void write_leaves(EVP_PKEY *ec)
{
    const struct {
        const char *file;
        struct pki_kind kind;
    } made[] = {
        { "good.pem", { .san = NAME } },
        { "old.pem", { .san = NAME, .from_s = -9 * DAY_S, .until_s = -DAY_S } },
        { "early.pem", { .san = NAME, .from_s = DAY_S, .until_s = 90 * DAY_S } },
        { "soon.pem", { .san = NAME, .until_s = 10 * DAY_S } },
        { "later.pem", { .san = NAME, .until_s = 15 * DAY_S } },
        { "sha1.pem", { .san = NAME, .digest = EVP_sha1() } },
        { "nameless.pem", { .subject = "mail.example.org" } },
        { "address.pem", { .san = "IP:192.0.2.1", .subject = "mail.example.org" } },
        { "others.pem",
          { .san = "DNS:a.example, DNS:*.b.example", .subject = "mail.example.org" } },
        { "many.pem", { .san = "DNS:a.e, DNS:b.e, DNS:c.e, DNS:d.e, DNS:e.e" } },
        { "wild.pem", { .san = "DNS:*.example.org" } },
    };

    for (size_t i = 0; i < COUNT_OF(made); i++) {
        struct pki_kind kind = made[i].kind;
        kind.key = ec;
        pki_write(made[i].file, &kind);
    }
}

/* root → intermediate → leaf, and what can be wrong with each of them. */
static void write_chains(EVP_PKEY *ec)
{
    EVP_PKEY *ca = EVP_EC_gen("P-256"), *weak = EVP_RSA_gen(1024);
    X509 *root = pki_make(
        &(struct pki_kind){ .key = ca, .subject = "root", .is_ca = true, .digest = EVP_sha1() });
    const struct pki_kind between = {
        .key = ca, .subject = "between", .is_ca = true, .issuer = root, .issuer_key = ca
    };
    struct pki_kind kind = between;
    X509 *middle = pki_make(&kind);
    kind.until_s = -DAY_S;
    kind.from_s = -2 * DAY_S;
    X509 *old = pki_make(&kind);
    kind = between;
    kind.digest = EVP_sha1();
    X509 *sha1 = pki_make(&kind);
    kind = between;
    kind.key = weak;
    X509 *short_key = pki_make(&kind);
    const struct pki_kind below = { .key = ec, .san = NAME, .issuer = middle, .issuer_key = ca };
    X509 *leaf = pki_make(&below);
    kind = below;
    kind.issuer_key = weak;
    X509 *weak_leaf = pki_make(&kind);
    kind = below;
    kind.issuer_key = ec;
    X509 *forged = pki_make(&kind);

    pki_write_chain("chain.pem", (X509 *[]){ leaf, middle, root, NULL });
    pki_write_chain("swapped.pem", (X509 *[]){ leaf, root, middle, NULL });
    pki_write_chain("backwards.pem", (X509 *[]){ root, middle, leaf, NULL });
    pki_write_chain("old-chain.pem", (X509 *[]){ leaf, old, root, NULL });
    pki_write_chain("sha1-chain.pem", (X509 *[]){ leaf, sha1, root, NULL });
    pki_write_chain("weak-chain.pem", (X509 *[]){ weak_leaf, short_key, root, NULL });
    pki_write_chain("forged.pem", (X509 *[]){ forged, middle, root, NULL });
    FILE *f = pki_open("cut.pem");
    assert_int_equal(PEM_write_X509(f, leaf), 1);
    (void)fputs("-----BEGIN CERTIFICATE-----\nMIIB\n", f);
    assert_int_equal(fclose(f), 0);
    X509 *const all[] = { root, middle, old, sha1, short_key, leaf, weak_leaf, forged };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        X509_free(all[i]);
    EVP_PKEY_free(ca);
    EVP_PKEY_free(weak);
}

static int set_up(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-256");

    (void)state;
    if (mkdtemp(pki_folder) == NULL || ec == NULL)
        return -1;
    set_day(yesterday, -1);
    set_day(tomorrow, 1);
    set_day(in_ten_days, 10);
    write_keys(ec);
    write_leaves(ec);
    write_chains(ec);
    EVP_PKEY_free(ec);
    return 0;
}

/* ---- each by itself ------------------------------------------------------------------- */

#define LEAF(name) "certificate = \"~/" name ".pem\"; key = \"~/ec.key\";"
#define PAIR(name) "certificate = \"~/" name ".pem\"; key = \"~/" name ".key\";"
#define HOST(name) "host = \"" name "\";"

static const struct pki_case cases[] = {
    { LEAF("good"), NULL, NULL, 0 },
    { LEAF("soon"), NULL, NULL, 0 },
    { PAIR("rsa2048"), NULL, NULL, 0 },
    { PAIR("p384"), NULL, NULL, 0 },
    { PAIR("ed25519"), NULL, NULL, 0 },
    { "certificate = \"~/good.pem\"; key = \"~/p384.key\";", NULL, "p384.key: not the key of ", 1 },
    { PAIR("rsa1024"), NULL, "an RSA key of 1024 bits: make one of at least 2048", 1 },
    { PAIR("p192"), NULL, "an EC key of 192 bits: make one of at least 256, with P-256", 1 },
    { PAIR("p224"), NULL, "an EC key of 224 bits", 1 },
    { PAIR("dsa"), NULL, "a DSA key, which clients do not take: make one of ECDSA", 1 },
    { LEAF("sha1"), NULL, "sha1.pem: signed with SHA1, which can be forged: have it issued anew",
      1 },
    { "certificate = \"~/md5.pem\"; key = \"~/rsa2048.key\";", NULL,
      "md5.pem: signed with MD5, which can be forged", 1 },
    /* names */
    { LEAF("nameless"), NULL, "no DNS name in its subjectAltName", 1 },
    { LEAF("nameless"), HOST("mail.example.org"), "no DNS name in its subjectAltName", 1 },
    { LEAF("address"), NULL, "no DNS name in its subjectAltName", 1 },
    { LEAF("good"), HOST("mail.example.org"), NULL, 0 },
    { LEAF("good"), HOST("MAIL.example.ORG"), NULL, 0 },
    { LEAF("wild"), HOST("mail.example.org"), NULL, 0 },
    { LEAF("wild"), HOST("a.mail.example.org"), "is for *.example.org, not for \"a.mail.", 1 },
    { LEAF("others"), HOST("mail.example.org"),
      "others.pem: is for a.example, *.b.example, not for \"mail.example.org\", the setting host: "
      "have it issued for that name",
      1 },
    { LEAF("many"), HOST("mail.example.org"), "is for a.e, b.e, c.e, d.e …, not for", 1 },
    { "certificate = [ \"~/others.pem\", \"~/good.pem\" ]; key = [ \"~/ec.key\", \"~/ec.key\" ];",
      HOST("mail.example.org"), NULL, 0 },
    { "certificate = [ \"~/others.pem\", \"~/many.pem\" ]; key = [ \"~/ec.key\", \"~/ec.key\" ];",
      HOST("mail.example.org"), "*.b.example, and no other is for \"mail.example.org\"", 1 },
    /* chains */
    { LEAF("chain"), HOST("mail.example.org"), NULL, 0 }, /* the root's SHA-1 is nobody's concern */
    { LEAF("swapped"), NULL, "swapped.pem, certificate 2: did not issue the one before it", 2 },
    { LEAF("backwards"), NULL, "ec.key: not the key of ", 0 },
    { LEAF("old-chain"), NULL, "old-chain.pem, certificate 2: expired on ", 1 },
    { LEAF("sha1-chain"), NULL, "sha1-chain.pem, certificate 2: signed with SHA1", 1 },
    { LEAF("weak-chain"), NULL, "weak-chain.pem, certificate 2: an RSA key of 1024 bits", 1 },
    { LEAF("forged"), NULL, "forged.pem, certificate 2: did not issue the one before it", 1 },
    { LEAF("cut"), NULL, "cut.pem: certificate 2 is broken", 1 },
};

static void test_each(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        pki_check(&cases[i]);
}

static void test_days_are_said(void **state)
{
    char text[128];

    (void)state;
    (void)snprintf(text, sizeof(text), "old.pem: expired on %s: renew it", yesterday);
    pki_check(&(struct pki_case){ .tls = LEAF("old"), .expected = text, .count = 1 });
    (void)snprintf(text, sizeof(text), "early.pem: not valid before %s: set the clock", tomorrow);
    pki_check(&(struct pki_case){ .tls = LEAF("early"), .expected = text, .count = 1 });
}

/* ---- what will expire ----------------------------------------------------------------- */

static void test_expiring(void **state)
{
    struct config_error notes[4];
    char text[128];
    AUTO(config) soon = pki_given(&(struct pki_case){ .tls = LEAF("soon") });
    AUTO(config) later = pki_given(&(struct pki_case){ .tls = LEAF("later") });
    AUTO(config) none = pki_given(&(struct pki_case){ .tls = LEAF("none") });

    (void)state;
    (void)snprintf(text, sizeof(text), "soon.pem: expires on %s: renew it", in_ten_days);
    assert_int_equal(config_check_expiring(soon, notes, COUNT_OF(notes)), 1);
    assert_non_null(strstr(notes[0].text, text));
    assert_non_null(strstr(notes[0].text, "configuration:1: tls.certificate: "));
    assert_int_equal(config_check_expiring(later, notes, COUNT_OF(notes)), 0);
    assert_int_equal(config_check_expiring(none, notes, COUNT_OF(notes)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_days_are_said),
        cmocka_unit_test(test_expiring),
    };

    return cmocka_run_group_tests(tests, set_up, pki_tear_down);
}
