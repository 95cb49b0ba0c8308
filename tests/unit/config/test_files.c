/* Files and ciphers: what OpenSSL and the file system say of them. */
#include "pki.h"

static int set_up(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    EVP_PKEY *rsa = EVP_RSA_gen(2048);

    (void)state;
    if (mkdtemp(pki_folder) == NULL || ec == NULL || rsa == NULL)
        return -1;
    pki_write_key("ec.key", ec, NULL);
    pki_write_key("rsa.key", rsa, NULL);
    pki_write_key("locked.key", ec, "passphrase");
    pki_write("ec.pem", &(struct pki_kind){ .key = ec, .san = "DNS:a.example" });
    pki_write("rsa.pem", &(struct pki_kind){ .key = rsa, .san = "DNS:a.example" });
    FILE *f = pki_open("garbage.pem");
    (void)fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f);
    (void)fclose(f);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    return 0;
}

#define GOOD "certificate = \"~/ec.pem\"; key = \"~/ec.key\"; "

static const struct pki_case files[] = {
    { "certificate = \"~/ec.pem\"; key = \"~/ec.key\";", "", NULL, 0 },
    { "certificate = [ \"~/ec.pem\", \"~/rsa.pem\" ]; key = [ \"~/ec.key\", \"~/rsa.key\" ];", "",
      NULL, 0 },
    { "certificate = [ \"~/ec.pem\", \"~/rsa.pem\" ]; key = [ \"~/rsa.key\", \"~/ec.key\" ];", "",
      "rsa.key: not the key of ", 2 },
    { "certificate = \"~/none.pem\"; key = \"~/ec.key\";", "", "tls.certificate: ", 1 },
    { "certificate = \"~/none.pem\"; key = \"~/ec.key\";", "", "No such file or directory", 1 },
    { "certificate = \"~/ec.pem\"; key = \"~/none.key\";", "",
      "none.key: No such file or directory: write the path of a PEM file", 1 },
    { "certificate = \"~\"; key = \"~/ec.key\";", "", "no certificate", 1 },
    { "certificate = \"~/garbage.pem\"; key = \"~/ec.key\";", "", "no certificate", 1 },
    { "certificate = \"~/ec.key\"; key = \"~/ec.key\";", "", "no certificate", 1 },
    { "certificate = \"~/ec.pem\"; key = \"~/ec.pem\";", "", "no private key", 1 },
    { "certificate = \"~/ec.pem\"; key = \"~/locked.key\";", "", "a key without passphrase", 1 },
    { GOOD, "users: { edge = \"no-such-user-here\"; };", "users.edge: no user", 1 },
    { GOOD, "users: { edge = \"61001\"; };", NULL, 0 },
    { GOOD, "password: { source = \"file\"; file = \"/nonexistent\"; };",
      "password.file: /nonexistent: No such file", 1 },
    { GOOD,
      "policies: { default: { sender = \"own\"; }; };\n"
      "aliases: { source = \"file\"; file = \"/nonexistent\"; };",
      "aliases.file: /nonexistent: No such file", 1 },
    { GOOD,
      "policies: { default: { sender = \"own\"; }; };\n"
      "aliases: { source = \"ldap\"; ldap: { url = \"ldaps://h\"; base = \"dc=org\"; ca = "
      "\"/nonexistent\"; }; };",
      "aliases.ldap.ca: /nonexistent: No such file", 1 },
    { GOOD,
      "policies: { default: { sender = \"own\"; }; };\n"
      "aliases: { source = \"sql\"; sql: { url = \"sqlite:/nonexistent\"; }; };",
      "aliases.sql.url: /nonexistent: No such file", 1 },
    { GOOD,
      "policies: { default: { sender = \"own\"; }; };\n"
      "aliases: { source = \"sql\"; sql: { url = \"postgresql://h/nonexistent\"; }; };",
      NULL, 0 },
};

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++)
        pki_check(&files[i]);
}

