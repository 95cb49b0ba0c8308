/* rows.h: app passwords that were good a moment ago, as the store has them (hashed, sealed): a
 * client that reconnects all day is judged on the loop, without a thread and without the store.
 * This warden is the only one that changes the store, so it knows when a row is no longer true:
 * rows_forget, at every change. What somebody edits behind its back counts after ROWS_MS.
 * Owns: a bounded table. Runs in: warden, on the loop. */
#ifndef POSTERN_WARDEN_ROWS_H
#define POSTERN_WARDEN_ROWS_H

#include "base/attr.h"
#include "warden/factor/keys.h"
#include "warden/store/store.h"

#define ROWS_MAX 1024  /* rows of 2.5 KiB */
#define ROWS_MS  60000 /* how long one is taken for true */

struct rows;

MUST_USE struct rows *rows_new(const struct keys *keys); /* NULL: no memory */
void rows_free(struct rows *r);                          /* NULL is fine    */
MUST_USE bool rows_find(struct rows *r, const char *id, uint64_t now_ms,
                        struct store_app_password *ret);
/* `seen`: what rows_changes said before the row was read. */
void rows_put(struct rows *r, const struct store_app_password *row, uint64_t seen, uint64_t now_ms);
uint64_t rows_changes(const struct rows *r);
void rows_forget(struct rows *r); /* all of them */

#endif
