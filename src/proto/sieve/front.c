/* Before login nothing of the client's octets goes upstream: a command is taken apart by command.c,
 * and only decoded values leave as an event. */
#include "proto/sieve/sieve.h"

#include "base/mem.h"
#include "proto/sieve/capability.h"
#include "proto/sieve/front_state.h"
#include "proto/sieve/text.h"

static const struct front_event more = { .kind = FRONT_MORE };

/* ---- answers -------------------------------------------------------------------------- */

void sieve_front_put(const char *word, const char *code, const char *text, struct buf *out)
{
    buf_put_text(out, word);
    if (code != NULL)
        buf_printf(out, " (%s)", code);
    buf_put_octet(out, ' ');
    sieve_put_quoted(view_text(text), out);
    buf_put_text(out, "\r\n");
}

void sieve_front_put_capabilities(const struct front *f, const char *text, struct buf *out)
{
    sieve_capability_put(buf_view(&f->offer), f->is_tls, out);
    sieve_front_put("OK", NULL, text, out);
}

static void wipe(struct front *f)
{
    sieve_command_reset(&f->command);
    buf_clear(&f->decoded);
    buf_clear(&f->user);
    buf_clear(&f->authorization);
}

void sieve_front_finish(struct front *f)
{
    wipe(f);
    f->state = STATE_COMMAND;
    f->is_answer = false;
}

struct front_event sieve_front_close_silently(struct front *f, const char *reason)
{
    wipe(f);
    f->state = STATE_CLOSED;
    f->close_reason = reason;
    return (struct front_event){ .kind = FRONT_CLOSE, .reason = reason };
}

struct front_event sieve_front_close(struct front *f, const char *text, const char *reason,
                                     struct buf *out)
{
    sieve_front_put("BYE", NULL, text, out);
    return sieve_front_close_silently(f, reason);
}

struct front_event sieve_front_close_no_memory(struct front *f, struct buf *out)
{
    sieve_front_put("BYE", "TRYLATER", "Out of memory, try again later", out);
    return sieve_front_close_silently(f, "memory");
}

/* ---- octets --------------------------------------------------------------------------- */

static struct front_event close_broken(struct front *f, struct buf *out)
{
    const char *reason = f->command.reason;

    if (strcmp(reason, "no-memory") == 0)
        return sieve_front_close_no_memory(f, out);
    if (strcmp(reason, "too-long") == 0)
        return sieve_front_close(f, "Command too long", reason, out);
    return sieve_front_close(f, "This is no ManageSieve command", reason, out);
}

static struct front_event feed_command(struct front *f, struct view in, size_t *ret_used,
                                       struct buf *out)
{
    switch (sieve_command_take(&f->command, in, ret_used)) {
    case COMMAND_MORE:
        break;
    case COMMAND_WHOLE:
        return sieve_front_run(f, out);
    case COMMAND_SCRIPT: /* no command before login takes one */
    case COMMAND_BROKEN:
        return close_broken(f, out);
    }
    return more;
}

/* ---- the interface -------------------------------------------------------------------- */

static void destroy(struct front *f)
{
    if (f == NULL)
        return;
    sieve_command_done(&f->command);
    buf_done(&f->offer);
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
    sieve_command_init(&f->command, sieve_front_commands(f->is_tls));
    buf_init(&f->offer, LIMIT_CAPABILITIES);
    buf_init(&f->decoded, 2 + 2 * LIMIT_ACCOUNT + LIMIT_SECRET);
    buf_init(&f->user, LIMIT_ACCOUNT);
    buf_init(&f->authorization, LIMIT_ACCOUNT);
    buf_put(&f->offer, conf->offer);
    if (!buf_is_ok(&f->offer)) {
        destroy(f);
        return NULL;
    }
    return f;
}

static void greet(struct front *f, struct buf *out)
{
    AUTO_BUF(text, LIMIT_HOST + 32);

    buf_printf(&text, "%s Postern ready", f->host);
    sieve_front_put_capabilities(f, buf_is_ok(&text) ? buf_cstr(&text) : "Postern ready", out);
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
        switch (f->state) {
        case STATE_COMMAND:
            event = feed_command(f, view_skip(in, *ret_used), &used, out);
            *ret_used += used;
            break;
        case STATE_TLS:
            *ret_used = in.n;
            break;
        case STATE_JUDGED:
        case STATE_CLOSED:
            return event;
        }
    }
    return event;
}

static void tls_started(struct front *f, struct buf *out)
{
    f->is_tls = true;
    f->command.conf = sieve_front_commands(true);
    sieve_front_finish(f);
    sieve_front_put_capabilities(f, "TLS is active", out); /* RFC 5804 §2.2: unasked */
}

/* RFC 5804 §1.3 has no code for a credential that is not taken. */
static void answer(struct front *f, enum front_answer answer, bool is_alert, struct buf *out)
{
    (void)is_alert; /* there is no other way to say it than in the answer itself */
    AUTO_BUF(text, 2048);

    switch (answer) {
    case ANSWER_REFUSE_PASSWORD: /* the same for all, right or wrong */
        buf_printf(&text, "Mail programs need an app password here%s%s",
                   f->portal_url[0] == 0 ? "" : ": ", f->portal_url);
        sieve_front_put("NO", NULL, buf_is_ok(&text) ? buf_cstr(&text) : "Authentication failed",
                        out);
        break;
    case ANSWER_REFUSE_DEVICE:
        sieve_front_put("NO", NULL, "Authentication failed", out);
        break;
    case ANSWER_STALE:
        sieve_front_put("NO", NULL, "The mailbox password has changed; make a new app password",
                        out);
        break;
    case ANSWER_LATER:
        sieve_front_put("NO", "TRYLATER", "Temporarily unavailable, try again later", out);
        break;
    case ANSWER_SWITCHED_OFF:
        sieve_front_put("NO", NULL, "ManageSieve is switched off for this account; use the portal",
                        out);
        break;
    }
    sieve_front_finish(f);
    if (++f->tries >= LIMIT_AUTH_TRIES)
        (void)sieve_front_close(f, "Too many login attempts", "tries", out);
}

/* The client asks for the capabilities if it wants them again, and the guard filters. */
static void accept_login(struct front *f, struct view capabilities, bool is_warned, struct buf *out)
{
    (void)capabilities;
    if (is_warned)
        sieve_front_put("OK", "WARNINGS",
                        "This password alone will soon be refused; make an app password", out);
    else
        sieve_front_put("OK", NULL, "Logged in", out);
    (void)sieve_front_close_silently(f, "accepted");
}

static void bye(struct front *f, const char *text, struct buf *out)
{
    if (f->state == STATE_CLOSED)
        return;
    /* Whoever waits for a verdict has done nothing wrong. */
    sieve_front_put("BYE", f->state == STATE_JUDGED ? "TRYLATER" : NULL, text, out);
    (void)sieve_front_close_silently(f, "bye");
}

/* ManageSieve has no word for it. */
static struct view client(const struct front *f)
{
    (void)f;
    return VIEW_NONE;
}

const struct front_ops sieve_front_ops = {
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
