#include "warden/factor/keys.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MASTER_OCTETS 32
#define NONCE_OCTETS  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_OCTETS    crypto_aead_xchacha20poly1305_ietf_ABYTES
#define SEAL_VERSION  1
/* Plain text is padded to multiples of this, so that its length tells little of a password. */
#define SEAL_BLOCK 64

_Static_assert(MASTER_OCTETS == crypto_kdf_KEYBYTES, "the file holds one crypto_kdf key");

/* Subkeys of the file's key; their numbers are for ever. */
enum subkey { SUBKEY_VERIFY = 1, SUBKEY_SEAL = 2, SUBKEY_REMEMBER = 3 };

static bool read_all(int fd, uint8_t *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = read(fd, p + done, n - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t put = write(fd, p + done, n - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

static enum err read_open_file(int fd, uint8_t master[MASTER_OCTETS])
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return ERR_IO;
    if (!S_ISREG(st.st_mode))
        return ERR_INVALID;
    if ((st.st_mode & 077) != 0)
        return ERR_DENIED;
    if (st.st_size != MASTER_OCTETS)
        return ERR_INVALID;
    return read_all(fd, master, MASTER_OCTETS) ? ERR_OK : ERR_IO;
}

static enum err read_file(const char *path, uint8_t master[MASTER_OCTETS])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : errno == EACCES ? ERR_DENIED : ERR_IO;
    enum err e = read_open_file(fd, master);
    (void)close(fd);
    return e;
}

static enum err flush_folder(const char *path)
{
    char copy[PATH_MAX];

    (void)snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ERR_IO;
    enum err e = fsync(fd) == 0 ? ERR_OK : ERR_IO;
    (void)close(fd);
    return e;
}

static enum err write_file(const char *path, const uint8_t master[MASTER_OCTETS])
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return ERR_IO;
    bool is_written = write_all(fd, master, MASTER_OCTETS) && fsync(fd) == 0;
    return close(fd) == 0 && is_written ? ERR_OK : ERR_IO;
}

/* The file appears with all of its octets or not at all, and never replaces one: two that start at
 * once agree on the key of the first. */
static enum err make_file(const char *path)
{
    char temporary[PATH_MAX];
    uint8_t master[MASTER_OCTETS];
    int n = snprintf(temporary, sizeof(temporary), "%s.%ld.new", path, (long)getpid());

    if (n < 0 || (size_t)n >= sizeof(temporary))
        return ERR_TOO_LONG;
    (void)unlink(temporary);
    crypto_kdf_keygen(master);
    enum err e = write_file(temporary, master);
    secret_wipe(master, sizeof(master));
    if (e == ERR_OK && link(temporary, path) != 0 && errno != EEXIST)
        e = ERR_IO;
    int kept = errno;
    (void)unlink(temporary);
    errno = kept;
    return e == ERR_OK ? flush_folder(path) : e;
}

static void derive(uint8_t out[32], enum subkey number, const uint8_t master[MASTER_OCTETS])
{
    CHECK(crypto_kdf_derive_from_key(out, 32, (uint64_t)number, "postern_", master) == 0);
}

enum err keys_load(const char *path, struct keys *ret)
{
    uint8_t master[MASTER_OCTETS];

    if (sodium_init() < 0)
        return ERR_IO;
    enum err e = read_file(path, master);
    if (e == ERR_NOT_FOUND) {
        e = make_file(path);
        if (e == ERR_OK)
            e = read_file(path, master);
    }
    if (e == ERR_OK) {
        (void)sodium_mlock(ret, sizeof(*ret)); /* best effort: RLIMIT_MEMLOCK may forbid it */
        derive(ret->verify, SUBKEY_VERIFY, master);
        derive(ret->seal, SUBKEY_SEAL, master);
        derive(ret->remember, SUBKEY_REMEMBER, master);
    }
    secret_wipe(master, sizeof(master));
    return e;
}

void keys_done(struct keys *k)
{
    (void)sodium_munlock(k, sizeof(*k));
    secret_wipe(k, sizeof(*k));
}

/* The key of one sealing: of both the store's key and `secret`. The first octet keeps "no secret"
 * apart from every secret. */
