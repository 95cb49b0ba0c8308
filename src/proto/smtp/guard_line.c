#include "proto/smtp/guard_line.h"

#include "base/attr.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "proto/smtp/guard_address.h"

#define CHUNK_DIGITS 10

enum arguments {
    ARGUMENTS_ANY = 0,
    ARGUMENTS_NONE,
    ARGUMENTS_HOST,
    ARGUMENTS_SENDER,
    ARGUMENTS_RECIPIENT,
    ARGUMENTS_CHUNK,
};

static const struct {
    const char *word;
    enum smtp_due due;
    enum arguments arguments;
} commands[] = {
    { "EHLO", SMTP_DUE_EHLO, ARGUMENTS_HOST },   { "HELO", SMTP_DUE_HELO, ARGUMENTS_HOST },
    { "MAIL", SMTP_DUE_MAIL, ARGUMENTS_SENDER }, { "RCPT", SMTP_DUE_RCPT, ARGUMENTS_RECIPIENT },
    { "DATA", SMTP_DUE_DATA, ARGUMENTS_NONE },   { "BDAT", SMTP_DUE_CHUNK, ARGUMENTS_CHUNK },
    { "RSET", SMTP_DUE_RSET, ARGUMENTS_NONE },   { "NOOP", SMTP_DUE_OTHER, ARGUMENTS_ANY },
    { "QUIT", SMTP_DUE_QUIT, ARGUMENTS_NONE },   { "VRFY", SMTP_DUE_OTHER, ARGUMENTS_ANY },
    { "EXPN", SMTP_DUE_OTHER, ARGUMENTS_ANY },   { "HELP", SMTP_DUE_OTHER, ARGUMENTS_ANY },
    { "AUTH", SMTP_DUE_AUTH, ARGUMENTS_ANY },    { "STARTTLS", SMTP_DUE_STARTTLS, ARGUMENTS_ANY },
};

/* The parameters of the extensions that capability.c lets through. AUTH=: see take_parameters. */
static const char *const sender_parameters[] = {
    "SIZE", "BODY",    "SMTPUTF8",  "AUTH",        "RET",        "ENVID",
    "BY",   "HOLDFOR", "HOLDUNTIL", "MT-PRIORITY", "REQUIRETLS", NULL,
};
static const char *const recipient_parameters[] = { "NOTIFY", "ORCPT", NULL };

struct view smtp_guard_answer(enum smtp_due due)
{
    static const char *const answers[] = {
        [SMTP_DUE_SYNTAX] = "500 5.5.2 Not a command\r\n",
        [SMTP_DUE_TOO_LONG] = "500 5.5.2 Line too long\r\n",
        [SMTP_DUE_UNKNOWN] = "502 5.5.1 This command does not pass the gate\r\n",
        [SMTP_DUE_ARGUMENTS] = "501 5.5.4 Bad arguments\r\n",
        [SMTP_DUE_AUTH] = "503 5.5.1 Already authenticated\r\n",
        [SMTP_DUE_STARTTLS] = "503 5.5.1 TLS has begun already\r\n",
        [SMTP_DUE_BAD_SENDER] = "501 5.1.7 Bad sender address syntax\r\n",
        [SMTP_DUE_BAD_RECIPIENT] = "501 5.1.3 Bad recipient address syntax\r\n",
        [SMTP_DUE_PARAMETER] = "555 5.5.4 This parameter does not pass the gate\r\n",
        [SMTP_DUE_FOREIGN_SENDER] = "553 5.7.1 Sender address not permitted\r\n",
        [SMTP_DUE_NO_CHUNKING] = "502 5.5.1 CHUNKING was not offered\r\n",
        [SMTP_DUE_NO_TRANSACTION] = "503 5.5.1 No recipient was accepted\r\n",
        [SMTP_DUE_INTERRUPTED] = "503 5.5.1 Only BDAT follows BDAT: begin again\r\n",
    };

    CHECK(due >= SMTP_DUE_OWN && due < SMTP_DUE_COUNT);
    return view_text(answers[due]);
}

/* What makes it doubtful where the line ends. */
static const char *find_end(struct view v)
{
    if (view_find(v, '\0') != v.n)
        return "nul";
    return view_find(v, '\r') != v.n ? "bare-cr" : NULL;
}

/* Printable ASCII and UTF-8 without the controls of both (C0, DEL, C1). */
static bool is_text(struct view v)
{
    while (v.n > 0) {
        const size_t n = utf8_sequence(v);
        if (n == 0 || v.p[0] < ' ' || v.p[0] == 0x7f || (v.p[0] == 0xc2 && v.p[1] < 0xa0))
            return false;
        v = view_skip(v, n);
    }
    return true;
}

/* RFC 5321 §4.1.1: white space at the end is tolerated. */
static struct view trim(struct view v)
{
    while (v.n > 0 && v.p[v.n - 1] == ' ')
        v.n--;
    return v;
}

static bool is_value_octet(uint8_t c)
{
    return c > ' ' && c != '=';
}

static bool is_in(struct view word, const char *const *list)
{
    for (; *list != NULL; list++)
        if (view_is_equal_nocase(word, view_text(*list)))
            return true;
    return false;
}

/* " KEYWORD" or " KEYWORD=value", once or more (RFC 5321 §4.1.2). `due` if all is well; a body of
 * two kinds is whichever the server likes. */
static enum smtp_due judge_parameters(struct view v, const char *const *known, enum smtp_due due)
{
    bool has_body = false;

