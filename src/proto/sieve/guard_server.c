/* The upstream's half of the guard: which line belongs to the answer of which command. Lines and
 * literals of any length stream through; nothing is kept but capabilities. */
#include "base/limits.h"
#include "proto/sieve/capability.h"
#include "proto/sieve/guard_state.h"

/* Why this octet can begin no line now, or NULL. */
static const char *begin_line(struct guard *g, uint8_t octet)
{
    const bool is_data = sieve_response_is_data(octet);

    g->is_line_held = false;
    g->response.is_listing = g->outstanding != 0 && sieve_guard_awaited(g) == GUARD_ANSWER_LIST;
    if (g->is_bye)
        return "upstream-after-bye";
    if (octet == 'B' || octet == 'b') /* BYE comes at any time */
        return NULL;
    if (g->outstanding == 0)
        return "unasked-reply";
    if (!is_data)
        return NULL;
    switch (sieve_guard_awaited(g)) {
    case GUARD_ANSWER_LIST:
        return NULL;
    case GUARD_ANSWER_CAPABILITY:
        g->is_line_held = true;
        return NULL;
    case GUARD_ANSWER_SCRIPT:
        if (g->is_script_seen)
            break;
        g->is_script_seen = true;
        return NULL;
    case GUARD_ANSWER_STATUS:
        break;
    }
    return "upstream-nonsense";
}

/* The list is whole, its OK has begun: now it can be said what of it may pass. */
static bool is_list_due(const struct guard *g, uint8_t octet)
{
    return !g->is_listed && (octet == 'O' || octet == 'o') && g->outstanding != 0 &&
           sieve_guard_awaited(g) == GUARD_ANSWER_CAPABILITY;
}

static struct guard_step put_list(struct guard *g)
{
    struct sieve_response lines = { 0 };
    struct view rest = buf_view(&g->held);
    AUTO_BUF(list, LIMIT_CAPABILITIES);

    while (rest.n != 0) {
        size_t n;
        if (sieve_response_take(&lines, rest, &n) != RESPONSE_DATA)
            return sieve_guard_end(g, "upstream-nonsense"); /* it was data when it was held */
        sieve_capability_add(view_first(rest, n), &list);
        rest = view_skip(rest, n);
    }
    buf_done(&g->held);
    sieve_capability_put(buf_view(&list), true, &g->put);
    if (!buf_is_ok(&list) || !buf_is_ok(&g->put))
        return sieve_guard_end(g, "no-memory");
    g->is_listed = true;
    return (struct guard_step){ .kind = GUARD_PUT, .put = buf_view(&g->put) };
}

/* Octets of a line that does not pass as it is. */
static struct guard_step hold_line(struct guard *g, struct view in)
{
    size_t n;
    const enum sieve_response_kind kind = sieve_response_take(&g->response, in, &n);

    buf_put(&g->held, view_first(in, n));
    if (kind == RESPONSE_BAD || !buf_is_ok(&g->held))
        return sieve_guard_end(g, "upstream-capability");
    return (struct guard_step){ .kind = GUARD_PUT, .n = n };
}

/* Octets of a line that passes. */
static size_t pass_line(struct guard *g, struct view in)
{
    size_t n;

    switch (sieve_response_take(&g->response, in, &n)) {
    case RESPONSE_MORE:
    case RESPONSE_DATA:
        break;
    case RESPONSE_STATUS:
        sieve_guard_answered(g, (enum sieve_status)g->response.status);
        break;
    case RESPONSE_BAD:
        (void)sieve_guard_end(g, "upstream-nonsense");
        break;
    }
    return n;
}

struct guard_step sieve_guard_server_step(struct guard *g, struct view in)
{
    size_t n = 0;

    while (n < in.n && g->reason == NULL) {
        const bool is_start = sieve_response_is_start(&g->response);
        if (is_start && n != 0 && sieve_guard_is_own_turn(g))
            break;
        const char *bad = is_start ? begin_line(g, in.p[n]) : NULL;
        if (bad != NULL) {
            (void)sieve_guard_end(g, bad);
            break;
        }
        const bool is_due = is_start && is_list_due(g, in.p[n]);
        if (n != 0 && (is_due || g->is_line_held))
            break;
        if (is_due)
            return put_list(g);
        if (g->is_line_held)
            return hold_line(g, in);
        n += pass_line(g, view_skip(in, n));
    }
    if (n != 0)
        return (struct guard_step){ .kind = GUARD_PASS, .n = n };
    return sieve_guard_end(g, g->reason);
}
