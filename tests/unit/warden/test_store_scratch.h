/* test_store_scratch.h: a folder of its own for a test's database and key, and a quick way to fill
 * a store. Included by the store's tests only. */
#ifndef POSTERN_TEST_STORE_SCRATCH_H
#define POSTERN_TEST_STORE_SCRATCH_H

#include "base/mem.h"
#include "warden/store/store.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW 1700000000

struct scratch {
    char folder[128];
    char db[160];
    char key[160];
};

UNUSED static void scratch_make(struct scratch *x)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(x->folder, sizeof(x->folder), "%s/postern-store-XXXXXX",
                   base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(x->folder));
    (void)snprintf(x->db, sizeof(x->db), "%s/postern.db", x->folder);
    (void)snprintf(x->key, sizeof(x->key), "%s/key", x->folder);
}

UNUSED static void scratch_remove(struct scratch *x)
{
    DIR *d = opendir(x->folder);
    struct dirent *e;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
    }
    (void)closedir(d);
    assert_int_equal(rmdir(x->folder), 0);
}

UNUSED static struct store *scratch_open(const struct scratch *x, unsigned connections)
{
    const struct store_conf conf = { "sqlite", x->db, connections };
    struct store *s = NULL;

    assert_int_equal(store_open(&conf, &s), ERR_OK);
    assert_non_null(s);
    return s;
}

#define COPY(to, text) ((void)snprintf((to), sizeof(to), "%s", (text)))

UNUSED static struct store_app_password scratch_app_password(const char *id, const char *account)
{
    struct store_app_password p = {
        .protocols = 5,
        .created_at = NOW,
        .expires_at = NOW + 1000,
        .sealed_n = 105,
    };

    COPY(p.id, id);
    COPY(p.account, account);
    COPY(p.label, "Telefon \xc3\xbc");
    COPY(p.network, "192.0.2.0/24");
    COPY(p.sender, "printer@example.org");
    memset(p.verifier, 0xa5, sizeof(p.verifier));
    for (size_t i = 0; i < p.sealed_n; i++)
        p.sealed[i] = (uint8_t)(i * 7); /* NULs too */
    return p;
}

#endif
