/* One question at a time, except that ID goes out together with the login. What the upstream sends
 * is looked at line by line; only what this state needs is understood, the rest of its untagged
 * responses is passed over, and all that is not IMAP ends the attempt. */
#include "proto/imap/imap.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"
#include "proto/line/line.h"
#include "proto/sasl/sasl.h"

enum state {
    STATE_GREETING = 0,
    STATE_CAPABILITY, /* asked what it offers before the login  */
    STATE_STARTTLS,   /* asked for TLS                          */
    STATE_HANDSHAKE,  /* TLS is being set up by the caller      */
    STATE_PLAIN,      /* AUTHENTICATE sent, "+" is to come      */
    STATE_USER,       /* LOGIN sent up to the user's literal    */
    STATE_SECRET,     /* LOGIN sent up to the password's        */
    STATE_RESULT,     /* all is sent, the tagged reply is to come */
    STATE_AFTER,      /* logged in, asked what it offers now    */
    STATE_END,
};

/* One tag for each thing we ask, so that a reply can't be taken for another's. */
static const char tag_id[] = "p0";
static const char tag_capability[] = "p1";
static const char tag_starttls[] = "p2";
static const char tag_login[] = "p3";
static const char tag_after[] = "p4";

enum offer {
    OFFER_STARTTLS = 1 << 0,
    OFFER_PLAIN = 1 << 1,
    OFFER_SASL_IR = 1 << 2,
    OFFER_NO_LOGIN = 1 << 3,
    OFFER_ID = 1 << 4,
};

struct login {
    struct secret authorization, user, secret; /* wiped as soon as they were sent */
    const char *session;                       /* borrowed for life */
    const char *end_reason;                    /* static */
    struct addr client;
    struct buf line;         /* what has come of the current line */
    struct buf capabilities; /* after the login; its view goes into LOGIN_DONE */
    enum state state;
    enum login_kind end_kind;
    unsigned offers; /* enum offer, as bits */
    unsigned lines;
    size_t skip; /* octets of a literal still to come */
    bool is_tls, is_starttls, is_trusting;
    bool is_told;  /* the offers are known */
    bool is_cr;    /* the last octet was CR */
    bool is_more;  /* the current line is the rest of one, behind a literal */
    bool is_after; /* capabilities were said since the login was sent */
};

static const struct login_event more = { .kind = LOGIN_MORE };

static void forget_credential(struct login *l)
{
    secret_done(&l->authorization);
    secret_done(&l->user);
    secret_done(&l->secret);
}

static struct login_event end(struct login *l, enum login_kind kind, const char *reason)
{
    forget_credential(l);
    l->state = STATE_END;
    l->end_kind = kind;
    l->end_reason = reason;
    return (struct login_event){
        .kind = kind,
        .reason = reason,
        .capabilities = kind == LOGIN_DONE ? buf_view(&l->capabilities) : VIEW_NONE,
    };
}

static struct login_event unavailable(struct login *l, const char *reason)
{
    return end(l, LOGIN_UNAVAILABLE, reason);
}

/* ---- what we say ---------------------------------------------------------------------- */

static void put_command(const char *tag, const char *text, struct buf *out)
{
    buf_printf(out, "%s %s\r\n", tag, text);
}

/* The one writer of strings: quoted, or only the mark of a literal, whose octets are then due when
 * the upstream invites them (`ret_is_literal`; where it is NULL, what can't be quoted fails). */
static void put_string(struct view v, bool *ret_is_literal, struct buf *out)
{
    bool is_ascii = true;

    for (size_t i = 0; i < v.n; i++)
        is_ascii = is_ascii && v.p[i] >= ' ' && v.p[i] <= '~';
    if (!line_may_hold(v) || (!is_ascii && ret_is_literal == NULL)) {
        out->is_failed = true;
        return;
    }
    if (ret_is_literal != NULL)
        *ret_is_literal = !is_ascii;
    if (!is_ascii) {
        buf_printf(out, "{%zu}\r\n", v.n);
        return;
    }
    buf_put_octet(out, '"');
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '"' || v.p[i] == '\\')
            buf_put_octet(out, '\\');
        buf_put_octet(out, v.p[i]);
    }
    buf_put_octet(out, '"');
}

