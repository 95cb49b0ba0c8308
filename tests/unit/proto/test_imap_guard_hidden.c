/* Commands in the line of another one, for a server that gives up on the first before its end. */
#include "guard_dialogue.h"

#include "proto/imap/guard_hidden.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NO(tag) tag " NO [CANNOT] This command does not pass the gate\r\n"

static const struct dialogue refused[] = {
    { "the line goes nowhere, the gate answers",
      { "C:a1 SETQUOTA (x b COMPRESS DEFLATE\r\n", "X:bad-arguments", "U:" } },
    { "where no grammar is known",
      { "C:a1 XANY x b COMPRESS DEFLATE\r\na2 NOOP\r\n", "U:a2 NOOP\r\n", "D:" NO("a1") } },
    { "with a literal of its own",
      { "C:a1 XANY x b CREATE {5+}\r\nhello\r\na2 NOOP\r\n", "U:a2 NOOP\r\n", "D:" NO("a1") } },
    { "behind a literal",
      { "C:a1 XANY {1}\r\n", "S:+ \r\n", "C:x b COMPRESS DEFLATE\r\n", "X:hidden-command",
        "U:a1 XANY {1}\r\nx" } },
    { "another literal behind a literal",
      { "C:a1 XANY {1}\r\n", "S:+ \r\n", "C:x b SELECT {5}\r\n", "X:hidden-command",
        "U:a1 XANY {1}\r\nx" } },
    { "Cyrus, where it refuses SETQUOTA",
      { "C:a1 SETQUOTA x b NOOP\r\n", "X:bad-arguments", "U:" } },
    { "SETQUOTA by its literal",
      { "C:a1 SETQUOTA {1}\r\n", "S:+ \r\n", "C:x b NOOP\r\n", "X:bad-arguments",
        "U:a1 SETQUOTA {1}\r\nx" } },
    { "SETQUOTA with a limit as a literal",
      { "C:a1 SETQUOTA x (STORAGE {1}\r\n", "X:bad-arguments", "U:" } },
    { "Cyrus, in LIST's STATUS",
      { "C:a1 LIST \"\" * RETURN (CHILDREN STATUS b NOOP\r\n", "X:bad-arguments", "U:" } },
    { "closed at once", { "C:a1 LIST \"\" * RETURN (STATUS)b NOOP\r\n", "X:bad-arguments", "U:" } },
    { "quoted", { "C:a1 LIST \"\" * RETURN (STATUS \"b\" NOOP)\r\n", "X:bad-arguments", "U:" } },
    { "behind a literal of LIST",
      { "C:a1 LIST \"\" {1}\r\n", "S:+ \r\n", "C:x RETURN (STATUS b NOOP\r\n", "X:bad-arguments",
        "U:a1 LIST \"\" {1}\r\nx" } },
    { "Cyrus, in XWARMUP: of no use to a mail client",
      { "C:a1 XWARMUP nowhere b NOOP\r\na2 NOOP\r\n", "U:a2 NOOP\r\n", "D:" NO("a1") } },
    { "what they are for passes",
      { "C:a1 SETQUOTA \"\" (STORAGE 512 MESSAGE 5)\r\na2 SETQUOTA x ()\r\n"
        "a3 LIST (SUBSCRIBED) \"status\" (\"a\" status) RETURN (STATUS (MESSAGES) CHILDREN)\r\n",
        "U:a1 SETQUOTA \"\" (STORAGE 512 MESSAGE 5)\r\na2 SETQUOTA x ()\r\n"
        "a3 LIST (SUBSCRIBED) \"status\" (\"a\" status) RETURN (STATUS (MESSAGES) "
        "CHILDREN)\r\n" } },
    { "with literals too",
      { "C:a1 SETQUOTA {1}\r\n", "S:+ \r\n",
        "C:x (STORAGE 512)\r\na2 LIST \"\" status\r\na3 LIST \"\" \"x\" RETURN (STATUS "
        "(UNSEEN))\r\n",
        "S:a1 OK\r\na2 OK\r\na3 OK\r\n", "C:a4 LIST {1}\r\n", "S:+ \r\n", "C:x {1}\r\n", "S:+ \r\n",
        "C:y RETURN (STATUS (UNSEEN MESSAGES))\r\n",
        "U:a1 SETQUOTA {1}\r\nx (STORAGE 512)\r\na2 LIST \"\" status\r\n"
        "a3 LIST \"\" \"x\" RETURN (STATUS (UNSEEN))\r\na4 LIST {1}\r\nx {1}\r\ny RETURN (STATUS "
        "(UNSEEN MESSAGES))\r\n",
        "D:+ \r\na1 OK\r\na2 OK\r\na3 OK\r\n+ \r\n+ \r\n" } },
};

