/* The upstream's half of the guard: where a response begins and ends, which of them answer a
 * command, and the capability lists. Lines and literals of any length stream through; nothing is
 * kept but a list of capabilities. */
#include "base/limits.h"
#include "proto/imap/capability.h"
#include "proto/imap/guard_line.h"
#include "proto/imap/guard_state.h"

/* How far "{digits}" got at the end of what has been seen of a line. */
enum { MARKER_NOT = 0, MARKER_OPEN, MARKER_DIGITS, MARKER_CLOSED, MARKER_CR };
#define MARKER_DIGITS_MAX 19 /* more do not fit into 63 bits; fewer never overflow 64  */
#define MARKER_OCTETS     24 /* a marker is shorter: only so much of a span is looked at */

static void reset_line(struct guard *g)
{
    g->server = GUARD_SERVER_START;
    g->is_tagged = g->is_plus = g->is_cr = false;
    g->marker = MARKER_NOT;
    g->tag_n = g->word_n = 0;
}

/* The response line is complete; a reason in g->reason means that it must not pass. */
static void end_line(struct guard *g)
{
    if (g->is_plus)
        imap_guard_continue(g);
    else if (g->is_tagged)
        imap_guard_tagged(g);
    if (g->reason == NULL)
        reset_line(g);
}

/* ---- literals of the upstream --------------------------------------------------------- */

static void marker_octet(struct guard *g, uint8_t c)
{
    if (c == '{') {
        g->marker = MARKER_OPEN;
        g->marker_digits = 0;
        g->server_size = 0;
    } else if (c >= '0' && c <= '9' && (g->marker == MARKER_OPEN || g->marker == MARKER_DIGITS) &&
               g->marker_digits < MARKER_DIGITS_MAX) {
        g->marker = MARKER_DIGITS;
        g->marker_digits++;
        g->server_size = g->server_size * 10 + (uint64_t)(c - '0');
    } else if (c == '}' && g->marker == MARKER_DIGITS) {
        g->marker = MARKER_CLOSED;
    } else if (c == '\r' && g->marker == MARKER_CLOSED) {
        g->marker = MARKER_CR;
    } else {
        g->marker = MARKER_NOT;
    }
}

static void marker_span(struct guard *g, struct view span)
{
    if (span.n > MARKER_OCTETS) {
        g->marker = MARKER_NOT;
        span = view_skip(span, span.n - MARKER_OCTETS);
    }
    for (size_t i = 0; i < span.n; i++)
        marker_octet(g, span.p[i]);
}

/* The CRLF of a data line: a literal, or the end of the response. */
static void end_data(struct guard *g)
{
    if (g->marker != MARKER_CR) {
        end_line(g);
        return;
    }
    if (g->server_size > INT64_MAX) {
        (void)imap_guard_end(g, "upstream-literal");
        return;
    }
    g->server_left = g->server_size;
    g->server = g->server_left == 0 ? GUARD_SERVER_DATA : GUARD_SERVER_LITERAL;
    g->marker = MARKER_NOT;
    g->is_cr = false;
}

/* Text or data up to the end of the line or of the input; returns the octets that may pass.
 * A bare LF is an octet like any other: no known server ends a line with it, and if one did, the
 * guard would wait too long rather than take message text for a reply. Only behind a literal's
 * marker it leaves the choice between two readings, of which one is wrong. */
static size_t span_step(struct guard *g, struct view in)
{
    size_t at = view_find(in, '\n');
    struct view span = view_first(in, at);

    if (g->server == GUARD_SERVER_DATA)
        marker_span(g, span);
    if (at > 0)
        g->is_cr = in.p[at - 1] == '\r';
    if (at == in.n)
        return at;
    if (g->is_cr) {
        if (g->server == GUARD_SERVER_DATA)
            end_data(g);
        else
            end_line(g);
    } else if (g->marker == MARKER_CLOSED) {
        (void)imap_guard_end(g, "upstream-bare-lf");
    } else {
        g->marker = MARKER_NOT;
    }
    return g->reason == NULL ? at + 1 : at;
}

static size_t literal_step(struct guard *g, struct view in)
{
    uint64_t n = in.n < g->server_left ? in.n : g->server_left;

    g->server_left -= n;
    if (g->server_left == 0)
        g->server = GUARD_SERVER_DATA;
    return (size_t)n;
}

