/* The guard as a table of dialogues. Each runs whole, octet by octet, and with every single split
 * of every piece of input, in both directions; what comes out must be the same. Where messages end
 * is the business of test_smtp_message.c. */
#include "base/limits.h"
#include "base/mem.h"
#include "proto/smtp/guard_address.h"
#include "proto/smtp/guard_state.h"
#include "proto/smtp/smtp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A step of a dialogue is a letter, a colon and octets; '\x01' stands for NUL.
 *   C  the client sends          U  this has gone upstream since the last U
 *   S  the upstream sends        D  this has gone down to the client since the last D
 *   H  the guard holds the client ("H:1") or does not ("H:0")
 *   X  the session has ended for this reason; every dialogue without an X has not ended
 *   B  what the gate says if it ends the session now
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
    const struct guard_step s = is_client ? smtp_guard_ops.client(r->g, view_of(copy, in->n))
                                          : smtp_guard_ops.server(r->g, view_of(copy, in->n));
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
    for (size_t i = 0; i < out->n; i++) /* as it is written in the tables */
        out->p[i] = out->p[i] == '\0' ? '\x01' : out->p[i];
    if (!view_is_equal(buf_view(out), view_text(octets)))
        fail_msg("%s: expected \"%s\", got \"%s\" (split %zu:%zu)", r->d->name, octets,
                 buf_cstr(out), r->split_step, r->split_at);
    buf_clear(out);
}

static void expect_bye(struct run *r, const char *octets)
{
    AUTO_BUF(out, 512);

    smtp_guard_ops.bye(r->g, "going", &out);
    expect(r, octets, &out);
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
    case 'B':
        expect_bye(r, octets);
        break;
    default:
        fail_msg("%s: step %zu", r->d->name, i);
    }
}

static const struct guard_conf plain,
    chunking = { .capabilities = { (const uint8_t *)"PIPELINING\r\nCHUNKING\r\nDSN\r\n", 27 } };
static const struct guard_conf *conf;

