/* One question at a time: CAPA, STLS where it is required, CAPA again under TLS, and the credential
 * by AUTH PLAIN or else by USER and PASS. What the upstream offers is what it says to the last
 * CAPA before the credential: the same as a look sees, and no round trip more after the login. */
#include "proto/pop3/pop3.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"
#include "proto/line/line.h"
#include "proto/sasl/sasl.h"

/* RFC 2449 §4, RFC 5034 §4: a command line, an initial response in it included, without CRLF */
#define COMMAND_MAX 253
#define BASE64_MAX  4096

enum state {
    STATE_GREETING = 0,
    STATE_CAPA,       /* asked what it offers                  */
    STATE_CAPA_LINES, /* in its answer                         */
    STATE_STLS,       /* asked for TLS                         */
    STATE_HANDSHAKE,  /* TLS is being set up by the caller     */
    STATE_PLAIN,      /* AUTH PLAIN sent, "+" is to come       */
    STATE_USER,       /* USER sent                             */
    STATE_RESULT,     /* all is sent, the last reply is to come */
    STATE_END,
};

enum offer {
    OFFER_STLS = 1 << 0,
    OFFER_PLAIN = 1 << 1,
    OFFER_USER = 1 << 2,
};

enum reply { REPLY_NONE = 0, REPLY_OK, REPLY_ERR, REPLY_CONTINUE };

struct login {
    struct secret authorization, user, secret; /* wiped as soon as they were sent */
    const char *end_reason;                    /* static */
    struct line line;
    struct buf capabilities; /* lines of the last CAPA; its view goes into LOGIN_DONE */
    enum state state;
    enum login_kind end_kind;
    unsigned offers; /* enum offer, as bits */
    unsigned lines;
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
    line_clear(&l->line);
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

static struct login_event ask(struct login *l, const char *command, enum state state,
                              struct buf *out)
{
    buf_put_text(out, command);
    buf_put_text(out, "\r\n");
    l->state = state;
    return more;
}

static void put_line(const char *command, struct view argument, struct buf *out)
{
    buf_put_text(out, command);
    buf_put(out, argument);
    buf_put_text(out, "\r\n");
}

/* The PLAIN message behind "AUTH PLAIN" where it fits, else when the upstream invites it. */
static struct login_event put_plain(struct login *l, bool is_invited, struct buf *out)
{
    static const char command[] = "AUTH PLAIN ";
    const struct sasl_plain plain = {
        .authorization = secret_view(&l->authorization),
        .user = secret_view(&l->user),
        .secret = secret_view(&l->secret),
    };
    AUTO_BUF(base64, BASE64_MAX);

    if (sasl_plain_encode(&plain, &base64) != ERR_OK)
        return unavailable(l, "no memory for the login");
    if (!is_invited && base64.n > COMMAND_MAX - (sizeof(command) - 1))
        return ask(l, "AUTH PLAIN", STATE_PLAIN, out);
    put_line(is_invited ? "" : command, buf_view(&base64), out);
    forget_credential(l);
    l->state = STATE_RESULT;
    return more;
}

/* RFC 1939 §3: an argument is printable and holds no space. What is beyond ASCII goes as it is. */
static bool is_argument(struct view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= ' ' || v.p[i] == 0x7f)
            return false;
    return v.n != 0;
}

static struct login_event put_user(struct login *l, struct buf *out)
{
    const struct view user = secret_view(&l->user), secret = secret_view(&l->secret);

    if ((l->offers & OFFER_USER) == 0)
        return unavailable(l, "the upstream offers no login that we know");
    if (l->authorization.n != 0)
        return unavailable(l, "the upstream lacks SASL PLAIN, which a master login needs");
    if (!is_argument(user))
        return unavailable(l, "the upstream lacks SASL PLAIN, which this user name needs");
    if (user.n > COMMAND_MAX - 5 || secret.n > COMMAND_MAX - 5)
        return unavailable(l, "the upstream lacks SASL PLAIN, which a long password needs");
    put_line("USER ", user, out);
    l->state = STATE_USER;
    return more;
}

static struct login_event put_pass(struct login *l, struct buf *out)
{
    put_line("PASS ", secret_view(&l->secret), out);
    forget_credential(l);
    l->state = STATE_RESULT;
    return more;
}

/* The next step, now that it is known what the upstream offers. */
static struct login_event proceed(struct login *l, struct buf *out)
{
    if (l->is_starttls && !l->is_tls) {
        if ((l->offers & OFFER_STLS) == 0)
            return unavailable(l, "the upstream does not offer STLS");
        return ask(l, "STLS", STATE_STLS, out);
    }
    if (l->is_look) {
        buf_put_text(out, "QUIT\r\n");
        return end(l, LOGIN_DONE, "seen");
    }
    return (l->offers & OFFER_PLAIN) != 0 ? put_plain(l, false, out) : put_user(l, out);
}

/* ---- what the upstream says ----------------------------------------------------------- */

/* Takes the indicator and the space behind it off a reply. */
static enum reply take_reply(struct view *line)
{
    static const struct {
        const char *word;
        enum reply reply;
    } words[] = {
        { "+OK", REPLY_OK },
        { "-ERR", REPLY_ERR },
        { "+", REPLY_CONTINUE },
    };
    const struct view word = view_first(*line, view_find(*line, ' '));

