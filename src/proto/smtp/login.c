/* One question at a time. Each reply is read to its last line before it is acted on; its code must
 * be the same on all of them, and all that is not SMTP, or was not asked for, ends the attempt. */
#include "proto/smtp/smtp.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"
#include "proto/line/line.h"
#include "proto/sasl/sasl.h"
#include "proto/smtp/capability.h"

enum state {
    STATE_GREETING = 0,
    STATE_EHLO,      /* asked what it offers                              */
    STATE_STARTTLS,  /* asked for TLS                                     */
    STATE_HANDSHAKE, /* TLS is being set up by the caller                 */
    STATE_PLAIN,     /* AUTH PLAIN sent, 334 is to come                   */
    STATE_USER,      /* AUTH LOGIN sent, 334 for the user name is to come */
    STATE_SECRET,    /* the user name sent, 334 for the password is to come */
    STATE_RESULT,    /* all is sent                                       */
    STATE_END,
};

enum offer {
    OFFER_STARTTLS = 1 << 0,
    OFFER_PLAIN = 1 << 1,
    OFFER_LOGIN = 1 << 2,
};

struct login {
    struct secret authorization, user, secret; /* wiped as soon as they were sent */
    const char *host;                          /* borrowed for life */
    const char *end_reason;                    /* static */
    struct line line;
    struct buf capabilities; /* of the last EHLO; its view goes into LOGIN_DONE */
    enum state state;
    enum login_kind end_kind;
    unsigned offers;      /* enum offer, as bits */
    unsigned lines;       /* in all */
    unsigned reply_lines; /* of the current reply, with the current one */
    uint8_t code[3];      /* of the current reply */
    bool is_tls, is_starttls, is_look;
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

/* Base64 is the one way in which a value goes out: there is nothing to quote. */
static struct login_event put_value(struct login *l, struct secret *value, enum state next,
                                    struct buf *out)
{
    if (sasl_base64_encode(secret_view(value), out) != ERR_OK)
        return unavailable(l, "no memory for the login");
    buf_put_text(out, "\r\n");
    secret_done(value);
    l->state = next;
    return more;
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

/* RFC 4954 §4: no initial response that makes the command too long. */
static bool has_initial_response(const struct login *l)
{
    const size_t message = l->authorization.n + 1 + l->user.n + 1 + l->secret.n;

    return sizeof("AUTH PLAIN \r\n") - 1 + (message + 2) / 3 * 4 <= LIMIT_SMTP_COMMAND;
}

static struct login_event log_in(struct login *l, struct buf *out)
{
    if ((l->offers & OFFER_PLAIN) != 0) {
        buf_put_text(out, "AUTH PLAIN");
        if (has_initial_response(l)) {
            buf_put_octet(out, ' ');
            return put_plain(l, out);
        }
        buf_put_text(out, "\r\n");
        l->state = STATE_PLAIN;
        return more;
    }
    if ((l->offers & OFFER_LOGIN) == 0)
        return unavailable(l, "the upstream offers no login that we know");
    if (l->authorization.n != 0)
        return unavailable(l, "the upstream lacks AUTH PLAIN, which a master login needs");
    buf_put_text(out, "AUTH LOGIN\r\n");
    l->state = STATE_USER;
    return more;
}

static struct login_event say_ehlo(struct login *l, struct buf *out)
{
    buf_printf(out, "EHLO %s\r\n", l->host);
    buf_clear(&l->capabilities);
    l->offers = 0;
    l->state = STATE_EHLO;
    return more;
}

/* ---- what the upstream says ----------------------------------------------------------- */

static void learn_mechanisms(struct login *l, struct view words)
{
    while (words.n != 0) {
        const struct view word = view_first(words, view_find(words, ' '));
        words = view_skip(words, word.n + 1);
        if (view_is_equal_nocase(word, VIEW_LIT("PLAIN")))
            l->offers |= OFFER_PLAIN;
        if (view_is_equal_nocase(word, VIEW_LIT("LOGIN")))
            l->offers |= OFFER_LOGIN;
    }
}

/* A line of the reply to EHLO but for the first, which only greets. */
static void learn(struct login *l, struct view text)
{
    const struct view keyword = smtp_capability_keyword(text);

    if (view_is_equal_nocase(keyword, VIEW_LIT("STARTTLS")))
        l->offers |= OFFER_STARTTLS;
    if (view_is_equal_nocase(keyword, VIEW_LIT("AUTH")))
        learn_mechanisms(l, view_skip(text, keyword.n + 1));
    if (text.n == 0)
        return;
    buf_put(&l->capabilities, text);
    buf_put_text(&l->capabilities, "\r\n");
}

static bool is_code(const struct login *l, const char *code)
{
    return memcmp(l->code, code, sizeof(l->code)) == 0;
}

static struct login_event on_greeting(struct login *l, struct buf *out)
{
    if (is_code(l, "220"))
        return say_ehlo(l, out);
    return unavailable(l, l->code[0] == '4' || l->code[0] == '5' ? "the upstream does not serve us"
                                                                 : "not an SMTP greeting");
}

static struct login_event on_ehlo(struct login *l, struct buf *out)
{
    if (!is_code(l, "250"))
        return unavailable(l, "the upstream refuses EHLO");
    if (!buf_is_ok(&l->capabilities))
        return unavailable(l, "no room for what the upstream offers");
    if (l->is_starttls && !l->is_tls) {
        if ((l->offers & OFFER_STARTTLS) == 0)
            return unavailable(l, "the upstream does not offer STARTTLS");
        buf_put_text(out, "STARTTLS\r\n");
        l->state = STATE_STARTTLS;
        return more;
    }
    if (!l->is_look)
        return log_in(l, out);
    buf_put_text(out, "QUIT\r\n");
    return end(l, LOGIN_DONE, "seen what the upstream offers");
}

static struct login_event on_starttls(struct login *l)
{
    if (!is_code(l, "220"))
        return unavailable(l, "the upstream refuses STARTTLS");
    l->state = STATE_HANDSHAKE;
    return (struct login_event){ .kind = LOGIN_STARTTLS };
}

static struct login_event on_continue(struct login *l, struct buf *out)
{
    if (l->reply_lines != 1) /* RFC 4954 §4: one line */
        return unavailable(l, "a continuation of several lines");
    if (l->state == STATE_PLAIN)
        return put_plain(l, out);
    if (l->state == STATE_USER)
        return put_value(l, &l->user, STATE_SECRET, out);
    if (l->state == STATE_SECRET)
        return put_value(l, &l->secret, STATE_RESULT, out);
    return unavailable(l, "a continuation that we did not ask for");
}

/* Only what speaks of the credential, once it has seen some of it, is its refusal (RFC 4954 §6). An
 * enhanced code of another class (RFC 3463) says that it is not so final. */
static bool is_refusal(const struct login *l, struct view text)
{
    if (l->state == STATE_PLAIN || l->state == STATE_USER || l->code[0] != '5')
        return false;
    const struct view enhanced = view_first(text, view_find(text, ' '));
    if (is_code(l, "535") || is_code(l, "534"))
        return !view_starts_nocase(enhanced, VIEW_LIT("4."));
    return view_is_equal(enhanced, VIEW_LIT("5.7.8"));
}

static struct login_event on_auth(struct login *l, struct view text, struct buf *out)
{
    if (is_code(l, "334"))
        return on_continue(l, out);
    if (is_code(l, "235"))
        return l->state == STATE_RESULT
                   ? end(l, LOGIN_DONE, "logged in")
                   : unavailable(l, "logged in before the credential was sent");
    if (is_refusal(l, text))
        return end(l, LOGIN_REFUSED, "the upstream refuses the credential");
    if (l->code[0] == '4')
        return unavailable(l, "the upstream says try later");
    return unavailable(l, l->code[0] == '5' ? "the upstream does not understand the login"
                                            : "a reply to what we did not ask");
}

static struct login_event on_reply(struct login *l, struct view text, struct buf *out)
{
    if (is_code(l, "421"))
        return unavailable(l, "the upstream closes");
    switch (l->state) {
    case STATE_GREETING:
        return on_greeting(l, out);
    case STATE_EHLO:
        return on_ehlo(l, out);
    case STATE_STARTTLS:
        return on_starttls(l);
    case STATE_PLAIN:
    case STATE_USER:
    case STATE_SECRET:
    case STATE_RESULT:
        return on_auth(l, text, out);
    case STATE_HANDSHAKE:
    case STATE_END:
        break;
    }
    return unavailable(l, "a reply to what we did not ask");
}

/* RFC 5321 §4.2: Reply-code. */
static bool is_reply_code(struct view line)
{
    return line.n >= 3 && line.p[0] >= '2' && line.p[0] <= '5' && line.p[1] >= '0' &&
           line.p[1] <= '5' && line.p[2] >= '0' && line.p[2] <= '9';
}

static struct login_event on_line(struct login *l, struct buf *out)
{
    const struct view line = buf_view(&l->line.text);
    const struct view text = view_skip(line, 4);

