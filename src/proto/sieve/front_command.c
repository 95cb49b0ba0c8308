/* The commands that are understood before login, as a table, and the credential that they yield. */
#include "proto/sieve/front_state.h"

#include "proto/line/line.h"
#include "proto/sasl/sasl.h"
#include "proto/sieve/text.h"

static const struct front_event more = { .kind = FRONT_MORE };

static struct front_event status(struct front *f, const char *word, const char *code,
                                 const char *text, struct buf *out)
{
    sieve_front_put(word, code, text, out);
    sieve_front_finish(f);
    return more;
}

/* NO, counted. */
static struct front_event bad(struct front *f, const char *text, struct buf *out)
{
    (void)status(f, "NO", NULL, text, out);
    if (++f->bad_commands >= LIMIT_FRONT_BAD)
        return sieve_front_close(f, "Too many bad commands", "bad", out);
    return more;
}

/* ---- the credential ------------------------------------------------------------------- */

static struct front_event present(struct front *f, struct sasl_plain c, struct buf *out)
{
    if (c.user.n > LIMIT_ACCOUNT || c.authorization.n > LIMIT_ACCOUNT || c.secret.n > LIMIT_SECRET)
        return sieve_front_close(f, "User name or password too long", "too-long", out);
    if (!line_may_hold(c.secret))
        return bad(f, "Malformed password", out);
    enum err e = sasl_prep_name(&c.user, &f->user);
    if (e == ERR_OK)
        e = sasl_prep_name(&c.authorization, &f->authorization);
    if (e == ERR_MEMORY)
        return sieve_front_close_no_memory(f, out);
    if (e != ERR_OK)
        return bad(f, "Malformed user name", out);
    f->state = STATE_JUDGED;
    return (struct front_event){
        .kind = FRONT_CREDENTIAL,
        .mechanism = MECHANISM_PASSWORD,
        .authorization = c.authorization,
        .user = c.user,
        .secret = c.secret,
    };
}

static struct front_event take_sasl(struct front *f, struct view base64, struct buf *out)
{
    struct sasl_plain plain;

    switch (sasl_plain_decode(base64, &f->decoded, &plain)) {
    case ERR_OK:
        return present(f, plain, out);
    case ERR_TOO_LONG:
        return sieve_front_close(f, "User name or password too long", "too-long", out);
    case ERR_MEMORY:
        return sieve_front_close_no_memory(f, out);
    case ERR_IO:
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_DENIED:
    case ERR_BUSY:
        break;
    }
    return bad(f, "Malformed PLAIN response", out);
}

/* ---- commands ------------------------------------------------------------------------- */

static struct front_event run_authenticate(struct front *f, struct buf *out)
{
    if (!view_is_equal_nocase(sieve_command_string(&f->command, 0), VIEW_LIT("PLAIN")))
        return status(f, "NO", NULL, "Unsupported authentication mechanism", out);
    if (f->command.argument_count == 2)
        return take_sasl(f, sieve_command_string(&f->command, 1), out);
    buf_put_text(out, "\"\"\r\n"); /* RFC 5804 §2.1: an empty challenge is an empty string */
    sieve_command_expect_answer(&f->command);
    f->is_answer = true;
    return more;
}

static struct front_event run_answer(struct front *f, struct buf *out)
{
    if (f->command.is_wrong)
        return bad(f, "A string must come", out);
    const struct view text = sieve_command_string(&f->command, 0);
    if (view_is_equal(text, VIEW_LIT("*")))
        return bad(f, "Authentication cancelled", out);
    return take_sasl(f, text, out);
}

static struct front_event run_capability(struct front *f, struct buf *out)
{
    sieve_front_put_capabilities(f, "Capability completed", out);
    sieve_front_finish(f);
    return more;
}

static struct front_event run_noop(struct front *f, struct buf *out)
{
    if (f->command.argument_count == 0)
        return status(f, "OK", NULL, "NOOP completed", out);
    buf_put_text(out, "OK (TAG ");
    sieve_put_string(sieve_command_string(&f->command, 0), SIEVE_TO_CLIENT, out);
    buf_put_text(out, ") \"NOOP completed\"\r\n");
    sieve_front_finish(f);
    return more;
}

static struct front_event run_logout(struct front *f, struct buf *out)
{
    sieve_front_put("OK", NULL, "Logout completed", out);
    return sieve_front_close_silently(f, "logout");
}

