/* text_file.h: a table that an administrator keeps in a text file (passwords, aliases): read as a
 * whole, taken apart once, and read again when the file has changed, by renaming or in place.
 *
 * Thread-safe: a reading is lent to each who looks something up and lives until the last has given
 * it back, though the file be another by then. Blocks (disk); runs in: warden, any thread. Owns:
 * its readings; text is wiped, since it may hold hashes. */
#ifndef POSTERN_WARDEN_SOURCE_TEXT_FILE_H
#define POSTERN_WARDEN_SOURCE_TEXT_FILE_H

#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>

#define TEXT_FILE_MAX ((size_t)64 << 20) /* octets; some 500,000 accounts: more want a database */

struct text_file;
struct text_reading;

struct text_file_conf {
    const char *path;
    /* Takes `n` octets of text apart, behind which there is a NUL; it may be written to, and lives
     * as long as the table does. *ret is set on ERR_OK only. */
    enum err (*parse)(char *text, size_t n, void **ret);
    void (*drop)(void *table); /* never NULL */
};

MUST_USE enum err text_file_new(const struct text_file_conf *conf, struct text_file **ret);
void text_file_free(struct text_file *f); /* NULL is fine; nothing is lent any more */
/* The file as it is now; NULL: it cannot be read or taken apart. */
MUST_USE struct text_reading *text_file_borrow(struct text_file *f);
void text_file_give_back(struct text_file *f, struct text_reading *r);
const void *text_file_table(const struct text_reading *r); /* what parse has made */

#endif
