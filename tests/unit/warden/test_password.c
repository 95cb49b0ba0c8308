/* Password sources without a network: the file with its hashes, and what they all share. */
#include "test_store_scratch.h"

#include "warden/factor/password.h"
#include "warden/factor/password_hash.h"

#include <crypt.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

struct fixture {
    struct scratch scratch;
    char file[160];
    struct config c;
    char domain[16];
    struct password_source *src;
};

static int set_up(void **state)
{
    struct fixture *f = NEW(fixture);

    assert_non_null(f);
    assert_true(sodium_init() >= 0);
    scratch_make(&f->scratch);
    (void)snprintf(f->file, sizeof(f->file), "%s/passwd", f->scratch.folder);
    COPY(f->domain, "example.org");
    f->c.domain = f->domain;
    f->c.password.source = CONF_SOURCE_FILE;
    f->c.password.file = f->file;
    assert_int_equal(password_open(&f->c, &f->src), ERR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    password_free(f->src);
    scratch_remove(&f->scratch);
    mem_free(f);
    return 0;
}

static const char *hash_of(const char *prefix, unsigned long cost, const char *password)
{
    static char made[8][CRYPT_OUTPUT_SIZE]; /* a few at a time */
    static size_t next;
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct crypt_data *data = NEW(crypt_data);
    char *out = made[next++ % COUNT_OF(made)];

    assert_non_null(data);
    if (strcmp(prefix, "argon2id") == 0) {
        assert_int_equal(crypto_pwhash_str(out, password, strlen(password), cost, 1 << 20), 0);
    } else {
        assert_non_null(crypt_gensalt_rn(prefix, cost, NULL, 0, setting, (int)sizeof(setting)));
        (void)snprintf(out, CRYPT_OUTPUT_SIZE, "%s", crypt_r(password, setting, data));
    }
    mem_free(data);
    return out;
}

/* By rename, as one should. */
static void put_file(const struct fixture *f, const char *text)
{
    char temporary[200];

    (void)snprintf(temporary, sizeof(temporary), "%s.new", f->file);
    FILE *out = fopen(temporary, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(rename(temporary, f->file), 0);
}

static enum password_result check(const struct fixture *f, const char *account, const char *secret)
{
    const char *reason = NULL;
    enum password_result r = password_check(f->src, view_text(account), view_text(secret), &reason);

    assert_non_null(reason);
    return r;
}

static void kinds_of_hashes(void **state)
{
    struct fixture *f = *state;
    static const char *const kinds[][2] = { { "$y$", "1" }, { "$2b$", "4" }, { "argon2id", "1" } };
    char text[1024];

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        (void)snprintf(text, sizeof(text), "# comment\n\nann:%s:1000:1000::/home/ann:/bin/sh\n",
                       hash_of(kinds[i][0], strtoul(kinds[i][1], NULL, 10), "s\xc3\xa4sam : $ "));
        put_file(f, text);
        assert_int_equal(check(f, "ann@example.org", "s\xc3\xa4sam : $ "), PASSWORD_RIGHT);
        assert_int_equal(check(f, "ann@example.org", "s\xc3\xa4sam : $"), PASSWORD_WRONG);
        assert_int_equal(check(f, "ann@example.org", ""), PASSWORD_WRONG);
        assert_int_equal(check(f, "bob@example.org", "s\xc3\xa4sam : $ "), PASSWORD_UNKNOWN);
    }
}

/* Made by the reference program (argon2 -id) and by Dovecot, PHP and htpasswd's relatives. */
static void hashes_of_others(void **state)
{
    struct fixture *f = *state;
    static const char *const lines[] = {
        "a:$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHQx$NPo1iSiO4NwFXq9MsrYJx/U0o3v4pavtLmzKd8F1A2g",
        "a:$argon2id$v=19$m=4096,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$"
        "lG/cnaXw5KP4qHRYQWDXfLqCsmvEU3tIafNAN+WUBB8",
        "a@example.org:{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$zqX9twfj6PmAO9AFftkH7A$"
        "9XKXnug/hnbywuKMd/oubsn1QLrw6tb6sjunm1UQvV4::",
    };

    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        put_file(f, lines[i]);
        assert_int_equal(check(f, "a@example.org", "password"), PASSWORD_RIGHT);
        assert_int_equal(check(f, "a@example.org", "Password"), PASSWORD_WRONG);
    }
    char text[256];
    (void)snprintf(text, sizeof(text), "a:{BLF-CRYPT}%s\r\n", hash_of("$2y$", 4, "password"));
    put_file(f, text);
    assert_int_equal(check(f, "a@example.org", "password"), PASSWORD_RIGHT);
}