static struct front_event run_starttls(struct front *f, struct buf *out)
{
    if (f->is_tls)
        return bad(f, "TLS is active already", out);
    (void)status(f, "OK", NULL, "Begin TLS negotiation now", out);
    f->state = STATE_TLS;
    return (struct front_event){ .kind = FRONT_STARTTLS };
}

enum { RUN_CAPABILITY, RUN_NOOP, RUN_LOGOUT, RUN_STARTTLS, RUN_AUTHENTICATE };

static struct front_event (*const run[])(struct front *f, struct buf *out) = {
    [RUN_CAPABILITY] = run_capability,
    [RUN_NOOP] = run_noop,
    [RUN_LOGOUT] = run_logout,
    [RUN_STARTTLS] = run_starttls,
    [RUN_AUTHENTICATE] = run_authenticate,
};

/* AUTHENTICATE stands first: before TLS the table begins behind it, so that its arguments are
 * swallowed unseen. */
static const struct sieve_word words[] = {
    { "AUTHENTICATE", RUN_AUTHENTICATE, { ARGUMENT_STRING, ARGUMENT_STRING }, true },
    { "CAPABILITY", RUN_CAPABILITY, { ARGUMENT_NONE }, false },
    { "NOOP", RUN_NOOP, { ARGUMENT_STRING }, true },
    { "LOGOUT", RUN_LOGOUT, { ARGUMENT_NONE }, false },
    { "STARTTLS", RUN_STARTTLS, { ARGUMENT_NONE }, false },
    { NULL, 0, { ARGUMENT_NONE }, false },
};
static const struct sieve_command_conf commands_clear = {
    .words = words + 1,
    .max = LIMIT_FRONT_LINE,
    .swallow = LIMIT_FRONT_LINE,
};
static const struct sieve_command_conf commands_tls = {
    .words = words,
    .max = LIMIT_FRONT_LINE,
    .swallow = LIMIT_FRONT_LINE,
};

const struct sieve_command_conf *sieve_front_commands(bool is_tls)
{
    return is_tls ? &commands_tls : &commands_clear;
}

/* The word of another protocol's client: HTTP, SMTP, POP3, and IMAP and SSH, which have other
 * octets than letters in theirs. */
static bool is_foreign(struct view name)
{
    static const char *const foreign[] = {
        "GET",  "HEAD", "POST", "PUT",  "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI",
        "EHLO", "HELO", "LHLO", "MAIL", "AUTH",   "USER",    "CAPA",    "STLS",  "APOP",  "QUIT",
    };

    for (size_t i = 0; i < COUNT_OF(foreign); i++)
        if (view_is_equal(name, view_text(foreign[i])))
            return true;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 'A' || name.p[i] > 'Z')
            return true;
    return false;
}

static bool is_of_later(struct view name)
{
    static const char *const later[] = {
        "PUTSCRIPT",    "CHECKSCRIPT",  "SETACTIVE", "LISTSCRIPTS",    "GETSCRIPT",
        "DELETESCRIPT", "RENAMESCRIPT", "HAVESPACE", "UNAUTHENTICATE",
    };

    for (size_t i = 0; i < COUNT_OF(later); i++)
        if (view_is_equal(name, view_text(later[i])))
            return true;
    return false;
}

static struct front_event run_unknown(struct front *f, struct view name, struct buf *out)
{
    if (view_is_equal(name, VIEW_LIT("AUTHENTICATE")))
        return status(f, "NO", "ENCRYPT-NEEDED", "TLS is required: send STARTTLS first", out);
    return bad(f, is_of_later(name) ? "Log in first" : "Unknown command", out);
}

struct front_event sieve_front_run(struct front *f, struct buf *out)
{
    const struct view name = sieve_command_name(&f->command);

    if (f->is_answer)
        return run_answer(f, out);
    if (is_foreign(name))
        return sieve_front_close(f, "This is a ManageSieve server", "foreign", out);
    if (++f->commands > LIMIT_FRONT_COMMANDS)
        return sieve_front_close(f, "Too many commands before login", "too-many", out);
    if (f->command.is_wrong)
        return bad(f, "Malformed command", out);
    if (f->command.word == NULL)
        return run_unknown(f, name, out);
    return run[f->command.word->id](f, out);
}
