/* Before login nothing of the client's octets goes upstream: a line is collected, parsed when it is
 * complete, and only decoded values leave as an event. Every command has one reply, since a second
 * would be taken for the next one's. */
#include "proto/pop3/pop3.h"

#include "base/limits.h"
#include "base/mem.h"
#include "proto/pop3/capability.h"
#include "proto/pop3/front_state.h"

static const struct front_event more = { .kind = FRONT_MORE };

/* ---- answers -------------------------------------------------------------------------- */

void pop3_front_say(const char *text, struct buf *out)
{
    buf_put_text(out, text);
    buf_put_text(out, "\r\n");
}

static void wipe(struct front *f)
{
    line_clear(&f->line);
    buf_clear(&f->name);
    buf_clear(&f->decoded);
    buf_clear(&f->user);
    buf_clear(&f->authorization);
    f->is_named = false;
}

void pop3_front_finish(struct front *f)
{
    wipe(f);
    f->state = POP3_FRONT_COMMAND;
}

struct front_event pop3_front_close(struct front *f, const char *reason)
{
    wipe(f);
    f->state = POP3_FRONT_CLOSED;
    f->close_reason = reason;
    return (struct front_event){ .kind = FRONT_CLOSE, .reason = reason };
}

struct front_event pop3_front_close_saying(struct front *f, const char *text, const char *reason,
                                           struct buf *out)
{
    pop3_front_say(text, out);
    return pop3_front_close(f, reason);
}

/* ---- the interface -------------------------------------------------------------------- */

static void destroy(struct front *f)
{
    if (f == NULL)
        return;
    line_done(&f->line);
    buf_done(&f->offer);
    buf_done(&f->name);
    buf_done(&f->decoded);
    buf_done(&f->user);
    buf_done(&f->authorization);
    mem_wipe_free(f, sizeof(*f));
}

static struct front *create(const struct front_conf *conf)
{
    struct front *f = NEW(front);

    if (f == NULL)
        return NULL;
    f->host = conf->host;
    f->portal_url = conf->portal_url;
    f->is_tls = conf->is_tls;
    line_init(&f->line, LIMIT_FRONT_LINE);
    buf_init(&f->offer, LIMIT_CAPABILITIES);
    buf_init(&f->name, LIMIT_ACCOUNT);
    buf_init(&f->decoded, 2 + 2 * LIMIT_ACCOUNT + LIMIT_SECRET);
    buf_init(&f->user, LIMIT_ACCOUNT);
    buf_init(&f->authorization, LIMIT_ACCOUNT);
    pop3_capability_filter(conf->offer, &f->offer);
    if (buf_is_ok(&f->offer))
        return f;
    destroy(f);
    return NULL;
}

static void greet(struct front *f, struct buf *out)
{
    buf_printf(out, "+OK %s Postern ready\r\n", f->host);
}

static struct front_event feed_line(struct front *f, struct view in, size_t *ret_used,
                                    struct buf *out)
{
    switch (line_take(&f->line, in, ret_used)) {
    case LINE_MORE:
        break;
    case LINE_WHOLE:
        return f->state == POP3_FRONT_SASL ? pop3_front_sasl(f, out) : pop3_front_command(f, out);
    case LINE_BAD:
        return pop3_front_close_saying(f, "-ERR Lines end in CRLF and hold no NUL", "bad-octet",
                                       out);
    case LINE_TOO_LONG:
        return pop3_front_close_saying(f, "-ERR Line too long", "too-long", out);
    case LINE_NO_MEMORY:
        return pop3_front_close_saying(f, "-ERR [SYS/TEMP] Out of memory, try again later",
                                       "memory", out);
    }
    return more;
}

static struct front_event feed(struct front *f, struct view in, size_t *ret_used, struct buf *out)
{
    struct front_event event = more;
    size_t used = 0;

    *ret_used = 0;
    if (f->state == POP3_FRONT_CLOSED) {
        *ret_used = in.n;
        return (struct front_event){ .kind = FRONT_CLOSE, .reason = f->close_reason };
    }
    while (*ret_used < in.n && event.kind == FRONT_MORE) {
        const struct view rest = view_skip(in, *ret_used);
        switch (f->state) {
        case POP3_FRONT_COMMAND:
        case POP3_FRONT_SASL:
            event = feed_line(f, rest, &used, out);
            break;
        case POP3_FRONT_TLS:
            used = rest.n;
            break;
        case POP3_FRONT_JUDGED:
        case POP3_FRONT_CLOSED:
            return event;
        }
        *ret_used += used;
    }
    return event;
}

static void tls_started(struct front *f, struct buf *out)
{
    (void)out; /* the client asks again (RFC 2595 §4) */
    pop3_front_finish(f);
    f->is_tls = true;
}

static void put_with_url(const struct front *f, const char *text, struct buf *out)
{
    buf_printf(out, "%s%s%s\r\n", text, f->portal_url[0] == 0 ? "" : ": ", f->portal_url);
}

/* POP3 has no ALERT, and clients show the text of a refusal: the way out stands in each, which so
 * tells nothing of the password (`is_alert` would). */
static void answer(struct front *f, enum front_answer answer, bool is_alert, struct buf *out)
{
    (void)is_alert;
    switch (answer) {
    case ANSWER_REFUSE_PASSWORD:
        put_with_url(f, "-ERR [AUTH] Mail programs need an app password here", out);
        break;
    case ANSWER_REFUSE_DEVICE:
        pop3_front_say("-ERR [AUTH] Authentication failed", out);
        break;
    case ANSWER_STALE: /* only its owner can have presented it, so it may say why */
        put_with_url(f, "-ERR [AUTH] The mailbox password has changed; make a new app password",
                     out);
        break;
    case ANSWER_LATER:
        pop3_front_say("-ERR [SYS/TEMP] Temporarily unavailable, try again later", out);
        break;
    case ANSWER_SWITCHED_OFF:
        put_with_url(f, "-ERR [SYS/PERM] POP3 is switched off for this account; use the portal",
                     out);
        break;
    }
    pop3_front_finish(f);
    if (++f->tries >= LIMIT_AUTH_TRIES)
        (void)pop3_front_close(f, "tries");
}

static void accept_login(struct front *f, struct view capabilities, bool is_warned, struct buf *out)
{
    (void)capabilities; /* the client asks for them, and the guard filters the reply */
    if (is_warned)
        put_with_url(f,
                     "+OK Logged in; this password alone will soon be refused, make an app "
                     "password",
                     out);
    else
        pop3_front_say("+OK Logged in", out);
    (void)pop3_front_close(f, "accepted");
}

/* A code of its own (RFC 3206 §4): without one, clients take it for a bad password. */
static void bye(struct front *f, const char *text, struct buf *out)
{
    if (f->state == POP3_FRONT_CLOSED)
        return;
    buf_printf(out, "-ERR [SYS/TEMP] %s\r\n", text);
    (void)pop3_front_close(f, "bye");
}

static struct view client(const struct front *f)
{
    (void)f;
    return VIEW_NONE;
}

const struct front_ops pop3_front_ops = {
    .create = create,
    .destroy = destroy,
    .greet = greet,
    .feed = feed,
    .tls_started = tls_started,
    .answer = answer,
    .accept = accept_login,
    .bye = bye,
    .client = client,
};
