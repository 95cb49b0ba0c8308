/* The guard as a table of dialogues. Each runs whole, octet by octet, and with every single split
 * of every piece of input, in both directions; what comes out must be the same. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/imap/guard_state.h"
#include "proto/imap/imap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct guard_conf plain;

/* A step of a dialogue is a letter, a colon and octets; '\x01' stands for NUL.
 *   C  the client sends          U  this has gone upstream since the last U
 *   S  the upstream sends        D  this has gone down to the client since the last D
 *   H  the guard holds the client ("H:1") or does not ("H:0")
 *   X  the session has ended for this reason; every dialogue without an X has not ended
 * At the end everything that went anywhere must have been said by a U or a D. */
#define STEPS 24

struct dialogue {
    const char *name;
    const char *steps[STEPS];
};

struct run {
    const struct dialogue *d;
    struct guard *g;
    struct buf from_client, from_server, upstream, down; /* owned */
    const char *reason;
    bool is_held;
    size_t split_step, split_at; /* the piece of this step is cut here */
    bool is_trickle;
};

/* The machine sees a copy of exactly the input's size, so that the sanitizer sees a step too far.
 */
static bool one_step(struct run *r, bool is_client)
{
    struct buf *in = is_client ? &r->from_client : &r->from_server;
    struct buf *out = is_client ? &r->upstream : &r->down;
    uint8_t *copy = in->n == 0 ? NULL : mem_alloc(in->n);

    if (in->n != 0)
        memcpy(copy, in->p, in->n);
    struct guard_step s = is_client ? imap_guard_ops.client(r->g, view_of(copy, in->n))
                                    : imap_guard_ops.server(r->g, view_of(copy, in->n));
    if (is_client)
        r->is_held = s.kind == GUARD_HOLD;
    assert_true(s.n <= in->n);
    if (s.kind == GUARD_PASS)
        buf_put(out, view_of(copy, s.n));
    if (s.kind == GUARD_PUT)
        buf_put(out, s.put);
    if (s.kind == GUARD_END)
        r->reason = s.reason;
    if (s.kind == GUARD_MORE)
        assert_int_equal(in->n, 0);
    if (s.kind == GUARD_PASS || s.kind == GUARD_PUT)
        buf_consume(in, s.n);
    mem_free(copy);
    assert_true(buf_is_ok(out));
    return s.kind == GUARD_PASS || s.kind == GUARD_PUT;
}

static void pump(struct run *r)
{
    bool is_moving = true;

    while (is_moving && r->reason == NULL) {
        is_moving = false;
        while (r->reason == NULL && one_step(r, true))
            is_moving = true;
        while (r->reason == NULL && one_step(r, false))
            is_moving = true;
    }
}

static void send_octets(struct run *r, size_t step, const char *octets)
{
    struct buf *in = r->d->steps[step][0] == 'C' ? &r->from_client : &r->from_server;

    for (size_t i = 0; octets[i] != '\0'; i++) {
        if (r->is_trickle || (r->split_step == step && r->split_at == i))
            pump(r);
        buf_put_octet(in, octets[i] == '\x01' ? 0 : (uint8_t)octets[i]);
    }
    pump(r);
}

static void expect(struct run *r, const char *octets, struct buf *out)
{
    if (!view_is_equal(buf_view(out), view_text(octets)))
        fail_msg("%s: expected \"%s\", got \"%s\" (split %zu:%zu)", r->d->name, octets,
                 buf_cstr(out), r->split_step, r->split_at);
    buf_clear(out);
}

static void play_step(struct run *r, size_t i)
{
    const char *octets = r->d->steps[i] + 2;

    switch (r->d->steps[i][0]) {
    case 'C':
    case 'S':
        if (r->reason == NULL)
            send_octets(r, i, octets);
        break;
    case 'U':
        expect(r, octets, &r->upstream);
        break;
    case 'D':
        expect(r, octets, &r->down);
        break;
    case 'H':
        if (r->is_held != (octets[0] == '1'))
            fail_msg("%s: step %zu: held: %d", r->d->name, i, r->is_held);
        break;
    case 'X':
        if (r->reason == NULL || strcmp(r->reason, octets) != 0)
            fail_msg("%s: ended for %s, not for %s", r->d->name,
                     r->reason == NULL ? "nothing" : r->reason, octets);
        break;
    default:
        fail_msg("%s: step %zu", r->d->name, i);
    }
}

static void play(const struct dialogue *d, bool is_trickle, size_t split_step, size_t split_at)
{
    struct run r = { .d = d,
                     .g = imap_guard_ops.create(&plain),
                     .is_trickle = is_trickle,
                     .split_step = split_step,
                     .split_at = split_at };
    struct buf *bufs[] = { &r.from_client, &r.from_server, &r.upstream, &r.down };
    bool is_end_due = false;

    assert_non_null(r.g);
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_init(bufs[i], 1 << 20);
    for (size_t i = 0; i < STEPS && d->steps[i] != NULL; i++) {
        play_step(&r, i);
        is_end_due = is_end_due || d->steps[i][0] == 'X';
    }
    if (!is_end_due && r.reason != NULL)
        fail_msg("%s: ended for %s (split %zu:%zu)", d->name, r.reason, split_step, split_at);
    if (!is_end_due)
        expect(&r, "", &r.upstream);
    if (!is_end_due)
        expect(&r, "", &r.down);
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_done(bufs[i]);
    imap_guard_ops.destroy(r.g);
}

static void play_all_ways(const struct dialogue *d)
{
    play(d, false, STEPS, 0);
    play(d, true, STEPS, 0);
    for (size_t i = 0; i < STEPS && d->steps[i] != NULL; i++)
        if (d->steps[i][0] == 'C' || d->steps[i][0] == 'S')
            for (size_t at = 1; d->steps[i][2 + at] != '\0'; at++)
                play(d, false, i, at);
}

/* ---- what honest clients do ----------------------------------------------------------- */

