/* front_parse.h: the grammar of a command line before login: tag and name, the arguments of LOGIN
 * and ID, and the mark of a literal at the end of a line.
 * Source:  RFC 9051 §9, RFC 2971 §4, RFC 7888 §3.
 * Borrows: the line buffer for the call; arguments are kept as positions, since the buffer moves.
 * Pure; runs in: edge. Used by front.c only. */
#ifndef POSTERN_PROTO_IMAP_FRONT_PARSE_H
#define POSTERN_PROTO_IMAP_FRONT_PARSE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/limits.h"

#define IMAP_PARSE_ARGUMENTS (2 * LIMIT_IMAP_ID_PAIRS)

enum imap_parse {
    PARSE_BAD = 0, /* not in the grammar                                                      */
    PARSE_DONE,    /* the line is complete                                                    */
    PARSE_LITERAL, /* the line ends in a literal: see imap_parse_tail; call again behind it    */
    PARSE_MANY,    /* more arguments than are permitted                                       */
};

struct imap_arguments {
    size_t position; /* in the line buffer: what is before it is parsed */
    uint16_t count;
    bool is_list; /* inside the parentheses of ID */
    struct {
        uint16_t at, n; /* in the line buffer; quoted strings are already without their quoting */
    } item[IMAP_PARSE_ARGUMENTS];
};

struct imap_literal {
    uint32_t n;   /* octets, at most the given bound                                  */
    bool is_sync; /* the client waits for our "+"                                     */
    bool is_over; /* more than the bound; n is void                                   */
};

/* Splits "tag SP name [SP rest]". *ret_rest is where the name ends. false: no tag. An empty name:
 * there is a tag and nothing else that could be a command. */
MUST_USE bool imap_parse_head(struct view line, struct view *ret_tag, struct view *ret_name,
                              size_t *ret_rest);
/* The first word of another protocol: HTTP, SMTP, POP3, SSH. */
MUST_USE bool imap_parse_is_foreign(struct view line);
/* "{n}" or "{n+}" at the end of the line. */
MUST_USE bool imap_parse_tail(struct view line, size_t max, struct imap_literal *ret);

/* The arguments from a->position to the end of the line; start with *a zeroed but for `position`.
 * After PARSE_LITERAL append the literal's octets and then the rest of the line to the buffer, and
 * call again; a literal over its bound must not be gone on with. May undo quoting in `line`, so
 * take the line's tail before. */
MUST_USE enum imap_parse imap_parse_login(struct imap_arguments *a, struct buf *line);
MUST_USE enum imap_parse imap_parse_id(struct imap_arguments *a, struct buf *line);
struct view imap_parse_item(const struct imap_arguments *a, size_t i, const struct buf *line);

#endif