static void put_id(const struct login *l, struct buf *out)
{
    char text[ADDR_TEXT_MAX];
    struct addr ip = l->client;

    ip.port = 0;
    buf_printf(out, "%s ID (\"x-originating-ip\" ", tag_id);
    put_string(view_text(addr_text(&ip, text)), NULL, out);
    buf_printf(out, " \"x-originating-port\" \"%u\" \"x-session-id\" ", (unsigned)l->client.port);
    put_string(view_text(l->session == NULL ? "" : l->session), NULL, out);
    buf_put_text(out, ")\r\n");
}

static struct login_event put_plain(struct login *l, struct buf *out)
{
    const struct sasl_plain plain = {
        .authorization = secret_view(&l->authorization),
        .user = secret_view(&l->user),
        .secret = secret_view(&l->secret),
    };

    if (sasl_plain_encode(&plain, out) != ERR_OK)
        return unavailable(l, "no memory for the login");
    buf_put_text(out, "\r\n");
    forget_credential(l);
    l->state = STATE_RESULT;
    return more;
}

static struct login_event put_secret(struct login *l, struct buf *out)
{
    bool is_literal = false;

    buf_put_octet(out, ' ');
    put_string(secret_view(&l->secret), &is_literal, out);
    l->state = STATE_SECRET;
    if (is_literal)
        return more;
    buf_put_text(out, "\r\n");
    forget_credential(l);
    l->state = STATE_RESULT;
    return more;
}

static struct login_event put_login(struct login *l, struct buf *out)
{
    bool is_literal = false;

    buf_printf(out, "%s LOGIN ", tag_login);
    put_string(secret_view(&l->user), &is_literal, out);
    l->state = STATE_USER;
    return is_literal ? more : put_secret(l, out);
}

static struct login_event log_in(struct login *l, struct buf *out)
{
    const bool is_plain = (l->offers & OFFER_PLAIN) != 0;

    if (!is_plain && (l->offers & OFFER_NO_LOGIN) != 0)
        return unavailable(l, "the upstream offers no login that we know");
    if (!is_plain && l->authorization.n != 0)
        return unavailable(l, "the upstream lacks AUTH=PLAIN, which a master login needs");
    if (l->is_trusting && l->client.octets != 0 && (l->offers & OFFER_ID) != 0)
        put_id(l, out);
    buf_clear(&l->capabilities);
    if (!is_plain)
        return put_login(l, out);
    if ((l->offers & OFFER_SASL_IR) != 0) {
        buf_printf(out, "%s AUTHENTICATE PLAIN ", tag_login);
        return put_plain(l, out);
    }
    put_command(tag_login, "AUTHENTICATE PLAIN", out);
    l->state = STATE_PLAIN;
    return more;
}

static struct login_event ask_capability(struct login *l, struct buf *out)
{
    put_command(tag_capability, "CAPABILITY", out);
    l->state = STATE_CAPABILITY;
    return more;
}

/* The next step once the offers are known, and until then the question for them. */
static struct login_event proceed(struct login *l, struct buf *out)
{
    if (!l->is_told)
        return ask_capability(l, out);
    if (l->is_tls || !l->is_starttls)
        return log_in(l, out);
    if ((l->offers & OFFER_STARTTLS) == 0)
        return unavailable(l, "the upstream does not offer STARTTLS");
    put_command(tag_starttls, "STARTTLS", out);
    l->state = STATE_STARTTLS;
    return more;
}

/* ---- what the upstream says ----------------------------------------------------------- */

/* A word up to a space; what it ends in is dropped too. */
static struct view take_word(struct view *v)
{
    const struct view word = view_first(*v, view_find(*v, ' '));

    *v = view_skip(*v, word.n + 1);
    return word;
}

