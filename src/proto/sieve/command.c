#include "proto/sieve/command.h"

#include "base/limits.h"
#include "proto/sieve/text.h"

/*  WORD ──SP──▶ ARGUMENT ──"──▶ QUOTED ⇄ ESCAPE        ──"──▶ BEHIND ──SP──▶ ARGUMENT
 *    │             ├──{──▶ SIZE ─▶ PLUS ─▶ MARK ─▶ MARK_CR ─▶ LITERAL ──n──▶ BEHIND
 *    │             └──────▶ ATOM ──SP──▶ ARGUMENT                            │
 *    └──CR──▶ END ◀──CR── ATOM, BEHIND, SKIP                            CR ──▶ END ──LF──▶ whole
 *  SKIP: the rest of a wrong command, where one may be wrong; a literal there is nobody's. */
enum state {
    STATE_WORD = 0,
    STATE_ARGUMENT, /* behind a space: an argument must come */
    STATE_ATOM,     /* in a number, or in an argument of an unknown command */
    STATE_QUOTED,
    STATE_ESCAPE,
    STATE_SIZE,    /* behind "{" */
    STATE_PLUS,    /* behind "+" */
    STATE_MARK,    /* behind "}" */
    STATE_MARK_CR, /* behind its CR */
    STATE_LITERAL,
    STATE_SCRIPT, /* behind the mark of a script's literal: the caller's turn */
    STATE_BEHIND, /* behind a string */
    STATE_SKIP,
    STATE_END, /* behind the CR */
    STATE_BROKEN,
};

static const struct sieve_word answer = { .arguments = { ARGUMENT_STRING } };

void sieve_command_init(struct sieve_command *c, const struct sieve_command_conf *conf)
{
    *c = (struct sieve_command){ .conf = conf };
    buf_init(&c->strings, conf->max);
}

void sieve_command_done(struct sieve_command *c)
{
    buf_done(&c->strings);
}

void sieve_command_reset(struct sieve_command *c)
{
    const struct sieve_command_conf *conf = c->conf;

    buf_done(&c->strings);
    sieve_command_init(c, conf);
}

void sieve_command_expect_answer(struct sieve_command *c)
{
    sieve_command_reset(c);
    c->word = &answer;
    c->state = STATE_ARGUMENT;
}

bool sieve_command_is_begun(const struct sieve_command *c)
{
    return c->state != STATE_WORD || c->name_n != 0;
}

struct view sieve_command_string(const struct sieve_command *c, size_t i)
{
    return view_first(view_skip(buf_view(&c->strings), c->argument[i].at), c->argument[i].n);
}

struct view sieve_command_name(const struct sieve_command *c)
{
    return view_first(view_of(c->name, c->name_n), SIEVE_WORD);
}

/* ---- what is wrong -------------------------------------------------------------------- */

static void broken(struct sieve_command *c, const char *reason)
{
    c->state = STATE_BROKEN;
    c->reason = reason;
}

/* This octet can be no part of what we are in: why. */
static const char *bad_octet(uint8_t octet)
{
    return octet == '\n'  ? "bare-lf"
           : octet == 0   ? "nul"
           : octet == '{' ? "bad-literal"
                          : "bad-octet";
}

static bool is_kept(const struct sieve_command *c)
{
    return c->word != NULL && !c->is_wrong;
}

static void wrong(struct sieve_command *c, const char *reason)
{
    c->is_wrong = true;
    if (c->conf->is_strict)
        broken(c, reason);
}

/* The line is no command from `octet` on; `reason` says why if the octet itself does not. */
static void skip(struct sieve_command *c, uint8_t octet, const char *reason)
{
    if (octet == '\n' || octet == 0 || octet == '{') {
        broken(c, bad_octet(octet));
        return;
    }
    c->state = octet == '\r' ? STATE_END : STATE_SKIP;
    wrong(c, octet == '\r' || octet == ' ' ? reason : "bad-octet");
}

/* ---- arguments ------------------------------------------------------------------------ */

static enum sieve_argument wanted(const struct sieve_command *c)
{
    return is_kept(c) && c->argument_count < SIEVE_ARGUMENTS
               ? (enum sieve_argument)c->word->arguments[c->argument_count]
               : ARGUMENT_NONE;
}

static void begin_string(struct sieve_command *c, enum state state)
{
    const enum sieve_argument what = wanted(c);

    c->state = (uint8_t)state;
    c->has_digits = false;
    c->size = c->quoted = 0;
    if (is_kept(c) && what != ARGUMENT_STRING && what != ARGUMENT_SCRIPT)
        wrong(c, "bad-arguments");
    if (is_kept(c))
        c->argument[c->argument_count].at = (uint16_t)c->strings.n;
}