static void weak_hashes_are_later(void **state)
{
    struct fixture *f = *state;
    static const char *const hashes[] = {
        "secret",
        "{PLAIN}secret",
        "x",
        "",
        "abJnggxhB/yWI",
        "$1$abc$BXBqpb9BZcZhXLgbee.0s/",
        "$5$abc$",
        "$6$abc$",
        "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        "$2b$04$short",
        "$argon2i$v=19",
        "$argon2id$v=19$m=65536,t=2",
        "$y$",
        "$2a$04$CjaVVMMcwQEQ.wMQTXLDDuAoCQdfPDrbPbuTDCyHLbfKq0Ta",
    };
    char text[512];

    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        (void)snprintf(text, sizeof(text), "ann:%s\n", hashes[i]);
        put_file(f, text);
        assert_int_equal(check(f, "ann@example.org", "secret"), PASSWORD_LATER);
        assert_int_equal(check(f, "ann@example.org", hashes[i]),
                         hashes[i][0] == '\0' ? PASSWORD_WRONG : PASSWORD_LATER);
    }
    /* Locked is a decision, not a fault. */
    (void)snprintf(text, sizeof(text), "ann:!%s\nbob:*\n", hash_of("$2b$", 4, "secret"));
    put_file(f, text);
    assert_int_equal(check(f, "ann@example.org", "secret"), PASSWORD_WRONG);
    assert_int_equal(check(f, "bob@example.org", "*"), PASSWORD_WRONG);
}

static void names(void **state)
{
    struct fixture *f = *state;
    char text[1024];
    const char *one = hash_of("$2b$", 4, "one"), *two = hash_of("$2b$", 4, "two");

    (void)snprintf(text, sizeof(text),
                   "Ann:%s\nbob@example.org:%s\nbob:%s\neve:%s\neve:%s\n:%s\nno colon\n", one, one,
                   two, one, two, one);
    put_file(f, text);
    assert_int_equal(check(f, "ann@example.org", "one"), PASSWORD_RIGHT);
    assert_int_equal(check(f, "ann@elsewhere.example", "one"), PASSWORD_UNKNOWN);
    assert_int_equal(check(f, "bob@example.org", "one"), PASSWORD_RIGHT); /* the whole name first */
    assert_int_equal(check(f, "bob@example.org", "two"), PASSWORD_WRONG);
    assert_int_equal(check(f, "eve@example.org", "one"),
                     PASSWORD_RIGHT); /* the first line counts */
    assert_int_equal(check(f, "eve@example.org", "two"), PASSWORD_WRONG);
    assert_int_equal(check(f, "@example.org", "one"), PASSWORD_UNKNOWN);
    assert_int_equal(check(f, "", "one"), PASSWORD_WRONG);
    assert_int_equal(check(f, "no colon", "one"), PASSWORD_UNKNOWN);
    assert_int_equal(check(f, "ann:x@example.org", "one"), PASSWORD_UNKNOWN);
}

static void odd_secrets(void **state)
{
    struct fixture *f = *state;
    char text[256], huge[LIMIT_SECRET + 1];
    const char *reason = NULL;

    (void)snprintf(text, sizeof(text), "ann:%s\n", hash_of("$2b$", 4, "secret"));
    put_file(f, text);
    memset(huge, 'a', sizeof(huge));
    huge[LIMIT_SECRET] = '\0';
    assert_int_equal(check(f, "ann@example.org", huge), PASSWORD_WRONG);
    /* A NUL must not cut what is compared. */
    assert_int_equal(
        password_check(f->src, VIEW_LIT("ann@example.org"), VIEW_LIT("secret\0x"), &reason),
        PASSWORD_WRONG);
    assert_int_equal(
        password_check(f->src, VIEW_LIT("ann@example.org"), VIEW_LIT("secret\0"), &reason),
        PASSWORD_WRONG);
}

static void changes_are_seen(void **state)
{
    struct fixture *f = *state;
    char text[256];

    assert_int_equal(check(f, "ann@example.org", "one"), PASSWORD_LATER); /* there is no file yet */
    for (int i = 0; i < 20; i++) { /* same length, within one tick of the clock */
        (void)snprintf(text, sizeof(text), "ann:%s\n", hash_of("$2b$", 4, i % 2 ? "one" : "two"));
        FILE *out = fopen(f->file, "w");
        assert_true(out != NULL && fputs(text, out) >= 0 && fclose(out) == 0);
        assert_int_equal(check(f, "ann@example.org", "one"),
                         i % 2 ? PASSWORD_RIGHT : PASSWORD_WRONG);
    }
    assert_int_equal(unlink(f->file), 0);
    assert_int_equal(check(f, "ann@example.org", "one"), PASSWORD_LATER);
    assert_int_equal(mkdir(f->file, 0700), 0);
    assert_int_equal(check(f, "ann@example.org", "one"), PASSWORD_LATER);
    assert_int_equal(rmdir(f->file), 0);
    put_file(f, text);
    assert_int_equal(check(f, "ann@example.org", "one"), PASSWORD_RIGHT);
    put_file(f, "");
    assert_int_equal(check(f, "ann@example.org", "one"), PASSWORD_UNKNOWN);
}

