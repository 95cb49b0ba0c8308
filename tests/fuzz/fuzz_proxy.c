/* The PROXY header. Asserted: the result of a prefix never contradicts that of the whole (MORE may
 * become anything, DONE and BAD stay), what was used is within its bound, and a header that we
 * write from what was read is read again as the same. */
#include "base/limits.h"
#include "pieces.h"
#include "proto/proxy/proxy.h"

static enum proxy_result parse(struct view in, size_t *ret_used, struct proxy_header *ret)
{
    uint8_t *copy = pieces_copy(in);

    *ret_used = 0;
    const enum proxy_result r = proxy_parse(view_of(copy, in.n), ret_used, ret);
    free(copy);
    CHECK(*ret_used <= in.n);
    return r;
}

static void check_again(const struct proxy_header *header)
{
    AUTO_BUF(out, LIMIT_PROXY_V2);
    struct proxy_header again;
    size_t used;

    proxy_write_v2(&header->source, &header->target, &out);
    CHECK(buf_is_ok(&out));
    CHECK(parse(buf_view(&out), &used, &again) == PROXY_DONE && used == out.n);
    if (header->source.octets != header->target.octets) {
        CHECK(again.source.octets == 0 && again.target.octets == 0);
        return;
    }
    CHECK(addr_is_equal(&header->source, &again.source));
    CHECK(addr_is_equal(&header->target, &again.target));
    CHECK(header->source.port == again.source.port && header->target.port == again.target.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct view in = view_of(data, size < 1024 ? size : 1024);
    struct proxy_header header, last;
    size_t used, last_used;
    const enum proxy_result result = parse(in, &used, &header);
    enum proxy_result r = PROXY_MORE;

    for (size_t n = 0; n <= in.n && r == PROXY_MORE; n++) {
        r = parse(view_first(in, n), &last_used, &last);
        CHECK(n < LIMIT_PROXY_V2 || r != PROXY_MORE);
    }
    CHECK(r == result);
    if (r != PROXY_DONE)
        return 0;
    CHECK(used == last_used && used <= LIMIT_PROXY_V2);
    CHECK(addr_is_equal(&header.source, &last.source));
    check_again(&header);
    return 0;
}