static const struct dialogue honest[] = {
    { "a command and its reply",
      { "C:a1 NOOP\r\n", "U:a1 NOOP\r\n", "S:* 1 EXISTS\r\na1 OK done\r\n",
        "D:* 1 EXISTS\r\na1 OK done\r\n", "H:0" } },
    { "commands in a row pass at once",
      { "C:a1 NOOP\r\na2 SELECT INBOX\r\na3 FETCH 1:* (FLAGS)\r\n",
        "U:a1 NOOP\r\na2 SELECT INBOX\r\na3 FETCH 1:* (FLAGS)\r\n" } },
    { "an empty line end is waited for", { "C:a1 NOOP\r", "U:", "C:\n", "U:a1 NOOP\r\n" } },
    { "nothing of a command passes before its end", { "C:a1 UNAUTH", "U:" } },
    { "synchronising literal",
      { "C:a1 APPEND INBOX {5}\r\n", "U:a1 APPEND INBOX {5}\r\n", "H:1", "S:+ OK\r\n", "D:+ OK\r\n",
        "H:0", "C:hello", "U:hello", "C:\r\n", "U:\r\n", "S:a1 OK\r\n", "D:a1 OK\r\n" } },
    { "non-synchronising literal is asked for, the answer swallowed",
      { "C:a1 APPEND INBOX {5+}\r\nhello\r\na2 NOOP\r\n", "U:a1 APPEND INBOX {5}\r\n", "H:1",
        "S:+ OK\r\n", "D:", "U:hello\r\na2 NOOP\r\n", "S:a1 OK\r\na2 OK\r\n",
        "D:a1 OK\r\na2 OK\r\n" } },
    { "a literal waits until all is answered",
      { "C:a1 NOOP\r\na2 CHECK\r\na3 APPEND INBOX {5+}\r\nhello\r\n", "U:a1 NOOP\r\na2 CHECK\r\n",
        "H:1", "S:a1 OK\r\n", "U:", "S:a2 OK\r\n", "U:a3 APPEND INBOX {5}\r\n", "S:+ go\r\n",
        "U:hello\r\n", "D:a1 OK\r\na2 OK\r\n" } },
    { "untagged responses before the word of the upstream",
      { "C:a1 APPEND INBOX {5+}\r\n", "U:a1 APPEND INBOX {5}\r\n",
        "S:* 1 EXISTS\r\n* OK still here\r\n", "D:* 1 EXISTS\r\n* OK still here\r\n", "H:1",
        "S:+ \r\n", "D:", "H:0" } },
    { "two literals in a command, mixed",
      { "C:a1 SEARCH CHARSET UTF-8 SUBJECT {3+}\r\nabc TEXT {2}\r\n",
        "U:a1 SEARCH CHARSET UTF-8 SUBJECT {3}\r\n", "S:+ OK\r\n", "D:", "U:abc TEXT {2}\r\n",
        "S:+ OK\r\n", "D:+ OK\r\n", "C:de\r\n", "U:de\r\n" } },
    { "literal8, in both forms",
      { "C:a1 APPEND INBOX ~{4+}\r\na\r\nd\r\n", "U:a1 APPEND INBOX ~{4}\r\n", "S:+ OK\r\n",
        "U:a\r\nd\r\n", "D:" } },
    { "UTF8 (~{n})",
      { "C:a1 APPEND INBOX UTF8 (~{4}\r\n", "U:a1 APPEND INBOX UTF8 (~{4}\r\n", "S:+ OK\r\n",
        "D:+ OK\r\n", "C:abcd)\r\na2 NOOP\r\n", "U:abcd)\r\na2 NOOP\r\n" } },
    { "CATENATE with URL and two parts",
      { "C:a1 APPEND INBOX CATENATE (URL \"/x;UID=1\" TEXT {2}\r\n",
        "U:a1 APPEND INBOX CATENATE (URL \"/x;UID=1\" TEXT {2}\r\n", "S:+ OK\r\n",
        "C:ab TEXT {3}\r\n", "U:ab TEXT {3}\r\n", "S:+ OK\r\n", "C:cde)\r\n", "U:cde)\r\n",
        "S:a1 OK\r\n", "D:+ OK\r\n+ OK\r\na1 OK\r\n" } },
    { "all that APPEND may be",
      { "C:a1 APPEND \"a \\\"b\" (\\Seen $x) \" 1-Jan-2024 00:00:00 +0000\" {2+}\r\nab"
        " () {1+}\r\nc\r\n"
        "a2 APPEND {5+}\r\nINBOX CATENATE (URL {1+}\r\nx URL y TEXT {1+}\r\nz)\r\n"
        "a3 APPEND INBOX CATENATE (UTF8 (~{1+}\r\nx) TEXT {1+}\r\ny) catenate (url \"x\")\r\n"
        "a4 UID REPLACE 5 INBOX utf8 (~{1+}\r\nx) \"d\" {1+}\r\ny\r\n",
        "S:+ \r\n", "S:+ \r\n", "S:a1 OK\r\n", "S:+ \r\n", "S:+ \r\n", "S:+ \r\n", "S:a2 OK\r\n",
        "S:+ \r\n", "S:+ \r\n", "S:a3 OK\r\n", "S:+ \r\n", "S:+ \r\n",
        "U:a1 APPEND \"a \\\"b\" (\\Seen $x) \" 1-Jan-2024 00:00:00 +0000\" {2}\r\nab"
        " () {1}\r\nc\r\n"
        "a2 APPEND {5}\r\nINBOX CATENATE (URL {1}\r\nx URL y TEXT {1}\r\nz)\r\n"
        "a3 APPEND INBOX CATENATE (UTF8 (~{1}\r\nx) TEXT {1}\r\ny) catenate (url \"x\")\r\n"
        "a4 UID REPLACE 5 INBOX utf8 (~{1}\r\nx) \"d\" {1}\r\ny\r\n",
        "S:a4 OK\r\n", "D:a1 OK\r\na2 OK\r\na3 OK\r\na4 OK\r\n" } },
    { "SETMETADATA; a repeated + is swallowed",
      { "C:a1 SETMETADATA {5}\r\n", "S:+ OK\r\n", "C:INBOX (/private/comment ~{2}\r\n",
        "S:+ OK\r\n", "C:a", "S:+ OK\r\n", "D:+ OK\r\n+ OK\r\n", "C:b)\r\na2 NOOP\r\n",
        "S:+ OK\r\na1 OK\r\n",
        "U:a1 SETMETADATA {5}\r\nINBOX (/private/comment ~{2}\r\n"
        "ab)\r\na2 NOOP\r\n",
        "D:a1 OK\r\n" } },
    { "empty literal",
      { "C:a1 CREATE {0+}\r\n\r\na2 NOOP\r\n", "U:a1 CREATE {0}\r\n", "S:+ OK\r\n",
        "U:\r\na2 NOOP\r\n", "D:" } },
    { "the largest literal is one",
      { "C:a1 APPEND INBOX {4294967295}\r\n", "U:a1 APPEND INBOX {4294967295}\r\n",
        "S:a1 NO too big\r\n", "D:a1 NO too big\r\n", "H:0" } },
    { "refused synchronising literal: what follows is a command",
      { "C:a1 APPEND nowhere {5}\r\n", "U:a1 APPEND nowhere {5}\r\n", "S:a1 NO [TRYCREATE] no\r\n",
        "D:a1 NO [TRYCREATE] no\r\n", "C:a2 NOOP\r\n", "U:a2 NOOP\r\n" } },
    { "refused non-synchronising literal: octets and rest go nowhere",
      { "C:a1 APPEND nowhere {5+}\r\nhello\r\na2 NOOP\r\n", "U:a1 APPEND nowhere {5}\r\n",
        "S:a1 NO [TRYCREATE] no\r\n", "D:a1 NO [TRYCREATE] no\r\n", "U:a2 NOOP\r\n" } },
    { "refused, and so is its second message",
      { "C:a1 APPEND nowhere {3+}\r\nabc {9+}\r\nb UNAUTH\n\r\na2 NOOP\r\n",
        "U:a1 APPEND nowhere {3}\r\n", "S:a1 NO no\r\n", "U:a2 NOOP\r\n", "D:a1 NO no\r\n" } },
    { "answered before the end of the line (over quota)",
      { "C:a1 APPEND INBOX {5}\r\n", "S:+ OK\r\n", "C:hello", "S:a1 NO [OVERQUOTA] full\r\n",
        "U:a1 APPEND INBOX {5}\r\nhello", "C:\r\na2 NOOP\r\n", "U:\r\na2 NOOP\r\n",
        "D:+ OK\r\na1 NO [OVERQUOTA] full\r\n" } },
    { "IDLE and DONE",
      { "C:a1 IDLE\r\n", "U:a1 IDLE\r\n", "H:1", "S:+ idling\r\n", "D:+ idling\r\n", "H:0",
        "S:* 2 EXISTS\r\n", "D:* 2 EXISTS\r\n", "C:DONE\r\n", "U:DONE\r\n", "S:a1 OK\r\n",
        "D:a1 OK\r\n", "C:a2 NOOP\r\n", "U:a2 NOOP\r\n" } },
    { "IDLE, DONE and more in one packet",
      { "C:a1 idle\r\ndone\r\na2 NOOP\r\n", "U:a1 idle\r\n", "S:+ idling\r\n",
        "U:done\r\na2 NOOP\r\n", "D:+ idling\r\n" } },
    { "IDLE waits for earlier commands",
      { "C:a1 NOOP\r\na2 IDLE\r\n", "U:a1 NOOP\r\n", "S:a1 OK\r\n", "U:a2 IDLE\r\n",
        "D:a1 OK\r\n" } },
    { "refused IDLE; its DONE is swallowed",
      { "C:a1 IDLE\r\nDONE\r\na2 NOOP\r\n", "U:a1 IDLE\r\n", "S:a1 NO no\r\n", "U:a2 NOOP\r\n",
        "D:a1 NO no\r\n" } },
    { "IDLE ended by the upstream; a late DONE is swallowed",
      { "C:a1 IDLE\r\n", "S:+ idling\r\n", "S:a1 OK timed out\r\n", "U:a1 IDLE\r\n",
        "C:DONE\r\na2 NOOP\r\n", "U:a2 NOOP\r\n", "D:+ idling\r\na1 OK timed out\r\n" } },
    { "quoted strings that look like literals",
      { "C:a1 CREATE \"x{5}\"\r\na2 CREATE \"{5+}\" \r\na3 CREATE \"a\\\"{5}\\\\\"\r\n",
        "U:a1 CREATE \"x{5}\"\r\na2 CREATE \"{5+}\" \r\na3 CREATE \"a\\\"{5}\\\\\"\r\n" } },
    { "a brace that closes nothing", { "C:a1 CREATE foo}\r\n", "U:a1 CREATE foo}\r\n" } },
    { "tags of many kinds",
      { "C:A.1-x_/=$' NOOP\r\n", "U:A.1-x_/=$' NOOP\r\n", "S:A.1-x_/=$' OK\r\n",
        "D:A.1-x_/=$' OK\r\n" } },
};

