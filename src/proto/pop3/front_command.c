/* The commands that are understood before login, as a table, and the credential that they yield. */
#include "proto/pop3/front_state.h"

#include "base/limits.h"
#include "proto/pop3/capability.h"
#include "proto/sasl/sasl.h"

struct command {
    const char *name;
    bool is_clear; /* understood before TLS */
    /* `rest` is the line behind the name: empty, or a space and what follows it. */
    struct front_event (*run)(struct front *f, struct view rest, struct buf *out);
};

static const struct front_event more = { .kind = FRONT_MORE };

static struct front_event say(struct front *f, const char *text, struct buf *out)
{
    pop3_front_say(text, out);
    pop3_front_finish(f);
    return more;
}

/* As say, and counted. */
static struct front_event bad(struct front *f, const char *text, struct buf *out)
{
    if (++f->bad_commands >= LIMIT_FRONT_BAD)
        return pop3_front_close_saying(f, "-ERR Too many bad commands", "bad", out);
    return say(f, text, out);
}

static struct front_event too_long(struct front *f, struct buf *out)
{
    return pop3_front_close_saying(f, "-ERR User name or password too long", "too-long", out);
}

static struct front_event no_memory(struct front *f, struct buf *out)
{
    return pop3_front_close_saying(f, "-ERR [SYS/TEMP] Out of memory, try again later", "memory",
                                   out);
}

/* ---- the credential ------------------------------------------------------------------- */

static struct front_event present(struct front *f, struct sasl_plain c, struct buf *out)
{
    if (c.user.n > LIMIT_ACCOUNT || c.authorization.n > LIMIT_ACCOUNT || c.secret.n > LIMIT_SECRET)
        return too_long(f, out);
    if (!line_may_hold(c.secret))
        return bad(f, "-ERR Malformed password", out);
    enum err e = sasl_prep_name(&c.user, &f->user);
    if (e == ERR_OK)
        e = sasl_prep_name(&c.authorization, &f->authorization);
    if (e == ERR_MEMORY)
        return no_memory(f, out);
    if (e != ERR_OK)
        return bad(f, "-ERR Malformed user name", out);
    f->state = POP3_FRONT_JUDGED;
    return (struct front_event){
        .kind = FRONT_CREDENTIAL,
        .mechanism = MECHANISM_PASSWORD,
        .authorization = c.authorization,
        .user = c.user,
        .secret = c.secret,
    };
}

/* Good for any name: what it says must not depend on which there are. */
static struct front_event run_user(struct front *f, struct view rest, struct buf *out)
{
    const struct view name = view_skip(rest, 1);

    if (name.n == 0)
        return bad(f, "-ERR USER takes a user name", out);
    if (name.n > LIMIT_ACCOUNT)
        return too_long(f, out);
    buf_clear(&f->name);
    buf_put(&f->name, name);
    if (!buf_is_ok(&f->name))
        return no_memory(f, out);
    line_clear(&f->line);
    f->is_named = true;
    pop3_front_say("+OK Send PASS", out);
    return more;
}

/* RFC 1939 §7: the rest of the line is the password, with its spaces. */
static struct front_event run_pass(struct front *f, struct view rest, struct buf *out)
{
    if (!f->is_named)
        return bad(f, "-ERR Send USER first", out);
    if (rest.n == 0)
        return bad(f, "-ERR PASS takes a password", out);
    return present(f,
                   (struct sasl_plain){
                       .user = buf_view(&f->name),
                       .secret = view_skip(rest, 1),
                   },
                   out);
}

static struct front_event take_sasl(struct front *f, struct view base64, struct buf *out)
{
    struct sasl_plain plain;

    switch (sasl_plain_decode(base64, &f->decoded, &plain)) {
    case ERR_OK:
        return present(f, plain, out);
    case ERR_TOO_LONG:
        return too_long(f, out);
    case ERR_MEMORY:
        return no_memory(f, out);
    case ERR_IO:
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_DENIED:
    case ERR_BUSY:
        break;
    }
    return bad(f, "-ERR Malformed PLAIN response", out);
}

static struct front_event run_auth(struct front *f, struct view rest, struct buf *out)
{
    const struct view words = view_skip(rest, 1);
    const struct view mechanism = view_first(words, view_find(words, ' '));

    if (rest.n == 0) /* RFC 5034 has dropped this list; clients that predate CAPA ask for it */
        return say(f, "+OK Mechanisms follow\r\nPLAIN\r\n.", out);
    if (mechanism.n == 0)
        return bad(f, "-ERR AUTH takes a mechanism", out);
    if (!view_is_equal_nocase(mechanism, VIEW_LIT("PLAIN")))
        return say(f, "-ERR Unsupported authentication mechanism", out);
    if (mechanism.n == words.n) {
        line_clear(&f->line);
        f->state = POP3_FRONT_SASL;
        pop3_front_say("+ ", out);
        return more;
    }
    struct view initial = view_skip(words, mechanism.n + 1);
    if (view_is_equal(initial, VIEW_LIT("=")))
        initial = VIEW_NONE;
    return take_sasl(f, initial, out);
}