/* Takes "[CODE arguments] " from the start of a text. */
static bool take_code(struct view *text, struct view *ret_code, struct view *ret_arguments)
{
    const size_t close = view_find(*text, ']');

    if (text->n == 0 || text->p[0] != '[' || close == text->n)
        return false;
    *ret_arguments = view_first(view_skip(*text, 1), close - 1);
    *ret_code = take_word(ret_arguments);
    *text = view_skip(*text, close + 1);
    return true;
}

static bool is_logging_in(const struct login *l)
{
    return l->state >= STATE_PLAIN;
}

static bool learn(struct login *l, struct view list)
{
    static const struct {
        const char *word;
        enum offer offer;
    } words[] = {
        { "STARTTLS", OFFER_STARTTLS },
        { "AUTH=PLAIN", OFFER_PLAIN },
        { "SASL-IR", OFFER_SASL_IR },
        { "LOGINDISABLED", OFFER_NO_LOGIN },
        { "ID", OFFER_ID },
    };

    if (is_logging_in(l)) {
        buf_clear(&l->capabilities);
        buf_put(&l->capabilities, list);
        l->is_after = true;
        return buf_is_ok(&l->capabilities);
    }
    l->is_told = true;
    l->offers = 0;
    while (list.n != 0) {
        const struct view word = take_word(&list);
        for (size_t i = 0; i < COUNT_OF(words); i++)
            if (view_is_equal_nocase(word, view_text(words[i].word)))
                l->offers |= (unsigned)words[i].offer;
    }
    return true;
}

static bool learn_from_code(struct login *l, struct view text)
{
    struct view code, arguments;

    if (!take_code(&text, &code, &arguments) || !view_is_equal_nocase(code, VIEW_LIT("CAPABILITY")))
        return true;
    return learn(l, arguments);
}

static struct login_event on_greeting(struct login *l, struct view word, struct view text,
                                      struct buf *out)
{
    if (view_is_equal_nocase(word, VIEW_LIT("PREAUTH")))
        return unavailable(l, "preauth");
    if (view_is_equal_nocase(word, VIEW_LIT("BYE")))
        return unavailable(l, "bye");
    if (!view_is_equal_nocase(word, VIEW_LIT("OK")))
        return unavailable(l, "not an IMAP greeting");
    if (!learn_from_code(l, text))
        return unavailable(l, "no memory for the capabilities");
    return proceed(l, out);
}

static struct login_event on_untagged(struct login *l, struct view text, struct buf *out)
{
    const struct view word = take_word(&text);
    bool is_kept = true;

    if (l->state == STATE_GREETING)
        return on_greeting(l, word, text, out);
    if (view_is_equal_nocase(word, VIEW_LIT("BYE")))
        return unavailable(l, "bye");
    if (view_is_equal_nocase(word, VIEW_LIT("PREAUTH")))
        return unavailable(l, "preauth");
    if (view_is_equal_nocase(word, VIEW_LIT("CAPABILITY")))
        is_kept = learn(l, text);
    else if (view_is_equal_nocase(word, VIEW_LIT("OK")))
        is_kept = learn_from_code(l, text);
    return is_kept ? more : unavailable(l, "no memory for the capabilities");
}

static struct login_event on_continue(struct login *l, struct buf *out)
{
    const struct view secret = secret_view(&l->secret);

    if (l->state == STATE_PLAIN)
        return put_plain(l, out);
    if (l->state == STATE_USER) {
        buf_put(out, secret_view(&l->user));
        return put_secret(l, out);
    }
    if (l->state != STATE_SECRET)
        return unavailable(l, "a continuation that we did not ask for");
    buf_put(out, secret);
    buf_put_text(out, "\r\n");
    forget_credential(l);
    l->state = STATE_RESULT;
    return more;
}

static struct login_event refuse(struct login *l, struct view text)
{
    static const char *const later[] = {
        "UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN", "PRIVACYREQUIRED",
    };
    struct view code, arguments;

    if (take_code(&text, &code, &arguments))
        for (size_t i = 0; i < COUNT_OF(later); i++)
            if (view_is_equal_nocase(code, view_text(later[i])))
                return unavailable(l, "the upstream says try later");
    return end(l, LOGIN_REFUSED, "the upstream refuses the credential");
}

