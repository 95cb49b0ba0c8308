#include "warden/factor/password_hash.h"

#include "base/mem.h"
#include "base/secret.h"

#include <crypt.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/mman.h>

#define BCRYPT_LETTERS 60

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

enum hash_kind password_hash_kind(const char *hash)
{
    if (*hash == '!' || *hash == '*')
        return HASH_LOCKED;
    if (starts(hash, "$argon2id$"))
        return strlen(hash) < crypto_pwhash_STRBYTES ? HASH_ARGON2ID : HASH_REFUSED;
    bool is_bcrypt =
        (starts(hash, "$2b$") || starts(hash, "$2y$")) && strlen(hash) == BCRYPT_LETTERS;
    if (!is_bcrypt && !starts(hash, "$y$"))
        return HASH_REFUSED;
    return crypt_checksalt(hash) == CRYPT_SALT_OK ? HASH_CRYPT : HASH_REFUSED;
}

static enum password_result judged(bool is_right, const char **ret_reason)
{
    *ret_reason = is_right ? "password fits" : "password does not fit";
    return is_right ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

/* libsodium says "does not fit" also where it had no memory to compute with. So after each misfit
 * the memory is asked for once more: what could not be had then is not there now either, as far as
 * a limit is to blame. */
static bool has_memory_for(const char *hash)
{
    const char *m = strstr(hash, "$m=");
    unsigned long kib = m == NULL ? 0 : strtoul(m + 3, NULL, 10);

    if (kib == 0 || kib > SIZE_MAX / 1024)
        return false;
    void *p = mmap(NULL, kib * 1024, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED && munmap(p, kib * 1024) == 0;
}

static enum password_result check_argon2id(const char *hash, struct view secret,
                                           const char **ret_reason)
{
    char text[crypto_pwhash_STRBYTES] = "";

    (void)snprintf(text, sizeof(text), "%s", hash);
    /* EINVAL is "does not fit"; something else, that the text is no hash that it knows. */
    errno = 0;
    int rc = crypto_pwhash_str_verify(text, (const char *)secret.p, secret.n);
    if (rc == 0 || (errno == EINVAL && has_memory_for(text)))
        return judged(rc == 0, ret_reason);
    *ret_reason = "the argon2id hash cannot be computed";
    return PASSWORD_LATER;
}

static enum password_result check_crypt(const char *hash, struct view secret,
                                        const char **ret_reason)
{
    char phrase[CRYPT_MAX_PASSPHRASE_SIZE + 1] = "";
    /* crypt takes C strings: what does not fit into one is wrong, and costs as much. */
    bool is_phrase = secret.n < sizeof(phrase) && view_find(secret, 0) == secret.n;
    struct crypt_data *data = NEW(crypt_data);

    if (data == NULL) {
        *ret_reason = "no memory";
        return PASSWORD_LATER;
    }
    if (is_phrase && secret.n != 0)
        memcpy(phrase, secret.p, secret.n);
    const char *made = crypt_rn(phrase, hash, data, (int)sizeof(*data));
    enum password_result result = PASSWORD_LATER;
    if (made == NULL)
        *ret_reason = "libcrypt cannot compute the hash";
    else
        result = judged(secret_is_equal(view_text(made), view_text(hash)) && is_phrase, ret_reason);
    secret_wipe(phrase, sizeof(phrase));
    mem_wipe_free(data, sizeof(*data));
    return result;
}

enum password_result password_hash_check(const char *hash, struct view secret,
                                         const char **ret_reason)
{
    switch (password_hash_kind(hash)) {
    case HASH_CRYPT:
        return check_crypt(hash, secret, ret_reason);
    case HASH_ARGON2ID:
        return check_argon2id(hash, secret, ret_reason);
    case HASH_REFUSED:
    case HASH_LOCKED:
        break;
    }
    *ret_reason = "the hash is of a kind that is refused";
    return PASSWORD_LATER;
}
