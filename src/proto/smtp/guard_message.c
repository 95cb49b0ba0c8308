/* The message between DATA's 354 and its end, which is <CRLF>.<CRLF> and nothing else. What passes
 * has no bare CR, no bare LF and no NUL, and a "." at the beginning of a line only where the client
 * put it behind CRLF: no receiver, however lax, finds another end in it. Octets whose meaning the
 * next one decides (CR, and "." at the beginning of a line) are kept back, the rest is not. */
#include "base/attr.h"
#include "proto/smtp/guard_state.h"

#define BLOCK 512

static struct guard_step put(size_t n, struct view v)
{
    return (struct guard_step){ .kind = GUARD_PUT, .n = n, .put = v };
}

/* ---- what passes as it is ------------------------------------------------------------- */

/* Nothing but text and CRLF between the first and the last octet, and no line begins with ".".
 * Compilers make vector instructions of this: uploads run at the speed of memory. */
static bool is_clean(const uint8_t *p, size_t n)
{
    uint8_t bad = p[0] == '\0';

    for (size_t i = 1; i < n; i++)
        bad |= (uint8_t)(((p[i - 1] == '\r') ^ (p[i] == '\n')) | (p[i] == '\0') |
                         ((p[i - 1] == '\n') & (p[i] == '.')));
    return bad == 0;
}

/* Octets at the front of `in` that may pass unseen, in or at the beginning of a line. */
static size_t skip_clean(struct view in, enum smtp_message *place)
{
    size_t n = 0;

    while (in.n - n >= BLOCK) {
        const uint8_t *p = in.p + n;
        const size_t size = p[BLOCK - 1] == '\r' ? BLOCK - 1 : BLOCK;
        if (p[0] == '\n' || (p[0] == '.' && *place != SMTP_MESSAGE_TEXT) || p[size - 1] == '\r' ||
            !is_clean(p, size))
            break;
        n += size;
        *place = p[size - 1] == '\n' ? SMTP_MESSAGE_START : SMTP_MESSAGE_TEXT;
    }
    return n;
}

/* A "." that is neither the end nor stuffing before a printable octet: some servers would skip the
 * white space or the control behind it and see the end. No client that stuffs sends that. */
static bool is_behind_dot(uint8_t c)
{
    return c > ' ' && c != 0x7f;
}

/* Where the octet leads if it passes as it is; false: it does not. */
static bool passes(uint8_t c, enum smtp_message *place)
{
    switch (*place) {
    case SMTP_MESSAGE_START:
        if (c == '.') {
            *place = SMTP_MESSAGE_DOT;
            return true;
        }
        break;
    case SMTP_MESSAGE_DOT:
        if (c == '\r') {
            *place = SMTP_MESSAGE_DOT_CR;
            return true;
        }
        *place = SMTP_MESSAGE_TEXT;
        return is_behind_dot(c);
    case SMTP_MESSAGE_DOT_CR:
    case SMTP_MESSAGE_CR:
        *place = SMTP_MESSAGE_START;
        return c == '\n';
    case SMTP_MESSAGE_TEXT:
        break;
    case SMTP_MESSAGE_BARE:
        if (c == '.')
            return false;
        break;
    }
    *place = c == '\r' ? SMTP_MESSAGE_CR : SMTP_MESSAGE_TEXT;
    return c != '\n' && c != '\0';
}

static bool is_undecided(enum smtp_message place)
{
    return place == SMTP_MESSAGE_DOT || place == SMTP_MESSAGE_DOT_CR || place == SMTP_MESSAGE_CR;
}

/* Octets at the front of `in` that pass as they are, up to the end of the message; none of them is
 * undecided. */
static size_t span(struct guard *g, struct view in)
{
    enum smtp_message place = g->message;
    size_t n = 0, decided = 0, unseen = 0; /* from here on no block was looked at as a whole */

    while (n < in.n) {
        if (n >= unseen && !is_undecided(place)) {
            n += skip_clean(view_skip(in, n), &place);
            unseen = n + BLOCK;
            decided = n;
            g->message = (uint8_t)place;
            if (n == in.n)
                break;
        }
        const bool is_end = place == SMTP_MESSAGE_DOT_CR;
        if (!passes(in.p[n], &place))
            break;
        n++;
        if (is_undecided(place))
            continue;
        decided = n;
        g->message = (uint8_t)place;
        if (is_end) {
            g->client = SMTP_CLIENT_COMMAND;
            smtp_guard_push(g, SMTP_DUE_MESSAGE);
            break;
        }
    }
    return decided;
}