/* ---- what must not pass --------------------------------------------------------------- */

#define NO(tag) tag " NO [CANNOT] This command does not pass the gate\r\n"

static const struct dialogue refused[] = {
    { "UNAUTHENTICATE",
      { "C:a1 UNAUTHENTICATE\r\n", "U:", "D:" NO("a1"), "C:a2 NOOP\r\n", "U:a2 NOOP\r\n" } },
    { "in mixed case", { "C:a1 uNaUtHeNtIcAtE\r\n", "U:", "D:" NO("a1") } },
    { "the other words",
      { "C:a1 STARTTLS\r\na2 COMPRESS DEFLATE\r\na3 LOGIN a b\r\na4 AUTHENTICATE PLAIN\r\n"
        "a5 AUTHENTICATE PLAIN AGEAYg==\r\na6 PROXYAUTH joe\r\na7 XCLIENT LOGIN=joe\r\n",
        "U:", "D:" NO("a1") NO("a2") NO("a3") NO("a4") NO("a5") NO("a6") NO("a7") } },
    { "pipelined between others",
      { "C:a1 NOOP\r\na2 UNAUTHENTICATE\r\na3 NOOP\r\n", "U:a1 NOOP\r\na3 NOOP\r\n",
        "D:" NO("a2") } },
    { "LOGIN with a synchronising literal: no continuation, the next line is a command",
      { "C:a1 LOGIN {3}\r\n", "U:", "D:" NO("a1"), "C:a2 NOOP\r\n", "U:a2 NOOP\r\n" } },
    { "LOGIN with non-synchronising literals: dropped octet by octet",
      { "C:a1 LOGIN {3+}\r\njoe {12+}\r\nb NOOP\r\nc\r\nd\r\na2 NOOP\r\n", "D:" NO("a1"),
        "U:a2 NOOP\r\n" } },
    { "LOGIN with one of each",
      { "C:a1 LOGIN {3+}\r\njoe {3}\r\na2 NOOP\r\n", "D:" NO("a1"), "U:a2 NOOP\r\n" } },
    { "empty literals of a refused command",
      { "C:a1 LOGIN {0+}\r\n {0+}\r\n\r\na2 NOOP\r\n", "D:" NO("a1"), "U:a2 NOOP\r\n" } },
    { "as the octets of a literal it is none",
      { "C:a1 APPEND INBOX {19+}\r\nb2 UNAUTHENTICATE\r\n\r\n", "U:a1 APPEND INBOX {19}\r\n",
        "S:+ OK\r\n", "U:b2 UNAUTHENTICATE\r\n\r\n", "D:" } },
    { "as the octets of a literal that the upstream does not take it goes nowhere",
      { "C:a1 BOGUS {18+}\r\nb UNAUTHENTICATE\r\n\r\n", "U:a1 BOGUS {18}\r\n", "S:a1 BAD what\r\n",
        "D:a1 BAD what\r\n", "U:" } },
    { "behind a synchronising literal that the upstream does not take it is a command",
      { "C:a1 BOGUS {19}\r\nb UNAUTHENTICATE\r\n", "U:a1 BOGUS {19}\r\n", "S:a1 BAD what\r\n",
        "U:", "D:a1 BAD what\r\n" NO("b") } },
    { "the answer waits for the end of a response",
      { "S:* 1 FETCH (BODY[] {4}\r\nab", "D:* 1 FETCH (BODY[] {4}\r\nab",
        "C:a1 COMPRESS DEFLATE\r\n", "D:", "C:a2 NOOP\r\n", "U:", "H:1", "S:cd UID 7", "D:cd UID 7",
        "S:)\r\n* 2 EXISTS\r\n", "D:)\r\n" NO("a1") "* 2 EXISTS\r\n", "U:a2 NOOP\r\n" } },
    { "within another response line",
      { "S:* OK hel", "C:a1 STARTTLS\r\n", "D:* OK hel", "S:lo\r\n", "D:lo\r\n" NO("a1") } },
    { "Cyrus replication has literals of its own",
      { "C:a1 SYNCAPPLY %(X {3+}\r\nabc)\r\n", "U:", "D:" NO("a1") } },
};

