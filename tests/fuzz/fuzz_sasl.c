/* SASL PLAIN and SASLprep. Asserted: what decodes encodes to the same octets; a prepared name is
 * fit for a line and stays as it is when prepared again; what is no name is never prepared.
 *
 * Input: even first octet: base64 of a PLAIN message; odd: a name. */
#include "base/limits.h"
#include "pieces.h"
#include "proto/sasl/sasl.h"

static void plain(struct view in)
{
    AUTO_BUF(decoded, 2 + 2 * LIMIT_ACCOUNT + LIMIT_SECRET);
    AUTO_BUF(again, LIMIT_IMAP_LINE);
    struct sasl_plain p;
    uint8_t *copy = pieces_copy(in);
    const enum err e = sasl_plain_decode(view_of(copy, in.n), &decoded, &p);

    CHECK(e == ERR_OK || e == ERR_INVALID || e == ERR_TOO_LONG);
    if (e == ERR_OK) {
        CHECK(p.authorization.n + p.user.n + p.secret.n + 2 == decoded.n);
        CHECK(sasl_plain_encode(&p, &again) == ERR_OK);
        CHECK(view_is_equal(buf_view(&again), in));
    }
    free(copy);
}

static void prep(struct view in)
{
    AUTO_BUF(once, LIMIT_ACCOUNT);
    AUTO_BUF(twice, LIMIT_ACCOUNT);
    uint8_t *copy = pieces_copy(in);
    const enum err e = sasl_prep(view_of(copy, in.n), &once);

    free(copy);
    CHECK(e == ERR_OK || e == ERR_INVALID || e == ERR_DENIED || e == ERR_TOO_LONG);
    CHECK(e != ERR_OK || is_line_safe(in));
    if (e != ERR_OK) {
        CHECK(once.n == 0);
        return;
    }
    CHECK(is_line_safe(buf_view(&once)));
    CHECK(sasl_prep(buf_view(&once), &twice) == ERR_OK);
    CHECK(view_is_equal(buf_view(&once), buf_view(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 8192)
        return 0;
    if (data[0] % 2 == 0)
        plain(view_of(data + 1, size - 1));
    else
        prep(view_of(data + 1, size - 1));
    return 0;
}
