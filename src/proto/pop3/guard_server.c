/* The upstream's half of the guard: where a reply begins and ends, and which command it answers.
 * Messages of any length stream through in runs as large as the input. */
#include "base/limits.h"
#include "proto/pop3/capability.h"
#include "proto/pop3/guard_state.h"

#define REFUSAL "-ERR This command does not pass the gate\r\n"

static const char text_end[] = "\r\n.\r\n";
#define TEXT_END (sizeof(text_end) - 1)

/* ---- whose turn it is ----------------------------------------------------------------- */

static enum pop3_reply next_reply(const struct guard *g)
{
    return (enum pop3_reply)(g->expected & 3);
}

static void end_reply(struct guard *g)
{
    g->expected >>= 2;
    g->outstanding--;
    g->server = POP3_GUARD_START;
}

static bool is_own_turn(const struct guard *g)
{
    return g->server == POP3_GUARD_START && g->outstanding != 0 && next_reply(g) == POP3_REPLY_OWN;
}

/* ---- the status line ------------------------------------------------------------------ */

static void end_status(struct guard *g)
{
    const enum pop3_reply reply = next_reply(g);

    g->octets = 0;
    if (g->is_parting) {
        (void)pop3_guard_end(g, "upstream-parted");
        return;
    }
    if (!g->is_ok || reply == POP3_REPLY_LINE) {
        end_reply(g);
    } else if (reply == POP3_REPLY_CAPA) {
        g->server = POP3_GUARD_CAPA;
    } else {
        g->server = POP3_GUARD_TEXT;
        g->end = 2; /* the status line's own CRLF: "." may follow at once */
    }
}

/* "+OK" or "-ERR", then CRLF or a space and text. */
static bool is_status_octet(const struct guard *g, uint8_t c)
{
    const char *word = g->is_ok ? "+OK" : "-ERR";
    const size_t n = g->is_ok ? 3 : 4;

    if (g->octets < n)
        return c == (uint8_t)word[g->octets];
    if (g->is_cr)
        return c == '\n';
    return g->octets == n ? c == ' ' || c == '\r' : c != '\n' && c != '\0';
}

/* Octets that may pass. */
static size_t status_step(struct guard *g, struct view in)
{
    for (size_t i = 0; i < in.n; i++) {
        const uint8_t c = in.p[i];
        if (g->octets == LIMIT_POP3_REPLY || !is_status_octet(g, c)) {
            (void)pop3_guard_end(g, "upstream-nonsense");
            return i;
        }
        if (g->is_cr) {
            g->is_cr = false;
            end_status(g);
            return i + 1;
        }
        g->is_cr = c == '\r';
        g->octets++;
    }
    return in.n;
}

/* What nobody asked for is an upstream's last word (a timeout, a shutdown) or a lie. */
static void start_status(struct guard *g, uint8_t c)
{
    const bool is_asked = g->outstanding != 0;

    if (!is_asked && c != '-') {
        (void)pop3_guard_end(g, "unasked-reply");
        return;
    }
    g->server = POP3_GUARD_STATUS;
    g->is_ok = c == '+';
    g->is_parting = !is_asked;
    g->octets = 0;
}

/* ---- text ----------------------------------------------------------------------------- */

/* What has come of the end of a text when this octet follows. */
static uint8_t end_after(uint8_t end, uint8_t c)
{
    if (c == (uint8_t)text_end[end])
        return (uint8_t)(end + 1);
    return c == '\r' ? 1 : 0;
}

/* Octets up to and with the first whole end in `in`, or in.n + 1. Dots are rarer than anything
 * else in it, above all in base64. */
static size_t find_end(struct view in)
{
    for (size_t at = 2; at + 2 < in.n; at++) {
        at += view_find(view_skip(in, at), '.');
        if (at + 2 < in.n && memcmp(in.p + at - 2, text_end, TEXT_END) == 0)
            return at + 3;
    }
    return in.n + 1;
}

/* The end is looked for octet by octet only where it may lie across two inputs. */
static size_t text_step(struct guard *g, struct view in)
{
    size_t n = 0;

    while (n < in.n && g->end != 0 && g->end != TEXT_END)
        g->end = end_after(g->end, in.p[n++]);
    if (g->end != TEXT_END) {
        const struct view rest = view_skip(in, n);
        const size_t whole = find_end(rest);
        for (size_t i = rest.n < TEXT_END ? 0 : rest.n - TEXT_END + 1; whole > rest.n && i < rest.n;
             i++)
            g->end = end_after(g->end, rest.p[i]);
        if (whole <= rest.n)
            g->end = TEXT_END;
        n += whole <= rest.n ? whole : rest.n;
    }
    if (g->end == TEXT_END)
        end_reply(g);
    return n;
}

/* ---- CAPA ----------------------------------------------------------------------------- */

/* A whole line, with CRLF, is in g->held: what of it may be seen stays there. */
static void filter_held(struct guard *g)
{
    const struct view line = view_first(buf_view(&g->held), g->held.n - 2);

    if (view_is_equal(line, VIEW_LIT("."))) {
        buf_clear(&g->held);
        buf_put_text(&g->held, POP3_CAPABILITY_OWN ".\r\n");
        end_reply(g);
    } else if (!pop3_capability_passes(line)) {
        buf_clear(&g->held);
    }
}

static struct guard_step capability_step(struct guard *g, struct view in)
{
    const size_t at = view_find(in, '\n');
    const size_t n = at < in.n ? at + 1 : in.n;

    if (n > LIMIT_POP3_REPLY - g->held.n || n > LIMIT_CAPABILITIES - g->octets)
        return pop3_guard_end(g, "upstream-capability");
    g->octets += (uint32_t)n;
    buf_put(&g->held, view_first(in, n));
    if (!buf_is_ok(&g->held))
        return pop3_guard_end(g, "no-memory");
    if (at == in.n)
        return (struct guard_step){ .kind = GUARD_PUT, .n = n };
    if (g->held.n < 2 || g->held.p[g->held.n - 2] != '\r')
        return pop3_guard_end(g, "upstream-capability");
    filter_held(g);
    if (!buf_is_ok(&g->held))
        return pop3_guard_end(g, "no-memory");
    g->is_held_spent = true;
    return (struct guard_step){ .kind = GUARD_PUT, .n = n, .put = buf_view(&g->held) };
}

/* ---- the stream ----------------------------------------------------------------------- */

/* Looks at the front of `in`; returns the octets that may pass. */
static size_t look(struct guard *g, struct view in)
{
    if (g->server == POP3_GUARD_START)
        start_status(g, in.p[0]);
    if (g->reason != NULL)
        return 0;
    return g->server == POP3_GUARD_STATUS ? status_step(g, in) : text_step(g, in);
}

struct guard_step pop3_guard_server_step(struct guard *g, struct view in)
{
    size_t n = 0;

    if (is_own_turn(g)) {
        end_reply(g);
        return (struct guard_step){ .kind = GUARD_PUT, .put = VIEW_LIT(REFUSAL) };
    }
    if (in.n == 0)
        return (struct guard_step){ .kind = GUARD_MORE };
    while (n < in.n && g->reason == NULL && g->server != POP3_GUARD_CAPA && !is_own_turn(g))
        n += look(g, view_skip(in, n));
    if (n > 0)
        return (struct guard_step){ .kind = GUARD_PASS, .n = n };
    return g->reason != NULL ? pop3_guard_end(g, g->reason) : capability_step(g, in);
}
