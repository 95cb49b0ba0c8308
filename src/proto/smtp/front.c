/* Before login nothing of the client's octets goes upstream: a line is collected, parsed when it is
 * whole, and only decoded values leave as an event. */
#include "proto/smtp/smtp.h"

#include "base/limits.h"
#include "base/mem.h"
#include "proto/smtp/capability.h"
#include "proto/smtp/front_state.h"

#define TLS_HANDSHAKE                                                                              \
    0x16 /* RFC 8446 §5.1: the first octet of a TLS client; never of a command                    \
          */

static const struct front_event more = { .kind = FRONT_MORE };

/* ---- ends ----------------------------------------------------------------------------- */

static void wipe(struct front *f)
{
    line_clear(&f->line);
    buf_clear(&f->name);
    buf_clear(&f->decoded);
    buf_clear(&f->user);
    buf_clear(&f->authorization);
}

void smtp_front_finish(struct front *f)
{
    wipe(f);
    f->state = STATE_LINE;
    f->expect = EXPECT_COMMAND;
}

struct front_event smtp_front_close_silently(struct front *f, const char *reason)
{
    wipe(f);
    f->state = STATE_CLOSED;
    f->close_reason = reason;
    return (struct front_event){ .kind = FRONT_CLOSE, .reason = reason };
}

struct front_event smtp_front_close(struct front *f, const char *code, const char *text,
                                    const char *reason, struct buf *out)
{
    buf_printf(out, "421 %s %s %s\r\n", code, f->host, text);
    return smtp_front_close_silently(f, reason);
}

struct front_event smtp_front_close_no_memory(struct front *f, struct buf *out)
{
    return smtp_front_close(f, "4.3.0", "Out of memory, try again later", "memory", out);
}

/* ---- lines ---------------------------------------------------------------------------- */

static struct front_event close_too_long(struct front *f, struct buf *out)
{
    if (smtp_front_is_auth(f))
        buf_put_text(out, "500 5.5.6 Authentication exchange line is too long\r\n");
    return smtp_front_close(f, "4.7.0", "Line too long", "too-long", out);
}

static struct front_event feed_line(struct front *f, struct view in, size_t *ret_used,
                                    struct buf *out)
{
    switch (line_take(&f->line, in, ret_used)) {
    case LINE_MORE:
        break;
    case LINE_WHOLE:
        return smtp_front_line(f, out);
    case LINE_BAD:
        return smtp_front_close(f, "4.7.0", "Lines end in CRLF and hold no NUL", "bad-octet", out);
    case LINE_TOO_LONG:
        return close_too_long(f, out);
    case LINE_NO_MEMORY:
        return smtp_front_close_no_memory(f, out);
    }
    return more;
}

static bool is_tls_client(const struct front *f, struct view in)
{
    const bool is_start = f->line.is_whole || (f->line.text.n == 0 && !f->line.is_cr);

    return is_start && in.n != 0 && in.p[0] == TLS_HANDSHAKE;
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

/* What we provide ourselves is not repeated. */
static void keep_offer(struct front *f, struct view lines)
{
    while (lines.n != 0) {
        const struct view line = smtp_capability_take(&lines);
        const struct view keyword = smtp_capability_keyword(line);
        if (!smtp_capability_passes(line) ||
            view_is_equal_nocase(keyword, VIEW_LIT("ENHANCEDSTATUSCODES")))
            continue;
        buf_put(&f->offer, line);
        buf_put_text(&f->offer, "\r\n");
    }
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
    keep_offer(f, conf->offer);
    if (buf_is_ok(&f->offer))
        return f;
    destroy(f);
    return NULL;
}

static void greet(struct front *f, struct buf *out)
{
    buf_printf(out, "220 %s ESMTP Postern\r\n", f->host);
}

static struct front_event feed(struct front *f, struct view in, size_t *ret_used, struct buf *out)
{
    struct front_event event = more;
    size_t used = 0;

    *ret_used = 0;
    if (f->state == STATE_CLOSED) {
        *ret_used = in.n;
        return (struct front_event){ .kind = FRONT_CLOSE, .reason = f->close_reason };
    }
    while (*ret_used < in.n && event.kind == FRONT_MORE) {
        const struct view rest = view_skip(in, *ret_used);
        if (f->state == STATE_JUDGED)
            return event;
        if (f->state == STATE_TLS) {
            *ret_used = in.n;
            return event;
        }
        if (is_tls_client(f, rest)) {
            *ret_used = in.n;
            return smtp_front_close(f, "4.7.0", "This is an SMTP server", "foreign", out);
        }
        event = feed_line(f, rest, &used, out);
        *ret_used += used;
    }
    return event;
}

static void tls_started(struct front *f, struct buf *out)
{
    (void)out; /* the client says EHLO again (RFC 3207 §4.2) */
    smtp_front_finish(f);
    f->is_tls = true;
    f->is_extended = false;
}

/* One line, whose end is the portal's URL if there is one. */
static void put_with_portal(const struct front *f, const char *text, struct buf *out)
{
    buf_printf(out, "%s%s%s\r\n", text, f->portal_url[0] == 0 ? "" : ": ", f->portal_url);
}

/* The URL is in each refusal, since the one line is all that a client shows: is_alert is no matter
 * here, and the words are the same for all. */
static void answer(struct front *f, enum front_answer answer, bool is_alert, struct buf *out)
{
    (void)is_alert;
    switch (answer) {
    case ANSWER_REFUSE_PASSWORD:
        put_with_portal(
            f, "534 5.7.9 Mail programs need an app password here; make one in the portal", out);
        break;
    case ANSWER_REFUSE_DEVICE:
        buf_put_text(out, "535 5.7.8 Authentication credentials invalid\r\n");
        break;
    case ANSWER_LATER:
        buf_put_text(out, "454 4.7.0 Temporary authentication failure\r\n");
        break;
    case ANSWER_SWITCHED_OFF:
        put_with_portal(
            f, "525 5.7.13 Mail programs are switched off for this account; use the portal", out);
        break;
    case ANSWER_STALE: /* only its owner can have presented it, so it may say why */
        put_with_portal(f, "535 5.7.8 The mailbox password has changed: make a new app password",
                        out);
        break;
    }
    smtp_front_finish(f);
    if (++f->tries >= LIMIT_AUTH_TRIES)
        (void)smtp_front_close(f, "4.7.0", "Too many login attempts", "tries", out);
}

static void accept_login(struct front *f, struct view capabilities, bool is_warned, struct buf *out)
{
    (void)capabilities; /* the client has asked already; if it asks again, the guard filters */
    if (is_warned)
        put_with_portal(
            f, "235-2.7.0 This password alone will soon be refused; make an app password", out);
    buf_put_text(out, "235 2.7.0 Authentication successful\r\n");
    (void)smtp_front_close_silently(f, "accepted");
}

static void bye(struct front *f, const char *text, struct buf *out)
{
    if (f->state != STATE_CLOSED)
        (void)smtp_front_close(f, "4.3.2", text, "bye", out);
}

/* What a client says in EHLO names its host, if anything: not the program. */
static struct view client(const struct front *f)
{
    (void)f;
    return VIEW_NONE;
}

const struct front_ops smtp_front_ops = {
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