/* ---- the beginning of a line, octet by octet ------------------------------------------ */

static bool word_is(const struct guard *g, const char *word)
{
    return view_is_equal_nocase(view_of(g->word, g->word_n), view_text(word));
}

/* Collects a word; false when `c` ends it and is still to be looked at. */
static bool word_octet(struct guard *g, uint8_t c)
{
    if (c == ' ' || c == '\r' || c == '\n' || c == ']')
        return false;
    if (g->word_n < sizeof(g->word))
        g->word[g->word_n++] = (char)c;
    return true;
}

static size_t start_octet(struct guard *g, uint8_t c)
{
    if (c == '*') {
        g->server = GUARD_SERVER_STAR;
    } else if (c == '+') {
        bool is_asked = g->client == GUARD_CLIENT_ASKED;
        if (!is_asked && !g->is_stuttering) {
            imap_guard_continue(g); /* says why it ends */
            return 0;
        }
        g->is_plus = true;
        bool is_for_client = is_asked && !g->is_nonsync;
        g->server = is_for_client ? GUARD_SERVER_TEXT : GUARD_SERVER_SWALLOW;
        return is_for_client ? 1 : 0;
    } else if (imap_guard_is_tag_octet(c)) {
        g->server = GUARD_SERVER_TAG;
        g->is_tagged = true;
        g->is_own_tag = true;
        return 0;
    } else {
        (void)imap_guard_end(g, "upstream-nonsense");
        return 0;
    }
    return 1;
}

static size_t tag_octet(struct guard *g, uint8_t c)
{
    if (c == ' ') {
        g->is_own_tag = g->is_own_tag && g->tag_n == g->tag.n;
        g->server = GUARD_SERVER_WORD;
        return 1;
    }
    if (!imap_guard_is_tag_octet(c) || g->tag_n >= LIMIT_IMAP_GUARD_TAG) {
        (void)imap_guard_end(g, "upstream-nonsense");
        return 0;
    }
    if (g->tag_n >= g->tag.n || g->tag.p[g->tag_n] != c)
        g->is_own_tag = false;
    g->tag_n++;
    return 1;
}

/* Behind "* word" or "tag word". Status text holds no literals, whatever it looks like. */
static size_t end_word(struct guard *g, uint8_t c)
{
    bool is_reply = word_is(g, "OK") || word_is(g, "NO") || word_is(g, "BAD");
    bool is_status = is_reply || word_is(g, "BYE") || word_is(g, "PREAUTH");
    bool is_list = word_is(g, "CAPABILITY"), is_enabled = word_is(g, "ENABLED");

    if (g->is_tagged && !is_reply) {
        (void)imap_guard_end(g, "upstream-nonsense");
        return 0;
    }
    g->word_n = 0;
    if (c != ' ') {
        g->server = is_status ? GUARD_SERVER_TEXT : GUARD_SERVER_DATA;
        return 0;
    }
    g->server = is_status    ? GUARD_SERVER_CODE_OPEN
                : is_list    ? GUARD_SERVER_CAPABILITY
                : is_enabled ? GUARD_SERVER_ENABLED
                             : GUARD_SERVER_DATA;
    return 1;
}

static size_t code_octet(struct guard *g, uint8_t c)
{
    if (g->server == GUARD_SERVER_CODE_OPEN) {
        g->server = c == '[' ? GUARD_SERVER_CODE : GUARD_SERVER_TEXT;
        return c == '[' ? 1 : 0;
    }
    if (word_octet(g, c))
        return 1;
    bool is_list = c == ' ' && word_is(g, "CAPABILITY");
    g->server = is_list ? GUARD_SERVER_CODE_CAPABILITY : GUARD_SERVER_TEXT;
    return is_list ? 1 : 0;
}

/* ---- what is held back ---------------------------------------------------------------- */

/* Octets up to and with the one that ends the list, or all; *ret_is_whole tells which. */
static size_t list_end(const struct guard *g, struct view in, bool *ret_is_whole)
{
    bool is_code = g->server == GUARD_SERVER_CODE_CAPABILITY;

    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\n' || (is_code && in.p[i] == ']')) {
            *ret_is_whole = true;
            return i + 1;
        }
    }
    *ret_is_whole = false;
    return in.n;
}

static bool has_word(struct view list, struct view wanted)
{
    while (list.n > 0) {
        struct view word = view_first(list, view_find(list, ' '));
        if (view_is_equal_nocase(word, wanted))
            return true;
        list = view_skip(list, word.n + 1);
    }
    return false;
}