static void effective_key(const struct keys *k, struct view secret, uint8_t out[32])
{
    crypto_generichash_state state;
    const uint8_t kind = secret.n != 0;

    CHECK(crypto_generichash_init(&state, k->seal, sizeof(k->seal), 32) == 0);
    (void)crypto_generichash_update(&state, &kind, 1);
    (void)crypto_generichash_update(&state, secret.p, secret.n);
    (void)crypto_generichash_final(&state, out, 32);
    secret_wipe(&state, sizeof(state));
}

static enum err pad(struct view plain, uint8_t **ret, size_t *ret_n)
{
    size_t n = plain.n + SEAL_BLOCK - plain.n % SEAL_BLOCK;
    uint8_t *p = mem_alloc(n);

    if (p == NULL)
        return ERR_MEMORY;
    if (plain.n != 0)
        memcpy(p, plain.p, plain.n);
    CHECK(sodium_pad(ret_n, p, plain.n, SEAL_BLOCK, n) == 0 && *ret_n == n);
    *ret = p;
    return ERR_OK;
}

static enum err put_result(struct buf *out, struct view v)
{
    bool is_over = out->is_failed || v.n > out->max || out->n > out->max - v.n;

    buf_put(out, v);
    return buf_is_ok(out) ? ERR_OK : is_over ? ERR_TOO_LONG : ERR_MEMORY;
}

/* Sealed: version, nonce, cipher text with tag. */
enum err keys_seal(const struct keys *k, struct view secret, struct view context, struct view plain,
                   struct buf *out)
{
    uint8_t key[32];
    uint8_t *padded = NULL;
    size_t n = 0;

    if (plain.n > LIMIT_SECRET)
        return ERR_TOO_LONG;
    enum err e = pad(plain, &padded, &n);
    if (e != ERR_OK)
        return e;
    size_t total = 1 + NONCE_OCTETS + n + TAG_OCTETS;
    uint8_t *sealed = mem_alloc(total);
    if (sealed == NULL) {
        mem_wipe_free(padded, n);
        return ERR_MEMORY;
    }
    sealed[0] = SEAL_VERSION;
    randombytes_buf(sealed + 1, NONCE_OCTETS);
    effective_key(k, secret, key);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + 1 + NONCE_OCTETS, NULL, padded, n,
                                                     context.p, context.n, NULL, sealed + 1, key);
    secret_wipe(key, sizeof(key));
    mem_wipe_free(padded, n);
    e = put_result(out, view_of(sealed, total));
    mem_free(sealed);
    return e;
}

enum err keys_open(const struct keys *k, struct view secret, struct view context,
                   struct view sealed, struct buf *out)
{
    uint8_t key[32];
    const size_t head = 1 + NONCE_OCTETS;

    if (sealed.n < head + TAG_OCTETS + SEAL_BLOCK || sealed.p[0] != SEAL_VERSION)
        return ERR_DENIED;
    size_t n = sealed.n - head - TAG_OCTETS;
    uint8_t *plain = mem_alloc(n);
    if (plain == NULL)
        return ERR_MEMORY;
    effective_key(k, secret, key);
    int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed.p + head,
                                                        sealed.n - head, context.p, context.n,
                                                        sealed.p + 1, key);
    secret_wipe(key, sizeof(key));
    size_t plain_n = 0;
    enum err e = ERR_DENIED;
    if (rc == 0 && sodium_unpad(&plain_n, plain, n, SEAL_BLOCK) == 0)
        e = put_result(out, view_of(plain, plain_n));
    mem_wipe_free(plain, n);
    return e;
}

void keys_remember(const struct keys *k, struct view a, struct view b, uint8_t out[16])
{
    crypto_generichash_state state;
    const uint64_t a_n = a.n; /* so that ("ab", "c") is not ("a", "bc"); never leaves this memory */

    CHECK(crypto_generichash_init(&state, k->remember, sizeof(k->remember), 16) == 0);
    (void)crypto_generichash_update(&state, (const uint8_t *)&a_n, sizeof(a_n));
    (void)crypto_generichash_update(&state, a.p, a.n);
    (void)crypto_generichash_update(&state, b.p, b.n);
    (void)crypto_generichash_final(&state, out, 16);
    secret_wipe(&state, sizeof(state));
}