struct front_event pop3_front_sasl(struct front *f, struct buf *out)
{
    const struct view response = buf_view(&f->line.text);

    if (view_is_equal(response, VIEW_LIT("*")))
        return bad(f, "-ERR Authentication cancelled", out);
    return take_sasl(f, response, out);
}

/* ---- the other commands --------------------------------------------------------------- */

static struct front_event run_capa(struct front *f, struct view rest, struct buf *out)
{
    if (rest.n != 0)
        return bad(f, "-ERR CAPA takes no arguments", out);
    pop3_front_say("+OK Capabilities follow", out);
    buf_put_text(out, f->is_tls ? "USER\r\nSASL PLAIN\r\n" : "STLS\r\n");
    buf_put_text(out, POP3_CAPABILITY_OWN);
    if (f->is_tls)
        buf_put(out, buf_view(&f->offer));
    return say(f, ".", out);
}

static struct front_event run_stls(struct front *f, struct view rest, struct buf *out)
{
    if (rest.n != 0)
        return bad(f, "-ERR STLS takes no arguments", out);
    if (f->is_tls)
        return bad(f, "-ERR TLS is active already", out);
    (void)say(f, "+OK Begin TLS negotiation now", out);
    f->state = POP3_FRONT_TLS;
    return (struct front_event){ .kind = FRONT_STARTTLS };
}

static struct front_event run_quit(struct front *f, struct view rest, struct buf *out)
{
    if (rest.n != 0)
        return bad(f, "-ERR QUIT takes no arguments", out);
    return pop3_front_close_saying(f, "+OK Bye", "logout", out);
}

static const struct command commands[] = {
    { "CAPA", true, run_capa },  { "STLS", true, run_stls },  { "QUIT", true, run_quit },
    { "USER", false, run_user }, { "PASS", false, run_pass }, { "AUTH", false, run_auth },
};

/* ---- lines ---------------------------------------------------------------------------- */

static bool is_one_of(struct view word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (view_is_equal_nocase(word, view_text(words[i])))
            return true;
    return false;
}

/* A client of HTTP, SMTP, ManageSieve, SSH or, by its tagged commands, of IMAP. */
static bool is_foreign(struct view word, struct view rest)
{
    static const char *const words[] = {
        "GET",   "HEAD", "POST", "PUT",  "DELETE",   "CONNECT", "OPTIONS",    "TRACE",
        "PATCH", "PRI",  "EHLO", "HELO", "LHLO",     "MAIL",    "XCLIENT",    "AUTHENTICATE",
        "LOGIN", "RCPT", "DATA", "BDAT", "STARTTLS", "LOGOUT",  "CAPABILITY",
    };
    static const char *const tagged[] = { "LOGIN",    "AUTHENTICATE", "CAPABILITY", "ID",
                                          "STARTTLS", "LOGOUT",       "NOOP" };
    const struct view second = view_skip(rest, 1);

    return is_one_of(word, words, COUNT_OF(words)) || view_starts_nocase(word, VIEW_LIT("SSH-")) ||
           is_one_of(view_first(second, view_find(second, ' ')), tagged, COUNT_OF(tagged));
}

static struct front_event run_unknown(struct front *f, struct view word, struct view rest,
                                      struct buf *out)
{
    static const char *const later[] = { "STAT", "LIST", "RETR", "DELE", "NOOP",
                                         "RSET", "TOP",  "UIDL", "LANG" };

    if (is_foreign(word, rest))
        return pop3_front_close_saying(f, "-ERR This is a POP3 server", "foreign", out);
    if (is_one_of(word, later, COUNT_OF(later)))
        return bad(f, "-ERR Log in first", out);
    return bad(f, "-ERR Unknown command", out);
}

static const struct command *find_command(struct view name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (view_is_equal_nocase(name, view_text(commands[i].name)))
            return &commands[i];
    return NULL;
}

struct front_event pop3_front_command(struct front *f, struct buf *out)
{
    const struct view line = buf_view(&f->line.text);
    const struct view word = view_first(line, view_find(line, ' '));
    const struct view rest = view_skip(line, word.n);
    const struct command *command = find_command(word);

    if (++f->commands > LIMIT_FRONT_COMMANDS)
        return pop3_front_close_saying(f, "-ERR Too many commands before login", "too-many", out);
    if (command == NULL)
        return run_unknown(f, word, rest, out);
    if (!f->is_tls && !command->is_clear) /* before a look at what it presents */
        return say(f, "-ERR [AUTH] TLS is required: send STLS first", out);
    return command->run(f, rest, out);
}