PLAY_ALL(refused)

static void lines(void **state)
{
    static const struct {
        const char *line;
        bool is_hidden;
    } rows[] = {
        { "a X y b UNAUTHENTICATE", true },
        { "a X y b unAuthenticate", true },
        { "a X UNAUTHENTICATE", false }, /* an argument: nothing before it can be a tag */
        { "a X  UNAUTHENTICATE", true },
        { "a X y)b UNAUTHENTICATE", true },
        { "a X \"y\"b UNAUTHENTICATE", true },
        { "a X y b UNAUTHENTICATE z", false },
        { "a X \"y b UNAUTHENTICATE\"", false },
        { "a X \"y \\\" b UNAUTHENTICATE\"", false },
        { "a X \"y \\\\\" b UNAUTHENTICATE", true },
        { "a X y b UNAUTHENTICATE)", false },
        { "a X y b UNAUTHENTICATE  ", true },
        { "a X y b  LOGIN  c  d  ", true },
        { "a X y b STARTTLS", true },
        { "a X y IDLE", true },
        { "a X y IDLE x", false },
        { "a X y b AUTHENTICATE PLAIN", true },
        { "a X y b AUTHENTICATE PLAIN AA==", true },
        { "a X y b AUTHENTICATE {5}", true },
        { "a X y b AUTHENTICATE", false },
        { "a X y b COMPRESS DEFLATE", true },
        { "a X y b COMPRESS \"DEFLATE\"", true },
        { "a X y b COMPRESS {7}", true },
        { "a X y b COMPRESS(DEFLATE)", true },
        { "a SEARCH (SUBJECT compress) SEEN", false },
        { "a SEARCH (SUBJECT move) FROM {5}", false },
        { "a COPY 1 Compress", false },
        { "a X y b LOGIN c d", true },
        { "a X y b LOGIN \"c\" \"d e\"", true },
        { "a X y b LOGIN c {3}", true },
        { "a X y b LOGIN {3}", true },
        { "a X y b LOGIN c", false },
        { "a COPY 1 Login", false },
        { "a STATUS Login (MESSAGES UNSEEN)", false },
        { "a X y LOGIN (MESSAGES UNSEEN)", false },
        { "a X y b LOGIN c d e", false },
        { "a SEARCH SUBJECT login SINCE 1-Jan-2024", false },
        { "a UID SEARCH SUBJECT login SINCE 1-Jan-2024", false },
        { "a SEARCH SUBJECT idle", false },
        { "a UID SEARCH TEXT idle", false },
        { "a SEARCH SUBJECT x UNAUTHENTICATE", true },
        { "a SEARCH SUBJECT x y COMPRESS DEFLATE", true },
        { "a X y b ID (\"x-originating-ip\" \"192.0.2.1\")", true },
        { "a X y b ID ( {16}", true },
        { "a X y b ID ({16+}", true },
        { "a X y b ID NIL", false },
        { "a X y ID (MESSAGES)", false },
        { "a X y b PROXYAUTH c", true },
        { "a X y b XCLIENT c", true },
        { "a X y b SYNCAPPLY c", true },
        { "a X y b CREATE c", false },
        { "a X y b CREATE {5}", true },
        { "a X y b CREATE ~{5+}", true },
        { "a X y b RENAME c {5}", true },
        { "a X y b LIST \"\" {5}", true },
        { "a X y b STATUS {5}", true },
        { "a LIST \"\" x RETURN (CHILDREN STATUS (MESSAGES) METADATA ({5}", false },
        { "a RENAME Search {5}", false },
        { "a COPY 1 {5}", false },
        { "a UID COPY 1 {5}", false },
        { "a SEARCH RETURN (MIN) CHARSET UTF-8 OR FROM x SUBJECT {5}", false },
        { "a UID SEARCH UID 1:5 TEXT {5}", false },
        { "a LIST \"\" {5}", false },
        { "a NOTIFY SET STATUS (mailboxes {5}", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct guard_line l;
        assert_null(imap_guard_line_first(view_text(rows[i].line), &l));
        if (imap_guard_hidden_is(&l) != rows[i].is_hidden)
            fail_msg("%s", rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_dialogues),
        cmocka_unit_test(lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
