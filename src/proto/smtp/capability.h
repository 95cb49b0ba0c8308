/* capability.h: which lines of an upstream's reply to EHLO may pass the gate. What is not known to
 * leave identity and command boundaries alone stays out: AUTH and STARTTLS (the gate's own),
 * XCLIENT and XFORWARD, VRFY, HELP, ETRN, BURL, and whatever is not of the grammar. Source: RFC
 * 5321 §4.1.1.1 (ehlo-line), the registry of SMTP service extensions. Pure; runs in: edge. */
#ifndef POSTERN_PROTO_SMTP_CAPABILITY_H
#define POSTERN_PROTO_SMTP_CAPABILITY_H

#include "base/buf.h"

/* May this line ("SIZE 1000", without code and CRLF) be shown? Case plays no part. */
bool smtp_capability_passes(struct view line);
/* The keyword that a line begins with. */
struct view smtp_capability_keyword(struct view line);
/* Takes one line, without its CRLF, from the start of `lines` ("SIZE 1000\r\nPIPELINING\r\n"). */
struct view smtp_capability_take(struct view *lines);

#endif
