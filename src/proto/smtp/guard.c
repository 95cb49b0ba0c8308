#include "base/limits.h"
#include "base/mem.h"
#include "proto/smtp/capability.h"
#include "proto/smtp/guard_state.h"
#include "proto/smtp/smtp.h"

#define NOT_A_LINE "500 5.5.2 Lines end in CRLF, are not too long and hold no CR or NUL\r\n"
#define NOT_A_SIZE "501 5.5.4 BDAT wants a size\r\n"

static struct guard_step more(void)
{
    return (struct guard_step){ .kind = GUARD_MORE };
}

static struct guard_step hold(void)
{
    return (struct guard_step){ .kind = GUARD_HOLD };
}

static struct guard_step pass(size_t n)
{
    return (struct guard_step){ .kind = GUARD_PASS, .n = n };
}

static struct guard_step put(size_t n, struct view v)
{
    return (struct guard_step){ .kind = GUARD_PUT, .n = n, .put = v };
}

struct guard_step smtp_guard_end(struct guard *g, const char *reason, const char *farewell)
{
    if (g->reason == NULL) {
        g->reason = reason;
        g->farewell = farewell;
    }
    return (struct guard_step){ .kind = GUARD_END, .reason = g->reason };
}

/* ---- life ----------------------------------------------------------------------------- */

static bool has_keyword(struct view lines, struct view keyword)
{
    while (lines.n > 0)
        if (view_is_equal_nocase(smtp_capability_keyword(smtp_capability_take(&lines)), keyword))
            return true;
    return false;
}

static void destroy(struct guard *g)
{
    if (g == NULL)
        return;
    buf_done(&g->line);
    buf_done(&g->reply);
    mem_free(g->senders);
    mem_free(g);
}

static struct guard *create(const struct guard_conf *conf)
{
    struct guard *g = NEW(guard);

    if (g == NULL)
        return NULL;
    g->has_chunking = has_keyword(conf->capabilities, VIEW_LIT("CHUNKING"));
    g->is_chunking = g->has_chunking;
    g->is_binarymime = has_keyword(conf->capabilities, VIEW_LIT("BINARYMIME"));
    g->is_normalised = conf->is_newline_normalised;
    buf_init(&g->line, LIMIT_SMTP_GUARD_LINE);
    buf_init(&g->reply, LIMIT_CAPABILITIES + LIMIT_SMTP_REPLY);
    if (!conf->is_sender_held)
        return g;
    g->senders = mem_textn((const char *)conf->senders.p, conf->senders.n);
    if (g->senders != NULL)
        return g;
    destroy(g);
    return NULL;
}

/* What the last step handed out has been used. */
static void release(struct guard *g)
{
    if (g->is_line_spent)
        buf_done(&g->line);
    if (g->is_reply_spent) {
        buf_done(&g->reply);
        g->reply_at = g->reply_last = 0;
    }
    g->is_line_spent = g->is_reply_spent = false;
}

/* ---- what is due ---------------------------------------------------------------------- */

void smtp_guard_push(struct guard *g, enum smtp_due due)
{
    CHECK(g->due_count < SMTP_DUE_MAX);
    g->due[(g->due_at + g->due_count) % SMTP_DUE_MAX] = (uint8_t)due;
    g->due_count++;
}

bool smtp_guard_is_own_due(const struct guard *g)
{
    return g->due_count > 0 && g->due[g->due_at] >= SMTP_DUE_OWN && !g->is_open;
}

static bool is_chunk(enum smtp_due due)
{
    return due == SMTP_DUE_CHUNK || due == SMTP_DUE_CHUNK_LAST;
}

/* The command passes. What must be the last one of its group (RFC 2920 §3.1) is waited for. */
static void start(struct guard *g, enum smtp_due due)
{
    smtp_guard_push(g, due);
    g->is_interrupted = g->is_interrupted || (g->is_begun && due < SMTP_DUE_OWN);
    if (due == SMTP_DUE_DATA || due == SMTP_DUE_EHLO || due == SMTP_DUE_HELO ||
        due == SMTP_DUE_QUIT)
        g->client = SMTP_CLIENT_WAIT;
}

/* ---- commands ------------------------------------------------------------------------- */

/* `line` ends in LF. */
static struct smtp_guard_line judge(const struct guard *g, struct view line)
{
    const struct view senders = view_text(g->senders);

    if (line.n < 2 || line.p[line.n - 2] != '\r')
        return (struct smtp_guard_line){ .bad = "bare-lf" };
    return smtp_guard_line(view_first(line, line.n - 2), g->senders == NULL ? NULL : &senders);
}

