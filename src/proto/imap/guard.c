#include "base/limits.h"
#include "base/mem.h"
#include "proto/imap/guard_grammar.h"
#include "proto/imap/guard_hidden.h"
#include "proto/imap/guard_id.h"
#include "proto/imap/guard_line.h"
#include "proto/imap/guard_state.h"
#include "proto/imap/imap.h"

/* A client that pipelines more than this waits for answers; it also keeps `outstanding` small. */
#define OUTSTANDING_MAX 256
#define REFUSAL         " NO [CANNOT] This command does not pass the gate\r\n"

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

struct guard_step imap_guard_end(struct guard *g, const char *reason)
{
    if (g->reason == NULL)
        g->reason = reason;
    return (struct guard_step){ .kind = GUARD_END, .reason = g->reason };
}

static struct guard *create(const struct guard_conf *conf)
{
    struct guard *g = NEW(guard);

    if (g == NULL)
        return NULL;
    g->is_trusting = conf->is_trusting;
    buf_init(&g->line, LIMIT_IMAP_GUARD_LINE);
    buf_init(&g->tag, LIMIT_IMAP_GUARD_TAG + sizeof(REFUSAL));
    buf_init(&g->held, LIMIT_IMAP_CAPABILITY);
    return g;
}

static void drop_label(struct guard *g)
{
    if (g->label != NULL)
        buf_done(g->label);
    mem_free(g->label);
    g->label = NULL;
}

static void destroy(struct guard *g)
{
    if (g == NULL)
        return;
    buf_done(&g->line);
    buf_done(&g->tag);
    buf_done(&g->held);
    drop_label(g);
    mem_free(g);
}

/* What the last step handed out has been used. */
static void release(struct guard *g)
{
    if (g->is_line_spent)
        buf_done(&g->line);
    if (g->is_held_spent)
        buf_done(&g->held);
    if (g->is_tag_spent)
        buf_done(&g->tag);
    if (g->is_labelled)
        drop_label(g);
    g->is_line_spent = g->is_held_spent = g->is_tag_spent = false;
}

/* ---- what the upstream's word means for the client ------------------------------------ */

static void start_command(struct guard *g)
{
    g->client = GUARD_CLIENT_COMMAND;
    g->place = GUARD_PLACE_ANY;
    g->depth = 0;
    g->is_answered = g->is_refused = g->is_nonsync = g->is_idle = false;
    buf_done(&g->tag);
}

static void start_drop(struct guard *g, uint32_t size)
{
    g->client_left = size;
    g->client = size == 0 ? GUARD_CLIENT_DROP_REST : GUARD_CLIENT_DROP_LITERAL;
}

void imap_guard_continue(struct guard *g)
{
    if (g->client != GUARD_CLIENT_ASKED) {
        if (!g->is_stuttering)
            (void)imap_guard_end(g, "unasked-continuation");
    } else if (g->is_idle) {
        g->client = GUARD_CLIENT_IDLE;
    } else {
        g->is_stuttering = g->place == GUARD_PLACE_VALUE;
        g->client = g->client_left == 0 ? GUARD_CLIENT_REST : GUARD_CLIENT_LITERAL;
    }
}

void imap_guard_tagged(struct guard *g)
{
    bool is_alone = g->client == GUARD_CLIENT_ASKED || g->client == GUARD_CLIENT_LITERAL ||
                    g->client == GUARD_CLIENT_REST || g->client == GUARD_CLIENT_IDLE;

    if (g->outstanding == 0 || (is_alone && (!g->is_own_tag || g->is_answered))) {
        (void)imap_guard_end(g, "unasked-reply");
        return;
    }
    g->outstanding--;
    if (g->outstanding == 0)
        g->is_stuttering = false;
    switch ((enum guard_client)g->client) {
    case GUARD_CLIENT_ASKED:
        /* Refused. A client that waits for "+" goes on with a new command; one that does not has
         * sent its octets already, and they must not become a command. */
        if (g->depth > 0 && imap_guard_grammar_is_lasting(g->place)) {
            g->client = GUARD_CLIENT_UNSURE;
            break;
        }
        if (g->is_nonsync) {
            start_drop(g, g->client_left);
            break;
        }
        g->is_stray_done = g->is_idle;
        start_command(g);
        break;
    case GUARD_CLIENT_LITERAL:
        /* Does the upstream read the octets that are still to come as literal or as commands? */
        (void)imap_guard_end(g, "reply-inside-literal");
        break;
    case GUARD_CLIENT_REST:
        /* As Dovecot does when a message could not be saved: before it has read the line's end. */
        g->is_answered = true;
        break;
    case GUARD_CLIENT_IDLE:
        start_command(g);
        g->is_stray_done = true;
        break;
    case GUARD_CLIENT_COMMAND:
    case GUARD_CLIENT_QUIET:
    case GUARD_CLIENT_DROP_LITERAL:
    case GUARD_CLIENT_DROP_REST:
    case GUARD_CLIENT_UNSURE:
        break;
    }
}

