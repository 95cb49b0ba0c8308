#include "proto/sieve/response.h"

#include "proto/sieve/text.h"

#define DEPTH_MAX 8

enum state {
    STATE_START = 0,
    STATE_WORD, /* in OK, NO, BYE */
    STATE_ITEM, /* behind a space: an item must come */
    STATE_OPEN, /* behind "(" */
    STATE_ATOM,
    STATE_QUOTED,
    STATE_ESCAPE,
    STATE_LAST,    /* in a quoted string that is the last of its line */
    STATE_SIZE,    /* behind "{" */
    STATE_MARK,    /* behind "}" */
    STATE_MARK_CR, /* behind its CR */
    STATE_LITERAL,
    STATE_BEHIND, /* behind an item */
    STATE_END,    /* behind CR */
};

bool sieve_response_is_start(const struct sieve_response *r)
{
    return r->state == STATE_START;
}

bool sieve_response_is_data(uint8_t octet)
{
    return octet == '"' || octet == '{';
}

static bool to(struct sieve_response *r, enum state state)
{
    r->state = (uint8_t)state;
    return true;
}

/* Behind the quoted text of a status, or a quoted script's name in a list, comes no other string.
 * Such a line is taken up to its CRLF, since Cyrus 3.6 writes names there with their own quotes and
 * backslashes as they are. */
static bool begin_string(struct sieve_response *r, uint8_t octet)
{
    const bool is_last = r->depth == 0 && (!r->is_data || r->is_listing);

    if (r->depth == 0)
        r->items++;
    r->left = 0;
    r->has_digits = false;
    return to(r, octet != '"' ? STATE_SIZE : is_last ? STATE_LAST : STATE_QUOTED);
}

static bool end_word(struct sieve_response *r)
{
    static const struct {
        const char *word;
        enum sieve_status status;
    } words[] = { { "OK", SIEVE_OK }, { "NO", SIEVE_NO }, { "BYE", SIEVE_BYE } };

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!view_is_equal_nocase(view_of(r->word, r->word_n), view_text(words[i].word)))
            continue;
        r->status = (uint8_t)words[i].status;
        return true;
    }
    return false;
}

static bool word_octet(struct sieve_response *r, uint8_t octet)
{
    if (octet == ' ' || octet == '\r')
        return end_word(r) && to(r, octet == ' ' ? STATE_ITEM : STATE_END);
    const uint8_t capital = octet & 0xdf;
    if (r->word_n == sizeof(r->word) || capital < 'A' || capital > 'Z')
        return false;
    r->word[r->word_n++] = (char)octet;
    return true;
}

static bool start_octet(struct sieve_response *r, uint8_t octet)
{
    *r = (struct sieve_response){ .is_data = sieve_response_is_data(octet),
                                  .is_listing = r->is_listing };
    if (r->is_data)
        return begin_string(r, octet);
    return to(r, STATE_WORD) && word_octet(r, octet);
}

/* data = string [SP (string / atom)]; status = word [SP "(" code ")"] [SP string] */
static bool item_octet(struct sieve_response *r, uint8_t octet)
{
    const bool is_string = sieve_response_is_data(octet);

    if (octet == '(') {
        if (r->depth == 0 && (r->is_data || r->has_code || r->items != 0))
            return false;
        r->has_code = true;
        return ++r->depth <= DEPTH_MAX && to(r, STATE_OPEN);
    }
    if (r->depth == 0 && r->items >= (r->is_data ? 2 : 1))
        return false;
    if (is_string)
        return begin_string(r, octet);
    if (!sieve_is_atom_octet(octet) || (r->depth == 0 && !r->is_data))
        return false;
    if (r->depth == 0)
        r->items++;
    return to(r, STATE_ATOM);
}

static bool behind_octet(struct sieve_response *r, uint8_t octet)
{
    if (octet == ' ')
        return to(r, STATE_ITEM);
    if (r->depth == 0)
        return octet == '\r' && to(r, STATE_END);
    if (octet != ')')
        return false;
    r->depth--;
    return to(r, STATE_BEHIND);
}

static bool quoted_octet(struct sieve_response *r, uint8_t octet)
{
    if (r->state == STATE_LAST && octet == '\r')
        return to(r, STATE_END);
    if (octet == 0 || octet == '\r' || octet == '\n')
        return false;
    if (r->state == STATE_LAST)
        return true;
    if (r->state == STATE_ESCAPE)
        return to(r, STATE_QUOTED);
    return to(r, octet == '"' ? STATE_BEHIND : octet == '\\' ? STATE_ESCAPE : STATE_QUOTED);
}