static void end_argument(struct sieve_command *c, enum state state)
{
    if (is_kept(c)) {
        c->argument[c->argument_count].n =
            (uint16_t)(c->strings.n - c->argument[c->argument_count].at);
        c->argument_count++;
    }
    c->state = (uint8_t)state;
}

static void keep(struct sieve_command *c, struct view v)
{
    if (!is_kept(c))
        return;
    buf_put(&c->strings, v);
    if (!buf_is_ok(&c->strings))
        broken(c, "no-memory");
}

/* RFC 5804 §4: 32 bits, no extra zeros. */
static bool take_digit(struct sieve_command *c, uint8_t octet)
{
    const uint64_t n = (uint64_t)c->size * 10 + (uint64_t)(octet - '0');

    if ((c->has_digits && c->size == 0) || n > UINT32_MAX)
        return false;
    c->size = (uint32_t)n;
    c->has_digits = true;
    return true;
}

static void begin_literal(struct sieve_command *c)
{
    if (wanted(c) == ARGUMENT_SCRIPT) {
        c->number = c->size;
        c->state = STATE_SCRIPT;
        return;
    }
    uint32_t *sum = is_kept(c) ? &c->octets : &c->swallowed;
    const uint32_t max = is_kept(c) ? c->conf->max : c->conf->swallow;
    if (*sum > max || c->size > max - *sum) {
        broken(c, "too-long");
        return;
    }
    *sum += c->size;
    if (c->size == 0)
        end_argument(c, STATE_BEHIND);
    else
        c->state = STATE_LITERAL;
}

static void end_atom(struct sieve_command *c, uint8_t octet)
{
    if (is_kept(c)) {
        c->number = c->size;
        end_argument(c, STATE_ARGUMENT);
    }
    c->state = octet == ' ' ? STATE_ARGUMENT : STATE_END;
}

static void begin_atom(struct sieve_command *c)
{
    c->state = STATE_ATOM;
    c->has_digits = false;
    c->size = 0;
    if (is_kept(c) && wanted(c) != ARGUMENT_NUMBER)
        wrong(c, "bad-arguments");
    if (is_kept(c))
        c->argument[c->argument_count].at = (uint16_t)c->strings.n;
}

/* ---- octets --------------------------------------------------------------------------- */

static void end_word(struct sieve_command *c, uint8_t octet)
{
    for (const struct sieve_word *w = c->conf->words; w->name != NULL; w++)
        if (view_is_equal(sieve_command_name(c), view_text(w->name)))
            c->word = w;
    c->state = octet == ' ' ? STATE_ARGUMENT : STATE_END;
}

static void word_octet(struct sieve_command *c, uint8_t octet)
{
    if (sieve_is_atom_octet(octet)) {
        const bool is_small = octet >= 'a' && octet <= 'z';
        if (c->name_n < SIEVE_WORD)
            c->name[c->name_n] = (char)(is_small ? octet - 'a' + 'A' : octet);
        if (c->name_n <= SIEVE_WORD)
            c->name_n++;
    } else if (c->name_n == 0 && (octet == ' ' || octet == '\r')) {
        skip(c, octet, octet == ' ' ? "leading-space" : "empty-line");
    } else if (octet == ' ' || octet == '\r') {
        end_word(c, octet);
    } else {
        broken(c, bad_octet(octet));
    }
}

static void atom_octet(struct sieve_command *c, uint8_t octet)
{
    if (octet == ' ' || octet == '\r')
        end_atom(c, octet);
    else if (!sieve_is_atom_octet(octet))
        skip(c, octet, "bad-octet");
    else if (is_kept(c) && (octet < '0' || octet > '9' || !take_digit(c, octet)))
        wrong(c, "bad-number");
}

static void argument_octet(struct sieve_command *c, uint8_t octet)
{
    if (octet == '"') {
        begin_string(c, STATE_QUOTED);
    } else if (octet == '{') {
        begin_string(c, STATE_SIZE);
    } else if (sieve_is_atom_octet(octet)) {
        begin_atom(c);
        if (c->state == STATE_ATOM)
            atom_octet(c, octet);
    } else {
        skip(c, octet, octet == '\r' ? "trailing-space" : "two-spaces");
    }
}

