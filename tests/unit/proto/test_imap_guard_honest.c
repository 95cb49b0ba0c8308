/* What honest clients do passes the guard as they mean it. */
#include "guard_dialogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ENABLE_UTF8                                                                                \
    "C:e ENABLE UTF8=ACCEPT\r\n", "U:e ENABLE UTF8=ACCEPT\r\n",                                    \
        "S:* ENABLED CONDSTORE utf8=accept\r\ne OK\r\n",                                           \
        "D:* ENABLED CONDSTORE utf8=accept\r\ne OK\r\n"

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
      { ENABLE_UTF8, "C:a1 APPEND INBOX UTF8 (~{4}\r\n", "U:a1 APPEND INBOX UTF8 (~{4}\r\n",
        "S:+ OK\r\n", "D:+ OK\r\n", "C:abcd)\r\na2 NOOP\r\n", "U:abcd)\r\na2 NOOP\r\n" } },
    { "UTF8 ( is refused by the upstream",
      { ENABLE_UTF8, "C:a1 APPEND nowhere UTF8 (~{4}\r\n", "U:a1 APPEND nowhere UTF8 (~{4}\r\n",
        "S:a1 NO [TRYCREATE] no\r\n", "D:a1 NO [TRYCREATE] no\r\n", "C:a2 NOOP\r\n",
        "U:a2 NOOP\r\n" } },
    { "UTF8 ( is refused by the upstream, its octets go nowhere",
      { ENABLE_UTF8, "C:a1 APPEND nowhere CATENATE (UTF8 (~{4+}\r\nabcd) URL x)\r\na2 NOOP\r\n",
        "U:a1 APPEND nowhere CATENATE (UTF8 (~{4}\r\n", "S:a1 NO [TRYCREATE] no\r\n",
        "D:a1 NO [TRYCREATE] no\r\n", "U:a2 NOOP\r\n" } },
    { "CATENATE with URL and two parts",
      { "C:a1 APPEND INBOX CATENATE (URL \"/x;UID=1\" TEXT {2}\r\n",
        "U:a1 APPEND INBOX CATENATE (URL \"/x;UID=1\" TEXT {2}\r\n", "S:+ OK\r\n",
        "C:ab TEXT {3}\r\n", "U:ab TEXT {3}\r\n", "S:+ OK\r\n", "C:cde)\r\n", "U:cde)\r\n",
        "S:a1 OK\r\n", "D:+ OK\r\n+ OK\r\na1 OK\r\n" } },
    { "all that APPEND may be",
      { ENABLE_UTF8,
        "C:a1 APPEND \"a \\\"b\" (\\Seen $x) \" 1-Jan-2024 00:00:00 +0000\" {2+}\r\nab"
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
    { "URLAUTH without literals",
      { "C:a1 GENURLAUTH \"imap://a@h/INBOX/;UID=1;URLAUTH=anonymous\" INTERNAL\r\n"
        "a2 URLFETCH \"imap://a@h/INBOX/;UID=1\"\r\na3 RESETKEY INBOX INTERNAL\r\n",
        "U:a1 GENURLAUTH \"imap://a@h/INBOX/;UID=1;URLAUTH=anonymous\" INTERNAL\r\n"
        "a2 URLFETCH \"imap://a@h/INBOX/;UID=1\"\r\na3 RESETKEY INBOX INTERNAL\r\n" } },
    { "tags of many kinds",
      { "C:A.1-x_/=$' NOOP\r\n", "U:A.1-x_/=$' NOOP\r\n", "S:A.1-x_/=$' OK\r\n",
        "D:A.1-x_/=$' OK\r\n" } },
};

PLAY_ALL(honest)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_dialogues),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
