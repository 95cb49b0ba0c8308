/* The upstream's half of the guard: replies are matched to commands in their order, and what EHLO's
 * offers is cut down to what may pass. */
#include "base/limits.h"
#include "proto/smtp/capability.h"
#include "proto/smtp/guard_state.h"

#define CODE_OCTETS 3
#define CODE_GO     354
#define CODE_OVER   421

static struct guard_step put(size_t n, struct view v)
{
    return (struct guard_step){ .kind = GUARD_PUT, .n = n, .put = v };
}

static enum smtp_due next_due(const struct guard *g)
{
    return g->due[g->due_at];
}

static bool is_due(const struct guard *g, enum smtp_due due)
{
    return g->due_count > 0 && next_due(g) == due;
}

/* ---- one line ------------------------------------------------------------------------- */

/* `line` ends in LF. false: no line of a reply. */
static bool read_line(struct view line, uint16_t *ret_code, bool *ret_is_last)
{
    uint64_t code;

    if (line.n < CODE_OCTETS + 2 || line.n > LIMIT_SMTP_REPLY || view_find(line, 0) != line.n ||
        view_find(line, '\r') != line.n - 2 ||
        !view_number(view_first(line, CODE_OCTETS), 599, &code))
        return false;
    const uint8_t c = line.p[CODE_OCTETS];
    *ret_code = (uint16_t)code;
    *ret_is_last = c != '-';
    return code >= 200 && (c == ' ' || c == '-' || c == '\r');
}

/* May a reply with this code come now? */
static const char *judge_code(const struct guard *g, uint16_t code)
{
    if (code == CODE_OVER)
        return NULL;
    if (g->due_count == 0)
        return "unasked-reply";
    if (next_due(g) == SMTP_DUE_DATA)
        return code == CODE_GO || code >= 400 ? NULL : "upstream-nonsense";
    return code < 300 || code >= 400 ? NULL : "upstream-nonsense";
}

static bool ends_transaction(enum smtp_due due, bool is_good)
{
    if (due == SMTP_DUE_MESSAGE || due == SMTP_DUE_CHUNK_LAST)
        return true;
    /* RFC 3030 §2: the rest of the chunks would be refused as well. Behind a refused DATA the
     * transaction may go on, or not. */
    if (due == SMTP_DUE_CHUNK || due == SMTP_DUE_DATA)
        return !is_good;
    return is_good && (due == SMTP_DUE_EHLO || due == SMTP_DUE_HELO || due == SMTP_DUE_RSET);
}

/* What the reply to the oldest command means for the client. */
static void answer(struct guard *g, enum smtp_due due)
{
    const bool is_good = g->code < 300;

    if (ends_transaction(due, is_good))
        g->is_mail = g->is_rcpt = g->is_chunk_cr = false;
    if (is_good && (due == SMTP_DUE_MAIL || due == SMTP_DUE_MAIL_BINARY)) {
        g->is_mail = true;
        g->is_begun = g->is_interrupted = false;
        g->is_rcpt = g->is_chunk_cr = false; /* a second MAIL may be welcome, and begin anew */
        g->is_binary = due == SMTP_DUE_MAIL_BINARY && g->is_binarymime;
    }
    g->is_rcpt = g->is_rcpt || (due == SMTP_DUE_RCPT && is_good);
    if (due == SMTP_DUE_HELO)
        g->is_chunking = g->is_binarymime = false;
    if (due == SMTP_DUE_QUIT && is_good) {
        g->client = SMTP_CLIENT_OVER;
    } else if (due == SMTP_DUE_DATA && g->code == CODE_GO) {
        g->client = SMTP_CLIENT_MESSAGE;
        g->message = SMTP_MESSAGE_START;
    } else if (g->client == SMTP_CLIENT_WAIT && g->due_count == 0) {
        g->client = SMTP_CLIENT_COMMAND;
    }
}

static void end_reply(struct guard *g)
{
    g->is_open = false;
    if (g->code == CODE_OVER) {
        g->client = SMTP_CLIENT_OVER;
        g->due_count = 0;
        return;
    }
    const enum smtp_due due = next_due(g);
    g->due_at = (uint8_t)((g->due_at + 1) % SMTP_DUE_MAX);
    g->due_count--;
    answer(g, due);
}