/* ---- the client's lines --------------------------------------------------------------- */

/* A line as it arrived: inside the input, or, when it came in pieces, in g->line. */
struct arrival {
    struct view line; /* with CRLF */
    size_t used;      /* octets of the input that belong to it */
    bool is_direct;   /* `line` is inside the input */
};

static struct guard_step forward(struct guard *g, const struct arrival *a)
{
    if (a->is_direct)
        return pass(a->used);
    g->is_line_spent = true;
    return put(a->used, a->line);
}

static struct guard_step drop(struct guard *g, const struct arrival *a)
{
    g->is_line_spent = true;
    return put(a->used, VIEW_NONE);
}

/* Sends the waiting line if nothing else can be meant by the next word of the upstream. */
static struct guard_step ask_now(struct guard *g, size_t used)
{
    if (g->is_first && g->outstanding > 0)
        return used == 0 ? hold() : put(used, VIEW_NONE);
    if (g->is_first)
        g->outstanding++;
    g->client = GUARD_CLIENT_ASKED;
    g->is_line_spent = true;
    return put(used, buf_view(&g->line));
}

/* A line with a literal marker, or IDLE: `{n+}` becomes `{n}`, so that the upstream must say what
 * it takes the line for. */
static struct guard_step ask(struct guard *g, const struct arrival *a, const struct guard_line *l)
{
    if (a->is_direct)
        buf_put(&g->line, a->line);
    g->is_nonsync = l->marker == GUARD_MARKER_NONSYNC;
    g->client_left = l->size;
    g->depth += l->depth;
    if (g->is_nonsync && buf_is_ok(&g->line)) {
        g->line.n -= sizeof("+}\r\n") - 1;
        buf_put(&g->line, VIEW_LIT("}\r\n"));
    }
    if (!buf_is_ok(&g->line) || !buf_is_ok(&g->tag))
        return imap_guard_end(g, "no-memory");
    g->client = GUARD_CLIENT_QUIET;
    return ask_now(g, a->used);
}

static struct guard_step answer(struct guard *g, const struct arrival *a)
{
    buf_put(&g->tag, VIEW_LIT(REFUSAL));
    if (!buf_is_ok(&g->tag))
        return imap_guard_end(g, "no-memory");
    g->client = GUARD_CLIENT_COMMAND;
    g->is_refused = false;
    g->is_answer_ready = true;
    return drop(g, a);
}

/* The command, or the next line of it, goes nowhere. */
static struct guard_step drop_command(struct guard *g, const struct arrival *a,
                                      const struct guard_line *l)
{
    if (l->marker == GUARD_MARKER_NONSYNC)
        start_drop(g, l->size);
    else if (g->is_refused)
        return answer(g, a);
    else
        start_command(g);
    return drop(g, a);
}

static void remember_label(struct guard *g, struct view body)
{
    if (g->is_labelled || g->label != NULL || (g->label = NEW(buf)) == NULL)
        return;
    buf_init(g->label, LIMIT_CLIENT);
    imap_guard_id_label(body, g->label);
    if (g->label->n == 0)
        drop_label(g);
}

/* Puts an ID command into g->line that forges nothing. false: its arguments are not understood. */
static bool build_id(struct guard *g, const struct guard_line *l)
{
    AUTO_BUF(anew, LIMIT_IMAP_GUARD_LINE);

    if (l->marker != GUARD_MARKER_NONE)
        return false;
    buf_put(&anew, l->tag);
    buf_put_text(&anew, " ID ");
    if (!imap_guard_id_build(l->body, &anew))
        return false;
    buf_put_text(&anew, "\r\n");
    /* The views in *l may have been borrowed from the old line. */
    struct buf old = g->line;
    g->line = anew;
    anew = old;
    return true;
}

