/* The commands that are understood before login, as a table, and the credential that they yield. */
#include "base/limits.h"
#include "proto/sasl/sasl.h"
#include "proto/smtp/capability.h"
#include "proto/smtp/front_state.h"

static const struct front_event more = { .kind = FRONT_MORE };

static struct front_event reply(struct front *f, const char *text, struct buf *out)
{
    buf_put_text(out, text);
    buf_put_text(out, "\r\n");
    smtp_front_finish(f);
    return more;
}

/* A refusal that is counted. */
static struct front_event bad(struct front *f, const char *text, struct buf *out)
{
    const struct front_event event = reply(f, text, out);

    if (++f->bad_commands >= LIMIT_FRONT_BAD)
        return smtp_front_close(f, "4.7.0", "Too many bad commands", "bad", out);
    return event;
}

/* ---- the credential ------------------------------------------------------------------- */

static struct front_event credential_too_long(struct front *f, struct buf *out)
{
    return bad(f, "500 5.5.6 User name or password too long", out);
}

static struct front_event present(struct front *f, struct sasl_plain c, struct buf *out)
{
    if (c.user.n > LIMIT_ACCOUNT || c.authorization.n > LIMIT_ACCOUNT || c.secret.n > LIMIT_SECRET)
        return credential_too_long(f, out);
    if (!line_may_hold(c.secret))
        return bad(f, "501 5.5.2 Malformed password", out);
    enum err e = sasl_prep_name(&c.user, &f->user);
    if (e == ERR_OK)
        e = sasl_prep_name(&c.authorization, &f->authorization);
    if (e == ERR_MEMORY)
        return smtp_front_close_no_memory(f, out);
    if (e != ERR_OK)
        return bad(f, "501 5.5.2 Malformed user name", out);
    f->state = STATE_JUDGED;
    return (struct front_event){
        .kind = FRONT_CREDENTIAL,
        .mechanism = MECHANISM_PASSWORD,
        .authorization = c.authorization,
        .user = c.user,
        .secret = c.secret,
    };
}

static struct front_event undecoded(struct front *f, enum err e, struct buf *out)
{
    if (e == ERR_TOO_LONG)
        return credential_too_long(f, out);
    if (e == ERR_MEMORY)
        return smtp_front_close_no_memory(f, out);
    return bad(f, "501 5.5.2 Cannot decode the response", out);
}

static struct front_event take_plain(struct front *f, struct view base64, struct buf *out)
{
    struct sasl_plain plain;
    const enum err e = sasl_plain_decode(base64, &f->decoded, &plain);

    return e == ERR_OK ? present(f, plain, out) : undecoded(f, e, out);
}

static struct front_event take_user(struct front *f, struct view base64, struct buf *out)
{
    const enum err e = sasl_base64_decode(base64, &f->name);

    if (e != ERR_OK)
        return undecoded(f, e, out);
    line_clear(&f->line);
    f->expect = EXPECT_SECRET;
    buf_put_text(out, "334 UGFzc3dvcmQ6\r\n"); /* "Password:" */
    return more;
}

static struct front_event take_secret(struct front *f, struct view base64, struct buf *out)
{
    const enum err e = sasl_base64_decode(base64, &f->decoded);

    if (e != ERR_OK)
        return undecoded(f, e, out);
    return present(
        f, (struct sasl_plain){ .user = buf_view(&f->name), .secret = buf_view(&f->decoded) }, out);
}

/* AUTH LOGIN is no standard; its prompts are what clients know. */
static struct front_event invite(struct front *f, enum expect expect, struct buf *out)
{
    line_clear(&f->line);
    f->expect = expect;
    buf_put_text(out,
                 expect == EXPECT_PLAIN ? "334 \r\n" : "334 VXNlcm5hbWU6\r\n"); /* "Username:" */
    return more;
}

static struct front_event run_auth(struct front *f, struct view arguments, struct buf *out)
{
    const struct view mechanism = view_first(arguments, view_find(arguments, ' '));
    const bool is_plain = view_is_equal_nocase(mechanism, VIEW_LIT("PLAIN"));