    *line = view_skip(*line, word.n + 1);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (view_is_equal(word, view_text(words[i].word)))
            return words[i].reply;
    return REPLY_NONE;
}

static void learn(struct login *l, struct view line)
{
    const struct view word = view_first(line, view_find(line, ' '));
    struct view rest = view_skip(line, word.n + 1);

    buf_put(&l->capabilities, line);
    buf_put_text(&l->capabilities, "\r\n");
    if (view_is_equal_nocase(word, VIEW_LIT("STLS")))
        l->offers |= OFFER_STLS;
    else if (view_is_equal_nocase(word, VIEW_LIT("USER")))
        l->offers |= OFFER_USER;
    else if (view_is_equal_nocase(word, VIEW_LIT("SASL")))
        while (rest.n != 0) {
            const struct view mechanism = view_first(rest, view_find(rest, ' '));
            if (view_is_equal_nocase(mechanism, VIEW_LIT("PLAIN")))
                l->offers |= OFFER_PLAIN;
            rest = view_skip(rest, mechanism.n + 1);
        }
}

static struct login_event on_capability(struct login *l, struct view line, struct buf *out)
{
    if (view_is_equal(line, VIEW_LIT(".")))
        return proceed(l, out);
    if (line.n == 0 || line.p[0] == '.')
        return unavailable(l, "not a capability");
    learn(l, line);
    return buf_is_ok(&l->capabilities) ? more : unavailable(l, "too many capabilities");
}

static struct login_event ask_capa(struct login *l, struct buf *out)
{
    buf_clear(&l->capabilities);
    l->offers = 0;
    return ask(l, "CAPA", STATE_CAPA, out);
}

/* A server that predates CAPA has USER, and nothing else that we know. */
static struct login_event on_capa(struct login *l, bool is_ok, struct buf *out)
{
    if (is_ok) {
        l->state = STATE_CAPA_LINES;
        return more;
    }
    l->offers = OFFER_USER;
    return proceed(l, out);
}

static bool is_code(struct view code, const char *word)
{
    const struct view level = view_first(code, view_find(code, '/'));

    return view_is_equal_nocase(level, view_text(word));
}

/* RFC 2449 §8, RFC 3206: all but AUTH speak of the server or the mailbox, not of the credential. */
static struct login_event refuse(struct login *l, struct view text)
{
    static const char *const later[] = { "SYS", "IN-USE", "LOGIN-DELAY" };

    if (text.n != 0 && text.p[0] == '[') {
        const struct view code = view_first(view_skip(text, 1), view_find(text, ']') - 1);
        for (size_t i = 0; i < COUNT_OF(later); i++)
            if (is_code(code, later[i]))
                return unavailable(l, "the upstream says try later");
    }
    return end(l, LOGIN_REFUSED, "the upstream refuses the credential");
}

static struct login_event on_reply(struct login *l, enum reply reply, struct view text,
                                   struct buf *out)
{
    const bool is_ok = reply == REPLY_OK;

    if (reply == REPLY_CONTINUE)
        return l->state == STATE_PLAIN ? put_plain(l, true, out)
                                       : unavailable(l, "a continuation that we did not ask for");
    switch (l->state) {
    case STATE_GREETING:
        return is_ok ? ask_capa(l, out) : unavailable(l, "the upstream greets with an error");
    case STATE_CAPA:
        return on_capa(l, is_ok, out);
    case STATE_STLS:
        if (!is_ok)
            return unavailable(l, "the upstream refuses STLS");
        l->state = STATE_HANDSHAKE;
        return (struct login_event){ .kind = LOGIN_STARTTLS };
    case STATE_PLAIN:
        return unavailable(l, is_ok ? "logged in before the credential was sent"
                                    : "the upstream does not understand the login");
    case STATE_USER:
        return is_ok ? put_pass(l, out) : refuse(l, text);
    case STATE_RESULT:
        return is_ok ? end(l, LOGIN_DONE, "logged in") : refuse(l, text);
    case STATE_CAPA_LINES:
    case STATE_HANDSHAKE:
    case STATE_END:
        break;
    }
    CHECK(false);
    return more;
}

static struct login_event on_line(struct login *l, struct buf *out)
{
    struct view line = buf_view(&l->line.text);

    if (++l->lines > LIMIT_LOGIN_LINES)
        return unavailable(l, "too many lines");
    if (l->state == STATE_CAPA_LINES)
        return on_capability(l, line, out);
    const enum reply reply = take_reply(&line);
    return reply == REPLY_NONE ? unavailable(l, "not a POP3 reply") : on_reply(l, reply, line, out);
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
        return unavailable(l, "octets behind the reply to STLS");
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
    line_done(&l->line);
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
    size_t used = 0;

    *ret_used = 0;
    if (l->state == STATE_HANDSHAKE && in.n != 0)
        return unavailable(l, "octets behind the reply to STLS");
    if (l->state == STATE_END)
        return end(l, l->end_kind, l->end_reason);
    while (*ret_used < in.n && event.kind == LOGIN_MORE) {
        event = feed_line(l, view_skip(in, *ret_used), &used, out);
        *ret_used += used;
    }
    return event;
}

static void tls_started(struct login *l, struct buf *out)
{
    l->is_tls = true;
    (void)ask_capa(l, out); /* what was said in the clear may be a stranger's */
}

const struct login_ops pop3_login_ops = {
    .create = create,
    .destroy = destroy,
    .feed = feed,
    .tls_started = tls_started,
};
