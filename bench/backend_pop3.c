/* backend_pop3.c: just enough POP3 (RFC 1939, RFC 5034) to log anybody in. See backend.h. */
#include "backend.h"

#include <string.h>
#include <strings.h>

static void log_in(struct session *s)
{
    backend_logged_in();
    backend_say(s, "+OK logged in\r\n");
}

static void authenticate(struct session *s, const char *rest)
{
    if (strncasecmp(rest, "PLAIN", 5) != 0) {
        backend_say(s, "-ERR PLAIN only\r\n");
    } else if (rest[5] == ' ') {
        log_in(s);
    } else {
        s->expect = EXPECT_SASL;
        backend_say(s, "+ \r\n");
    }
}

static void take_line(struct session *s, const char *line, size_t length)
{
    (void)length;
    if (s->expect == EXPECT_SASL) {
        s->expect = EXPECT_COMMAND;
        log_in(s);
        return;
    }
    const char *rest = backend_take_word(line, s->verb, sizeof(s->verb));
    if (strcasecmp(s->verb, "CAPA") == 0) {
        backend_say(s, "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nUSER\r\n"
                       "SASL PLAIN\r\n.\r\n");
    } else if (strcasecmp(s->verb, "PASS") == 0) {
        log_in(s);
    } else if (strcasecmp(s->verb, "AUTH") == 0) {
        authenticate(s, rest);
    } else {
        backend_say(s, "+OK\r\n");
        s->is_closing = strcasecmp(s->verb, "QUIT") == 0;
    }
}

const struct dialect backend_pop3 = {
    .name = "pop3",
    .greeting = "+OK ready\r\n",
    .take_line = take_line,
};