static struct guard_step judge_first(struct guard *g, const struct arrival *a, struct view text)
{
    struct guard_line l;
    bool is_stray_done = g->is_stray_done;

    g->is_stray_done = false;
    if (is_stray_done && view_is_equal_nocase(text, VIEW_LIT("DONE")))
        return drop(g, a);
    const char *bad = imap_guard_line_first(text, &l);
    if (bad != NULL)
        return imap_guard_end(g, bad);
    if (!imap_guard_grammar_first(&l, &g->place))
        return imap_guard_end(g, "bad-arguments");
    if (l.class == GUARD_CLASS_ID)
        remember_label(g, l.body);
    bool is_forgeable = l.class == GUARD_CLASS_ID && g->is_trusting;
    if (is_forgeable && build_id(g, &l)) {
        g->outstanding++;
        g->is_line_spent = true;
        return buf_is_ok(&g->line) ? put(a->used, buf_view(&g->line))
                                   : imap_guard_end(g, "no-memory");
    }
    bool is_refused = is_forgeable || l.class == GUARD_CLASS_REFUSED || imap_guard_hidden_is(&l) ||
                      (l.class == GUARD_CLASS_URL && l.marker != GUARD_MARKER_NONE) ||
                      (imap_guard_grammar_is_utf8(g->place) && !g->is_utf8);
    bool is_idle = l.class == GUARD_CLASS_IDLE;
    if (!is_refused && !is_idle && l.marker == GUARD_MARKER_NONE) {
        g->outstanding++;
        return forward(g, a);
    }
    buf_put(&g->tag, l.tag);
    g->is_first = true;
    g->is_refused = is_refused;
    g->is_idle = is_idle;
    return is_refused ? drop_command(g, a, &l) : ask(g, a, &l);
}

static struct guard_step judge_rest(struct guard *g, const struct arrival *a, struct view text)
{
    struct guard_line l;
    const char *bad = imap_guard_line_rest(text, &l);

    if (bad != NULL)
        return imap_guard_end(g, bad);
    /* The upstream has answered already. An end of line, or of a list, means nothing to whoever
     * reads it as a new command; anything else might. */
    for (size_t i = 0; g->is_answered && i < text.n; i++)
        if (text.p[i] != ')')
            return imap_guard_end(g, "answered-early");
    if (!imap_guard_grammar_rest(&l, &g->place))
        return imap_guard_end(g, "bad-arguments");
    if (imap_guard_grammar_is_utf8(g->place) && !g->is_utf8)
        return imap_guard_end(g, "utf8-not-enabled");
    if (imap_guard_hidden_is(&l))
        return imap_guard_end(g, "hidden-command");
    g->is_first = false;
    if (l.marker != GUARD_MARKER_NONE)
        return ask(g, a, &l);
    start_command(g);
    return forward(g, a);
}

static struct guard_step judge_dropped(struct guard *g, const struct arrival *a, struct view text)
{
    struct guard_line l;
    const char *bad = imap_guard_line_rest(text, &l);

    return bad != NULL ? imap_guard_end(g, bad) : drop_command(g, a, &l);
}

static struct guard_step judge_idle(struct guard *g, const struct arrival *a, struct view text)
{
    if (!view_is_equal_nocase(text, VIEW_LIT("DONE")))
        return imap_guard_end(g, "idle-without-done");
    start_command(g);
    return forward(g, a);
}

static struct guard_step judge(struct guard *g, const struct arrival *a)
{
    if (a->line.n < 2 || a->line.p[a->line.n - 2] != '\r')
        return imap_guard_end(g, "bare-lf");
    struct view text = view_first(a->line, a->line.n - 2);
    switch ((enum guard_client)g->client) {
    case GUARD_CLIENT_COMMAND:
        return judge_first(g, a, text);
    case GUARD_CLIENT_REST:
        return judge_rest(g, a, text);
    case GUARD_CLIENT_DROP_REST:
        return judge_dropped(g, a, text);
    case GUARD_CLIENT_IDLE:
        return judge_idle(g, a, text);
    case GUARD_CLIENT_QUIET:
    case GUARD_CLIENT_ASKED:
    case GUARD_CLIENT_LITERAL:
    case GUARD_CLIENT_DROP_LITERAL:
    case GUARD_CLIENT_UNSURE:
        break;
    }
    CHECK(false);
    return hold();
}