static struct login_event on_result(struct login *l, struct view word, struct view text,
                                    struct buf *out)
{
    if (view_is_equal_nocase(word, VIEW_LIT("NO")))
        return refuse(l, text);
    if (!view_is_equal_nocase(word, VIEW_LIT("OK")))
        return unavailable(l, "the upstream does not understand the login");
    if (l->state != STATE_RESULT)
        return unavailable(l, "logged in before the credential was sent");
    if (!learn_from_code(l, text))
        return unavailable(l, "no memory for the capabilities");
    if (l->is_after)
        return end(l, LOGIN_DONE, "logged in");
    put_command(tag_after, "CAPABILITY", out);
    l->state = STATE_AFTER;
    return more;
}

static struct login_event on_tagged(struct login *l, struct view tag, struct view text,
                                    struct buf *out)
{
    const struct view word = take_word(&text);
    const bool is_ok = view_is_equal_nocase(word, VIEW_LIT("OK"));
    const char *expected = NULL;

    if (!is_ok && !view_is_equal_nocase(word, VIEW_LIT("NO")) &&
        !view_is_equal_nocase(word, VIEW_LIT("BAD")))
        return unavailable(l, "not an IMAP reply");
    if (is_logging_in(l) && l->is_trusting && view_is_equal(tag, view_text(tag_id)))
        return more; /* a label: whatever it makes of it */
    if (l->state == STATE_CAPABILITY)
        expected = tag_capability;
    else if (l->state == STATE_STARTTLS)
        expected = tag_starttls;
    else if (l->state == STATE_AFTER)
        expected = tag_after;
    else if (is_logging_in(l))
        expected = tag_login;
    if (expected == NULL || !view_is_equal(tag, view_text(expected)))
        return unavailable(l, "a reply to what we did not ask");
    if (expected == tag_login)
        return on_result(l, word, text, out);
    if (!is_ok)
        return unavailable(l, expected == tag_starttls ? "the upstream refuses STARTTLS"
                                                       : "the upstream refuses CAPABILITY");
    if (expected == tag_after)
        return l->is_after ? end(l, LOGIN_DONE, "logged in")
                           : unavailable(l, "no capabilities in the reply to CAPABILITY");
    if (expected == tag_starttls) {
        l->state = STATE_HANDSHAKE;
        return (struct login_event){ .kind = LOGIN_STARTTLS };
    }
    return l->is_told ? proceed(l, out)
                      : unavailable(l, "no capabilities in the reply to CAPABILITY");
}

/* An untagged ID may carry literals (RFC 2971); no other response that is due here does, and a text
 * that only looks so must not swallow what follows. */
static bool has_literal(struct login *l, struct view line)
{
    uint64_t n;

    if (!l->is_more && (l->state == STATE_GREETING || !view_starts_nocase(line, VIEW_LIT("* ID "))))
        return false;
    if (line.n == 0 || line.p[line.n - 1] != '}')
        return false;
    size_t open = line.n - 1;
    while (open > 0 && line.p[open] != '{')
        open--;
    if (line.p[open] != '{' ||
        !view_number(view_first(view_skip(line, open + 1), line.n - open - 2), LIMIT_LOGIN_LINE,
                     &n))
        return false;
    l->skip = (size_t)n;
    return true;
}

static struct login_event on_line(struct login *l, struct buf *out)
{
    struct view text = buf_view(&l->line);

    if (++l->lines > LIMIT_LOGIN_LINES)
        return unavailable(l, "too many lines");
    if (has_literal(l, text)) {
        l->is_more = true;
        return more;
    }
    if (l->is_more) {
        l->is_more = false;
        return more;
    }
    if (l->state == STATE_GREETING && !view_starts_nocase(text, VIEW_LIT("* ")))
        return unavailable(l, "not an IMAP greeting");
    if (text.n != 0 && text.p[0] == '+' && (text.n == 1 || text.p[1] == ' '))
        return on_continue(l, out);
    const struct view tag = take_word(&text);
    if (view_is_equal(tag, VIEW_LIT("*")))
        return on_untagged(l, text, out);
    return on_tagged(l, tag, text, out);
}

