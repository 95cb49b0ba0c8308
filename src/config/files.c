#include "config/certificate.h"
#include "config/cipher.h"
#include "config/pem.h"

#include <errno.h>
#include <pwd.h>
#include <unistd.h>

static void check_ca(const struct config *c, struct report *r, const char *path, const char *file)
{
    if (file[0] != 0)
        X509_free(pem_certificate(r, c, path, file));
}

static void check_readable(const struct config *c, struct report *r, const char *path,
                           const char *file)
{
    if (file[0] != 0 && access(file, R_OK) != 0)
        report_setting(r, c, path, "%s: %s: write the path of a file that can be read", file,
                       strerror(errno));
}

/* Of what SQLite opens; another database is asked when it is needed. */
static void check_database(const struct config *c, struct report *r)
{
    static const char scheme[] = "sqlite:";
    const char *url = c->aliases.sql.url;

    if (strncmp(url, scheme, sizeof(scheme) - 1) == 0)
        check_readable(c, r, "aliases.sql.url", url + sizeof(scheme) - 1);
}

static void check_user(const struct config *c, struct report *r, const char *path, const char *user)
{
    if (user[0] == 0 || strspn(user, "0123456789") == strlen(user))
        return;
    if (getpwnam(user) == NULL)
        report_setting(r, c, path, "no user \"%s\": make it with adduser --system %s", user, user);
}

size_t config_check_files(const struct config *c, struct config_error *errors, size_t max)
{
    struct report r = { .errors = errors, .max = max };
    char path[REPORT_PATH];

    certificate_check(c, &r);
    cipher_check(c, &r);
    for (size_t i = 0; i < c->upstream_count; i++)
        check_ca(c, &r, report_path("upstreams", c->upstreams[i].name, "ca", path),
                 c->upstreams[i].ca);
    check_ca(c, &r, "password.ldap.ca", c->password.ldap.ca);
    check_ca(c, &r, "aliases.ldap.ca", c->aliases.ldap.ca);
    check_readable(c, &r, "password.file", c->password.file);
    check_readable(c, &r, "aliases.file", c->aliases.file);
    check_database(c, &r);
    check_user(c, &r, "users.edge", c->users.edge);
    check_user(c, &r, "users.warden", c->users.warden);
    return r.n;
}

size_t config_check_expiring(const struct config *c, struct config_error *notes, size_t max)
{
    struct report r = { .errors = notes, .max = max };

    certificate_check_expiring(c, &r);
    return r.n;
}
