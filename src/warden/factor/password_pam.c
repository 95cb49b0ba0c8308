#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"
#include "warden/factor/password_kinds.h"

#include <limits.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <unistd.h>

struct conversation {
    struct view secret;
    bool is_told; /* the password goes to the first hidden prompt only */
};

static int answer(struct conversation *talk, const struct pam_message *m, struct pam_response *r)
{
    switch (m->msg_style) {
    case PAM_PROMPT_ECHO_OFF:
        if (talk->is_told)
            return PAM_CONV_ERR;
        r->resp = mem_textn((const char *)talk->secret.p, talk->secret.n);
        talk->is_told = true;
        return r->resp == NULL ? PAM_BUF_ERR : PAM_SUCCESS;
    case PAM_ERROR_MSG:
    case PAM_TEXT_INFO:
        return PAM_SUCCESS;
    default: /* a visible prompt, or a style of other systems: nobody is there to answer */
        return PAM_CONV_ERR;
    }
}

static int converse(int n, const struct pam_message **messages, struct pam_response **ret,
                    void *arg)
{
    if (n <= 0 || n > PAM_MAX_NUM_MSG)
        return PAM_CONV_ERR;
    /* PAM frees these with free(), which is what mem_free is. */
    struct pam_response *responses = mem_array((size_t)n, sizeof(*responses));
    if (responses == NULL)
        return PAM_BUF_ERR;
    int rc = PAM_SUCCESS;
    for (int i = 0; i < n && rc == PAM_SUCCESS; i++)
        rc = answer(arg, messages[i], &responses[i]);
    if (rc == PAM_SUCCESS) {
        *ret = responses;
        return PAM_SUCCESS;
    }
    for (int i = 0; i < n; i++) {
        if (responses[i].resp != NULL)
            mem_wipe_free(responses[i].resp, strlen(responses[i].resp));
    }
    mem_free(responses);
    return rc;
}

/* Modules ask for a pause of seconds after a failure; ours is made by the edge's deadline, and a
 * thread of the pool is too dear to sleep. */
static void no_pause(int rc, unsigned wanted_us, void *arg)
{
    (void)rc;
    (void)wanted_us;
    (void)arg;
}

static enum password_result result_of(int rc, const char **ret_reason)
{
    switch (rc) {
    case PAM_SUCCESS:
        *ret_reason = "PAM accepts it";
        return PASSWORD_RIGHT;
    case PAM_AUTH_ERR:
    case PAM_USER_UNKNOWN:
    case PAM_MAXTRIES:
        *ret_reason = "PAM refuses it";
        return PASSWORD_WRONG;
    case PAM_PERM_DENIED:
    case PAM_ACCT_EXPIRED:
    case PAM_CRED_EXPIRED:
    case PAM_NEW_AUTHTOK_REQD:
        *ret_reason = "PAM refuses the account, or wants a new password";
        return PASSWORD_WRONG;
    default: /* PAM_AUTHINFO_UNAVAIL, PAM_SYSTEM_ERR, PAM_OPEN_ERR, PAM_SERVICE_ERR … */
        *ret_reason = "PAM cannot answer";
        return PASSWORD_LATER;
    }
}

/* A C string that no module or helper program can take for an option or a path. */
static bool name_for_pam(struct view name, char out[LIMIT_ACCOUNT + 1])
{
    if (name.n == 0 || name.n > LIMIT_ACCOUNT || name.p[0] == '-')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] <= ' ' || name.p[i] == 0x7f || name.p[i] == '/' || name.p[i] == ':')
            return false;
    }
    memcpy(out, name.p, name.n);
    out[name.n] = '\0';
    return true;
}

/* PAM puts its service "other" in the place of one that is missing, and that one refuses everybody:
 * a fault would look like a wrong password. */
static bool is_service_there(const char *service)
{
    static const char *const folders[] = { "/etc/pam.d", "/usr/lib/pam.d" };
    char path[PATH_MAX];

    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        int n = snprintf(path, sizeof(path), "%s/%s", folders[i], service);
        if (n > 0 && (size_t)n < sizeof(path) && access(path, R_OK) == 0)
            return true;
    }
    return false;
}

static int authenticate(const char *service, const char *user, struct conversation *talk)
{
    /* PAM takes this function as an object pointer, which ISO C does not cast to. */
    union {
        void (*function)(int, unsigned, void *);
        const void *pointer;
    } pause = { .function = no_pause };
    const struct pam_conv conv = { converse, talk };
    const int flags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK;
    pam_handle_t *pam = NULL;

    int rc = pam_start(service, user, &conv, &pam);
    if (rc != PAM_SUCCESS)
        return rc;
    rc = pam_set_item(pam, PAM_FAIL_DELAY, pause.pointer);
    if (rc == PAM_SUCCESS)
        rc = pam_authenticate(pam, flags);
    if (rc == PAM_SUCCESS)
        rc = pam_acct_mgmt(pam, flags);
    /* A stack that never asked has proven nothing about this password. */
    if (rc == PAM_SUCCESS && !talk->is_told)
        rc = PAM_SERVICE_ERR;
    (void)pam_end(pam, rc);
    return rc;
}

enum password_result password_pam_check(const char *service, const char *domain,
                                        struct view account, struct view secret,
                                        const char **ret_reason)
{
    char user[LIMIT_ACCOUNT + 1];
    struct conversation talk = { .secret = secret };

    if (!name_for_pam(password_local_name(account, domain), user) ||
        view_find(secret, 0) != secret.n || secret.n >= PAM_MAX_RESP_SIZE) {
        *ret_reason = "a name or password that PAM cannot be asked about";
        return PASSWORD_WRONG;
    }
    if (!is_service_there(service)) {
        *ret_reason = "there is no such PAM service, or it may not be read";
        return PASSWORD_LATER;
    }
    return result_of(authenticate(service, user, &talk), ret_reason);
}