/* ---- what does not -------------------------------------------------------------------- */

static struct guard_step refuse(struct guard *g)
{
    g->client = SMTP_CLIENT_SWALLOW;
    if (g->message == SMTP_MESSAGE_CR)
        g->message = SMTP_MESSAGE_START;
    return put(0, VIEW_NONE);
}

/* A bare CR or LF ends `n` octets further. A "." before it at the beginning of a line was stuffing,
 * as the line goes on for the client. */
static struct guard_step bare(struct guard *g, size_t n)
{
    if (!g->is_normalised)
        return refuse(g);
    g->message = SMTP_MESSAGE_BARE;
    return put(n, VIEW_LIT("\r\n"));
}

static struct guard_step keep(struct guard *g, enum smtp_message place)
{
    g->message = (uint8_t)place;
    return put(1, VIEW_NONE);
}

/* The octet behind one that was kept back. */
static struct guard_step decide(struct guard *g, uint8_t c)
{
    const enum smtp_message place = g->message;

    if (place == SMTP_MESSAGE_DOT) {
        if (c == '\r')
            return keep(g, SMTP_MESSAGE_DOT_CR);
        if (c == '\n')
            return bare(g, 1);
        if (!is_behind_dot(c))
            return refuse(g);
        g->message = SMTP_MESSAGE_TEXT;
        return put(0, VIEW_LIT("."));
    }
    if (c != '\n')
        return bare(g, 0);
    g->message = SMTP_MESSAGE_START;
    if (place == SMTP_MESSAGE_CR)
        return put(1, VIEW_LIT("\r\n"));
    g->client = SMTP_CLIENT_COMMAND;
    smtp_guard_push(g, SMTP_DUE_MESSAGE);
    return put(1, VIEW_LIT(".\r\n"));
}

/* The rest of a refused message goes nowhere, up to a line with nothing but ".", whatever ends
 * lines: a client that ends all of them in LF would wait for ever. */
static struct guard_step swallow(struct guard *g, struct view in)
{
    for (size_t i = 0; i < in.n; i++) {
        const uint8_t c = in.p[i];
        const bool is_dot = g->message == SMTP_MESSAGE_DOT || g->message == SMTP_MESSAGE_DOT_CR;

        if (c == '\n' && is_dot)
            return smtp_guard_end(g, "bare-newline", SMTP_GUARD_BARE);
        if (c == '\r' && g->message == SMTP_MESSAGE_DOT)
            g->message = SMTP_MESSAGE_DOT_CR;
        else if (c == '\r' || c == '\n')
            g->message = SMTP_MESSAGE_START;
        else if (c == '.' && g->message != SMTP_MESSAGE_TEXT && g->message != SMTP_MESSAGE_DOT)
            g->message = SMTP_MESSAGE_DOT;
        else
            g->message = SMTP_MESSAGE_TEXT;
    }
    return put(in.n, VIEW_NONE);
}

struct guard_step smtp_guard_message(struct guard *g, struct view in)
{
    const uint8_t c = in.p[0];

    if (g->client == SMTP_CLIENT_SWALLOW)
        return swallow(g, in);
    if (is_undecided(g->message))
        return decide(g, c);
    const size_t n = span(g, in);
    if (n > 0)
        return (struct guard_step){ .kind = GUARD_PASS, .n = n };
    if (c == '\r')
        return keep(g, SMTP_MESSAGE_CR);
    if (c == '\n')
        return bare(g, 1);
    if (c == '\0')
        return refuse(g);
    CHECK(c == '.');
    if (g->message == SMTP_MESSAGE_START)
        return keep(g, SMTP_MESSAGE_DOT);
    /* Behind a bare CR or LF it is text, and becomes the beginning of a line. */
    g->message = SMTP_MESSAGE_TEXT;
    return put(1, VIEW_LIT(".."));
}