/* Takes octets up to and with CRLF. *ret_reason: why what came is not a line, or NULL. */
static bool take_line(struct login *l, struct view in, size_t *ret_used, const char **ret_reason)
{
    const size_t room = LIMIT_LOGIN_LINE - l->line.n;
    bool is_line = false;
    size_t i = 0, n = 0;

    *ret_reason = NULL;
    for (; i < in.n && !is_line && *ret_reason == NULL; i++) {
        const uint8_t c = in.p[i];
        if (l->is_cr && c == '\n')
            is_line = true;
        else if (l->is_cr || c == '\n' || c == 0)
            *ret_reason = "a line does not end in CRLF or holds a NUL";
        else if (c == '\r')
            l->is_cr = true;
        else if (n == room)
            *ret_reason = "a line is too long";
        else
            n++;
    }
    if (is_line)
        l->is_cr = false;
    buf_put(&l->line, view_first(in, n));
    if (!buf_is_ok(&l->line))
        *ret_reason = "no memory for a line";
    *ret_used = i;
    return is_line && *ret_reason == NULL;
}

static struct login_event feed_line(struct login *l, struct view in, size_t *ret_used,
                                    struct buf *out)
{
    const char *reason;

    if (!take_line(l, in, ret_used, &reason))
        return reason == NULL ? more : unavailable(l, reason);
    struct login_event event = on_line(l, out);
    buf_clear(&l->line);
    if (event.kind == LOGIN_STARTTLS && *ret_used != in.n)
        return unavailable(l, "octets behind the reply to STARTTLS");
    if (!buf_is_ok(out) && event.kind == LOGIN_MORE)
        return unavailable(l, "no memory for the answer");
    return event;
}

/* ---- the interface -------------------------------------------------------------------- */

static void destroy(struct login *l)
{
    if (l == NULL)
        return;
    forget_credential(l);
    buf_done(&l->line);
    buf_done(&l->capabilities);
    mem_wipe_free(l, sizeof(*l));
}

static struct login *create(const struct login_conf *conf)
{
    if (!line_may_hold(conf->authorization) || !line_may_hold(conf->user) ||
        !line_may_hold(conf->secret) || conf->authorization.n > LIMIT_ACCOUNT ||
        conf->user.n > LIMIT_ACCOUNT)
        return NULL;
    struct login *l = NEW(login);
    if (l == NULL)
        return NULL;
    l->session = conf->session;
    l->client = conf->client;
    l->is_tls = conf->is_tls;
    l->is_starttls = conf->is_starttls;
    l->is_trusting = conf->is_trusting;
    buf_init(&l->line, LIMIT_LOGIN_LINE);
    buf_init(&l->capabilities, LIMIT_LOGIN_LINE);
    if (secret_set(&l->authorization, conf->authorization) != ERR_OK ||
        secret_set(&l->user, conf->user) != ERR_OK ||
        secret_set(&l->secret, conf->secret) != ERR_OK) {
        destroy(l);
        return NULL;
    }
    return l;
}

static struct login_event feed(struct login *l, struct view in, size_t *ret_used, struct buf *out)
{
    struct login_event event = more;

    *ret_used = 0;
    if (l->state == STATE_HANDSHAKE && in.n != 0)
        return unavailable(l, "octets behind the reply to STARTTLS");
    if (l->state == STATE_END)
        return end(l, l->end_kind, l->end_reason);
    while (*ret_used < in.n && event.kind == LOGIN_MORE) {
        const struct view rest = view_skip(in, *ret_used);
        size_t used = rest.n < l->skip ? rest.n : l->skip;
        if (used != 0)
            l->skip -= used;
        else
            event = feed_line(l, rest, &used, out);
        *ret_used += used;
    }
    return event;
}

static void tls_started(struct login *l, struct buf *out)
{
    l->is_tls = true;
    l->is_told = false; /* what was said in the clear may be a stranger's */
    l->offers = 0;
    (void)ask_capability(l, out);
}

const struct login_ops imap_login_ops = {
    .create = create,
    .destroy = destroy,
    .feed = feed,
    .tls_started = tls_started,
};
