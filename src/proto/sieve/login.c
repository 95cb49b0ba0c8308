/* One question at a time. What the upstream sends is followed by response.c, line by line; all that
 * is not ManageSieve ends the attempt.
 * After TLS the upstream says its capabilities again by itself (RFC 5804 §2.2: MUST; Dovecot and
 * Cyrus do). They are waited for, not asked for: an answer to our own question could not be told
 * from them, and would be taken for the answer to AUTHENTICATE. */
#include "proto/sieve/sieve.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"
#include "proto/line/line.h"
#include "proto/sasl/sasl.h"
#include "proto/sieve/capability.h"
#include "proto/sieve/response.h"
#include "proto/sieve/text.h"

enum state {
    STATE_GREETING = 0, /* the capabilities of the first transport are to come */
    STATE_STARTTLS,     /* asked for TLS                                       */
    STATE_HANDSHAKE,    /* TLS is being set up by the caller                   */
    STATE_AGAIN,        /* the capabilities inside TLS are to come             */
    STATE_RESULT,       /* AUTHENTICATE was sent                               */
    STATE_END,
};

struct login {
    struct secret authorization, user, secret; /* wiped as soon as they were sent */
    const char *end_reason;                    /* static */
    struct sieve_response response;
    struct buf line;         /* what has come of the current line */
    struct buf capabilities; /* of the list that is coming, or the last one */
    enum state state;
    enum login_kind end_kind;
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

static struct login_event log_in(struct login *l, struct buf *out)
{
    const struct sasl_plain plain = {
        .authorization = secret_view(&l->authorization),
        .user = secret_view(&l->user),
        .secret = secret_view(&l->secret),
    };
    struct view mechanisms = VIEW_NONE;
    AUTO_BUF(base64, 2 * (2 + 2 * LIMIT_ACCOUNT + LIMIT_SECRET));

    (void)sieve_capability_find(buf_view(&l->capabilities), VIEW_LIT("SASL"), &mechanisms);
    if (!sieve_capability_has_word(mechanisms, VIEW_LIT("PLAIN")))
        return unavailable(l, "the upstream offers no login that we know");
    if (sasl_plain_encode(&plain, &base64) != ERR_OK)
        return unavailable(l, "no memory for the login");
    buf_put_text(out, "AUTHENTICATE \"PLAIN\" ");
    sieve_put_string(buf_view(&base64), SIEVE_TO_SERVER, out);
    buf_put_text(out, "\r\n");
    forget_credential(l);
    l->state = STATE_RESULT;
    return more;
}

/* The capabilities of a transport are known. */
static struct login_event proceed(struct login *l, struct buf *out)
{
    struct view ignored;

    if (l->is_starttls && !l->is_tls) {
        if (!sieve_capability_find(buf_view(&l->capabilities), VIEW_LIT("STARTTLS"), &ignored))
            return unavailable(l, "the upstream does not offer STARTTLS");
        buf_put_text(out, "STARTTLS\r\n");
        l->state = STATE_STARTTLS;
        return more;
    }
    if (!l->is_look)
        return log_in(l, out);
    buf_put_text(out, "LOGOUT\r\n");
    return end(l, LOGIN_DONE, "looked");
}

/* ---- what the upstream says ----------------------------------------------------------- */

static bool awaits_capabilities(const struct login *l)
{
    return l->state == STATE_GREETING || l->state == STATE_AGAIN;
}

/* What these say is not the credential's fault. */
static struct login_event refuse(struct login *l)
{
    static const char *const later[] = {
        "TRYLATER", "REFERRAL", "ENCRYPT-NEEDED", "AUTH-TOO-WEAK", "TRANSITION-NEEDED",
    };
    const struct view code = sieve_line_code(buf_view(&l->line));

    for (size_t i = 0; i < COUNT_OF(later); i++)
        if (view_is_equal_nocase(code, view_text(later[i])))
            return unavailable(l, "the upstream says try later");
    return end(l, LOGIN_REFUSED, "the upstream refuses the credential");
}

static struct login_event on_data(struct login *l)
{
    if (!awaits_capabilities(l))
        return unavailable(l, "a string that we did not ask for");
    sieve_capability_add(buf_view(&l->line), &l->capabilities);
    return buf_is_ok(&l->capabilities) ? more : unavailable(l, "too many capabilities");
}

static struct login_event on_status(struct login *l, struct buf *out)
{
    const enum sieve_status status = (enum sieve_status)l->response.status;

    if (status == SIEVE_BYE)
        return unavailable(l, "bye");
    switch (l->state) {
    case STATE_GREETING:
    case STATE_AGAIN:
        return status == SIEVE_OK ? proceed(l, out) : unavailable(l, "the upstream does not greet");
    case STATE_STARTTLS:
        if (status != SIEVE_OK)
            return unavailable(l, "the upstream refuses STARTTLS");
        l->state = STATE_HANDSHAKE;
        return (struct login_event){ .kind = LOGIN_STARTTLS };
    case STATE_RESULT:
        return status == SIEVE_OK ? end(l, LOGIN_DONE, "logged in") : refuse(l);
    case STATE_HANDSHAKE:
    case STATE_END:
        break;
    }
    CHECK(false);
    return more;
}

static struct login_event on_line(struct login *l, enum sieve_response_kind kind, struct buf *out)
{
    if (++l->lines > LIMIT_LOGIN_LINES)
        return unavailable(l, "too many lines");
    const struct login_event event = kind == RESPONSE_DATA ? on_data(l) : on_status(l, out);
    buf_clear(&l->line);
    return event;
}

static struct login_event feed_line(struct login *l, struct view in, size_t *ret_used,
                                    struct buf *out)
{
    const enum sieve_response_kind kind = sieve_response_take(&l->response, in, ret_used);

    if (*ret_used > LIMIT_LOGIN_LINE - l->line.n)
        return unavailable(l, "a line is too long");
    buf_put(&l->line, view_first(in, *ret_used));
    if (!buf_is_ok(&l->line))
        return unavailable(l, "no memory for a line");
    if (kind == RESPONSE_MORE)
        return more;
    if (kind == RESPONSE_BAD)
        return unavailable(l, l->state == STATE_GREETING ? "not a ManageSieve greeting"
                                                         : "not a ManageSieve response");
    const struct login_event event = on_line(l, kind, out);
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
    l->is_tls = conf->is_tls;
    l->is_starttls = conf->is_starttls;
    l->is_look = conf->is_look;
    buf_init(&l->line, LIMIT_LOGIN_LINE);
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
    (void)out;
    l->is_tls = true;
    buf_clear(&l->capabilities); /* what was said in the clear may be a stranger's */
    l->state = STATE_AGAIN;
}

const struct login_ops sieve_login_ops = {
    .create = create,
    .destroy = destroy,
    .feed = feed,
    .tls_started = tls_started,
};