    if (!f->is_extended)
        return bad(f, "503 5.5.1 Send EHLO first", out);
    if (mechanism.n == 0)
        return bad(f, "501 5.5.4 AUTH takes a mechanism", out);
    if (!is_plain && !view_is_equal_nocase(mechanism, VIEW_LIT("LOGIN")))
        return reply(f, "504 5.5.4 Unrecognized authentication type", out);
    if (mechanism.n == arguments.n)
        return invite(f, is_plain ? EXPECT_PLAIN : EXPECT_USER, out);
    struct view initial = view_skip(arguments, mechanism.n + 1);
    if (view_is_equal(initial, VIEW_LIT("=")))
        initial = VIEW_NONE;
    return is_plain ? take_plain(f, initial, out) : take_user(f, initial, out);
}

static struct front_event take_response(struct front *f, struct buf *out)
{
    const struct view response = buf_view(&f->line.text);

    if (view_is_equal(response, VIEW_LIT("*")))
        return bad(f, "501 5.7.0 Authentication cancelled", out);
    if (f->expect == EXPECT_PLAIN)
        return take_plain(f, response, out);
    return f->expect == EXPECT_USER ? take_user(f, response, out) : take_secret(f, response, out);
}

/* ---- the other commands --------------------------------------------------------------- */

static struct front_event run_ehlo(struct front *f, struct view arguments, struct buf *out)
{
    if (arguments.n == 0)
        return bad(f, "501 5.5.4 EHLO takes a host name", out);
    buf_printf(out, "250-%s\r\n", f->host);
    if (!f->is_tls) {
        buf_put_text(out, "250-STARTTLS\r\n");
    } else {
        struct view lines = buf_view(&f->offer);
        while (lines.n != 0) {
            buf_put_text(out, "250-");
            buf_put(out, smtp_capability_take(&lines));
            buf_put_text(out, "\r\n");
        }
        buf_put_text(out, "250-AUTH PLAIN LOGIN\r\n");
    }
    f->is_extended = true;
    return reply(f, "250 ENHANCEDSTATUSCODES", out);
}

static struct front_event run_helo(struct front *f, struct view arguments, struct buf *out)
{
    if (arguments.n == 0)
        return bad(f, "501 5.5.4 HELO takes a host name", out);
    f->is_extended = false;
    buf_put_text(out, "250 ");
    return reply(f, f->host, out);
}

static struct front_event run_starttls(struct front *f, struct view arguments, struct buf *out)
{
    if (arguments.n != 0)
        return bad(f, "501 5.5.4 STARTTLS takes no arguments", out);
    (void)reply(f, "220 2.0.0 Begin TLS negotiation now", out);
    f->state = STATE_TLS;
    return (struct front_event){ .kind = FRONT_STARTTLS };
}

static struct front_event has_tls(struct front *f, struct view arguments, struct buf *out)
{
    (void)arguments;
    return bad(f, "503 5.5.1 TLS is active already", out);
}

static struct front_event run_noop(struct front *f, struct view arguments, struct buf *out)
{
    (void)arguments; /* RFC 5321 §4.1.1.9 permits one, to no effect */
    return reply(f, "250 2.0.0 OK", out);
}

static struct front_event run_rset(struct front *f, struct view arguments, struct buf *out)
{
    if (arguments.n != 0)
        return bad(f, "501 5.5.4 RSET takes no arguments", out);
    return reply(f, "250 2.0.0 OK", out);
}

static struct front_event run_quit(struct front *f, struct view arguments, struct buf *out)
{
    if (arguments.n != 0)
        return bad(f, "501 5.5.4 QUIT takes no arguments", out);
    (void)reply(f, "221 2.0.0 Good-bye", out);
    return smtp_front_close_silently(f, "logout");
}

static struct front_event run_help(struct front *f, struct view arguments, struct buf *out)
{
    (void)arguments;
    return reply(f, "214 2.0.0 Log in to send mail", out);
}

static struct front_event run_vrfy(struct front *f, struct view arguments, struct buf *out)
{
    (void)arguments; /* an address is nobody's business before login (RFC 5321 §7.3) */
    return reply(f, "252 2.0.0 Not verified", out);
}

/* Its octets must not become commands, and how many they are is a stranger's claim. */
static struct front_event run_bdat(struct front *f, struct view arguments, struct buf *out)
{
    (void)arguments;
    return smtp_front_close(f, "4.7.0", "BDAT before login", "bad", out);
}