    if (++l->lines > LIMIT_LOGIN_LINES)
        return unavailable(l, "too many lines");
    if (!is_reply_code(line) || (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-'))
        return unavailable(l, "not an SMTP reply");
    if (++l->reply_lines == 1)
        memcpy(l->code, line.p, sizeof(l->code));
    else if (memcmp(l->code, line.p, sizeof(l->code)) != 0)
        return unavailable(l, "a reply with two codes");
    if (l->state == STATE_EHLO && l->reply_lines > 1)
        learn(l, text);
    if (line.n > 3 && line.p[3] == '-')
        return more;
    const struct login_event event = on_reply(l, text, out);
    l->reply_lines = 0;
    return event;
}

static struct login_event feed_line(struct login *l, struct view in, size_t *ret_used,
                                    struct buf *out)
{
    struct login_event event = more;

    switch (line_take(&l->line, in, ret_used)) {
    case LINE_MORE:
        return more;
    case LINE_WHOLE:
        event = on_line(l, out);
        break;
    case LINE_BAD:
        return unavailable(l, "a line does not end in CRLF or holds a NUL");
    case LINE_TOO_LONG:
        return unavailable(l, "a line is too long");
    case LINE_NO_MEMORY:
        return unavailable(l, "no memory for a line");
    }
    if (event.kind == LOGIN_STARTTLS && *ret_used != in.n)
        return unavailable(l, "octets behind the reply to STARTTLS");
    if (!buf_is_ok(out) && event.kind == LOGIN_MORE)
        return unavailable(l, "no memory for the answer");
    return event;
}

/* ---- the interface -------------------------------------------------------------------- */

/* One word, since it is an argument of EHLO. */
static bool is_host(const char *host)
{
    const struct view v = view_text(host);

    return v.n != 0 && line_may_hold(v) && view_find(v, ' ') == v.n;
}

static void destroy(struct login *l)
{
    if (l == NULL)
        return;
    forget_credential(l);
    line_done(&l->line);
    buf_done(&l->capabilities);
    mem_wipe_free(l, sizeof(*l));
}

static struct login *create(const struct login_conf *conf)
{
    if (!is_host(conf->host) || !line_may_hold(conf->authorization) || !line_may_hold(conf->user) ||
        !line_may_hold(conf->secret) || conf->authorization.n > LIMIT_ACCOUNT ||
        conf->user.n > LIMIT_ACCOUNT)
        return NULL;
    struct login *l = NEW(login);
    if (l == NULL)
        return NULL;
    l->host = conf->host;
    l->is_tls = conf->is_tls;
    l->is_starttls = conf->is_starttls;
    l->is_look = conf->is_look;
    line_init(&l->line, LIMIT_LOGIN_LINE);
    buf_init(&l->capabilities, LIMIT_CAPABILITIES);
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
        size_t used = 0;
        event = feed_line(l, view_skip(in, *ret_used), &used, out);
        *ret_used += used;
    }
    return event;
}

static void tls_started(struct login *l, struct buf *out)
{
    l->is_tls = true;
    (void)say_ehlo(l, out); /* what was said in the clear may be a stranger's */
}

const struct login_ops smtp_login_ops = {
    .create = create,
    .destroy = destroy,
    .feed = feed,
    .tls_started = tls_started,
};