#define CIPHERS(text) GOOD "ciphers = \"" text "\";"
#define SUITES(text)  GOOD "ciphersuites = \"" text "\";"
#define INSTEAD       "or leave this out for the default"

/* What Debian's OpenSSL was built without (RC4, DES, export …) is an unknown word to it. */
static const struct pki_case ciphers[] = {
    { CIPHERS("HIGH:!aNULL:!kRSA:!PSK"), "", NULL, 0 },
    { CIPHERS("ECDHE+AESGCM:DHE+AESGCM:+SHA1:-SHA1:!NO-SUCH:@STRENGTH"), "", NULL, 0 },
    { CIPHERS("ECDHE-RSA-AES128-SHA, ECDHE-RSA-AES256-SHA"), "", NULL,
      0 }, /* CBC is old, not weak */
    { CIPHERS("eNULL:@SECLEVEL=0"), "", "no encryption: write \":!eNULL\" at the end, " INSTEAD,
      0 },
    { CIPHERS("NULL-SHA256"), "", "tls.ciphers: NULL-SHA256: no encryption", 2 },
    { CIPHERS("aNULL"), "", "no certificate, so anybody may stand between: write \":!aNULL\"", 2 },
    { CIPHERS("AES128-SHA"), "",
      "tls.ciphers: AES128-SHA: static RSA key exchange, no forward secrecy: write \":!kRSA\"", 1 },
    { CIPHERS("ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256:AES256-GCM-SHA384"), "",
      "tls.ciphers: AES128-GCM-SHA256 and 1 more: static RSA", 1 },
    { CIPHERS("RSA-PSK-AES128-CBC-SHA"), "", "pre-shared keys", 1 },
    { CIPHERS("PSK"), "", "pre-shared keys, which a gate has none of: write \":!PSK\"", 0 },
    { CIPHERS("NULL-MD5"), "", "MD5, which is broken: write \":!MD5\"", 3 },
    { CIPHERS("ALL:COMPLEMENTOFALL"), "", "static RSA key exchange", 5 },
    { CIPHERS("HIGH:!aNULL:!kRSA:!PSK:@SECLEVEL=0"), "",
      "tls.ciphers: lowers OpenSSL's security level from ", 1 },
    { CIPHERS("EXP-RC4-MD5"), "", "tls.ciphers: \"EXP-RC4-MD5\" is no cipher that OpenSSL has", 1 },
    { CIPHERS("ECDHE-RSA-AES128-GCM-SHA256:EXPORT"), "", "\"EXPORT\" is no cipher", 1 },
    { CIPHERS("ECDHE-RSA-AES128-GCM-SHA256:RC4-SHA:DES-CBC3-SHA"), "",
      "\"DES-CBC3-SHA\" is no cipher", 2 },
    { CIPHERS("NO-SUCH-CIPHER"), "", "\"NO-SUCH-CIPHER\" is no cipher", 1 },
    { CIPHERS("TLS_AES_128_GCM_SHA256"), "", "(tls.ciphersuites is for 1.3)", 1 },
    { CIPHERS("HIGH:!HIGH"), "", "tls.ciphers: not taken by OpenSSL", 1 },
    { CIPHERS(""), "", "tls.ciphers: not taken by OpenSSL", 1 },
    { SUITES("TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"), "", NULL, 0 },
    { SUITES(""), "", NULL, 0 },
    { SUITES("") " minimum = \"1.3\";", "", "tls.ciphersuites: empty, and tls.minimum", 1 },
    { SUITES("TLS_NULL"), "", "tls.ciphersuites: \"TLS_NULL\" is no suite", 1 },
    { SUITES("TLS_AES_128_GCM_SHA256:TLS_NULL"), "", "\"TLS_NULL\" is no suite", 1 },
    { SUITES("ECDHE-RSA-AES128-GCM-SHA256"), "", "is no suite that OpenSSL has for TLS 1.3", 1 },
};

static void test_ciphers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ciphers); i++)
        pki_check(&ciphers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_ciphers),
    };

    return cmocka_run_group_tests(tests, set_up, pki_tear_down);
}
