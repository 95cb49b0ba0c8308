/* backend_imap.c: just enough IMAP (RFC 3501) to log anybody in, stream one message and swallow
 * uploads. See backend.h. */
#include "backend.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CAPABILITIES "IMAP4rev1 SASL-IR LITERAL+ ID IDLE UIDPLUS NAMESPACE AUTH=PLAIN"

static void say_tagged(struct session *s, const char *text)
{
    backend_say(s, s->tag);
    backend_say(s, " ");
    backend_say(s, text);
    backend_say(s, "\r\n");
}

static void say_logged_in(struct session *s)
{
    backend_logged_in();
    say_tagged(s, "OK [CAPABILITY " CAPABILITIES "] Logged in");
}

static void do_authenticate(struct session *s, const char *rest)
{
    if (strncasecmp(rest, "PLAIN", 5) != 0) {
        say_tagged(s, "NO PLAIN only");
    } else if (rest[5] == ' ') {
        say_logged_in(s);
    } else {
        s->expect = EXPECT_SASL;
        backend_say(s, "+ \r\n");
    }
}

static void do_login(struct session *s, const char *rest)
{
    (void)rest;
    say_logged_in(s);
}

static void do_capability(struct session *s, const char *rest)
{
    (void)rest;
    backend_say(s, "* CAPABILITY " CAPABILITIES "\r\n");
    say_tagged(s, "OK done");
}

static void do_id(struct session *s, const char *rest)
{
    (void)rest;
    backend_say(s, "* ID (\"name\" \"backend\")\r\n");
    say_tagged(s, "OK done");
}

static void do_nothing(struct session *s, const char *rest)
{
    (void)rest;
    say_tagged(s, "OK done");
}

static void do_select(struct session *s, const char *rest)
{
    (void)rest;
    backend_say(
        s, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* 1 EXISTS\r\n* 0 RECENT\r\n"
           "* OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 2] next\r\n");
    say_tagged(s, "OK [READ-WRITE] done");
}

static void do_idle(struct session *s, const char *rest)
{
    (void)rest;
    s->expect = EXPECT_DONE;
    backend_say(s, "+ idling\r\n");
}

static void do_fetch(struct session *s, const char *rest)
{
    (void)rest;
    char head[80];
    snprintf(head, sizeof(head), "* 1 FETCH (BODY[] {%" PRIu64 "}\r\n", backend_message_octets());
    backend_say(s, head);
    backend_stream(s);
}

static void do_logout(struct session *s, const char *rest)
{
    (void)rest;
    backend_say(s, "* BYE\r\n");
    say_tagged(s, "OK done");
    s->is_closing = true;
}

static const struct command {
    const char *verb;
    void (*run)(struct session *s, const char *rest);
} commands[] = {
    { "NOOP", do_nothing },
    { "CAPABILITY", do_capability },
    { "LOGIN", do_login },
    { "AUTHENTICATE", do_authenticate },
    { "ID", do_id },
    { "SELECT", do_select },
    { "FETCH", do_fetch },
    { "APPEND", do_nothing },
    { "IDLE", do_idle },
    { "LOGOUT", do_logout },
    { "NAMESPACE", do_nothing },
    { "LIST", do_nothing },
};

static void run_command(struct session *s, const char *rest)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcasecmp(commands[i].verb, s->verb) == 0) {
            commands[i].run(s, rest);
            return;
        }
    }
    say_tagged(s, "BAD unknown command");
}

/* True when the line ends in a literal, which is then awaited (and asked for, unless "+"). */
static bool begin_literal(struct session *s, const char *line, size_t length)
{
    const char *open = strrchr(line, '{');
    if (open == NULL || length < 3 || line[length - 1] != '}')
        return false;
    char *end;
    s->literal_left = strtoull(open + 1, &end, 10);
    if (*end == '}')
        backend_say(s, "+ OK\r\n");
    else if (strcmp(end, "+}") != 0)
        return false;
    s->is_rest = true;
    return true;
}

/* One line without its CRLF, NUL-terminated. */
static void imap_take_line(struct session *s, const char *line, size_t length)
{
    if (s->expect == EXPECT_SASL) {
        s->expect = EXPECT_COMMAND;
        say_logged_in(s);
        return;
    }
    if (s->expect == EXPECT_DONE) {
        s->expect = EXPECT_COMMAND;
        say_tagged(s, "OK done");
        return;
    }
    const char *rest = "";
    if (!s->is_rest) {
        rest = backend_take_word(line, s->tag, sizeof(s->tag));
        rest = backend_take_word(rest, s->verb, sizeof(s->verb));
    }
    s->is_rest = false;
    if (!begin_literal(s, line, length))
        run_command(s, rest);
}

static void end_stream(struct session *s)
{
    backend_say(s, ")\r\n");
    say_tagged(s, "OK done");
}

const struct dialect backend_imap = {
    .name = "imap",
    .greeting = "* OK [CAPABILITY " CAPABILITIES "] ready\r\n",
    .take_line = imap_take_line,
    .end_stream = end_stream,
};