/* ---- what nobody can be sure of ------------------------------------------------------- */

static const struct dialogue ended[] = {
    { "bare LF", { "C:a1 NOOP\nb UNAUTHENTICATE\r\n", "X:bare-lf", "U:" } },
    { "bare LF behind a literal's marker",
      { "C:a1 APPEND INBOX {5+}\nhello\r\n", "X:bare-lf", "U:" } },
    { "bare CR", { "C:a1 NOOP\rb UNAUTHENTICATE\r\n", "X:bare-cr", "U:" } },
    { "CR CR LF", { "C:a1 NOOP\r\r\n", "X:bare-cr", "U:" } },
    { "NUL", { "C:a1 NOOP\x01\r\n", "X:nul", "U:" } },
    { "empty line", { "C:\r\n", "X:bad-tag", "U:" } },
    { "leading space", { "C: a1 NOOP\r\n", "X:bad-tag", "U:" } },
    { "leading tab", { "C:\ta1 NOOP\r\n", "X:control-octet", "U:" } },
    { "tab for a space", { "C:a1\tUNAUTHENTICATE\r\n", "X:control-octet", "U:" } },
    { "tab behind the word", { "C:a1 UNAUTHENTICATE\t\r\n", "X:control-octet", "U:" } },
    { "form feed", { "C:a1 \fUNAUTHENTICATE\r\n", "X:control-octet", "U:" } },
    { "two spaces", { "C:a1  UNAUTHENTICATE\r\n", "X:bad-command", "U:" } },
    { "quoted word", { "C:a1 \"UNAUTHENTICATE\"\r\n", "X:bad-command", "U:" } },
    { "literal word", { "C:a1 {14+}\r\nUNAUTHENTICATE\r\n", "X:bad-command", "U:" } },
    { "bracket behind the word", { "C:a1 UNAUTHENTICATE(\r\n", "X:bad-command", "U:" } },
    { "word with an octet above 127", { "C:a1 UNAUTHENTICATE\xa0\r\n", "X:bad-command", "U:" } },
    { "plus in a tag", { "C:+ UNAUTHENTICATE\r\n", "X:bad-tag", "U:" } },
    { "star for a tag", { "C:* UNAUTHENTICATE\r\n", "X:bad-tag", "U:" } },
    { "brace in a tag", { "C:a{1} NOOP\r\n", "X:bad-literal", "U:" } },
    { "a marker within the line: Dovecot's APPEND runs what stands behind it",
      { "C:a1 APPEND INBOX {5}b COMPRESS DEFLATE\r\n", "X:bad-literal", "U:" } },
    { "the beginning of a marker there",
      { "C:a1 APPEND INBOX ~{5 COMPRESS DEFLATE\r\n", "X:bad-literal", "U:" } },
    { "an argument that APPEND does not have, the same",
      { "C:a1 APPEND INBOX )b COMPRESS DEFLATE\r\n", "X:bad-arguments", "U:" } },
    { "behind a list that CATENATE refuses, the same",
      { "C:a1 APPEND INBOX CATENATE (b)b COMPRESS DEFLATE\r\n", "X:bad-arguments", "U:" } },
    { "behind a list of URLs, the same",
      { "C:a1 APPEND INBOX CATENATE (URL x)b COMPRESS DEFLATE\r\n", "X:bad-arguments", "U:" } },
    { "within a list of URLs, the same",
      { "C:a1 APPEND INBOX CATENATE (URL x b COMPRESS)\r\n", "X:bad-arguments", "U:" } },
    { "behind a message, the same",
      { "C:a1 APPEND INBOX {2}\r\n", "S:+ OK\r\n", "C:ab)b COMPRESS DEFLATE\r\n", "X:bad-arguments",
        "U:a1 APPEND INBOX {2}\r\nab" } },
    { "APPEND of an odd octet",
      { "C:a1 APPEND INBOX \xff"
        "b COMPRESS DEFLATE\r\n",
        "X:bad-arguments", "U:" } },
    { "APPEND without a message", { "C:a1 APPEND INBOX\r\n", "X:bad-arguments", "U:" } },
    { "APPEND with a marker behind flags that are none",
      { "C:a1 APPEND INBOX ((a)) {5}\r\n", "X:bad-arguments", "U:" } },
    { "UTF8 without literal8", { "C:a1 APPEND INBOX UTF8 ({5}\r\n", "X:bad-arguments", "U:" } },
    { "refused within UTF8 (: does the upstream still wait for the list's end?",
      { "C:a1 APPEND INBOX UTF8 (~{5}\r\n", "S:a1 NO no\r\n", "D:a1 NO no\r\n", "H:0",
        "C:a2 NOOP\r\n", "X:refused-inside-list", "U:a1 APPEND INBOX UTF8 (~{5}\r\n" } },
    { "a literal behind a value of SETMETADATA: a late + would be taken for its",
      { "C:a1 SETMETADATA INBOX (/private/comment {1}\r\n", "S:+ OK\r\n", "C:a /private/x {20}\r\n",
        "X:bad-arguments", "U:a1 SETMETADATA INBOX (/private/comment {1}\r\na" } },
    { "a literal that is not the first value of SETMETADATA: Dovecot falls silent",
      { "C:a1 SETMETADATA INBOX (/private/x \"y\" /private/z {3}\r\n", "X:bad-arguments", "U:" } },
    { "line end in a search word: Dovecot repeats it in its reply",
      { "C:a1 SEARCH OR SUBJECT {9}\r\n", "S:+ OK\r\n", "C:x\r\n+ OK\r\n", "X:line-in-literal",
        "U:a1 SEARCH OR SUBJECT {9}\r\nx" } },
    { "LF in a mailbox's name",
      { "C:a1 CREATE {3}\r\n", "S:+ OK\r\n", "C:x\n+", "X:line-in-literal" } },
    { "NUL in a URL",
      { "C:a1 APPEND INBOX CATENATE (URL {1}\r\n", "S:+ OK\r\n", "C:\x01", "X:line-in-literal" } },
    { "bracket in a tag: Dovecot does not take it", { "C:a] NOOP\r\n", "X:bad-tag", "U:" } },
    { "colon in a tag: Cyrus does not take it", { "C:a: NOOP\r\n", "X:bad-tag", "U:" } },
    { "SETMETADATA without entries",
      { "C:a1 SETMETADATA INBOX {1}\r\n", "X:bad-arguments", "U:" } },
    { "UID REPLACE is held to the same grammar",
      { "C:a1 UID REPLACE 5 INBOX )b COMPRESS DEFLATE\r\n", "X:bad-arguments", "U:" } },
    { "tag with an octet above 127", { "C:\xc3\xa4 NOOP\r\n", "X:bad-tag", "U:" } },
    { "tag alone", { "C:a1\r\n", "X:bad-tag", "U:" } },
    { "tag and space", { "C:a1 \r\n", "X:bad-command", "U:" } },
    { "over-long tag",
      { "C:"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa NOOP\r\n",
        "X:bad-tag", "U:" } },
    { "leading zeros", { "C:a1 APPEND INBOX {00005+}\r\n", "X:bad-literal", "U:" } },
    { "negative size", { "C:a1 APPEND INBOX {-1+}\r\n", "X:bad-literal", "U:" } },
    { "size over 32 bits", { "C:a1 APPEND INBOX {4294967301+}\r\n", "X:bad-literal", "U:" } },
    { "size over 64 bits",
      { "C:a1 APPEND INBOX {18446744073709551621}\r\n", "X:bad-literal", "U:" } },
    { "no size", { "C:a1 APPEND INBOX {}\r\n", "X:bad-literal", "U:" } },
    { "only a plus", { "C:a1 APPEND INBOX {+}\r\n", "X:bad-literal", "U:" } },
    { "plus first", { "C:a1 APPEND INBOX {+5}\r\n", "X:bad-literal", "U:" } },
    { "minus", { "C:a1 APPEND INBOX {5-}\r\n", "X:bad-literal", "U:" } },
    { "two pluses", { "C:a1 APPEND INBOX {5++}\r\n", "X:bad-literal", "U:" } },
    { "space in the size", { "C:a1 APPEND INBOX {5 }\r\n", "X:bad-literal", "U:" } },
    { "space behind the marker", { "C:a1 APPEND INBOX {5} \r\n", "X:bad-literal", "U:" } },
    { "two tildes", { "C:a1 APPEND INBOX ~~{5}\r\n", "X:bad-literal", "U:" } },
    { "marker behind an atom", { "C:a1 APPEND INBOX{5+}\r\n", "X:bad-literal", "U:" } },
    { "marker behind a quoted string", { "C:a1 APPEND \"INBOX\"{5+}\r\n", "X:bad-literal", "U:" } },
    { "hexadecimal", { "C:a1 APPEND INBOX {0x5}\r\n", "X:bad-literal", "U:" } },
    { "marker in an open quoted string", { "C:a1 CREATE \"abc {5}\r\n", "X:open-quote", "U:" } },
    { "quoted string that ends in a backslash",
      { "C:a1 CREATE \"abc\\\" {5+}\r\n", "X:open-quote", "U:" } },
    { "quotes that two servers count in two ways",
      { "C:a1 CREATE \"\\\\\" \"{5+}\r\n", "X:open-quote", "U:" } },
    { "literal where none can be", { "C:a1 NOOP {5+}\r\n", "X:needless-literal", "U:" } },
    { "IDLE with arguments", { "C:a1 IDLE now\r\n", "X:idle-arguments", "U:" } },
    { "IDLE with a literal", { "C:a1 IDLE {5+}\r\n", "X:idle-arguments", "U:" } },
    { "IDLE and a space", { "C:a1 IDLE \r\n", "X:idle-arguments", "U:" } },
    { "a command in IDLE",
      { "C:a1 IDLE\r\n", "S:+ idling\r\n", "C:a2 UNAUTHENTICATE\r\n", "X:idle-without-done",
        "U:a1 IDLE\r\n" } },
    { "DONE and a space in IDLE",
      { "C:a1 IDLE\r\n", "S:+ idling\r\n", "C:DONE \r\n", "X:idle-without-done" } },
    { "bad marker behind a literal",
      { "C:a1 SEARCH SUBJECT {2}\r\n", "S:+ OK\r\n", "C:ab {05}\r\n", "X:bad-literal",
        "U:a1 SEARCH SUBJECT {2}\r\nab" } },
    { "bad marker in a command that is dropped",
      { "C:a1 LOGIN {2+}\r\nab {05}\r\n", "X:bad-literal", "U:", "D:" } },
    { "bare LF in a command that is dropped", { "C:a1 LOGIN {2+}\r\nab\n", "X:bare-lf", "U:" } },
    { "answered, then more of the command",
      { "C:a1 APPEND INBOX {2}\r\n", "S:+ OK\r\n", "C:ab", "S:a1 NO full\r\n",
        "C: {20+}\r\nb UNAUTHENTICATE\r\n", "X:answered-early", "U:a1 APPEND INBOX {2}\r\nab" } },
    { "answered, then something that may be a command",
      { "C:a1 APPEND INBOX {2}\r\n", "S:+ OK\r\n", "C:ab", "S:a1 NO full\r\n",
        "C:b UNAUTHENTICATE\r\n", "X:answered-early", "U:a1 APPEND INBOX {2}\r\nab" } },
    { "answered within a literal",
      { "C:a1 APPEND INBOX {9}\r\n", "S:+ OK\r\n", "C:ab", "S:a1 NO full\r\n",
        "X:reply-inside-literal" } },
    { "somebody else's reply to a literal",
      { "C:a1 APPEND INBOX {9}\r\n", "S:b1 OK\r\n", "X:unasked-reply" } },
    { "a longer tag in the reply to a literal",
      { "C:a1 APPEND INBOX {9}\r\n", "S:a11 OK\r\n", "X:unasked-reply" } },
    { "a shorter tag in the reply to a literal",
      { "C:a1 APPEND INBOX {9}\r\n", "S:a OK\r\n", "X:unasked-reply" } },
    { "a reply to nothing", { "S:a1 OK\r\n", "X:unasked-reply" } },
    { "two replies to one command",
      { "C:a1 NOOP\r\n", "S:a1 OK\r\n", "S:a1 OK\r\n", "X:unasked-reply" } },
    { "continuation of nothing",
      { "C:a1 NOOP\r\n", "S:+ go\r\n", "X:unasked-continuation", "D:" } },
    { "a second continuation",
      { "C:a1 APPEND INBOX {9}\r\n", "S:+ OK\r\n", "S:+ OK\r\n", "X:unasked-continuation",
        "D:+ OK\r\n" } },
    { "an upstream that answers with another word",
      { "C:a1 NOOP\r\n", "S:a1 FINE\r\n", "X:upstream-nonsense" } },
    { "an upstream that has lost count of its literal",
      { "S:* 1 FETCH (BODY[] {3}\r\nabc)\r\n\r\n", "X:upstream-nonsense" } },
    { "bare LF behind the upstream's marker",
      { "S:* 1 FETCH (BODY[] {3}\nabc)\r\n", "X:upstream-bare-lf" } },
    { "an upstream's literal over 63 bits",
      { "S:* 1 FETCH (BODY[] {9999999999999999999}\r\n", "X:upstream-literal" } },
    { "LF in a capability list", { "S:* CAPABILITY IMAP4rev1\nX\r\n", "X:upstream-capability" } },
    { "end of line in a capability code",
      { "C:a1 NOOP\r\n", "S:a1 OK [CAPABILITY IMAP4rev1\r\n", "X:upstream-capability" } },
};