static int64_t processor_ns(const struct fixture *f, const char *account)
{
    struct timespec a, b;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a), 0);
    assert_int_not_equal(check(f, account, "wrong"), PASSWORD_RIGHT);
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b), 0);
    return (b.tv_sec - a.tv_sec) * 1000000000 + (b.tv_nsec - a.tv_nsec);
}

/* The least of some tries: free of what other processes do. */
static int64_t cost(const struct fixture *f, const char *account)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < 7; i++) {
        int64_t ns = processor_ns(f, account);
        least = ns < least ? ns : least;
    }
    return least;
}

static void unknown_costs_the_same(void **state)
{
    struct fixture *f = *state;
    static const char *const others[] = { "nobody@example.org", "locked@example.org",
                                          "weak@example.org", "nobody@elsewhere.example" };
    char text[512];

    (void)snprintf(text, sizeof(text), "ann:%s\nlocked:!\nweak:$1$abc$x\n",
                   hash_of("$2b$", 8, "secret"));
    put_file(f, text);
    int64_t known = cost(f, "ann@example.org");
    assert_true(known > 1000000); /* a slow hash it is */
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        int64_t other = cost(f, others[i]);
        assert_true(other > known * 8 / 10 && other < known * 12 / 10);
    }
}

static void *check_often(void *arg)
{
    struct fixture *f = arg;
    unsigned bad = 0;

    for (int i = 0; i < 30; i++) {
        const char *reason = NULL;
        enum password_result r =
            password_check(f->src, VIEW_LIT("ann@example.org"),
                           i % 2 ? VIEW_LIT("secret") : VIEW_LIT("wrong"), &reason);
        bad += r != (i % 2 ? PASSWORD_RIGHT : PASSWORD_WRONG);
    }
    return bad == 0 ? NULL : arg;
}

static void threads_and_changes(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[6];
    char text[256];
    void *bad = NULL;

    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        (void)snprintf(text, sizeof(text), "ann:%s\n", hash_of("$2b$", 4, "secret"));
        put_file(f, text);
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, f), 0);
    }
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof(text), "ann:%s\n", hash_of("$2b$", 4, "secret"));
        put_file(f, text);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }
}

static void no_memory_is_later(void **state)
{
    struct fixture *f = *state;
    char text[512];
    unsigned long n = 1;

    (void)snprintf(text, sizeof(text), "ann:%s\n", hash_of("$2b$", 4, "secret"));
    put_file(f, text);
    for (enum password_result r = PASSWORD_LATER; r != PASSWORD_RIGHT; n++) {
        mem_fail_at(n);
        r = check(f, "ann@example.org", "secret");
        mem_fail_at(0);
        assert_true(r == PASSWORD_RIGHT || r == PASSWORD_LATER);
        put_file(f, text); /* so that it is read again */
    }
    assert_true(n > 4);
    for (n = 1;; n++) {
        struct password_source *src = NULL;
        mem_fail_at(n);
        enum err e = password_open(&f->c, &src);
        mem_fail_at(0);
        password_free(src);
        if (e == ERR_OK)
            break;
        assert_int_equal(e, ERR_MEMORY);
    }
    assert_true(n > 3);
}

/* Leaves this process 16 MiB of address space more than it has. */
static bool limit_memory(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    bool is_read = f != NULL && fscanf(f, "%lu", &pages) == 1 && fclose(f) == 0;
    rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (16 << 20);
    const struct rlimit limit = { most, most };

    return is_read && setrlimit(RLIMIT_AS, &limit) == 0;
}

/* Argon2id wants 64 MiB at once; without them it has no opinion. In a process of its own, as the
 * limit stays. */
static void no_memory_for_argon2id_is_later(void **state)
{
    int status = 0;

    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const char *reason = NULL;
        const char *hash = "$argon2id$v=19$m=65536,t=3,p=1$zqX9twfj6PmAO9AFftkH7A$"
                           "9XKXnug/hnbywuKMd/oubsn1QLrw6tb6sjunm1UQvV4";
        if (!limit_memory())
            _exit(2);
        enum password_result r = password_hash_check(hash, VIEW_LIT("password"), &reason);
        _exit(r == PASSWORD_LATER ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void upstream_is_judged_elsewhere(void **state)
{
    const struct config c = { .password = { .source = CONF_SOURCE_UPSTREAM } };
    struct password_source *src = (void *)state;
    const char *reason = NULL;

    assert_int_equal(password_open(&c, &src), ERR_OK);
    assert_null(src);
    assert_int_equal(password_check(NULL, VIEW_LIT("a"), VIEW_LIT("b"), &reason), PASSWORD_LATER);
    password_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kinds_of_hashes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hashes_of_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(weak_hashes_are_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(odd_secrets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_are_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_costs_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_and_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_memory_is_later, set_up, tear_down),
        cmocka_unit_test(no_memory_for_argon2id_is_later),
        cmocka_unit_test(upstream_is_judged_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
