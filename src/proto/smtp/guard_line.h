/* guard_line.h: judges one command line of a client, whole, without its CRLF.
 * Source: RFC 5321 §4.1 (commands), RFC 6531 §3.3 (UTF-8), RFC 3030 §2 (BDAT), RFC 4954 §5 (AUTH=).
 * A command that is not known to be harmless does not pass. Private to the guard.
 * Runs in: edge. Pure. */
#ifndef POSTERN_PROTO_SMTP_GUARD_LINE_H
#define POSTERN_PROTO_SMTP_GUARD_LINE_H

#include "base/view.h"

/* What is due to the client for a command: an answer of the upstream, or one of the gate's own. */
enum smtp_due {
    SMTP_DUE_OTHER = 0, /* the upstream's, of no consequence */
    SMTP_DUE_HELO,
    SMTP_DUE_EHLO,
    SMTP_DUE_MAIL,
    SMTP_DUE_MAIL_BINARY, /* with BODY=BINARYMIME */
    SMTP_DUE_RCPT,
    SMTP_DUE_DATA,
    SMTP_DUE_MESSAGE, /* after the end of the message that DATA began */
    SMTP_DUE_CHUNK,
    SMTP_DUE_CHUNK_LAST,
    SMTP_DUE_RSET,
    SMTP_DUE_QUIT,
    SMTP_DUE_OWN, /* from here on the gate's own: the command goes nowhere */
    SMTP_DUE_SYNTAX = SMTP_DUE_OWN,
    SMTP_DUE_TOO_LONG,
    SMTP_DUE_UNKNOWN,
    SMTP_DUE_ARGUMENTS,
    SMTP_DUE_AUTH,
    SMTP_DUE_STARTTLS,
    SMTP_DUE_BAD_SENDER,
    SMTP_DUE_BAD_RECIPIENT,
    SMTP_DUE_PARAMETER,
    SMTP_DUE_FOREIGN_SENDER,
    SMTP_DUE_NO_CHUNKING,
    SMTP_DUE_NO_TRANSACTION,
    SMTP_DUE_INTERRUPTED,
    SMTP_DUE_COUNT
};

struct smtp_guard_line {
    const char *bad; /* not NULL: nobody can be sure of what follows; a static word for the log */
    enum smtp_due due;
    uint32_t size; /* SMTP_DUE_CHUNK, SMTP_DUE_CHUNK_LAST: octets that follow the line */
    size_t spaces; /* MAIL, RCPT: behind the colon; they may not pass */
};

/* `senders`: as in guard_conf; NULL: whoever. */
struct smtp_guard_line smtp_guard_line(struct view text, const struct view *senders);
/* The gate's own answer, with CRLF. */
struct view smtp_guard_answer(enum smtp_due due);

#endif