/* ---- the upstream's octets ------------------------------------------------------------ */

static const struct dialogue responses[] = {
    { "capability line",
      { "S:* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR COMPRESS=DEFLATE UNAUTHENTICATE "
        "IDLE\r\n",
        "D:* CAPABILITY IMAP4rev1 IDLE\r\n" } },
    { "capability code, untagged and tagged",
      { "C:a1 NOOP\r\n", "U:a1 NOOP\r\n",
        "S:* OK [CAPABILITY IDLE COMPRESS=DEFLATE] hello\r\n"
        "a1 OK [capability UNAUTHENTICATE NOTIFY] done\r\n",
        "D:* OK [CAPABILITY IDLE] hello\r\na1 OK [capability NOTIFY] done\r\n" } },
    { "the reply with a capability code is counted",
      { "C:a1 NOOP\r\na2 CREATE {1}\r\n", "S:a1 OK [CAPABILITY IDLE] done\r\n",
        "U:a1 NOOP\r\na2 CREATE {1}\r\n", "D:a1 OK [CAPABILITY IDLE] done\r\n" } },
    { "other codes pass as they are",
      { "S:* OK [CAPABILITYX COMPRESS=DEFLATE] a\r\n* OK [UIDNEXT 5] b\r\n* OK [CAPABILITY] c\r\n",
        "D:* OK [CAPABILITYX COMPRESS=DEFLATE] a\r\n* OK [UIDNEXT 5] b\r\n* OK [CAPABILITY] "
        "c\r\n" } },
    { "replies inside a literal are message text",
      { "C:a1 FETCH 1 BODY[]\r\n", "U:a1 FETCH 1 BODY[]\r\n",
        "S:* 1 FETCH (BODY[] {19}\r\na1 OK\r\n+ go\r\n* X\r\n FLAGS ())\r\na1 OK\r\n",
        "D:* 1 FETCH (BODY[] {19}\r\na1 OK\r\n+ go\r\n* X\r\n FLAGS ())\r\na1 OK\r\n", "H:0" } },
    { "literal8, an empty one, two in a response",
      { "C:a1 NOOP\r\n", "U:a1 NOOP\r\n",
        "S:* 1 FETCH (BINARY[1] ~{2}\r\n+\n BODY[2] {0}\r\n BODY[3] {3}\r\n+ x)\r\na1 OK\r\n",
        "D:* 1 FETCH (BINARY[1] ~{2}\r\n+\n BODY[2] {0}\r\n BODY[3] {3}\r\n+ x)\r\na1 OK\r\n" } },
    { "what looks like a literal in status text is none",
      { "C:a1 NOOP\r\na2 NOOP\r\n", "U:a1 NOOP\r\na2 NOOP\r\n",
        "S:* OK no literal {5}\r\na1 NO nor this {99}\r\na2 OK [X {7}\r\n",
        "D:* OK no literal {5}\r\na1 NO nor this {99}\r\na2 OK [X {7}\r\n" } },
    { "what looks like a literal in a quoted string is none",
      { "S:* LIST () \"/\" \"{5}\"\r\n* 1 EXISTS\r\n",
        "D:* LIST () \"/\" \"{5}\"\r\n* 1 EXISTS\r\n" } },
    { "a bare LF in a response line is an octet",
      { "C:a1 NOOP\r\n", "U:a1 NOOP\r\n", "S:* LIST () \"/\" \"x\n+ y\"\r\na1 OK\r\n",
        "D:* LIST () \"/\" \"x\n+ y\"\r\na1 OK\r\n" } },
    { "BYE and PREAUTH", { "S:* PREAUTH hi\r\n* BYE {3}\r\n", "D:* PREAUTH hi\r\n* BYE {3}\r\n" } },
    { "words at the end of a line",
      { "S:* OK\r\n* SEARCH\r\n* CAPABILITY\r\n", "D:* OK\r\n* SEARCH\r\n* CAPABILITY\r\n" } },
    { "the swallowed word may be long",
      { "C:a1 CREATE {1+}\r\nx\r\n", "U:a1 CREATE {1}\r\n",
        "S:+ {5} go ahead, all of you\n or not\r\n", "D:", "U:x\r\n" } },
};