/* RFC 5804 §4: 32 bits, no extra zeros. */
static bool size_octet(struct sieve_response *r, uint8_t octet)
{
    if (octet == '}')
        return r->has_digits && to(r, STATE_MARK);
    if (octet < '0' || octet > '9' || (r->has_digits && r->left == 0))
        return false;
    const uint64_t n = (uint64_t)r->left * 10 + (uint64_t)(octet - '0');
    r->left = (uint32_t)n;
    r->has_digits = true;
    return n <= UINT32_MAX;
}

static bool take_octet(struct sieve_response *r, uint8_t octet)
{
    switch ((enum state)r->state) {
    case STATE_START:
        return start_octet(r, octet);
    case STATE_WORD:
        return word_octet(r, octet);
    case STATE_ITEM:
        return item_octet(r, octet);
    case STATE_OPEN:
        return octet == ')' ? behind_octet(r, octet) : item_octet(r, octet);
    case STATE_ATOM:
        return sieve_is_atom_octet(octet) || behind_octet(r, octet);
    case STATE_BEHIND:
        return behind_octet(r, octet);
    case STATE_QUOTED:
    case STATE_ESCAPE:
    case STATE_LAST:
        return quoted_octet(r, octet);
    case STATE_SIZE:
        return size_octet(r, octet);
    case STATE_MARK:
        return octet == '\r' && to(r, STATE_MARK_CR);
    case STATE_MARK_CR:
        return octet == '\n' && to(r, r->left == 0 ? STATE_BEHIND : STATE_LITERAL);
    case STATE_END:
        return octet == '\n' && to(r, STATE_START);
    case STATE_LITERAL:
        break;
    }
    CHECK(false);
    return false;
}

static size_t literal_step(struct sieve_response *r, struct view in)
{
    const size_t n = in.n < r->left ? in.n : r->left;

    r->left -= (uint32_t)n;
    if (r->left == 0)
        r->state = STATE_BEHIND;
    return n;
}

enum sieve_response_kind sieve_response_take(struct sieve_response *r, struct view in,
                                             size_t *ret_used)
{
    enum sieve_response_kind kind = RESPONSE_MORE;
    size_t i = 0;

    while (i < in.n && kind == RESPONSE_MORE) {
        if (r->state == STATE_LITERAL) {
            i += literal_step(r, view_skip(in, i));
        } else if (!take_octet(r, in.p[i])) {
            kind = RESPONSE_BAD;
        } else {
            i++;
            if (r->state == STATE_START)
                kind = r->is_data ? RESPONSE_DATA : RESPONSE_STATUS;
        }
    }
    *ret_used = i;
    return kind;
}

/* ---- the contents of a line ----------------------------------------------------------- */

static size_t quoted_string(struct view line, struct buf *out)
{
    size_t i = 1;

    for (; i < line.n && line.p[i] != '"'; i++) {
        if (line.p[i] == '\\')
            i++;
        if (i < line.n)
            buf_put_octet(out, line.p[i]);
    }
    return i < line.n ? i + 1 : 0;
}

static size_t literal_string(struct view line, struct buf *out)
{
    const size_t close = view_find(line, '}');
    uint64_t n;

    if (close + 3 > line.n || !view_number(view_skip(view_first(line, close), 1), UINT32_MAX, &n) ||
        n > line.n - close - 3)
        return 0;
    buf_put(out, view_first(view_skip(line, close + 3), (size_t)n));
    return close + 3 + (size_t)n;
}

bool sieve_line_take_string(struct view *line, struct buf *out)
{
    if (line->n == 0 || !sieve_response_is_data(line->p[0]))
        return false;
    const size_t n = line->p[0] == '"' ? quoted_string(*line, out) : literal_string(*line, out);
    if (n == 0)
        return false;
    *line = view_skip(*line, n);
    if (line->n != 0 && line->p[0] == ' ')
        *line = view_skip(*line, 1);
    return true;
}

struct view sieve_line_code(struct view line)
{
    const struct view text = view_skip(line, view_find(line, ' ') + 1);
    size_t n = 1;

    if (text.n == 0 || text.p[0] != '(')
        return VIEW_NONE;
    while (n < text.n && sieve_is_atom_octet(text.p[n]))
        n++;
    return view_of(text.p + 1, n - 1);
}
