#include "script.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void script_die(const char *name, unsigned line, const char *why)
{
    (void)fprintf(stderr, "%s:%u: %s\n", name, line, why);
    exit(99);
}

static unsigned hex(const char *digits)
{
    const char two[3] = { digits[0], digits[0] == 0 ? (char)0 : digits[1], 0 };

    return (unsigned)strtoul(two, NULL, 16);
}

/* Undoes \r \n \0 \\ \xHH, and \(n*text) for n times the text. The result is on the heap for the
 * script's life; `room` bounds it. */
static struct view decode(const char *from, size_t n, const char *tail)
{
    enum { ROOM = 1 << 17 };
    uint8_t *to = malloc(ROOM + 1);
    size_t length = 0;

    for (size_t i = 0; to != NULL && i < n && length < ROOM / 2; i++) {
        if (from[i] != '\\' || i + 1 == n) {
            to[length++] = (uint8_t)from[i];
            continue;
        }
        const char c = from[++i];
        if (c == 'x' && i + 2 < n + 1) {
            to[length++] = (uint8_t)hex(from + i + 1);
            i += 2;
        } else if (c == '(') {
            char *star;
            const unsigned long times = strtoul(from + i + 1, &star, 10);
            const char *close = strchr(star, ')');
            if (close == NULL)
                break;
            const size_t one = (size_t)(close - star) - 1;
            for (unsigned long t = 0; t < times && length + one < ROOM / 2; t++, length += one)
                memcpy(to + length, star + 1, one);
            i = (size_t)(close - from);
        } else {
            to[length++] = c == 'r' ? '\r' : c == 'n' ? '\n' : c == '0' ? 0 : (uint8_t)c;
        }
    }
    if (to == NULL)
        abort();
    memcpy(to + length, tail, strlen(tail));
    length += strlen(tail);
    return view_of(realloc(to, length + 1), length);
}

static const struct {
    const char *mark;
    enum step_kind kind;
    const char *tail;
} marks[] = {
    { "C: ", STEP_SEND, "\r\n" }, { "C- ", STEP_SEND, "" },       { "U< ", STEP_SEND, "\r\n" },
    { "U- ", STEP_SEND, "" },     { "S: ", STEP_EXPECT, "\r\n" }, { "U> ", STEP_EXPECT, "\r\n" },
    { "W? ", STEP_ASKED, "" },    { "W: ", STEP_ANSWER, "" },     { "E: ", STEP_EVENT, "" },
    { "L: ", STEP_LABEL, "" },    { "B: ", STEP_BYE, "" },        { "R: ", STEP_REST, "\r\n" },
};

bool script_is_word(const struct step *s, size_t i, const char *word)
{
    return i < s->count && view_is_equal(s->words[i], view_text(word));
}

/* The last word takes the rest of the line; "" is the empty word. */
static void split(struct step *step, const char *text, size_t n)
{
    while (step->count < SCRIPT_WORDS && n != 0) {
        const char *space = step->count + 1 == SCRIPT_WORDS ? NULL : memchr(text, ' ', n);
        const size_t one = space == NULL ? n : (size_t)(space - text);
        const bool is_empty = one == 2 && memcmp(text, "\"\"", 2) == 0;
        step->words[step->count++] = decode(text, is_empty ? 0 : one, "");
        text += space == NULL ? one : one + 1;
        n -= space == NULL ? one : one + 1;
    }
}

static struct step parse(const char *name, unsigned line, const char *text, size_t n)
{
    struct step step = { .kind = STEP_SET, .line = line };

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const size_t length = n == 2 ? 2 : 3; /* "S:" alone: an empty line */
        if (n < 2 || strncmp(text, marks[i].mark, length) != 0)
            continue;
        step.kind = marks[i].kind;
        step.who = text[0];
        step.text = decode(text + length, n - length, marks[i].tail);
        split(&step, text + length, n - length);
        return step;
    }
    split(&step, text, n);
    if (step.count == 0)
        script_die(name, line, "neither a step nor a setting");
    const size_t word = strcspn(text, " ");
    step.text = decode(text + word + (word < n), n - word - (word < n), "");
    return step;
}

void script_load(struct script *s, const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;

    *s = (struct script){ .name = path };
    if (file == NULL)
        script_die(path, 0, "cannot be read");
    for (unsigned line = 1;; line++) {
        const ssize_t n = getline(&text, &room, file);
        if (n < 0)
            break;
        const size_t length = n > 0 && text[n - 1] == '\n' ? (size_t)n - 1 : (size_t)n;
        text[length] = 0;
        if (length == 0 || text[0] == '#')
            continue;
        s->steps = reallocarray(s->steps, s->count + 1, sizeof(*s->steps));
        if (s->steps == NULL)
            abort();
        s->steps[s->count++] = parse(path, line, text, length);
    }
    free(text);
    (void)fclose(file);
}

static void free_view(struct view v)
{
    union {
        const uint8_t *from;
        uint8_t *to;
    } u = { .from = v.p };

    free(u.to);
}

void script_free(struct script *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free_view(s->steps[i].text);
        for (size_t w = 0; w < s->steps[i].count; w++)
            free_view(s->steps[i].words[w]);
    }
    free(s->steps);
    *s = (struct script){ 0 };
}