#define ALL_WAYS(name)                                                                             \
    static void name##_dialogues(void **state)                                                     \
    {                                                                                              \
        (void)state;                                                                               \
        for (size_t i = 0; i < COUNT_OF(name); i++)                                                \
            play_all_ways(&name[i]);                                                               \
    }

ALL_WAYS(honest)
ALL_WAYS(refused)
ALL_WAYS(ended)
ALL_WAYS(responses)

/* ---- bounds, labels, farewells, memory ------------------------------------------------ */

static struct guard_step feed_client(struct guard *g, const char *text)
{
    return imap_guard_ops.client(g, view_text(text));
}

static void holds_above_256_outstanding(void **state)
{
    (void)state;
    struct guard *g = imap_guard_ops.create(&plain);

    for (int i = 0; i < 256; i++)
        assert_int_equal(feed_client(g, "a NOOP\r\n").kind, GUARD_PASS);
    assert_int_equal(feed_client(g, "a NOOP\r\n").kind, GUARD_HOLD);
    assert_int_equal(imap_guard_ops.server(g, view_text("a OK\r\n")).kind, GUARD_PASS);
    assert_int_equal(feed_client(g, "a NOOP\r\n").kind, GUARD_PASS);
    imap_guard_ops.destroy(g);
}

static void line_at_its_bound(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        for (size_t piece = 1; piece < 1 << 17; piece = piece == 1 ? 4096 : piece * 32) {
            struct guard *g = imap_guard_ops.create(&plain);
            size_t n = LIMIT_IMAP_GUARD_LINE + over, at = 0;
            uint8_t *line = mem_alloc(n);
            struct guard_step s = { .kind = GUARD_MORE };

            memset(line, 'x', n);
            memcpy(line, "a1 X ", 5);
            memcpy(line + n - 2, "\r\n", 2);
            while (at < n && s.kind != GUARD_END) {
                s = imap_guard_ops.client(g, view_of(line + at, n - at < piece ? n - at : piece));
                at += s.n;
            }
            if (over == 0) {
                assert_true(s.kind == GUARD_PASS || s.put.n == n);
            } else {
                assert_int_equal(s.kind, GUARD_END);
                assert_string_equal(s.reason, "line-too-long");
            }
            mem_free(line);
            imap_guard_ops.destroy(g);
        }
    }
}

