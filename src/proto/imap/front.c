/* Before login nothing of the client's octets goes upstream: a command is collected into one line
 * buffer, parsed when it is complete, and only decoded values leave as an event. */
#include "proto/imap/imap.h"

#include "base/limits.h"
#include "base/mem.h"
#include "proto/imap/capability.h"
#include "proto/imap/front_state.h"

static const struct front_event more = { .kind = FRONT_MORE };
static const char capability_tls[] = "IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN";
static const char capability_clear[] = "IMAP4rev1 STARTTLS LOGINDISABLED";

/* ---- answers -------------------------------------------------------------------------- */

const char *imap_front_capability(const struct front *f)
{
    return f->is_tls ? capability_tls : capability_clear;
}

static void put_tag(const struct front *f, struct buf *out)
{
    if (f->tag_n == 0)
        buf_put_octet(out, '*');
    else
        buf_put(out, view_of(f->tag, f->tag_n));
    buf_put_octet(out, ' ');
}

void imap_front_tagged(const struct front *f, const char *text, struct buf *out)
{
    put_tag(f, out);
    buf_put_text(out, text);
    buf_put_text(out, "\r\n");
}

static void wipe(struct front *f)
{
    buf_clear(&f->line);
    buf_clear(&f->decoded);
    buf_clear(&f->user);
    buf_clear(&f->authorization);
}

/* What comes next is a new command. */
void imap_front_finish(struct front *f)
{
    wipe(f);
    f->command = NULL;
    f->state = STATE_LINE;
    f->expect = EXPECT_COMMAND;
    f->octets = 0;
    f->segment = 0;
}

struct front_event imap_front_close_silently(struct front *f, const char *reason)
{
    wipe(f);
    f->state = STATE_CLOSED;
    f->close_reason = reason;
    return (struct front_event){ .kind = FRONT_CLOSE, .reason = reason };
}

struct front_event imap_front_close(struct front *f, const char *text, const char *reason,
                                    struct buf *out)
{
    buf_printf(out, "* BYE %s\r\n", text);
    return imap_front_close_silently(f, reason);
}

struct front_event imap_front_close_no_memory(struct front *f, struct buf *out)
{
    return imap_front_close(f, "Out of memory, try again later", "memory", out);
}

/* ---- lines ---------------------------------------------------------------------------- */

/* The end of a command that was refused at a line's end: a client that sends a literal unasked
 * sends it all the same, and then the rest of the line; these must not be taken for commands. */
static struct front_event drop_rest(struct front *f, uint32_t octets, struct buf *out)
{
    imap_front_finish(f);
    if (!f->is_tail || f->tail.is_sync)
        return more;
    if (f->tail.is_over)
        return imap_front_close(f, "Literal too long", "too-long", out);
    f->octets = octets + f->tail.n;
    f->literal = f->tail.n;
    f->state = f->literal == 0 ? STATE_LINE : STATE_SKIP;
    f->expect = EXPECT_REST;
    return more;
}

/* Taken before the line is parsed, since that may rewrite it. A SASL response has no literals. */
static void take_tail(struct front *f)
{
    const size_t room = LIMIT_IMAP_LINE - f->octets;
    const size_t max = room < LIMIT_IMAP_LITERAL ? room : LIMIT_IMAP_LITERAL;

    f->is_tail = f->expect != EXPECT_SASL &&
                 imap_parse_tail(view_skip(buf_view(&f->line), f->segment), max, &f->tail);
}

static struct front_event on_line(struct front *f, struct buf *out)
{
    const uint32_t octets = f->octets;
    struct front_event event = more;

    take_tail(f);
    switch (f->expect) {
    case EXPECT_COMMAND:
        event = imap_front_command(f, out);
        break;
    case EXPECT_ARGUMENTS:
        event = imap_front_arguments(f, out);
        break;
    case EXPECT_SASL:
        event = imap_front_sasl(f, out);
        break;
    case EXPECT_REST:
        break;
    }
    const bool is_over = event.kind == FRONT_MORE && f->command == NULL;
    return is_over ? drop_rest(f, octets, out) : event;
}

enum line { LINE_MORE = 0, LINE_DONE, LINE_BAD, LINE_LONG };

/* Takes octets up to and with CRLF, keeps them without it. */
static enum line take_line(struct front *f, struct view in, size_t *ret_used)
{
    const size_t room = LIMIT_IMAP_LINE - f->octets;
    enum line result = LINE_MORE;
    size_t i = 0, n = 0;

    for (; i < in.n && result == LINE_MORE; i++) {
        const uint8_t c = in.p[i];
        if (f->is_cr)
            result = c == '\n' ? LINE_DONE : LINE_BAD;
        else if (c == '\r')
            f->is_cr = true;
        else if (c == '\n' || c == 0)
            result = LINE_BAD;
        else if (n == room)
            result = LINE_LONG;
        else
            n++;
    }
    buf_put(&f->line, view_first(in, n));
    f->octets += (uint32_t)n;
    *ret_used = i;
    return result;
}

static struct front_event feed_line(struct front *f, struct view in, size_t *ret_used,
                                    struct buf *out)
{
    const enum line line = take_line(f, in, ret_used);

