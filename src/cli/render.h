/* render.h: rows of the warden as a table, a card, a line or JSON, made from the description of the
 * message alone, so that a new field shows up by itself.
 * What clients said of themselves is in there: control characters and the like become '?'.
 * Owns: the cells of rows that were not printed yet, wiped. */
#ifndef POSTERN_CLI_RENDER_H
#define POSTERN_CLI_RENDER_H

#include "wire/wire.h"

#include <stdio.h>

enum render_form {
    RENDER_TABLE = 0, /* columns, aligned over all rows of one kind */
    RENDER_CARD,      /* the first row as "name: value" lines, what follows as tables */
    RENDER_LINES,     /* a line at once for each row, for rows that come as time goes by */
    RENDER_JSON,      /* an object a line */
};

struct renderer {
    enum render_form form;
    bool is_coloured;
    FILE *out;                       /* borrowed */
    const struct wire_message *kind; /* of the rows that wait; NULL: none */
    char **cells;                    /* owned; rows x kind->count */
    size_t rows, capacity;
    size_t printed; /* tables and cards so far */
};

void render_init(struct renderer *r, enum render_form form, FILE *out);
void render_done(struct renderer *r);
MUST_USE enum err render_row(struct renderer *r, const struct wire_message *m, const void *row);
MUST_USE enum err render_end(struct renderer *r); /* prints what waits; ERR_IO: could not write */

/* Text that is safe on a terminal: UTF-8, without control characters. */
void render_clean(struct view v, struct buf *out);

#endif