static void capability_over_its_bound(void **state)
{
    (void)state;
    struct guard *g = imap_guard_ops.create(&plain);
    size_t n = LIMIT_IMAP_CAPABILITY + 64;
    uint8_t *line = mem_alloc(n);

    memset(line, 'X', n);
    memcpy(line, "* CAPABILITY ", 13);
    struct guard_step s = imap_guard_ops.server(g, view_of(line, n));
    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, 13);
    s = imap_guard_ops.server(g, view_of(line + 13, n - 13));
    assert_int_equal(s.kind, GUARD_END);
    assert_string_equal(s.reason, "upstream-capability");
    mem_free(line);
    imap_guard_ops.destroy(g);
}

/* Bulk passes in one step for each input, however many lines and literals are in it. */
static void bulk_passes_in_one_step(void **state)
{
    (void)state;
    struct guard *g = imap_guard_ops.create(&plain);
    const char *text =
        "* 1 FETCH (BODY[] {3}\r\nabc)\r\n* 2 FETCH (BODY[] {3}\r\nabc)\r\n* SEARCH 1";
    struct guard_step s = imap_guard_ops.server(g, view_text(text));

    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, strlen(text));
    imap_guard_ops.destroy(g);
}

static void says_bye_between_responses_only(void **state)
{
    (void)state;
    struct guard *g = imap_guard_ops.create(&plain);
    AUTO_BUF(out, 128);

    imap_guard_ops.bye(g, "going", &out);
    assert_string_equal(buf_cstr(&out), "* BYE going\r\n");
    buf_clear(&out);
    const char *const parts[] = { "*", " ", "1 FETCH (X {3}", "\r\n", "ab", "c", ")\r" };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        (void)imap_guard_ops.server(g, view_text(parts[i]));
        imap_guard_ops.bye(g, "going", &out);
        assert_int_equal(out.n, 0);
    }
    (void)imap_guard_ops.server(g, view_text("\n"));
    imap_guard_ops.bye(g, "going", &out);
    assert_string_equal(buf_cstr(&out), "* BYE going\r\n");
    imap_guard_ops.destroy(g);
}