/* Whole lines at the front of the input that pass as they are: a group goes up at once. */
static size_t pass_group(struct guard *g, struct view in)
{
    size_t n = 0;

    while (g->client == SMTP_CLIENT_COMMAND && g->due_count < SMTP_DUE_MAX) {
        const struct view rest = view_skip(in, n);
        const size_t at = view_find(rest, '\n');
        if (at == rest.n || at >= LIMIT_SMTP_GUARD_LINE)
            break;
        const struct smtp_guard_line l = judge(g, view_first(rest, at + 1));
        if (l.bad != NULL || l.due >= SMTP_DUE_OWN || is_chunk(l.due) || l.spaces != 0)
            break;
        start(g, l.due);
        n += at + 1;
    }
    return n;
}

/* "MAIL FROM: <a@b>" becomes "MAIL FROM:<a@b>". */
static void drop_spaces(struct buf *line, size_t spaces)
{
    const size_t at = view_find(buf_view(line), ':') + 1;

    line->n -= spaces;
    memmove(line->p + at, line->p + at + spaces, line->n - at);
}

/* A BDAT line is in g->line. */
static void start_quiet(struct guard *g, const struct smtp_guard_line *l)
{
    g->chunk_due = (uint8_t)l->due;
    g->chunk_left = l->size;
    g->client = SMTP_CLIENT_QUIET;
}

/* Takes octets up to the end of the line into g->line, so that the caller can give its own buffer
 * back; a whole line is judged. */
static struct guard_step collect(struct guard *g, struct view in)
{
    const size_t at = view_find(in, '\n');
    const bool is_whole = at < in.n;
    const size_t used = is_whole ? at + 1 : in.n;

    if (used > LIMIT_SMTP_GUARD_LINE - g->line.n)
        return smtp_guard_end(g, "line-too-long", NOT_A_LINE);
    buf_put(&g->line, view_first(in, used));
    if (!buf_is_ok(&g->line))
        return smtp_guard_end(g, "no-memory", NULL);
    if (!is_whole)
        return put(used, VIEW_NONE);
    const struct smtp_guard_line l = judge(g, buf_view(&g->line));
    if (l.bad != NULL)
        return smtp_guard_end(g, l.bad, strcmp(l.bad, "bad-chunk") == 0 ? NOT_A_SIZE : NOT_A_LINE);
    if (is_chunk(l.due)) {
        start_quiet(g, &l);
        return put(used, VIEW_NONE);
    }
    if (l.spaces != 0)
        drop_spaces(&g->line, l.spaces);
    g->is_line_spent = true;
    start(g, l.due);
    return put(used, l.due >= SMTP_DUE_OWN ? VIEW_NONE : buf_view(&g->line));
}

static struct guard_step command(struct guard *g, struct view in)
{
    if (in.n == 0)
        return more();
    if (g->due_count >= SMTP_DUE_MAX)
        return hold();
    const size_t n = g->line.n == 0 ? pass_group(g, in) : 0;
    return n > 0 ? pass(n) : collect(g, in);
}

/* ---- chunks --------------------------------------------------------------------------- */

static void end_chunk(struct guard *g)
{
    if (g->chunk_left > 0)
        return;
    g->client = SMTP_CLIENT_COMMAND;
    smtp_guard_push(g, (enum smtp_due)g->chunk_due);
}

/* The message would end so: a CR at the end of another chunk has its LF in the next one. */
static bool ends_in_cr(const struct guard *g)
{
    return g->chunk_due == SMTP_DUE_CHUNK_LAST && g->is_chunk_cr && !g->is_binary;
}

/* Why the upstream might refuse a BDAT; SMTP_DUE_OTHER: it would not. */
static enum smtp_due judge_chunk(const struct guard *g)
{
    if (!g->is_chunking)
        return SMTP_DUE_NO_CHUNKING;
    if (!g->is_mail || !g->is_rcpt)
        return SMTP_DUE_NO_TRANSACTION;
    return g->is_interrupted ? SMTP_DUE_INTERRUPTED : SMTP_DUE_OTHER;
}

/* Everything before the BDAT was answered. */
static struct guard_step start_chunk(struct guard *g)
{
    const enum smtp_due refusal = judge_chunk(g);
    const bool is_good = refusal == SMTP_DUE_OTHER;

