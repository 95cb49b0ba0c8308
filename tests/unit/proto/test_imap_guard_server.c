/* The upstream's octets through the guard. */
#include "guard_dialogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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
    { "what was enabled passes",
      { "S:* ENABLED\r\n* ENABLED CONDSTORE QRESYNC\r\n* enabled \r\n",
        "D:* ENABLED\r\n* ENABLED CONDSTORE QRESYNC\r\n* enabled \r\n" } },
    { "words at the end of a line",
      { "S:* OK\r\n* SEARCH\r\n* CAPABILITY\r\n", "D:* OK\r\n* SEARCH\r\n* CAPABILITY\r\n" } },
    { "the swallowed word may be long",
      { "C:a1 CREATE {1+}\r\nx\r\n", "U:a1 CREATE {1}\r\n",
        "S:+ {5} go ahead, all of you\n or not\r\n", "D:", "U:x\r\n" } },
};

PLAY_ALL(responses)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_dialogues),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
