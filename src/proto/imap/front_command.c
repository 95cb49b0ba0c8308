/* The commands that are understood before login, as a table, and the credential that they yield. */
#include "proto/imap/front_state.h"

#include "proto/line/line.h"
#include "proto/sasl/sasl.h"

struct imap_front_command {
    const char *name;
    bool is_clear; /* understood before TLS */
    struct front_event (*run)(struct front *f, struct buf *out);
};

static const struct front_event more = { .kind = FRONT_MORE };

/* A tagged BAD, counted; "*" in place of the tag when there was none. */
static struct front_event bad(struct front *f, const char *text, struct buf *out)
{
    imap_front_tagged(f, text, out);
    if (++f->bad_commands >= LIMIT_FRONT_BAD)
        return imap_front_close(f, "Too many bad commands", "bad", out);
    imap_front_finish(f);
    return more;
}

/* ---- the credential ------------------------------------------------------------------- */

static struct front_event present(struct front *f, struct sasl_plain c, struct buf *out)
{
    if (c.user.n > LIMIT_ACCOUNT || c.authorization.n > LIMIT_ACCOUNT || c.secret.n > LIMIT_SECRET)
        return imap_front_close(f, "User name or password too long", "too-long", out);
    if (!line_may_hold(c.secret))
        return bad(f, "BAD Malformed password", out);
    enum err e = sasl_prep_name(&c.user, &f->user);
    if (e == ERR_OK)
        e = sasl_prep_name(&c.authorization, &f->authorization);
    if (e == ERR_MEMORY)
        return imap_front_close_no_memory(f, out);
    if (e != ERR_OK)
        return bad(f, "BAD Malformed user name", out);
    f->state = STATE_JUDGED;
    return (struct front_event){
        .kind = FRONT_CREDENTIAL,
        .mechanism = MECHANISM_PASSWORD,
        .authorization = c.authorization,
        .user = c.user,
        .secret = c.secret,
    };
}

/* ---- commands ------------------------------------------------------------------------- */

static struct view arguments_left(const struct front *f)
{
    return view_skip(buf_view(&f->line), f->arguments.position);
}

static struct front_event ok(struct front *f, const char *text, struct buf *out)
{
    imap_front_tagged(f, text, out);
    imap_front_finish(f);
    return more;
}

static struct front_event run_capability(struct front *f, struct buf *out)
{
    if (arguments_left(f).n != 0)
        return bad(f, "BAD CAPABILITY takes no arguments", out);
    buf_printf(out, "* CAPABILITY %s\r\n", imap_front_capability(f));
    return ok(f, "OK CAPABILITY completed", out);
}

static struct front_event run_noop(struct front *f, struct buf *out)
{
    if (arguments_left(f).n != 0)
        return bad(f, "BAD NOOP takes no arguments", out);
    return ok(f, "OK NOOP completed", out);
}

static struct front_event run_logout(struct front *f, struct buf *out)
{
    if (arguments_left(f).n != 0)
        return bad(f, "BAD LOGOUT takes no arguments", out);
    buf_put_text(out, "* BYE Logging out\r\n");
    imap_front_tagged(f, "OK LOGOUT completed", out);
    return imap_front_close_silently(f, "logout");
}

static struct front_event run_starttls(struct front *f, struct buf *out)
{
    if (arguments_left(f).n != 0)
        return bad(f, "BAD STARTTLS takes no arguments", out);
    if (f->is_tls)
        return bad(f, "BAD TLS is active already", out);
    imap_front_tagged(f, "OK Begin TLS negotiation now", out);
    imap_front_finish(f);
    f->state = STATE_TLS;
    return (struct front_event){ .kind = FRONT_STARTTLS };
}

/* The parser stands before a literal: invite it (unless it comes unasked) or refuse it. */
static struct front_event take_literal(struct front *f, struct buf *out)
{
    if (f->tail.is_over && f->tail.is_sync)
        imap_front_tagged(f, "NO [TOOBIG] Literal too long", out);
    if (f->tail.is_over)
        return imap_front_close(f, "Literal too long", "too-long", out);
    if (f->tail.is_sync)
        buf_put_text(out, "+ Ready for the literal\r\n");
    f->octets += f->tail.n;
    f->literal = f->tail.n;
    f->state = f->literal == 0 ? STATE_LINE : STATE_LITERAL;
    f->segment = f->line.n;
    f->expect = EXPECT_ARGUMENTS;
    return more;
}

static struct front_event run_login(struct front *f, struct buf *out)
{
    switch (imap_parse_login(&f->arguments, &f->line)) {
    case PARSE_LITERAL:
        return take_literal(f, out);
    case PARSE_DONE:
        break;
    case PARSE_BAD:
    case PARSE_MANY:
        return bad(f, "BAD LOGIN takes a user name and a password", out);
    }
    return present(f,
                   (struct sasl_plain){
                       .user = imap_parse_item(&f->arguments, 0, &f->line),
                       .secret = imap_parse_item(&f->arguments, 1, &f->line),
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
        return imap_front_close(f, "User name or password too long", "too-long", out);
    case ERR_MEMORY:
        return imap_front_close_no_memory(f, out);
    case ERR_IO:
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_DENIED:
    case ERR_BUSY:
        break;
    }
    return bad(f, "BAD Malformed PLAIN response", out);
}

static struct front_event run_authenticate(struct front *f, struct buf *out)
{
    const struct view rest = arguments_left(f);