    if (is_good && g->chunk_left == 0 && ends_in_cr(g))
        return smtp_guard_end(g, "bare-newline", SMTP_GUARD_BARE);
    if (is_good)
        g->is_begun = true;
    else
        g->chunk_due = (uint8_t)refusal;
    g->client = is_good ? SMTP_CLIENT_CHUNK : SMTP_CLIENT_DROP;
    end_chunk(g);
    g->is_line_spent = true;
    return put(0, is_good ? buf_view(&g->line) : VIEW_NONE);
}

/* Octets at the front of a chunk without a bare CR, a bare LF or NUL. */
static size_t text_octets(struct view v, bool is_cr)
{
    uint8_t bad = (uint8_t)((is_cr ^ (v.p[0] == '\n')) | (v.p[0] == '\0'));
    size_t n = 0;

    for (size_t i = 1; i < v.n; i++) /* compilers make vector instructions of this */
        bad |= (uint8_t)(((v.p[i - 1] == '\r') ^ (v.p[i] == '\n')) | (v.p[i] == '\0'));
    if (bad == 0)
        return v.n;
    for (; is_cr == (v.p[n] == '\n') && v.p[n] != '\0'; n++)
        is_cr = v.p[n] == '\r';
    return n;
}

/* What of `v`, the next octets of a chunk, may pass. */
static size_t fit_octets(struct guard *g, struct view v)
{
    if (g->is_binary)
        return v.n;
    const size_t n = text_octets(v, g->is_chunk_cr);
    if (n == 0)
        return 0;
    const bool was_cr = g->is_chunk_cr;
    g->is_chunk_cr = v.p[n - 1] == '\r';
    if (n < g->chunk_left || !ends_in_cr(g))
        return n;
    g->is_chunk_cr = was_cr && n == 1;
    return n - 1;
}

static struct guard_step chunk(struct guard *g, struct view in)
{
    const bool is_passing = g->client == SMTP_CLIENT_CHUNK;
    const struct view v = view_first(in, g->chunk_left);
    const size_t n = is_passing ? fit_octets(g, v) : v.n;

    if (n == 0) {
        g->client = SMTP_CLIENT_SPOILT;
        return put(0, VIEW_NONE);
    }
    g->chunk_left -= (uint32_t)n;
    if (g->client == SMTP_CLIENT_SPOILT)
        return g->chunk_left > 0 ? put(n, VIEW_NONE)
                                 : smtp_guard_end(g, "bare-newline", SMTP_GUARD_BARE);
    end_chunk(g);
    return is_passing ? pass(n) : put(n, VIEW_NONE);
}

/* ---- the interface -------------------------------------------------------------------- */

static struct guard_step client(struct guard *g, struct view in)
{
    release(g);
    if (g->reason != NULL)
        return smtp_guard_end(g, g->reason, NULL);
    switch ((enum smtp_client)g->client) {
    case SMTP_CLIENT_COMMAND:
        return command(g, in);
    case SMTP_CLIENT_WAIT:
        return hold();
    case SMTP_CLIENT_QUIET:
        return g->due_count > 0 ? hold() : start_chunk(g);
    case SMTP_CLIENT_CHUNK:
    case SMTP_CLIENT_DROP:
    case SMTP_CLIENT_SPOILT:
        return in.n == 0 ? more() : chunk(g, in);
    case SMTP_CLIENT_MESSAGE:
    case SMTP_CLIENT_SWALLOW:
        return in.n == 0 ? more() : smtp_guard_message(g, in);
    case SMTP_CLIENT_OVER:
        return in.n == 0 ? more() : put(in.n, VIEW_NONE);
    }
    return hold();
}

static struct guard_step server(struct guard *g, struct view in)
{
    release(g);
    if (g->reason != NULL)
        return smtp_guard_end(g, g->reason, NULL);
    if (smtp_guard_is_own_due(g)) {
        const enum smtp_due due = g->due[g->due_at];
        g->due_at = (uint8_t)((g->due_at + 1) % SMTP_DUE_MAX);
        g->due_count--;
        return put(0, smtp_guard_answer(due));
    }
    return in.n == 0 ? more() : smtp_guard_reply(g, in);
}

static void bye(struct guard *g, const char *text, struct buf *out)
{
    if (g->is_open || g->client == SMTP_CLIENT_OVER)
        return;
    /* What answers one command only must not be taken for the answer to an earlier one. */
    if (g->farewell != NULL && g->due_count == 0)
        buf_put_text(out, g->farewell);
    buf_put(out, VIEW_LIT("421 4.3.2 "));
    buf_put_text(out, text);
    buf_put(out, VIEW_LIT("\r\n"));
}

const struct guard_ops smtp_guard_ops = {
    .create = create,
    .destroy = destroy,
    .client = client,
    .server = server,
    .bye = bye,
};