    while (v.n > 0) {
        if (v.p[0] != ' ')
            return SMTP_DUE_ARGUMENTS;
        v = view_skip(v, 1);
        const struct view one = view_first(v, view_find(v, ' '));
        const struct view word = view_first(one, view_find(one, '='));
        const struct view value = view_skip(one, word.n + 1);
        v = view_skip(v, one.n);
        if (word.n == 0 || (word.n < one.n && value.n == 0))
            return SMTP_DUE_ARGUMENTS;
        for (size_t i = 0; i < value.n; i++)
            if (!is_value_octet(value.p[i]))
                return SMTP_DUE_ARGUMENTS;
        if (!is_in(word, known))
            return SMTP_DUE_PARAMETER;
        /* Who submitted the message first: the upstream believes what we say of that. */
        if (view_is_equal_nocase(word, VIEW_LIT("AUTH")) && !view_is_equal(value, VIEW_LIT("<>")))
            return SMTP_DUE_PARAMETER;
        const bool is_body = view_is_equal_nocase(word, VIEW_LIT("BODY"));
        if (is_body && has_body)
            return SMTP_DUE_ARGUMENTS;
        has_body = has_body || is_body;
        if (is_body && view_is_equal_nocase(value, VIEW_LIT("BINARYMIME")))
            due = SMTP_DUE_MAIL_BINARY;
    }
    return due;
}

/* Skips "FROM:" or "TO:", and the spaces that RFC 5321 §3.3 forbids behind it and many a printer
 * sends all the same: the guard takes them out. */
static bool skip_word(struct view *v, struct view word, struct smtp_guard_line *ret)
{
    if (!view_starts_nocase(*v, word))
        return false;
    *v = view_skip(*v, word.n);
    for (; v->n > 0 && v->p[0] == ' '; *v = view_skip(*v, 1))
        ret->spaces++;
    return v->n > 0 && v->p[0] == '<';
}

static enum smtp_due judge_sender(struct view v, const struct view *senders,
                                  struct smtp_guard_line *ret)
{
    struct smtp_path path;

    if (!skip_word(&v, VIEW_LIT("FROM:"), ret))
        return SMTP_DUE_ARGUMENTS;
    if (!smtp_path_take(&v, &path))
        return SMTP_DUE_BAD_SENDER;
    const enum smtp_due due = judge_parameters(v, sender_parameters, SMTP_DUE_MAIL);
    if (due < SMTP_DUE_OWN && senders != NULL && !smtp_path_is_own(&path, *senders))
        return SMTP_DUE_FOREIGN_SENDER;
    return due;
}

static enum smtp_due judge_recipient(struct view v, struct smtp_guard_line *ret)
{
    struct smtp_path path;

    if (!skip_word(&v, VIEW_LIT("TO:"), ret))
        return SMTP_DUE_ARGUMENTS;
    if (!smtp_path_take(&v, &path) || path.address.n == 0)
        return SMTP_DUE_BAD_RECIPIENT;
    return judge_parameters(v, recipient_parameters, SMTP_DUE_RCPT);
}

/* "<digits>" or "<digits> LAST": exactly, or it is not known how many octets are no commands. */
static bool read_chunk(struct view v, struct smtp_guard_line *ret)
{
    const struct view digits = view_first(v, view_find(v, ' '));
    const bool is_last = digits.n < v.n;
    uint64_t size;

    if (is_last && !view_is_equal_nocase(view_skip(v, digits.n), VIEW_LIT(" LAST")))
        return false;
    if (digits.n > CHUNK_DIGITS || (digits.n > 1 && digits.p[0] == '0') ||
        !view_number(digits, LIMIT_SMTP_CHUNK, &size))
        return false;
    ret->due = is_last ? SMTP_DUE_CHUNK_LAST : SMTP_DUE_CHUNK;
    ret->size = (uint32_t)size;
    return true;
}

static void judge_arguments(struct view v, enum arguments arguments, const struct view *senders,
                            struct smtp_guard_line *ret)
{
    switch (arguments) {
    case ARGUMENTS_ANY:
        break;
    case ARGUMENTS_NONE:
        if (trim(v).n != 0)
            ret->due = SMTP_DUE_ARGUMENTS;
        break;
    case ARGUMENTS_HOST:
        v = trim(v);
        if (v.n == 0 || v.n > LIMIT_HOST || view_find(v, ' ') != v.n)
            ret->due = SMTP_DUE_ARGUMENTS;
        break;
    case ARGUMENTS_SENDER:
        ret->due = judge_sender(trim(v), senders, ret);
        break;
    case ARGUMENTS_RECIPIENT:
        ret->due = judge_recipient(trim(v), ret);
        break;
    case ARGUMENTS_CHUNK:
        if (!read_chunk(v, ret))
            ret->bad = "bad-chunk";
        break;
    }
}

struct smtp_guard_line smtp_guard_line(struct view text, const struct view *senders)
{
    struct smtp_guard_line l = { .bad = find_end(text), .due = SMTP_DUE_SYNTAX };

    if (l.bad != NULL || text.n == 0 || text.p[0] == ' ' || !is_text(text))
        return l;
    const struct view word = view_first(text, view_find(text, ' '));
    l.due = SMTP_DUE_UNKNOWN;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (!view_is_equal_nocase(word, view_text(commands[i].word)))
            continue;
        l.due = commands[i].due;
        judge_arguments(view_skip(text, word.n + 1), commands[i].arguments, senders, &l);
        break;
    }
    /* A server that keeps to RFC 5321 §4.5.3.1.4 might read what is over as another command. */
    const bool is_wide =
        l.due == SMTP_DUE_MAIL || l.due == SMTP_DUE_MAIL_BINARY || l.due == SMTP_DUE_RCPT;
    if (l.bad == NULL && l.due < SMTP_DUE_OWN && !is_wide && text.n > LIMIT_SMTP_COMMAND - 2)
        l.due = SMTP_DUE_TOO_LONG;
    return l;
}