static struct guard_step list_step(struct guard *g, struct view in)
{
    bool is_code = g->server == GUARD_SERVER_CODE_CAPABILITY, is_whole;
    size_t n = list_end(g, in, &is_whole);
    struct view end = is_code ? VIEW_LIT("]") : VIEW_LIT("\r\n");

    buf_put(&g->held, view_first(in, n));
    if (!buf_is_ok(&g->held))
        return imap_guard_end(g, "upstream-capability");
    if (!is_whole)
        return (struct guard_step){ .kind = GUARD_PUT, .n = n };
    if (g->held.n < end.n || memcmp(g->held.p + g->held.n - end.n, end.p, end.n) != 0)
        return imap_guard_end(g, "upstream-capability");
    AUTO_BUF(list, LIMIT_IMAP_CAPABILITY);
    buf_put(&list, view_first(buf_view(&g->held), g->held.n - end.n));
    if (g->server == GUARD_SERVER_ENABLED && has_word(buf_view(&list), VIEW_LIT("UTF8=ACCEPT")))
        g->is_utf8 = true;
    buf_done(&g->held);
    imap_capability_filter(buf_view(&list), &g->held);
    buf_put(&g->held, end);
    if (!buf_is_ok(&list) || !buf_is_ok(&g->held))
        return imap_guard_end(g, "no-memory");
    g->is_held_spent = true;
    if (is_code)
        g->server = GUARD_SERVER_TEXT;
    else
        end_line(g);
    return (struct guard_step){ .kind = GUARD_PUT, .n = n, .put = buf_view(&g->held) };
}

/* A "+" that answers the `{n}` which the guard made out of the client's `{n+}`, or a repeated one.
 */
static struct guard_step swallow_step(struct guard *g, struct view in)
{
    size_t n = span_step(g, in);

    if (g->reason != NULL)
        return imap_guard_end(g, g->reason);
    return (struct guard_step){ .kind = GUARD_PUT, .n = n };
}

/* ---- the stream ----------------------------------------------------------------------- */

static bool is_held_back(const struct guard *g)
{
    return g->server == GUARD_SERVER_CAPABILITY || g->server == GUARD_SERVER_CODE_CAPABILITY ||
           g->server == GUARD_SERVER_ENABLED || g->server == GUARD_SERVER_SWALLOW;
}

/* Looks at the front of `in`; returns the octets that may pass (0: the state has changed, or the
 * session ends). */
static size_t look(struct guard *g, struct view in)
{
    uint8_t c = in.p[0];

    switch ((enum guard_server)g->server) {
    case GUARD_SERVER_START:
        return start_octet(g, c);
    case GUARD_SERVER_STAR:
        if (c != ' ')
            (void)imap_guard_end(g, "upstream-nonsense");
        g->server = GUARD_SERVER_WORD;
        return c == ' ' ? 1 : 0;
    case GUARD_SERVER_TAG:
        return tag_octet(g, c);
    case GUARD_SERVER_WORD:
        return word_octet(g, c) ? 1 : end_word(g, c);
    case GUARD_SERVER_CODE_OPEN:
    case GUARD_SERVER_CODE:
        return code_octet(g, c);
    case GUARD_SERVER_TEXT:
    case GUARD_SERVER_DATA:
        return span_step(g, in);
    case GUARD_SERVER_LITERAL:
        return literal_step(g, in);
    case GUARD_SERVER_CAPABILITY:
    case GUARD_SERVER_CODE_CAPABILITY:
    case GUARD_SERVER_ENABLED:
    case GUARD_SERVER_SWALLOW:
        break;
    }
    CHECK(false);
    return 0;
}

struct guard_step imap_guard_server_step(struct guard *g, struct view in)
{
    size_t n = 0;

    while (n < in.n && g->reason == NULL && !is_held_back(g)) {
        if (n > 0 && g->is_answer_ready && g->server == GUARD_SERVER_START)
            break;
        n += look(g, view_skip(in, n));
    }
    if (n > 0)
        return (struct guard_step){ .kind = GUARD_PASS, .n = n };
    if (g->reason != NULL)
        return imap_guard_end(g, g->reason);
    return g->server == GUARD_SERVER_SWALLOW ? swallow_step(g, in) : list_step(g, in);
}
