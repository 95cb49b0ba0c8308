/* backend_smtp.c: just enough submission (RFC 5321, RFC 4954) to log anybody in and swallow
 * messages. See backend.h. */
#include "backend.h"

#include <string.h>
#include <strings.h>

static void log_in(struct session *s)
{
    backend_logged_in();
    backend_say(s, "235 2.7.0 logged in\r\n");
}

static void authenticate(struct session *s, const char *rest)
{
    if (strncasecmp(rest, "PLAIN", 5) != 0) {
        backend_say(s, "504 5.5.4 PLAIN only\r\n");
    } else if (rest[5] == ' ') {
        log_in(s);
    } else {
        s->expect = EXPECT_SASL;
        backend_say(s, "334 \r\n");
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
    if (strcasecmp(s->verb, "EHLO") == 0) {
        backend_say(s, "250-backend\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
                       "250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN LOGIN\r\n");
    } else if (strcasecmp(s->verb, "AUTH") == 0) {
        authenticate(s, rest);
    } else if (strcasecmp(s->verb, "DATA") == 0) {
        memset(s->tail, 0, sizeof(s->tail));
        s->is_message = true;
        backend_say(s, "354 go\r\n");
    } else if (strcasecmp(s->verb, "QUIT") == 0) {
        backend_say(s, "221 2.0.0 bye\r\n");
        s->is_closing = true;
    } else {
        backend_say(s, "250 2.0.0 done\r\n");
    }
}

const struct dialect backend_smtp = {
    .name = "submission",
    .greeting = "220 backend ESMTP\r\n",
    .take_line = take_line,
};