/* Takes octets up to the end of the line; a line that is not whole yet moves into g->line, so that
 * the caller can give its own buffer back. */
static struct guard_step collect(struct guard *g, struct view in)
{
    size_t at = view_find(in, '\n');
    bool is_whole = at < in.n;
    struct arrival a = { .used = is_whole ? at + 1 : in.n, .is_direct = g->line.n == 0 };

    if (a.used > LIMIT_IMAP_GUARD_LINE - g->line.n)
        return imap_guard_end(g, "line-too-long");
    if (!is_whole || !a.is_direct)
        buf_put(&g->line, view_first(in, a.used));
    if (!buf_is_ok(&g->line))
        return imap_guard_end(g, "no-memory");
    if (!is_whole)
        return put(a.used, VIEW_NONE);
    a.line = a.is_direct ? view_first(in, a.used) : buf_view(&g->line);
    return judge(g, &a);
}

/* Octets before the first line end or NUL. Dovecot repeats the words of a bad SEARCH in its reply
 * as they are: a line end in one would let the client forge the server's replies ("+ OK"). */
static size_t clean_octets(struct view v)
{
    v = view_first(v, view_find(v, '\r'));
    v = view_first(v, view_find(v, '\n'));
    return view_find(v, '\0');
}

static struct guard_step literal(struct guard *g, struct view in)
{
    bool is_dropped = g->client == GUARD_CLIENT_DROP_LITERAL;
    struct view v = view_first(in, g->client_left);

    if (!is_dropped && !imap_guard_grammar_is_text(g->place))
        v.n = clean_octets(v);
    if (v.n == 0)
        return imap_guard_end(g, "line-in-literal");
    g->client_left -= (uint32_t)v.n;
    if (g->client_left == 0)
        g->client = is_dropped ? GUARD_CLIENT_DROP_REST : GUARD_CLIENT_REST;
    return is_dropped ? put(v.n, VIEW_NONE) : pass(v.n);
}

static struct guard_step client(struct guard *g, struct view in)
{
    release(g);
    if (g->reason != NULL)
        return imap_guard_end(g, g->reason);
    if (g->client == GUARD_CLIENT_QUIET)
        return ask_now(g, 0);
    if (g->client == GUARD_CLIENT_ASKED || g->is_answer_ready)
        return hold();
    if (in.n == 0)
        return more();
    if (g->client == GUARD_CLIENT_UNSURE)
        return imap_guard_end(g, "refused-inside-list");
    if (g->client == GUARD_CLIENT_LITERAL || g->client == GUARD_CLIENT_DROP_LITERAL)
        return literal(g, in);
    if (g->client == GUARD_CLIENT_COMMAND && g->outstanding >= OUTSTANDING_MAX)
        return hold();
    return collect(g, in);
}

/* ---- the rest of the interface -------------------------------------------------------- */

static struct guard_step server(struct guard *g, struct view in)
{
    release(g);
    if (g->reason != NULL)
        return imap_guard_end(g, g->reason);
    if (g->is_answer_ready && g->server == GUARD_SERVER_START) {
        g->is_answer_ready = false;
        g->is_tag_spent = true;
        return put(0, buf_view(&g->tag));
    }
    return in.n == 0 ? more() : imap_guard_server_step(g, in);
}

static void bye(struct guard *g, const char *text, struct buf *out)
{
    if (g->server != GUARD_SERVER_START)
        return;
    buf_put(out, VIEW_LIT("* BYE "));
    buf_put_text(out, text);
    buf_put(out, VIEW_LIT("\r\n"));
}

static struct view client_label(struct guard *g)
{
    release(g);
    if (g->label == NULL)
        return VIEW_NONE;
    g->is_labelled = true;
    return buf_view(g->label);
}

const struct guard_ops imap_guard_ops = {
    .create = create,
    .destroy = destroy,
    .client = client,
    .server = server,
    .bye = bye,
    .client_label = client_label,
};