static struct front_event need_login(struct front *f, struct view arguments, struct buf *out)
{
    (void)arguments;
    return reply(f, "530 5.7.0 Authentication required", out);
}

static struct front_event need_tls(struct front *f, struct view arguments, struct buf *out)
{
    (void)arguments;
    return reply(f, "530 5.7.0 Must issue a STARTTLS command first", out);
}

static struct front_event need_encryption(struct front *f, struct view arguments, struct buf *out)
{
    (void)arguments; /* not looked at: a credential in the clear is no credential */
    return reply(f, "538 5.7.11 Encryption required for requested authentication mechanism", out);
}

static struct front_event not_implemented(struct front *f, struct view arguments, struct buf *out)
{
    (void)arguments;
    return bad(f, "502 5.5.1 Command not implemented", out);
}

/* ---- lines ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct front_event (*run)(struct front *f, struct view arguments, struct buf *out);
    struct front_event (*run_clear)(struct front *f, struct view arguments, struct buf *out);
} commands[] = {
    { "EHLO", run_ehlo, run_ehlo },
    { "HELO", run_helo, run_helo },
    { "STARTTLS", has_tls, run_starttls },
    { "AUTH", run_auth, need_encryption },
    { "NOOP", run_noop, run_noop },
    { "QUIT", run_quit, run_quit },
    { "RSET", run_rset, need_tls },
    { "HELP", run_help, need_tls },
    { "VRFY", run_vrfy, need_tls },
    { "BDAT", run_bdat, run_bdat },
    { "MAIL", need_login, need_tls },
    { "RCPT", need_login, need_tls },
    { "DATA", need_login, need_tls },
    { "BURL", need_login, need_tls },
    { "EXPN", need_login, need_tls },
    { "ETRN", need_login, need_tls },
    { "SEND", need_login, need_tls },
    { "SOML", need_login, need_tls },
    { "SAML", need_login, need_tls },
    { "TURN", need_login, need_tls },
    { "ATRN", need_login, need_tls },
    { "XCLIENT", not_implemented, not_implemented },
    { "XFORWARD", not_implemented, not_implemented },
};

/* A browser that was led here (ALPACA), or a client that mistook the port. */
static bool is_foreign(struct view line)
{
    static const char *const words[] = {
        "GET", "HEAD",       "POST", "PUT",  "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
        "PRI", "CAPABILITY", "USER", "PASS", "CAPA",   "STLS",    "APOP",    "LHLO",
    };
    const struct view word = view_first(line, view_find(line, ' '));

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (view_is_equal_nocase(word, view_text(words[i])))
            return true;
    for (struct view rest = line; rest.n != 0; rest = view_skip(rest, 1 + view_find(rest, ' ')))
        if (view_starts_nocase(rest, VIEW_LIT("HTTP/")))
            return true;
    return view_starts_nocase(word, VIEW_LIT("SSH-"));
}

/* Spaces at the end mean nothing (RFC 5321 §4.1.1). */
static struct view trim(struct view line)
{
    while (line.n != 0 && line.p[line.n - 1] == ' ')
        line.n--;
    return line;
}

static struct front_event run_command(struct front *f, struct buf *out)
{
    const struct view line = trim(buf_view(&f->line.text));
    const struct view name = view_first(line, view_find(line, ' '));
    const struct view arguments = view_skip(line, name.n + 1);

    if (is_foreign(line))
        return smtp_front_close(f, "4.7.0", "This is an SMTP server", "foreign", out);
    if (++f->commands > LIMIT_FRONT_COMMANDS)
        return smtp_front_close(f, "4.7.0", "Too many commands before login", "too-many", out);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (view_is_equal_nocase(name, view_text(commands[i].name)))
            return (f->is_tls ? commands[i].run : commands[i].run_clear)(f, arguments, out);
    return bad(f, "500 5.5.2 Unknown command", out);
}

struct front_event smtp_front_line(struct front *f, struct buf *out)
{
    return f->expect == EXPECT_COMMAND ? run_command(f, out) : take_response(f, out);
}

bool smtp_front_is_auth(const struct front *f)
{
    return f->expect != EXPECT_COMMAND ||
           (f->is_tls && view_starts_nocase(buf_view(&f->line.text), VIEW_LIT("AUTH ")));
}
