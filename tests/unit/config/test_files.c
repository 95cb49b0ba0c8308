/* Certificates, keys and ciphers: what OpenSSL and the file system say of them. */
#include "given.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

static char folder[] = "/tmp/postern-files-XXXXXX";

static const char *path_of(const char *name, char *path)
{
    (void)snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

static FILE *open_file(const char *name)
{
    char path[128];
    FILE *f = fopen(path_of(name, path), "w");

    assert_non_null(f);
    return f;
}

static void write_key(const char *name, EVP_PKEY *key, const char *passphrase)
{
    FILE *f = open_file(name);

    assert_int_equal(
        PEM_write_PrivateKey(f, key, passphrase == NULL ? NULL : EVP_aes_128_cbc(), NULL, 0, NULL,
                             passphrase == NULL ? NULL : (void *)(uintptr_t)passphrase),
        1);
    assert_int_equal(fclose(f), 0);
}

/* A certificate for `key`, good from `from_s` to `until_s` seconds from now. */
static void write_certificate(const char *name, EVP_PKEY *key, long from_s, long until_s)
{
    X509 *x = X509_new();
    FILE *f = open_file(name);

    assert_non_null(x);
    assert_int_equal(X509_set_version(x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), from_s));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), until_s));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(f, x), 1);
    assert_int_equal(fclose(f), 0);
    X509_free(x);
}

static int set_up(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    EVP_PKEY *small = EVP_RSA_gen(1024);

    (void)state;
    if (mkdtemp(folder) == NULL || ec == NULL || rsa == NULL || small == NULL)
        return -1;
    write_key("ec.key", ec, NULL);
    write_key("rsa.key", rsa, NULL);
    write_key("small.key", small, NULL);
    write_key("locked.key", ec, "passphrase");
    write_certificate("ec.pem", ec, -60, 3600);
    write_certificate("rsa.pem", rsa, -60, 3600);
    write_certificate("small.pem", small, -60, 3600);
    write_certificate("old.pem", ec, -7200, -3600);
    write_certificate("early.pem", ec, 3600, 7200);
    FILE *f = open_file("garbage.pem");
    (void)fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f);
    (void)fclose(f);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(small);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "ec.key",    "rsa.key",    "small.key", "locked.key",
                                         "ec.pem",    "rsa.pem",    "small.pem", "old.pem",
                                         "early.pem", "garbage.pem" };
    char path[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unlink(path_of(names[i], path));
    return rmdir(folder);
}

static const struct {
    const char *tls; /* inside of tls: { … }, with ~ for the folder */
    const char *rest;
    const char *expected; /* NULL: all is right */
} cases[] = {
    { "certificate = \"~/ec.pem\"; key = \"~/ec.key\";", "", NULL },
    { "certificate = [ \"~/ec.pem\", \"~/rsa.pem\" ]; key = [ \"~/ec.key\", \"~/rsa.key\" ];", "",
      NULL },
    { "certificate = [ \"~/ec.pem\", \"~/rsa.pem\" ]; key = [ \"~/rsa.key\", \"~/ec.key\" ];", "",
      "not the key of" },
    { "certificate = \"~/none.pem\"; key = \"~/ec.key\";", "", "tls.certificate: " },
    { "certificate = \"~/none.pem\"; key = \"~/ec.key\";", "", "No such file or directory" },
    { "certificate = \"~\"; key = \"~/ec.key\";", "", "no certificate" },
    { "certificate = \"~/garbage.pem\"; key = \"~/ec.key\";", "", "no certificate" },
    { "certificate = \"~/ec.key\"; key = \"~/ec.key\";", "", "no certificate" },
    { "certificate = \"~/ec.pem\"; key = \"~/ec.pem\";", "", "no private key" },
    { "certificate = \"~/ec.pem\"; key = \"~/locked.key\";", "", "a key without passphrase" },
    { "certificate = \"~/old.pem\"; key = \"~/ec.key\";", "", "has expired: renew it" },
    { "certificate = \"~/early.pem\"; key = \"~/ec.key\";", "", "is not valid yet" },
    { "certificate = \"~/small.pem\"; key = \"~/small.key\";", "", "an RSA key of 1024 bits" },
#define GOOD "certificate = \"~/ec.pem\"; key = \"~/ec.key\"; "
    { GOOD "ciphers = \"HIGH:!aNULL:!3DES:!SHA1\";", "", NULL },
    { GOOD "ciphers = \"ALL:COMPLEMENTOFALL:@SECLEVEL=0\";", "", "protects nothing: take it out" },
    { GOOD "ciphers = \"aNULL:@SECLEVEL=0\";", "", "protects nothing" },
    { GOOD "ciphers = \"eNULL:@SECLEVEL=0\";", "", "protects nothing" },
    { GOOD "ciphers = \"NO-SUCH-CIPHER\";", "", "tls.ciphers: not taken by OpenSSL" },
    { GOOD "ciphersuites = \"TLS_NULL\";", "", "tls.ciphersuites: not taken by OpenSSL" },
    { GOOD, "users: { edge = \"no-such-user-here\"; };", "users.edge: no user" },
    { GOOD, "users: { edge = \"61001\"; };", NULL },
    { GOOD, "password: { source = \"file\"; file = \"/nonexistent\"; };",
      "password.file: /nonexistent: No such file" },
};

static void check(size_t index)
{
    struct config_error errors[8];
    size_t n = 0;
    bool is_said = false;
    AUTO_BUF(tls, 1024);
    AUTO_BUF(text, 8192);

    for (const char *p = cases[index].tls; *p != 0; p++)
        if (*p == '~')
            buf_put_text(&tls, folder);
        else
            buf_put_octet(&tls, (uint8_t)*p);
    buf_printf(&text, "tls: { %s };\n" GATES UPSTREAMS "%s\n", buf_cstr(&tls), cases[index].rest);
    AUTO(config) c = given(buf_cstr(&text));
    n = config_check_files(c, errors, 8);
    for (size_t i = 0; i < n && i < 8 && cases[index].expected != NULL; i++)
        is_said = is_said || strstr(errors[i].text, cases[index].expected) != NULL;
    if (cases[index].expected == NULL ? n != 0 : !is_said)
        fail_msg("%s\n%s: %zu problems, the first: %s", buf_cstr(&text),
                 cases[index].expected == NULL ? "right" : cases[index].expected, n,
                 n == 0 ? "" : errors[0].text);
}

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_files) };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