static void play(const struct dialogue *d, bool is_trickle, size_t split_step, size_t split_at)
{
    struct run r = { .d = d,
                     .g = smtp_guard_ops.create(conf),
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
    smtp_guard_ops.destroy(r.g);
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

static void play_table(const struct guard_conf *with, const struct dialogue *table, size_t count)
{
    conf = with;
    for (size_t i = 0; i < count; i++)
        play_all_ways(&table[i]);
}

/* ---- what honest clients do ----------------------------------------------------------- */

static const struct dialogue honest[] = {
    { "a message",
      { "C:MAIL FROM:<ann@example.org>\r\n", "U:MAIL FROM:<ann@example.org>\r\n",
        "S:250 2.1.0 Ok\r\n", "D:250 2.1.0 Ok\r\n", "C:RCPT TO:<bob@example.net>\r\n",
        "U:RCPT TO:<bob@example.net>\r\n", "S:250 2.1.5 Ok\r\n", "D:250 2.1.5 Ok\r\n", "C:DATA\r\n",
        "U:DATA\r\n", "H:1", "S:354 Go on\r\n", "D:354 Go on\r\n", "H:0",
        "C:Subject: x\r\n\r\ntext\r\n.\r\n", "U:Subject: x\r\n\r\ntext\r\n.\r\n", "H:0",
        "S:250 2.0.0 Queued\r\n", "D:250 2.0.0 Queued\r\n" } },
    { "a group passes at once",
      { "C:RSET\r\nMAIL FROM:<> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<a@b>\r\nRCPT "
        "TO:<c@d>\r\nDATA\r\n",
        "U:RSET\r\nMAIL FROM:<> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<a@b>\r\nRCPT "
        "TO:<c@d>\r\nDATA\r\n",
        "H:1", "S:250 a\r\n250 b\r\n250 c\r\n550 d\r\n", "H:1", "S:354 go\r\n", "H:0",
        "D:250 a\r\n250 b\r\n250 c\r\n550 d\r\n354 go\r\n", "C:.\r\nQUIT\r\n", "U:.\r\nQUIT\r\n",
        "S:250 queued\r\n221 bye\r\n", "D:250 queued\r\n221 bye\r\n" } },
    { "nothing of a command passes before its end",
      { "C:NOO", "U:", "C:P\r", "U:", "C:\n", "U:NOOP\r\n" } },
    { "case of words does not matter",
      { "C:mAiL fRoM:<a@b>\r\nrcpt to:<a@b> notify=NEVER\r\n",
        "U:mAiL fRoM:<a@b>\r\nrcpt to:<a@b> notify=NEVER\r\n" } },
    { "white space at the end is tolerated",
      { "C:MAIL FROM:<a@b> \r\nRSET  \r\nNOOP \r\n",
        "U:MAIL FROM:<a@b> \r\nRSET  \r\nNOOP \r\n" } },
    { "the other commands",
      { "C:NOOP what ever\r\nVRFY ann\r\nEXPN list\r\nHELP\r\nHELP MAIL\r\n",
        "U:NOOP what ever\r\nVRFY ann\r\nEXPN list\r\nHELP\r\nHELP MAIL\r\n",
        "S:250 Ok\r\n252 2.0.0 ann\r\n550 no\r\n214-all\r\n214 more\r\n502 no\r\n",
        "D:250 Ok\r\n252 2.0.0 ann\r\n550 no\r\n214-all\r\n214 more\r\n502 no\r\n" } },
    { "refused DATA: what follows is a command",
      { "C:DATA\r\nRSET\r\n", "U:DATA\r\n", "S:503 5.5.1 need RCPT\r\n", "U:RSET\r\n",
        "D:503 5.5.1 need RCPT\r\n" } },
    { "all parameters",
      { "C:MAIL FROM:<a@b> SIZE=1 BODY=7BIT SMTPUTF8 AUTH=<> RET=HDRS ENVID=x+20y BY=1;R "
        "HOLDFOR=1 HOLDUNTIL=x MT-PRIORITY=3 REQUIRETLS\r\nRCPT TO:<a@b> NOTIFY=SUCCESS,DELAY "
        "ORCPT=rfc822;a@b\r\n",
        "U:MAIL FROM:<a@b> SIZE=1 BODY=7BIT SMTPUTF8 AUTH=<> RET=HDRS ENVID=x+20y BY=1;R "
        "HOLDFOR=1 HOLDUNTIL=x MT-PRIORITY=3 REQUIRETLS\r\nRCPT TO:<a@b> NOTIFY=SUCCESS,DELAY "
        "ORCPT=rfc822;a@b\r\n" } },
    { "addresses of many kinds",
      { "C:RCPT TO:<Postmaster>\r\nRCPT TO:<\"a\\\"b\"@c>\r\nRCPT TO:<a@[IPv6:::1]>\r\n"
        "RCPT TO:<a..b.@c-d.e_f>\r\nRCPT TO:<j\xc3\xb6rg@\xc3\xbc.example>\r\n"
        "RCPT TO:<a!b%c#$&'*+-/=?^_`{|}~@d>\r\n",
        "U:RCPT TO:<Postmaster>\r\nRCPT TO:<\"a\\\"b\"@c>\r\nRCPT TO:<a@[IPv6:::1]>\r\n"
        "RCPT TO:<a..b.@c-d.e_f>\r\nRCPT TO:<j\xc3\xb6rg@\xc3\xbc.example>\r\n"
        "RCPT TO:<a!b%c#$&'*+-/=?^_`{|}~@d>\r\n" } },
    { "EHLO again: what may not pass is left out",
      { "C:EHLO me\r\nNOOP\r\n", "U:EHLO me\r\n", "H:1",
        "S:250-mail hello\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-XCLIENT NAME ADDR\r\n"
        "250-AUTH PLAIN\r\n250-AUTH=PLAIN\r\n250-ETRN\r\n250-STARTTLS\r\n250-BURL imap\r\n",
        "D:", "H:1", "S:250-CHUNKING\r\n250-BINARYMIME\r\n250-8bitmime\r\n250 XFORWARD NAME\r\n",
        "D:250-mail hello\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8bitmime\r\n", "U:NOOP\r\n" } },
    { "EHLO: nothing offered is left",
      { "C:EHLO me\r\n", "U:EHLO me\r\n", "S:250-mail\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n",
        "D:250 mail\r\n", "H:0" } },
    { "EHLO: the last one passes",
      { "C:EHLO me\r\n", "U:EHLO me\r\n", "S:250-mail\r\n250-AUTH PLAIN\r\n250 DSN\r\n",
        "D:250-mail\r\n250 DSN\r\n" } },
    { "EHLO: one line, without a text",
      { "C:EHLO me\r\n", "U:EHLO me\r\n", "S:250\r\n", "D:250\r\n", "H:0" } },
    { "EHLO refused",
      { "C:EHLO me\r\n", "U:EHLO me\r\n", "S:501-no\r\n501 AUTH is no name\r\n",
        "D:501-no\r\n501 AUTH is no name\r\n", "H:0" } },
    { "QUIT: what comes behind it goes nowhere",
      { "C:QUIT\r\nNOOP\r\n", "U:QUIT\r\n", "H:1", "S:221-so long\r\n221 bye\r\n",
        "D:221-so long\r\n221 bye\r\n", "H:0", "C:XCLIENT NAME=x\r\n", "U:", "D:", "B:" } },
    { "refused QUIT",
      { "C:QUIT\r\nNOOP\r\n", "U:QUIT\r\n", "S:500 what\r\n", "U:NOOP\r\n", "D:500 what\r\n" } },
    { "421 unasked: the upstream closes",
      { "S:421 4.4.2 timeout\r\n", "D:421 4.4.2 timeout\r\n", "C:NOOP\r\n", "U:", "D:", "B:" } },
    { "421 to a command, of two lines",
      { "C:NOOP\r\nRSET\r\n", "U:NOOP\r\nRSET\r\n", "S:421-4.3.2 a\r\n421 b\r\n",
        "D:421-4.3.2 a\r\n421 b\r\n", "C:NOOP\r\n", "U:" } },
    { "421 in a message: nothing more of it passes",
      { "C:DATA\r\n", "U:DATA\r\n", "S:354 go\r\n", "D:354 go\r\n", "C:abc", "U:abc",
        "S:421 4.3.0 full\r\n", "D:421 4.3.0 full\r\n", "C:def\r\n.\r\n", "U:" } },
    { "reply without a text", { "C:NOOP\r\n", "U:NOOP\r\n", "S:250\r\n", "D:250\r\n" } },
};

/* ---- what must not pass --------------------------------------------------------------- */

#define NO_UNKNOWN   "502 5.5.1 This command does not pass the gate\r\n"
#define NO_AUTH      "503 5.5.1 Already authenticated\r\n"
#define NO_STARTTLS  "503 5.5.1 TLS has begun already\r\n"
#define NO_SYNTAX    "500 5.5.2 Not a command\r\n"
#define NO_ARGUMENTS "501 5.5.4 Bad arguments\r\n"
#define NO_SENDER    "501 5.1.7 Bad sender address syntax\r\n"
#define NO_RECIPIENT "501 5.1.3 Bad recipient address syntax\r\n"
#define NO_PARAMETER "555 5.5.4 This parameter does not pass the gate\r\n"
#define NO_FOREIGN   "553 5.7.1 Sender address not permitted\r\n"
#define NO_CHUNKING  "502 5.5.1 CHUNKING was not offered\r\n"
#define NO_RCPT      "503 5.5.1 No recipient was accepted\r\n"

static const struct dialogue refused[] = {
    { "AUTH, again",
      { "C:AUTH PLAIN AGEAYg==\r\n", "U:", "D:" NO_AUTH, "C:NOOP\r\n", "U:NOOP\r\n" } },
    { "AUTH in mixed case, without arguments", { "C:aUtH\r\n", "U:", "D:" NO_AUTH } },
    { "AUTH LOGIN: its octets are no commands either",
      { "C:AUTH LOGIN\r\ndmljdGlt\r\ncGFzcw==\r\n", "U:", "D:" NO_AUTH NO_UNKNOWN NO_UNKNOWN } },
    { "STARTTLS, again", { "C:STARTTLS\r\n", "U:", "D:" NO_STARTTLS } },
    { "words that change identity, or that nobody knows",
      { "C:XCLIENT LOGIN=victim\r\nXFORWARD NAME=x\r\nPROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"
        "BURL imap://x LAST\r\nETRN x\r\nTURN\r\nATRN\r\nXEXCH50 1 2\r\nLHLO x\r\nGET / "
        "HTTP/1.1\r\n",
        "U:",
        "D:" NO_UNKNOWN NO_UNKNOWN NO_UNKNOWN NO_UNKNOWN NO_UNKNOWN NO_UNKNOWN NO_UNKNOWN NO_UNKNOWN
            NO_UNKNOWN NO_UNKNOWN } },
    { "near misses of words",
      { "C:NOOPX\r\nDATA.\r\nMAIL:\r\n.\r\n",
        "U:", "D:" NO_UNKNOWN NO_UNKNOWN NO_UNKNOWN NO_UNKNOWN } },
    { "what is no line of a command",
      { "C:\r\n NOOP\r\nNOOP\tx\r\nNOOP \x7f\r\nNOOP \xff\r\nNOOP \xc0\x80\r\nNOOP \xc2\x85\r\n",
        "U:", "D:" NO_SYNTAX NO_SYNTAX NO_SYNTAX NO_SYNTAX NO_SYNTAX NO_SYNTAX NO_SYNTAX } },
    { "arguments where none belong, none where some do",
      { "C:DATA x\r\nRSET x\r\nQUIT x\r\nEHLO\r\nEHLO \r\nHELO a b\r\nMAIL\r\nRCPT\r\n", "U:",
        "D:" NO_ARGUMENTS NO_ARGUMENTS NO_ARGUMENTS NO_ARGUMENTS NO_ARGUMENTS NO_ARGUMENTS
            NO_ARGUMENTS NO_ARGUMENTS } },
    { "spaces behind the colon go nowhere",
      { "C:MAIL FROM: <a@b>\r\nRCPT TO:  <a@b>\r\nmail from: <>\r\n",
        "U:MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nmail from:<>\r\n" } },
    { "MAIL: almost right",
      { "C:MAIL FROM : <a@b>\r\nMAIL FROM <a@b>\r\nMAIL FROM:a@b\r\nMAIL  FROM:<a@b>\r\n"
        "MAIL TO:<a@b>\r\nMAIL FROM:<a@b>SIZE=1\r\nMAIL FROM:<a@b>  SIZE=1\r\n",
        "U:",
        "D:" NO_ARGUMENTS NO_ARGUMENTS NO_ARGUMENTS NO_ARGUMENTS NO_ARGUMENTS NO_ARGUMENTS
            NO_ARGUMENTS } },
    { "MAIL: bad addresses",
      { "C:MAIL FROM:<a@b\r\nMAIL FROM:<@x,@y:a@b>\r\nMAIL FROM:<a@>\r\nMAIL FROM:<@b>\r\n"
        "MAIL FROM:<a b@c>\r\nMAIL FROM:<a@b@c>\r\nMAIL FROM:<a@[1.2>\r\nMAIL FROM:<a@[]>\r\n"
        "MAIL FROM:<\"a@b>\r\nMAIL FROM:<\"a b\"@c>\r\n"
        "MAIL FROM:<\"> AUTH=v\"@c>\r\nMAIL FROM:<\"a\\>\r\n",
        "U:",
        "D:" NO_SENDER NO_SENDER NO_SENDER NO_SENDER NO_SENDER NO_SENDER NO_SENDER NO_SENDER
            NO_SENDER NO_SENDER NO_SENDER NO_SENDER } },
    { "RCPT: bad addresses",
      { "C:RCPT TO:<>\r\nRCPT TO:<@x:a@b>\r\nRCPT TO:<a>b@c>\r\nRCPT TO :<a@b>\r\n",
        "U:", "D:" NO_RECIPIENT NO_RECIPIENT NO_ARGUMENTS NO_ARGUMENTS } },
    { "parameters: who submitted it first, and what nobody knows",
      { "C:MAIL FROM:<a@b> AUTH=victim@example.org\r\nMAIL FROM:<a@b> AUTH=<>x\r\n"
        "MAIL FROM:<a@b> auth=<> SIZE=1 AUTH=v\r\nMAIL FROM:<a@b> AUTH\r\n"
        "MAIL FROM:<a@b> XVERP\r\nMAIL FROM:<a@b> NOTIFY=NEVER\r\n"
        "RCPT TO:<a@b> XRCPTFORWARD=x\r\nRCPT TO:<a@b> SIZE=1\r\n",
        "U:",
        "D:" NO_PARAMETER NO_PARAMETER NO_PARAMETER NO_PARAMETER NO_PARAMETER NO_PARAMETER
            NO_PARAMETER NO_PARAMETER } },
    { "parameters: malformed",
      { "C:MAIL FROM:<a@b> SIZE=\r\nMAIL FROM:<a@b> =1\r\nMAIL FROM:<a@b> RET=a=b\r\n",
        "U:", "D:" NO_ARGUMENTS NO_ARGUMENTS NO_ARGUMENTS } },
    { "answers of the gate keep their place",
      { "C:NOOP\r\nSTARTTLS\r\nRSET\r\nXCLIENT x\r\nDATA\r\n", "U:NOOP\r\nRSET\r\nDATA\r\n",
        "D:", "S:250 a\r\n", "D:250 a\r\n" NO_STARTTLS, "S:250 b\r\n503 c\r\n",
        "D:250 b\r\n" NO_UNKNOWN "503 c\r\n" } },
    { "… and do not break into a reply",
      { "C:HELP\r\n", "U:HELP\r\n", "S:214-a\r\n21", "D:214-a\r\n", "C:STARTTLS\r\n", "D:", "S:4",
        "D:", "S: b\r\n", "D:214 b\r\n" NO_STARTTLS } },
    { "… be it one that nobody asked for",
      { "S:421-4.3.2 a\r\n", "D:421-4.3.2 a\r\n", "C:STARTTLS\r\n", "D:", "S:421 b\r\n",
        "D:421 b\r\n" } },
    { "hidden in a message that was refused, it is judged",
      { "C:DATA\r\nXCLIENT LOGIN=victim\r\nMAIL FROM:<a@b>\r\n", "U:DATA\r\n", "S:503 no\r\n",
        "U:MAIL FROM:<a@b>\r\n", "D:503 no\r\n" NO_UNKNOWN } },
    { "BDAT that was not offered: its octets are no commands",
      { "C:BDAT 9 LAST\r\nXCLIENT\r\nRSET\r\n", "D:" NO_CHUNKING, "U:RSET\r\n" } },
};

/* ---- what ends the session ------------------------------------------------------------ */

#define BYE        "421 4.3.2 going\r\n"
#define NOT_A_LINE "500 5.5.2 Lines end in CRLF, are not too long and hold no CR or NUL\r\n"
#define NOT_A_SIZE "501 5.5.4 BDAT wants a size\r\n"

static const struct dialogue ended[] = {
    { "bare LF", { "C:NOOP\nXCLIENT x\r\n", "X:bare-lf", "U:", "B:" NOT_A_LINE BYE } },
    { "bare LF alone", { "C:\n", "X:bare-lf", "U:" } },
    { "bare CR", { "C:NOOP\rXCLIENT x\r\n", "X:bare-cr", "U:" } },
    { "CR CR LF", { "C:NOOP\r\r\n", "X:bare-cr", "U:" } },
    { "NUL", { "C:NOOP\x01\r\n", "X:nul", "U:" } },
    { "… while answers are due: only what answers everything is said",
      { "C:NOOP\r\nNOOP\n", "X:bare-lf", "U:NOOP\r\n", "B:" BYE } },
    { "… in the middle of a reply: nothing is said",
      { "C:HELP\r\n", "S:214-a\r\n", "D:214-a\r\n", "C:\n", "X:bare-lf", "B:" } },
    { "BDAT without a size", { "C:BDAT\r\n", "X:bad-chunk", "B:" NOT_A_SIZE BYE } },
    { "a message with a bare newline: swallowed up to its end",
      { "C:DATA\r\n", "S:354 go\r\n", "C:a\r\nb\n.\r", "U:DATA\r\na\r\nb", "C:\nMAIL\r\n",
        "X:bare-newline",
        "U:", "B:550 5.6.0 Message refused: it holds a bare CR, a bare LF or NUL\r\n" BYE } },
    { "an answer that nobody asked for", { "S:250 Ok\r\n", "X:unasked-reply", "D:", "B:" BYE } },
    { "an answer too many", { "C:NOOP\r\n", "S:250 a\r\n250 b\r\n", "X:unasked-reply" } },
    { "an answer inside a message",
      { "C:DATA\r\n", "S:354 go\r\n", "C:x", "S:250 ok\r\n", "X:unasked-reply" } },
    { "354 to another command", { "C:NOOP\r\n", "S:354 go\r\n", "X:upstream-nonsense" } },
    { "250 to DATA", { "C:DATA\r\n", "S:250 ok\r\n", "X:upstream-nonsense" } },
    { "334", { "C:NOOP\r\n", "S:334 \r\n", "X:upstream-nonsense" } },
    { "150", { "C:NOOP\r\n", "S:150 x\r\n", "X:upstream-nonsense" } },
    { "600", { "C:NOOP\r\n", "S:600 x\r\n", "X:upstream-nonsense" } },
    { "two digits", { "C:NOOP\r\n", "S:25 x\r\n", "X:upstream-nonsense" } },
    { "four digits", { "C:NOOP\r\n", "S:2500 x\r\n", "X:upstream-nonsense" } },
    { "no digits", { "C:NOOP\r\n", "S:* OK\r\n", "X:upstream-nonsense" } },
    { "an empty line", { "C:NOOP\r\n", "S:\r\n", "X:upstream-nonsense" } },
    { "another code in the same reply",
      { "C:NOOP\r\n", "S:250-a\r\n251 b\r\n", "X:upstream-nonsense", "D:250-a\r\n" } },
    { "an upstream's bare LF", { "C:NOOP\r\n", "S:250 a\n", "X:upstream-nonsense", "D:" } },
    { "an upstream's bare CR", { "C:NOOP\r\n", "S:250 a\rb\r\n", "X:upstream-nonsense", "D:" } },
    { "an upstream's NUL", { "C:NOOP\r\n", "S:250 \x01\r\n", "X:upstream-nonsense", "D:" } },
    { "another code in the reply to EHLO",
      { "C:EHLO x\r\n", "S:250-a\r\n220 b\r\n", "X:upstream-nonsense", "D:" } },
};

/* ---- chunks --------------------------------------------------------------------------- */

#define BEGIN   "C:MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n", "S:250 a\r\n250 b\r\n"
#define BEGUN_U "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
#define BEGUN_D "250 a\r\n250 b\r\n"
#define BINARY  "MAIL FROM:<a@b> BODY=BINARYMIME\r\n"
#define NO_MORE "503 5.5.1 Only BDAT follows BDAT: begin again\r\n"
#define BARE    "550 5.6.0 Message refused: it holds a bare CR, a bare LF or NUL\r\n"

static const struct dialogue chunks[] = {
    { "in one",
      { BEGIN, "C:BDAT 7 LAST\r\na\r\n.\r\nb", "U:" BEGUN_U "BDAT 7 LAST\r\na\r\n.\r\nb", "H:0",
        "S:250 queued\r\n", "D:" BEGUN_D "250 queued\r\n" } },
    { "the octets of a chunk are counted",
      { BEGIN, "C:BDAT 19 last\r\n.\r\nXCLIENT x\r\nAUTHMAIL FROM:<>\r\n",
        "U:" BEGUN_U "BDAT 19 last\r\n.\r\nXCLIENT x\r\nAUTHM", "S:250 q\r\n",
        "D:" BEGUN_D "250 q\r\n" NO_UNKNOWN } },
    { "and not looked at where BODY=BINARYMIME announced them",
      { "C:EHLO x\r\n", "S:250-m\r\n250-BINARYMIME\r\n250 CHUNKING\r\n",
        "D:250-m\r\n250-BINARYMIME\r\n250 CHUNKING\r\n", "C:" BINARY "RCPT TO:<c@d>\r\n",
        "S:" BEGUN_D,
        "C:BDAT 23 last\r\n.\r\nXCLIENT x\n\r.\n\x01"
        "AUTH\rMAIL FROM:<>\r\n",
        "U:EHLO x\r\n" BINARY "RCPT TO:<c@d>\r\nBDAT 23 last\r\n.\r\nXCLIENT x\n\r.\n\x01"
        "AUTH\rM",
        "S:250 q\r\n", "D:" BEGUN_D "250 q\r\n" NO_UNKNOWN, BEGIN, "C:BDAT 2\r\na\n",
        "U:" BEGUN_U "BDAT 2\r\na", "D:" BEGUN_D, "X:bare-newline" } },
    { "which the upstream must have offered",
      { "C:" BINARY "RCPT TO:<c@d>\r\n", "S:" BEGUN_D, "C:BDAT 3 LAST\r\na\nb",
        "U:" BINARY "RCPT TO:<c@d>\r\nBDAT 3 LAST\r\na", "D:" BEGUN_D, "X:bare-newline" } },
    { "and have accepted",
      { "C:EHLO x\r\n", "S:250-m\r\n250-BINARYMIME\r\n250 CHUNKING\r\n",
        "D:250-m\r\n250-BINARYMIME\r\n250 CHUNKING\r\n",
        "C:MAIL FROM:<a@b>\r\n" BINARY "RCPT TO:<c@d>\r\n", "S:250 a\r\n503 b\r\n250 c\r\n",
        "C:BDAT 1\r\n\n", "U:EHLO x\r\nMAIL FROM:<a@b>\r\n" BINARY "RCPT TO:<c@d>\r\nBDAT 1\r\n",
        "D:250 a\r\n503 b\r\n250 c\r\n", "X:bare-newline" } },
    { "a body of two kinds",
      { "C:MAIL FROM:<a@b> BODY=7BIT BODY=BINARYMIME\r\n", "D:" NO_ARGUMENTS } },
    { "a bare LF: the rest of the chunk goes nowhere, then the end",
      { BEGIN, "C:BDAT 40 LAST\r\na\r\nb\n.\r\nMAIL FROM:<ceo@b>",
        "U:" BEGUN_U "BDAT 40 LAST\r\na\r\nb", "D:" BEGUN_D, "B:" BYE, "C:0123456789012345",
        "X:bare-newline", "B:" BARE BYE } },
    { "a bare CR",
      { BEGIN, "C:BDAT 9\r\na\r.\rb\r\n\r\n", "U:" BEGUN_U "BDAT 9\r\na\r", "D:" BEGUN_D,
        "X:bare-newline" } },
    { "NUL",
      { BEGIN,
        "C:BDAT 2\r\n\x01"
        "b",
        "U:" BEGUN_U "BDAT 2\r\n", "D:" BEGUN_D, "X:bare-newline" } },
    { "CR CR LF",
      { BEGIN, "C:BDAT 3\r\n\r\r\n", "U:" BEGUN_U "BDAT 3\r\n\r", "D:" BEGUN_D,
        "X:bare-newline" } },
    { "CRLF between two chunks",
      { BEGIN, "C:BDAT 2\r\na\rBDAT 2 LAST\r\n\nb", "S:250 c\r\n", "S:250 d\r\n",
        "U:" BEGUN_U "BDAT 2\r\na\rBDAT 2 LAST\r\n\nb", "D:" BEGUN_D "250 c\r\n250 d\r\n" } },
    { "not CRLF between two chunks",
      { BEGIN, "C:BDAT 2\r\na\rBDAT 1\r\nb", "S:250 c\r\n", "U:" BEGUN_U "BDAT 2\r\na\rBDAT 1\r\n",
        "D:" BEGUN_D "250 c\r\n", "X:bare-newline" } },
    { "a CR at the end of the message",
      { BEGIN, "C:BDAT 2 LAST\r\na\r", "U:" BEGUN_U "BDAT 2 LAST\r\na", "D:" BEGUN_D,
        "X:bare-newline" } },
    { "which is nothing but CR",
      { BEGIN, "C:BDAT 1 LAST\r\n\r", "U:" BEGUN_U "BDAT 1 LAST\r\n", "D:" BEGUN_D,
        "X:bare-newline" } },
    { "a CR, and nothing in the last chunk",
      { BEGIN, "C:BDAT 2\r\na\rBDAT 0 LAST\r\n", "S:250 c\r\n", "U:" BEGUN_U "BDAT 2\r\na\r",
        "D:" BEGUN_D "250 c\r\n", "X:bare-newline", "B:" BARE BYE } },
    { "a CR at the end of a message that was given up",
      { BEGIN, "C:BDAT 1\r\n\r", "S:250 c\r\n", "C:RSET\r\n", "S:250 r\r\n", BEGIN,
        "C:BDAT 1 LAST\r\nx", "S:250 d\r\n",
        "U:" BEGUN_U "BDAT 1\r\n\rRSET\r\n" BEGUN_U "BDAT 1 LAST\r\nx",
        "D:" BEGUN_D "250 c\r\n250 r\r\n" BEGUN_D "250 d\r\n" } },
    { "another command between two chunks, behind which Exim takes no other",
      { BEGIN, "C:BDAT 1\r\na", "S:250 c\r\n", "C:HELP\r\nBDAT 6\r\nRSET\r\nNOOP\r\n",
        "U:" BEGUN_U "BDAT 1\r\naHELP\r\n", "S:503 h\r\n",
        "D:" BEGUN_D "250 c\r\n503 h\r\n" NO_MORE, "U:NOOP\r\n", "S:503 n\r\n", "D:503 n\r\n",
        "C:EHLO x\r\nBDAT 1\r\nx", "S:503 e\r\n", "U:EHLO x\r\n", "D:503 e\r\n" NO_CHUNKING } },
    { "the same while the chunk is not answered",
      { BEGIN, "C:BDAT 1\r\naRCPT TO:<e@f>\r\nBDAT 6\r\nRSET\r\n",
        "U:" BEGUN_U "BDAT 1\r\naRCPT TO:<e@f>\r\n", "S:250 c\r\n503 r\r\n",
        "D:" BEGUN_D "250 c\r\n503 r\r\n" NO_MORE } },
    { "until the next MAIL",
      { BEGIN, "C:BDAT 1\r\naNOOP\r\nRSET\r\n", "S:250 c\r\n503 n\r\n250 r\r\n", BEGIN,
        "C:BDAT 1\r\nbBDAT 0 LAST\r\n", "S:250 c\r\n", "S:250 l\r\n",
        "U:" BEGUN_U "BDAT 1\r\naNOOP\r\nRSET\r\n" BEGUN_U "BDAT 1\r\nbBDAT 0 LAST\r\n",
        "D:" BEGUN_D "250 c\r\n503 n\r\n250 r\r\n" BEGUN_D "250 c\r\n250 l\r\n" } },
    { "two messages in one group each",
      { BEGIN, "C:BDAT 1 LAST\r\naMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 1 LAST\r\nb",
        "S:250 q\r\n250 a\r\n250 b\r\n", "S:250 q\r\n",
        "U:" BEGUN_U "BDAT 1 LAST\r\na" BEGUN_U "BDAT 1 LAST\r\nb",
        "D:" BEGUN_D "250 q\r\n" BEGUN_D "250 q\r\n" } },
    { "what the gate refuses between two chunks does not matter",
      { BEGIN, "C:BDAT 1\r\naAUTH\r\nBDAT 1\r\nb", "S:250 c\r\n", "S:250 d\r\n",
        "U:" BEGUN_U "BDAT 1\r\naBDAT 1\r\nb", "D:" BEGUN_D "250 c\r\n" NO_AUTH "250 d\r\n" } },
    { "after a second MAIL, which may have begun anew",
      { BEGIN, "C:MAIL FROM:<e@f>\r\nBDAT 8\r\nXCLIENT\n", "S:250 e\r\n",
        "U:" BEGUN_U "MAIL FROM:<e@f>\r\n", "D:" BEGUN_D "250 e\r\n" NO_RCPT } },
    { "after a refused DATA, which may have ended the transaction",
      { BEGIN, "C:DATA\r\n", "S:451 no\r\n", "C:BDAT 8\r\nXCLIENT\n", "U:" BEGUN_U "DATA\r\n",
        "D:" BEGUN_D "451 no\r\n" NO_RCPT } },
    { "all in one packet: each chunk waits for the answers before it",
      { "C:MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\nabcBDAT 2\r\n\r\nBDAT 0 LAST\r\nNOOP\r\n",
        "U:" BEGUN_U, "H:1", "S:250 a\r\n", "H:1", "S:250 b\r\n", "U:BDAT 3\r\nabc", "H:1",
        "S:250 c\r\n", "U:BDAT 2\r\n\r\n", "S:250 d\r\n", "U:BDAT 0 LAST\r\nNOOP\r\n",
        "S:250 e\r\n250 f\r\n", "D:" BEGUN_D "250 c\r\n250 d\r\n250 e\r\n250 f\r\n" } },
    { "without MAIL: refused, its octets go nowhere",
      { "C:BDAT 10 LAST\r\nXCLIENT x\nNOOP\r\n", "U:NOOP\r\n", "D:" NO_RCPT } },
    { "without a recipient",
      { "C:MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 6\r\nRSET\r\nBDAT 0 LAST\r\nNOOP\r\n",
        "U:" BEGUN_U, "S:250 a\r\n550 no\r\n", "D:250 a\r\n550 no\r\n" NO_RCPT NO_RCPT,
        "U:NOOP\r\n" } },
    { "after a chunk that the upstream refused",
      { BEGIN, "C:BDAT 3\r\nabcBDAT 6\r\nRSET\r\nRSET\r\n", "U:" BEGUN_U "BDAT 3\r\nabc",
        "S:552 full\r\n", "D:" BEGUN_D "552 full\r\n" NO_RCPT, "U:RSET\r\n" } },
    { "after the end of the transaction: LAST",
      { BEGIN, "C:BDAT 0 LAST\r\nBDAT 1\r\nx", "U:" BEGUN_U "BDAT 0 LAST\r\n", "S:250 q\r\n",
        "D:" BEGUN_D "250 q\r\n" NO_RCPT } },
    { "after the end of the transaction: RSET",
      { BEGIN, "C:RSET\r\nBDAT 1\r\nx", "U:" BEGUN_U "RSET\r\n", "S:250 r\r\n",
        "D:" BEGUN_D "250 r\r\n" NO_RCPT } },
    { "after the end of the transaction: EHLO",
      { BEGIN, "C:EHLO x\r\nBDAT 1\r\nx", "U:" BEGUN_U "EHLO x\r\n", "S:250-m\r\n250 CHUNKING\r\n",
        "D:" BEGUN_D "250-m\r\n250 CHUNKING\r\n" NO_RCPT } },
    { "after the end of the transaction: a message",
      { BEGIN, "C:DATA\r\n", "S:354 go\r\n", "C:.\r\nBDAT 1\r\nx", "U:" BEGUN_U "DATA\r\n.\r\n",
        "S:250 q\r\n", "D:" BEGUN_D "354 go\r\n250 q\r\n" NO_RCPT } },
    { "after HELO, which offers nothing",
      { "C:HELO x\r\n", "S:250 m\r\n", BEGIN, "C:BDAT 8\r\nXCLIENT\n", "U:HELO x\r\n" BEGUN_U,
        "D:250 m\r\n" BEGUN_D NO_CHUNKING } },
    { "after an EHLO that offers it no more",
      { "C:EHLO x\r\n", "S:250-m\r\n250 DSN\r\n", BEGIN, "C:BDAT 1\r\nx", "U:EHLO x\r\n" BEGUN_U,
        "D:250-m\r\n250 DSN\r\n" BEGUN_D NO_CHUNKING } },
    { "after an EHLO that offers it",
      { "C:EHLO x\r\n", "S:250-m\r\n250-BINARYMIME\r\n250 CHUNKING\r\n", BEGIN,
        "C:BDAT 1 LAST\r\nx", "U:EHLO x\r\n" BEGUN_U "BDAT 1 LAST\r\nx",
        "D:250-m\r\n250-BINARYMIME\r\n250 CHUNKING\r\n" BEGUN_D } },
    { "after a refused EHLO",
      { "C:EHLO x\r\n", "S:501 m\r\n", BEGIN, "C:BDAT 1\r\nx", "U:EHLO x\r\n" BEGUN_U,
        "D:501 m\r\n" BEGUN_D NO_CHUNKING } },
    { "DATA instead is the upstream's business",
      { BEGIN, "C:BDAT 1\r\nx", "S:250 c\r\n", "C:DATA\r\n", "U:" BEGUN_U "BDAT 1\r\nxDATA\r\n",
        "S:503 no\r\n", "D:" BEGUN_D "250 c\r\n503 no\r\n" } },
    { "the largest chunk is begun",
      { BEGIN, "C:BDAT 2147483647\r\nxyz", "U:" BEGUN_U "BDAT 2147483647\r\nxyz", "D:" BEGUN_D } },
    { "one octet more", { "C:BDAT 2147483648\r\n", "X:bad-chunk" } },
    { "4294967297 is not 1", { "C:BDAT 4294967297\r\n", "X:bad-chunk" } },
    { "eleven digits", { "C:BDAT 00000000001\r\n", "X:bad-chunk" } },
    { "leading zero", { "C:BDAT 05\r\n", "X:bad-chunk" } },
    { "sign", { "C:BDAT +5\r\n", "X:bad-chunk" } },
    { "negative", { "C:BDAT -5\r\n", "X:bad-chunk" } },
    { "hexadecimal", { "C:BDAT 0x5\r\n", "X:bad-chunk" } },
    { "two spaces", { "C:BDAT  5\r\n", "X:bad-chunk" } },
    { "space at the end", { "C:BDAT 5 \r\n", "X:bad-chunk" } },
    { "two spaces before LAST", { "C:BDAT 5  LAST\r\n", "X:bad-chunk" } },
    { "space behind LAST", { "C:BDAT 5 LAST \r\n", "X:bad-chunk" } },
    { "not LAST", { "C:BDAT 5 LAS\r\n", "X:bad-chunk" } },
    { "more than LAST", { "C:BDAT 5 LAST 5\r\n", "X:bad-chunk" } },
    { "LAST only", { "C:BDAT LAST\r\n", "X:bad-chunk" } },
    { "an answer before the end of a chunk",
      { BEGIN, "C:BDAT 5\r\nabc", "S:503 what\r\n", "X:unasked-reply" } },
};

/* ---- senders -------------------------------------------------------------------------- */

static const struct dialogue held[] = {
    { "one's own, an alias, one's domain, nobody's",
      { "C:MAIL FROM:<Ann@Example.ORG> SIZE=5\r\nMAIL FROM:<a.b@example.net>\r\n"
        "MAIL FROM:<x@own.example>\r\nMAIL FROM:<>\r\n",
        "U:MAIL FROM:<Ann@Example.ORG> SIZE=5\r\nMAIL FROM:<a.b@example.net>\r\n"
        "MAIL FROM:<x@own.example>\r\nMAIL FROM:<>\r\n" } },
    { "others'",
      { "C:MAIL FROM:<victim@example.org>\r\nMAIL FROM:<ann@example.org.>\r\n"
        "MAIL FROM:<ann>\r\nMAIL FROM:<ann@sub.own.example>\r\nMAIL FROM:<x@example.net>\r\n"
        "MAIL FROM:<ann@example.or>\r\nMAIL FROM:<ann@example.orga>\r\n"
        "MAIL FROM:<@own.example>\r\n",
        "U:",
        "D:" NO_FOREIGN NO_FOREIGN NO_FOREIGN NO_FOREIGN NO_FOREIGN NO_FOREIGN NO_FOREIGN
            NO_SENDER } },
    { "one's own that a server might read otherwise",
      { "C:MAIL FROM:<\"ann\"@example.org>\r\nMAIL FROM:<\"x@y\"@own.example>\r\n"
        "MAIL FROM:<victim%example.org@own.example>\r\nMAIL "
        "FROM:<example.org!victim@own.example>\r\n"
        "MAIL FROM:<@own.example:victim@example.org>\r\n",
        "U:", "D:" NO_FOREIGN NO_FOREIGN NO_FOREIGN NO_FOREIGN NO_SENDER } },
    { "what follows a refused MAIL is the upstream's business",
      { "C:MAIL FROM:<v@example.org>\r\nRCPT TO:<a@b>\r\nDATA\r\n", "U:RCPT TO:<a@b>\r\nDATA\r\n",
        "S:503 a\r\n", "D:" NO_FOREIGN "503 a\r\n", "S:503 b\r\n", "D:503 b\r\n" } },
    { "who may be named is asked behind the syntax",
      { "C:MAIL FROM:<v@example.org> AUTH=v\r\n", "D:" NO_PARAMETER } },
};

static void honest_dialogues(void **state)
{
    (void)state;
    play_table(&plain, honest, COUNT_OF(honest));
}

static void refused_dialogues(void **state)
{
    (void)state;
    play_table(&plain, refused, COUNT_OF(refused));
}

static void ended_dialogues(void **state)
{
    (void)state;
    play_table(&plain, ended, COUNT_OF(ended));
}

static void chunk_dialogues(void **state)
{
    (void)state;
    play_table(&chunking, chunks, COUNT_OF(chunks));
}

static void held_dialogues(void **state)
{
    (void)state;
    const struct guard_conf with = {
        .is_sender_held = true,
        .senders = VIEW_LIT("ann@example.org @own.example a.b@example.net"),
    };
    static const struct dialogue nobody = { "none may be named but <>",
                                            { "C:MAIL FROM:<a@b>\r\nMAIL FROM:<>\r\n",
                                              "U:MAIL FROM:<>\r\n", "D:" NO_FOREIGN } };
    static const struct dialogue odd = { "lists that hold nothing",
                                         { "C:MAIL FROM:<a@b>\r\nMAIL FROM:<a>\r\n",
                                           "U:", "D:" NO_FOREIGN NO_FOREIGN } };

    play_table(&with, held, COUNT_OF(held));
    play_table(&(struct guard_conf){ .is_sender_held = true }, &nobody, 1);
    play_table(&(struct guard_conf){ .is_sender_held = true, .senders = VIEW_LIT("@  @ ") }, &odd,
               1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_dialogues), cmocka_unit_test(refused_dialogues),
        cmocka_unit_test(ended_dialogues),  cmocka_unit_test(chunk_dialogues),
        cmocka_unit_test(held_dialogues),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