    if (!buf_is_ok(&f->line))
        return imap_front_close_no_memory(f, out);
    switch (line) {
    case LINE_MORE:
        break;
    case LINE_DONE:
        f->is_cr = false;
        return on_line(f, out);
    case LINE_BAD:
        return imap_front_close(f, "Lines end in CRLF and hold no NUL", "bad-octet", out);
    case LINE_LONG:
        return imap_front_close(f, "Command too long", "too-long", out);
    }
    return more;
}

static struct front_event feed_literal(struct front *f, struct view in, size_t *ret_used,
                                       struct buf *out)
{
    const struct view part = view_first(in, f->literal);

    *ret_used = part.n;
    f->literal -= (uint32_t)part.n;
    if (f->state == STATE_LITERAL)
        buf_put(&f->line, part);
    if (!buf_is_ok(&f->line))
        return imap_front_close_no_memory(f, out);
    if (f->literal != 0)
        return more;
    f->state = STATE_LINE;
    f->segment = f->line.n;
    return more;
}

/* ---- the interface -------------------------------------------------------------------- */

static struct front *create(const struct front_conf *conf)
{
    struct front *f = NEW(front);

    if (f == NULL)
        return NULL;
    f->host = conf->host;
    f->portal_url = conf->portal_url;
    f->is_tls = conf->is_tls;
    buf_init(&f->line, LIMIT_IMAP_LINE);
    buf_init(&f->decoded, 2 + 2 * LIMIT_ACCOUNT + LIMIT_SECRET);
    buf_init(&f->user, LIMIT_ACCOUNT);
    buf_init(&f->authorization, LIMIT_ACCOUNT);
    return f;
}

static void destroy(struct front *f)
{
    if (f == NULL)
        return;
    buf_done(&f->line);
    buf_done(&f->decoded);
    buf_done(&f->user);
    buf_done(&f->authorization);
    mem_wipe_free(f, sizeof(*f));
}

static void greet(struct front *f, struct buf *out)
{
    buf_printf(out, "* OK [CAPABILITY %s] %s Postern ready\r\n", imap_front_capability(f), f->host);
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
        switch (f->state) {
        case STATE_LINE:
            event = feed_line(f, rest, &used, out);
            break;
        case STATE_LITERAL:
        case STATE_SKIP:
            event = feed_literal(f, rest, &used, out);
            break;
        case STATE_TLS:
            used = rest.n;
            break;
        case STATE_JUDGED:
        case STATE_CLOSED:
            return event;
        }
        *ret_used += used;
    }
    return event;
}

static void tls_started(struct front *f, struct buf *out)
{
    (void)out; /* the client asks again (RFC 9051 §6.2.1) */
    imap_front_finish(f);
    f->is_tls = true;
    f->is_cr = false;
    f->tag_n = 0;
    f->client_n = 0; /* what was said in the clear may be a stranger's */
}

static void put_alert(const struct front *f, const char *word, const char *text, struct buf *out)
{
    buf_printf(out, "* %s [ALERT] %s%s%s\r\n", word, text, f->portal_url[0] == 0 ? "" : ": ",
               f->portal_url);
}

static void answer(struct front *f, enum front_answer answer, bool is_alert, struct buf *out)
{
    switch (answer) {
    case ANSWER_REFUSE_PASSWORD:
    case ANSWER_REFUSE_DEVICE:
        if (is_alert)
            put_alert(f, "NO", "Mail programs need an app password here; make one in the portal",
                      out);
        imap_front_tagged(f, "NO [AUTHENTICATIONFAILED] Authentication failed", out);
        break;
    case ANSWER_STALE: /* only its owner can have presented it, so it may say why */
        if (is_alert)
            put_alert(f, "NO", "The mailbox password has changed; make a new app password", out);
        imap_front_tagged(f, "NO [AUTHENTICATIONFAILED] Authentication failed", out);
        break;
    case ANSWER_LATER:
        imap_front_tagged(f, "NO [UNAVAILABLE] Temporarily unavailable, try again later", out);
        break;
    case ANSWER_SWITCHED_OFF:
        put_alert(f, "NO", "Mail programs are switched off for this account; use the portal", out);
        imap_front_tagged(f, "NO [CONTACTADMIN] IMAP is switched off for this account", out);
        break;
    }
    imap_front_finish(f);
    if (++f->tries >= LIMIT_AUTH_TRIES)
        (void)imap_front_close(f, "Too many login attempts", "tries", out);
}

static void accept_login(struct front *f, struct view capabilities, bool is_warned, struct buf *out)
{
    AUTO_BUF(passed, LIMIT_IMAP_CAPABILITY);

    if (is_warned)
        put_alert(f, "OK", "This password alone will soon be refused; make an app password", out);
    /* Without the list (none, or no memory for it) the client asks, and the guard filters. */
    imap_capability_filter(capabilities, &passed);
    put_tag(f, out);
    buf_put_text(out, "OK ");
    if (buf_is_ok(&passed) && passed.n != 0) {
        buf_put_text(out, "[CAPABILITY ");
        buf_put(out, buf_view(&passed));
        buf_put_text(out, "] ");
    }
    buf_put_text(out, "Logged in\r\n");
    (void)imap_front_close_silently(f, "accepted");
}

static void bye(struct front *f, const char *text, struct buf *out)
{
    if (f->state != STATE_CLOSED)
        (void)imap_front_close(f, text, "bye", out);
}

static struct view client(const struct front *f)
{
    return view_of(f->client, f->client_n);
}

const struct front_ops imap_front_ops = {
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