/* A whole line; g->reason says when it must not pass. */
static void end_line(struct guard *g, struct view line)
{
    uint16_t code = 0;
    bool is_last = false;
    const char *bad = "upstream-nonsense";

    if (read_line(line, &code, &is_last) && (!g->is_open || code == g->code))
        bad = g->is_open ? NULL : judge_code(g, code);
    if (bad != NULL) {
        (void)smtp_guard_end(g, bad, NULL);
        return;
    }
    g->code = code;
    g->is_open = true;
    if (is_last)
        end_reply(g);
}

/* ---- the reply to EHLO ---------------------------------------------------------------- */

/* Looks at the line at reply_at, which is whole: keeps it or takes it away. */
static void filter(struct guard *g)
{
    const struct view line = view_skip(buf_view(&g->reply), g->reply_at);
    const struct view offer = view_skip(view_first(line, line.n - 2), CODE_OCTETS + 1);
    const struct view keyword = smtp_capability_keyword(offer);
    const bool is_chunking = view_is_equal_nocase(keyword, VIEW_LIT("CHUNKING"));
    const bool is_of_chunks = is_chunking || view_is_equal_nocase(keyword, VIEW_LIT("BINARYMIME"));

    if (g->reply_at > 0 && ((is_of_chunks && !g->has_chunking) || !smtp_capability_passes(offer))) {
        g->reply.n = g->reply_at;
        return;
    }
    if (g->reply_at > 0 && is_of_chunks) {
        g->is_chunking = g->is_chunking || is_chunking;
        g->is_binarymime = g->is_binarymime || !is_chunking;
    }
    g->reply_last = g->reply_at;
    g->reply_at = (uint16_t)g->reply.n;
}

static struct guard_step end_offers(struct guard *g, size_t used)
{
    if (g->reply.p[g->reply_last + CODE_OCTETS] == '-')
        g->reply.p[g->reply_last + CODE_OCTETS] = ' ';
    g->is_reply_spent = true;
    return put(used, buf_view(&g->reply));
}

/* ---- the stream ----------------------------------------------------------------------- */

/* A line that came in pieces, or of the reply to EHLO. */
static struct guard_step collect(struct guard *g, struct view in)
{
    const size_t at = view_find(in, '\n');
    const bool is_whole = at < in.n;
    const size_t used = is_whole ? at + 1 : in.n;

    if (used > LIMIT_SMTP_REPLY - (g->reply.n - g->reply_at))
        return smtp_guard_end(g, "upstream-nonsense", NULL);
    if (g->reply_at > LIMIT_CAPABILITIES)
        return smtp_guard_end(g, "upstream-capabilities", NULL);
    buf_put(&g->reply, view_first(in, used));
    if (!buf_is_ok(&g->reply))
        return smtp_guard_end(g, "no-memory", NULL);
    if (!is_whole)
        return put(used, VIEW_NONE);
    const bool is_ehlo = is_due(g, SMTP_DUE_EHLO);
    if (is_ehlo && g->reply_at == 0)
        g->is_chunking = g->is_binarymime = false;
    const struct view line = view_skip(buf_view(&g->reply), g->reply_at);
    end_line(g, line);
    if (g->reason != NULL)
        return smtp_guard_end(g, g->reason, NULL);
    if (!is_ehlo || g->code >= 300) {
        g->is_reply_spent = true;
        return put(used, buf_view(&g->reply));
    }
    filter(g);
    return g->is_open ? put(used, VIEW_NONE) : end_offers(g, used);
}

struct guard_step smtp_guard_reply(struct guard *g, struct view in)
{
    size_t n = 0;

    while (g->reply.n == 0 && !is_due(g, SMTP_DUE_EHLO) && !smtp_guard_is_own_due(g) &&
           g->reason == NULL) {
        const struct view rest = view_skip(in, n);
        const size_t at = view_find(rest, '\n');
        if (at == rest.n)
            break;
        end_line(g, view_first(rest, at + 1));
        if (g->reason == NULL)
            n += at + 1;
    }
    if (n > 0)
        return (struct guard_step){ .kind = GUARD_PASS, .n = n };
    return g->reason != NULL ? smtp_guard_end(g, g->reason, NULL) : collect(g, in);
}