    if (rest.n < 2 || rest.p[0] != ' ')
        return bad(f, "BAD AUTHENTICATE takes a mechanism", out);
    const struct view words = view_skip(rest, 1);
    const struct view mechanism = view_first(words, view_find(words, ' '));
    if (mechanism.n == 0)
        return bad(f, "BAD AUTHENTICATE takes a mechanism", out);
    if (!view_is_equal_nocase(mechanism, VIEW_LIT("PLAIN")))
        return ok(f, "NO [CANNOT] Unsupported authentication mechanism", out);
    if (mechanism.n == words.n) {
        buf_clear(&f->line);
        f->expect = EXPECT_SASL;
        buf_put_text(out, "+ \r\n");
        return more;
    }
    struct view initial = view_skip(words, mechanism.n + 1);
    if (view_is_equal(initial, VIEW_LIT("=")))
        initial = VIEW_NONE;
    return take_sasl(f, initial, out);
}

/* ---- ID ------------------------------------------------------------------------------- */

static void add_client(struct front *f, struct view v)
{
    if (v.n == 0)
        return;
    if (f->client_n != 0 && f->client_n < LIMIT_CLIENT)
        f->client[f->client_n++] = ' ';
    for (size_t i = 0; i < v.n && f->client_n < LIMIT_CLIENT; i++)
        f->client[f->client_n++] = v.p[i] < ' ' || v.p[i] > '~' ? '?' : v.p[i];
}

static struct view find_field(const struct front *f, struct view name)
{
    for (size_t i = 0; i + 1 < f->arguments.count; i += 2)
        if (view_is_equal_nocase(imap_parse_item(&f->arguments, i, &f->line), name))
            return imap_parse_item(&f->arguments, i + 1, &f->line);
    return VIEW_NONE;
}

static struct front_event run_id(struct front *f, struct buf *out)
{
    switch (imap_parse_id(&f->arguments, &f->line)) {
    case PARSE_LITERAL:
        return take_literal(f, out);
    case PARSE_MANY:
        return imap_front_close(f, "Too many ID fields", "too-long", out);
    case PARSE_BAD:
        return bad(f, "BAD ID takes NIL or a list of pairs", out);
    case PARSE_DONE:
        break;
    }
    f->client_n = 0;
    add_client(f, find_field(f, VIEW_LIT("name")));
    add_client(f, find_field(f, VIEW_LIT("version")));
    buf_put_text(out, "* ID (\"name\" \"Postern\")\r\n");
    return ok(f, "OK ID completed", out);
}

static const struct imap_front_command commands[] = {
    { "CAPABILITY", true, run_capability },
    { "NOOP", true, run_noop },
    { "LOGOUT", true, run_logout },
    { "STARTTLS", true, run_starttls },
    { "ID", false, run_id },
    { "LOGIN", false, run_login },
    { "AUTHENTICATE", false, run_authenticate },
};

static struct front_event run_unknown(struct front *f, struct view name, struct buf *out)
{
    static const char *const later[] = {
        "SELECT", "EXAMINE", "CREATE",    "DELETE",       "RENAME", "SUBSCRIBE", "UNSUBSCRIBE",
        "LIST",   "LSUB",    "NAMESPACE", "STATUS",       "APPEND", "ENABLE",    "IDLE",
        "CLOSE",  "EXPUNGE", "UNSELECT",  "SEARCH",       "FETCH",  "STORE",     "COPY",
        "MOVE",   "UID",     "CHECK",     "GETQUOTAROOT",
    };

    for (size_t i = 0; i < COUNT_OF(later); i++)
        if (view_is_equal_nocase(name, view_text(later[i])))
            return bad(f, "BAD Log in first", out);
    return bad(f, "BAD Unknown command", out);
}

static const struct imap_front_command *find_command(struct view name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (view_is_equal_nocase(name, view_text(commands[i].name)))
            return &commands[i];
    return NULL;
}

struct front_event imap_front_command(struct front *f, struct buf *out)
{
    struct view tag, name;
    size_t rest;

    f->tag_n = 0;
    if (imap_parse_is_foreign(buf_view(&f->line)))
        return imap_front_close(f, "This is an IMAP server", "foreign", out);
    if (++f->commands > LIMIT_FRONT_COMMANDS)
        return imap_front_close(f, "Too many commands before login", "too-many", out);
    if (!imap_parse_head(buf_view(&f->line), &tag, &name, &rest))
        return bad(f, "BAD Malformed command", out);
    if (tag.n > LIMIT_IMAP_TAG)
        return imap_front_close(f, "Tag too long", "too-long", out);
    memcpy(f->tag, tag.p, tag.n);
    f->tag_n = (uint8_t)tag.n;
    f->command = find_command(name);
    if (f->command == NULL)
        return run_unknown(f, name, out);
    if (!f->is_tls && !f->command->is_clear)
        return ok(f, "NO [PRIVACYREQUIRED] TLS is required: send STARTTLS first", out);
    f->arguments = (struct imap_arguments){ .position = rest };
    return f->command->run(f, out);
}

struct front_event imap_front_sasl(struct front *f, struct buf *out)
{
    if (view_is_equal(buf_view(&f->line), VIEW_LIT("*")))
        return bad(f, "BAD Authentication cancelled", out);
    return take_sasl(f, buf_view(&f->line), out);
}

struct front_event imap_front_arguments(struct front *f, struct buf *out)
{
    return f->command->run(f, out);
}