static void label_is(const char *command, const char *label)
{
    struct guard *g = imap_guard_ops.create(&plain);

    assert_int_equal(imap_guard_ops.client_label(g).n, 0);
    assert_int_equal(feed_client(g, command).kind, GUARD_PASS);
    struct view v = imap_guard_ops.client_label(g);
    assert_true(view_is_equal(v, view_text(label)));
    assert_int_equal(imap_guard_ops.client_label(g).n, 0);
    (void)feed_client(g, command);
    assert_int_equal(imap_guard_ops.client_label(g).n, 0);
    imap_guard_ops.destroy(g);
}

static void labels(void **state)
{
    (void)state;
    label_is("a ID (\"name\" \"Thunderbird\" \"version\" \"115.0\")\r\n", "Thunderbird 115.0");
    label_is("a id (\"VERSION\" \"2\" \"os\" \"x\" \"NAME\" \"a\\\"b\tc\")\r\n", "a\"b?c 2");
    label_is("a ID NIL\r\n", "");
    label_is("a ID (\"os\" \"Linux\")\r\n", "");
    label_is("a ID (\"name\" NIL)\r\n", "");
    label_is("a ID (\"name\"\r\n", "");
}

static void is_tiny_when_idle(void **state)
{
    (void)state;
    struct guard *g = imap_guard_ops.create(&plain);

    assert_true(sizeof(struct guard) <= 200);
    (void)feed_client(g, "a1 NO");
    (void)feed_client(g, "OP\r\n");
    (void)imap_guard_ops.server(g, view_text("* CAPABILITY IDLE"));
    (void)imap_guard_ops.server(g, view_text(" IDLE"));
    (void)imap_guard_ops.server(g, view_text("\r\na1 OK\r\n"));
    (void)imap_guard_ops.server(g, view_text("a1 OK\r\n"));
    (void)feed_client(g, "a2 CREATE {1+}\r\n");
    (void)imap_guard_ops.server(g, view_text("+ \r\n"));
    (void)feed_client(g, "x\r\n");
    (void)feed_client(g, "\r\n");
    (void)feed_client(g, "a3 STARTTLS\r\n");
    (void)imap_guard_ops.server(g, VIEW_NONE);
    (void)feed_client(g, "");
    assert_null(g->reason);
    assert_null(g->line.p);
    assert_null(g->tag.p);
    assert_null(g->held.p);
    assert_null(g->label);
    imap_guard_ops.destroy(g);
}

/* Without memory the session ends; nothing passes that would not have passed otherwise. */
static void every_allocation_fails_once(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 12; n++) {
        static const char *const client[] = { "a1 LO", "GIN {1+}\r\nx\r\n",
                                              "a2 ID (\"name\" \"x\")\r\n", "a3 CREATE {1+}\r\n" };
        mem_fail_at(n);
        struct guard *g = imap_guard_ops.create(&plain);
        for (size_t i = 0; g != NULL && i < COUNT_OF(client); i++) {
            struct view in = view_text(client[i]);
            struct guard_step s = { .kind = GUARD_PASS };
            while (s.kind == GUARD_PASS || s.kind == GUARD_PUT) {
                s = imap_guard_ops.client(g, in);
                if (s.kind == GUARD_PUT && s.put.n > 0)
                    assert_memory_equal(s.put.p, "a3 CREATE {1}\r\n", s.put.n);
                in = view_skip(in, s.n);
            }
            s.kind = GUARD_PASS;
            struct view down =
                i == 2 ? view_text("a2 OK [CAPABILITY COMPRESS=DEFLATE] \r\n") : VIEW_NONE;
            while (s.kind == GUARD_PASS || s.kind == GUARD_PUT) {
                s = imap_guard_ops.server(g, down);
                down = view_skip(down, s.n);
            }
        }
        imap_guard_ops.destroy(g);
        mem_fail_at(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_dialogues),
        cmocka_unit_test(refused_dialogues),
        cmocka_unit_test(ended_dialogues),
        cmocka_unit_test(responses_dialogues),
        cmocka_unit_test(holds_above_256_outstanding),
        cmocka_unit_test(line_at_its_bound),
        cmocka_unit_test(capability_over_its_bound),
        cmocka_unit_test(bulk_passes_in_one_step),
        cmocka_unit_test(says_bye_between_responses_only),
        cmocka_unit_test(labels),
        cmocka_unit_test(is_tiny_when_idle),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
