/* Faults from outside: kill -9 at any moment, and a full disk. */
#include "test_store_scratch.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#define KILLS 40
#define BATCH 3

static void assert_is_sound(const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- kill -9 ---- */

static enum err write_round(struct store *s, uint32_t number)
{
    struct store_write w[BATCH] = { 0 };
    char name[64];

    (void)snprintf(name, sizeof(name), "u%u@example.org", number);
    enum err e = store_account_add(s, name, NOW);
    if (e == ERR_OK) {
        struct store_app_password p = scratch_app_password("", name);
        (void)snprintf(p.id, sizeof(p.id), "p%u", number);
        e = store_app_password_add(s, &p);
    }
    for (size_t i = 0; i < BATCH; i++) {
        w[i].kind = STORE_WRITE_EVENT;
        w[i].event.at = number;
    }
    return e == ERR_OK ? store_write(s, w, BATCH) : e;
}

/* Writes for ever, and says after each round which one it was. */
static _Noreturn void be_the_writer(const struct scratch *x, uint32_t first, int fd)
{
    const struct store_conf conf = { "sqlite", x->db, 2 };
    struct store *s = NULL;

    if (store_open(&conf, &s) != ERR_OK)
        _exit(1);
    for (uint32_t number = first;; number++) {
        if (write_round(s, number) != ERR_OK || write(fd, &number, sizeof(number)) < 0)
            _exit(2);
    }
}

/* Returns the last round that the writer had acknowledged when it was killed. */
static uint32_t write_and_kill(const struct scratch *x, uint32_t first)
{
    const struct timespec life = { 0, (15 + random() % 60) * 1000000 + random() % 1000000 };
    uint32_t number = 0, last = first - 1;
    int pipe_fd[2], status = 0;

    assert_int_equal(pipe(pipe_fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(pipe_fd[0]);
        be_the_writer(x, first, pipe_fd[1]);
    }
    (void)close(pipe_fd[1]);
    (void)nanosleep(&life, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (read(pipe_fd[0], &number, sizeof(number)) == (ssize_t)sizeof(number))
        last = number;
    (void)close(pipe_fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return last;
}

struct tally {
    uint64_t at;       /* the round of the latest event */
    unsigned in_round; /* events of it so far */
};

static bool tally_event(void *arg, const struct store_event *e)
{
    struct tally *t = arg;

    if ((uint64_t)e->at != t->at) {
        assert_true(t->in_round == 0 || t->in_round == BATCH); /* a batch is whole */
        assert_int_equal(e->at, t->at + 1);                    /* and none is missing */
        t->at = (uint64_t)e->at;
        t->in_round = 0;
    }
    t->in_round++;
    return true;
}

static uint32_t verify(const struct scratch *x, uint32_t last)
{
    struct store *s = scratch_open(x, 2);
    struct tally t = { 0 };
    struct store_account a;
    char name[64];

    assert_int_equal(store_event_list(s, "", 0, 1u << 30, tally_event, &t), ERR_OK);
    assert_true(t.in_round == 0 || t.in_round == BATCH);
    assert_true(t.at == last || t.at == last + 1); /* one may be written and not yet told */
    for (uint32_t i = 1; i <= last; i++) {
        struct store_app_password p;
        (void)snprintf(name, sizeof(name), "u%u@example.org", i);
        assert_int_equal(store_account_find(s, name, &a), ERR_OK);
        (void)snprintf(name, sizeof(name), "p%u", i);
        assert_int_equal(store_app_password_find(s, name, &p), ERR_OK);
    }
    /* What of the next round is there goes, so that it can be written anew. */
    (void)snprintf(name, sizeof(name), "u%u@example.org", last + 1);
    if (t.at == last)
        (void)!store_account_remove(s, name);
    store_free(s);
    return (uint32_t)t.at;
}

static void kill_9_loses_nothing(void **state)
{
    struct scratch x;
    uint32_t last = 0;

    (void)state;
    scratch_make(&x);
    srandom((unsigned)getpid());
    for (int i = 0; i < KILLS; i++)
        last = verify(&x, write_and_kill(&x, last + 1));
    assert_true(last > KILLS); /* the writer did get somewhere */
    assert_is_sound(x.db);
    scratch_remove(&x);
}

/* ---- a full disk ---- */

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        (void)close(fd);
    return is_written;
}

/* A file system of 1 MiB, seen by this process only; false: that is not permitted here. */
static bool mount_tiny(const char *folder)
{
    char map[64];
    unsigned uid = getuid(), gid = getgid();

    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        (void)snprintf(map, sizeof(map), "0 %u 1", uid);
        if (!write_text("/proc/self/uid_map", map) || !write_text("/proc/self/setgroups", "deny"))
            return false;
        (void)snprintf(map, sizeof(map), "0 %u 1", gid);
        if (!write_text("/proc/self/gid_map", map))
            return false;
    }
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tiny", folder, "tmpfs", 0, "size=1m") == 0;
}

static bool count_event(void *arg, const struct store_event *e)
{
    (void)e;
    ++*(unsigned *)arg;
    return true;
}

static unsigned events_of(struct store *s)
{
    unsigned n = 0;

    assert_int_equal(store_event_list(s, "", 0, 1u << 30, count_event, &n), ERR_OK);
    return n;
}

static enum err write_fat_event(struct store *s)
{
    struct store_write w = { .kind = STORE_WRITE_EVENT };

    memset(w.event.client, 'x', LIMIT_CLIENT);
    memset(w.event.reason, 'y', LIMIT_REASON);
    return store_write(s, &w, 1);
}

static void fill_and_recover(const struct scratch *x)
{
    static const char room[300 << 10] = { 1 };
    char ballast[160];
    unsigned told = 0;
    enum err e = ERR_OK;

    (void)snprintf(ballast, sizeof(ballast), "%s/ballast", x->folder);
    struct store *s = scratch_open(x, 2);
    int fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, room, sizeof(room)), sizeof(room));
    (void)close(fd);
    for (; told < 10000 && e == ERR_OK; told += e == ERR_OK)
        e = write_fat_event(s);
    assert_true(e == ERR_IO || e == ERR_BUSY);
    for (int i = 0; i < 20; i++) { /* it may get one more in, and says so */
        e = write_fat_event(s);
        assert_true(e == ERR_OK || e == ERR_IO || e == ERR_BUSY);
        told += e == ERR_OK;
    }
    assert_int_equal(events_of(s), told); /* reads go on */
    assert_int_equal(unlink(ballast), 0);
    assert_int_equal(write_fat_event(s), ERR_OK);
    store_free(s);
    s = scratch_open(x, 2);
    assert_int_equal(events_of(s), told + 1);
    store_free(s);
    assert_is_sound(x->db);
}

static const struct scratch *tiny; /* for the test inside of the child */

static void recovers(void **state)
{
    (void)state;
    fill_and_recover(tiny);
}

#define NOT_PERMITTED 77

static void full_disk(void **state)
{
    struct scratch x;
    int status = 0;

    (void)state;
    scratch_make(&x);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(recovers) };
        tiny = &x;
        if (!mount_tiny(x.folder))
            _exit(NOT_PERMITTED);
        _exit(cmocka_run_group_tests_name("full disk", tests, NULL, NULL) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    scratch_remove(&x);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NOT_PERMITTED)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_9_loses_nothing),
        cmocka_unit_test(full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
