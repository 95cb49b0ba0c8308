/* The client's half of the guard, and its interface. A command is judged when its line is whole;
 * one that does not pass is answered by the gate when its turn comes among the replies. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/pop3/guard_state.h"
#include "proto/pop3/pop3.h"

static struct guard_step put(size_t n, struct view v)
{
    return (struct guard_step){ .kind = GUARD_PUT, .n = n, .put = v };
}

struct guard_step pop3_guard_end(struct guard *g, const char *reason)
{
    if (g->reason == NULL)
        g->reason = reason;
    return (struct guard_step){ .kind = GUARD_END, .reason = g->reason };
}

static struct guard *create(const struct guard_conf *conf)
{
    struct guard *g = NEW(guard);

    (void)conf; /* what passes is the same for every upstream */
    if (g == NULL)
        return NULL;
    buf_init(&g->line, LIMIT_POP3_GUARD_LINE);
    buf_init(&g->held, LIMIT_POP3_REPLY);
    return g;
}

static void destroy(struct guard *g)
{
    if (g == NULL)
        return;
    buf_done(&g->line);
    buf_done(&g->held);
    mem_free(g);
}

/* What the last step handed out has been used. */
static void release(struct guard *g)
{
    if (g->is_line_spent)
        buf_done(&g->line);
    if (g->is_held_spent)
        buf_done(&g->held);
    g->is_line_spent = g->is_held_spent = false;
}

/* ---- the client's lines --------------------------------------------------------------- */

/* `line` with what it ends in. Returns why the session ends, or NULL and what reply is due. */
static const char *judge(struct view line, enum pop3_reply *ret_reply)
{
    if (line.n < 2 || line.p[line.n - 2] != '\r')
        return "bare-lf";
    const struct view text = view_first(line, line.n - 2);
    if (view_find(text, '\r') != text.n)
        return "bare-cr";
    if (view_find(text, '\0') != text.n)
        return "nul";
    *ret_reply = pop3_guard_line(text);
    return NULL;
}

static void expect(struct guard *g, struct view line, enum pop3_reply reply)
{
    g->is_quitting = view_is_equal_nocase(line, VIEW_LIT("QUIT\r\n"));
    g->expected |= (uint64_t)reply << (2 * g->outstanding);
    g->outstanding++;
}

/* Behind a QUIT nothing goes up before its reply: a server that closes with octets unread resets
 * the connection, and the reply may be lost with it. */
static bool is_full(const struct guard *g)
{
    return g->is_quitting || g->outstanding == POP3_GUARD_OUTSTANDING;
}

/* Octets of a whole line at the front of `in`, or 0. */
static size_t line_octets(struct view in)
{
    const size_t at = view_find(view_first(in, LIMIT_POP3_GUARD_LINE), '\n');

    return at < in.n && at < LIMIT_POP3_GUARD_LINE ? at + 1 : 0;
}

/* Lines that are whole in the input pass together, up to one that does not pass: that is the next
 * step's. */
static struct guard_step judge_whole(struct guard *g, struct view in)
{
    size_t n = 0, more;

    while (!is_full(g) && (more = line_octets(view_skip(in, n))) != 0) {
        const struct view line = view_first(view_skip(in, n), more);
        enum pop3_reply reply = POP3_REPLY_OWN;
        const char *bad = judge(line, &reply);
        if (n != 0 && reply == POP3_REPLY_OWN)
            break;
        if (bad != NULL)
            return pop3_guard_end(g, bad);
        expect(g, line, reply);
        if (reply == POP3_REPLY_OWN)
            return put(more, VIEW_NONE);
        n += more;
    }
    return (struct guard_step){ .kind = GUARD_PASS, .n = n };
}

/* A line that comes in pieces moves into g->line, so that the caller can give its own buffer back.
 */
static struct guard_step collect(struct guard *g, struct view in)
{
    const size_t at = view_find(in, '\n');
    const size_t n = at < in.n ? at + 1 : in.n;
    enum pop3_reply reply = POP3_REPLY_OWN;

    if (n > LIMIT_POP3_GUARD_LINE - g->line.n)
        return pop3_guard_end(g, "line-too-long");
    buf_put(&g->line, view_first(in, n));
    if (!buf_is_ok(&g->line))
        return pop3_guard_end(g, "no-memory");
    if (at == in.n)
        return put(n, VIEW_NONE);
    const char *bad = judge(buf_view(&g->line), &reply);
    if (bad != NULL)
        return pop3_guard_end(g, bad);
    expect(g, buf_view(&g->line), reply);
    g->is_line_spent = true;
    return put(n, reply == POP3_REPLY_OWN ? VIEW_NONE : buf_view(&g->line));
}

static struct guard_step client(struct guard *g, struct view in)
{
    release(g);
    if (g->reason != NULL)
        return pop3_guard_end(g, g->reason);
    if (in.n == 0)
        return (struct guard_step){ .kind = GUARD_MORE };
    if (g->outstanding == 0)
        g->is_quitting = false;
    if (is_full(g))
        return (struct guard_step){ .kind = GUARD_HOLD };
    return g->line.n == 0 && line_octets(in) != 0 ? judge_whole(g, in) : collect(g, in);
}

/* ---- the rest of the interface -------------------------------------------------------- */

static struct guard_step server(struct guard *g, struct view in)
{
    release(g);
    if (g->reason != NULL)
        return pop3_guard_end(g, g->reason);
    return pop3_guard_server_step(g, in);
}

/* In the middle of a reply a word would become part of it, and behind the upstream's last word it
 * would be one too many. */
static void bye(struct guard *g, const char *text, struct buf *out)
{
    const bool is_unheard = g->server == POP3_GUARD_STATUS && g->octets == 0 && !g->is_parting;

    if (g->server == POP3_GUARD_START || is_unheard)
        buf_printf(out, "-ERR [SYS/TEMP] %s\r\n", text);
}

const struct guard_ops pop3_guard_ops = {
    .create = create,
    .destroy = destroy,
    .client = client,
    .server = server,
    .bye = bye,
};