static void quoted_octet(struct sieve_command *c, uint8_t octet)
{
    if (c->state == STATE_QUOTED && octet == '"') {
        end_argument(c, STATE_BEHIND);
        return;
    }
    if (octet == 0 || octet == '\r' || octet == '\n') {
        broken(c, octet == 0 ? "nul" : "line-in-quoted");
        return;
    }
    if (++c->quoted > LIMIT_SIEVE_QUOTED) {
        broken(c, "too-long");
        return;
    }
    if (c->state == STATE_QUOTED && octet == '\\') {
        c->state = STATE_ESCAPE;
        return;
    }
    if (c->state == STATE_ESCAPE && octet != '"' && octet != '\\') {
        broken(c, "bad-quoted");
        return;
    }
    c->state = STATE_QUOTED;
    keep(c, view_of(&octet, 1));
}

static void mark_octet(struct sieve_command *c, uint8_t octet)
{
    if (c->state == STATE_SIZE && octet >= '0' && octet <= '9') {
        if (!take_digit(c, octet))
            broken(c, "bad-literal");
    } else if (c->state == STATE_SIZE && octet == '+' && c->has_digits) {
        c->state = STATE_PLUS;
    } else if (c->state == STATE_SIZE && octet == '}' && c->has_digits) {
        broken(c, "synchronising-literal");
    } else if (c->state == STATE_PLUS && octet == '}') {
        c->state = STATE_MARK;
    } else if (c->state == STATE_MARK && octet == '\r') {
        c->state = STATE_MARK_CR;
    } else if (c->state == STATE_MARK_CR && octet == '\n') {
        begin_literal(c);
    } else {
        broken(c, octet == '\n' ? "bare-lf" : "bad-literal");
    }
}

/* Everything was there that the word takes. */
static void check_count(struct sieve_command *c)
{
    size_t least = 0;

    if (!is_kept(c))
        return;
    while (least < SIEVE_ARGUMENTS && c->word->arguments[least] != ARGUMENT_NONE)
        least++;
    if (c->word->is_last_optional)
        least--;
    if (c->argument_count < least)
        wrong(c, "bad-arguments");
}

static enum sieve_command_kind end_octet(struct sieve_command *c, uint8_t octet)
{
    if (octet != '\n')
        broken(c, "bare-cr");
    else
        check_count(c);
    return c->state == STATE_BROKEN ? COMMAND_BROKEN : COMMAND_WHOLE;
}

static void take_octet(struct sieve_command *c, uint8_t octet)
{
    switch ((enum state)c->state) {
    case STATE_WORD:
        word_octet(c, octet);
        break;
    case STATE_ARGUMENT:
        argument_octet(c, octet);
        break;
    case STATE_ATOM:
        atom_octet(c, octet);
        break;
    case STATE_QUOTED:
    case STATE_ESCAPE:
        quoted_octet(c, octet);
        break;
    case STATE_SIZE:
    case STATE_PLUS:
    case STATE_MARK:
    case STATE_MARK_CR:
        mark_octet(c, octet);
        break;
    case STATE_BEHIND:
        if (octet == ' ' || octet == '\r')
            c->state = octet == ' ' ? STATE_ARGUMENT : STATE_END;
        else
            skip(c, octet, "bad-octet");
        break;
    case STATE_SKIP:
        skip(c, octet, "bad-octet");
        break;
    case STATE_LITERAL:
    case STATE_SCRIPT:
    case STATE_END:
    case STATE_BROKEN:
        break;
    }
}

static size_t literal_step(struct sieve_command *c, struct view in)
{
    const struct view part = view_first(in, c->size);

    keep(c, part);
    c->size -= (uint32_t)part.n;
    if (c->size == 0 && c->state == STATE_LITERAL)
        end_argument(c, STATE_BEHIND);
    return part.n;
}

enum sieve_command_kind sieve_command_take(struct sieve_command *c, struct view in,
                                           size_t *ret_used)
{
    size_t i = 0;

    while (i < in.n && c->state != STATE_BROKEN && c->state != STATE_SCRIPT) {
        if (c->state == STATE_LITERAL) {
            i += literal_step(c, view_skip(in, i));
            continue;
        }
        const bool is_end = c->state == STATE_END;
        const uint8_t octet = in.p[i++];
        if (is_end) {
            *ret_used = i;
            return end_octet(c, octet);
        }
        if (octet != '\r' && ++c->octets > c->conf->max)
            broken(c, "too-long");
        else
            take_octet(c, octet);
    }
    *ret_used = i;
    return c->state == STATE_BROKEN   ? COMMAND_BROKEN
           : c->state == STATE_SCRIPT ? COMMAND_SCRIPT
                                      : COMMAND_MORE;
}
