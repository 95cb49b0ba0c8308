#include "cli/command.h"
#include "cli/status.h"

#include <stdarg.h>
#include <stdio.h>

#define WIDTH 78 /* columns of help text */

static const char *space(const struct command *c)
{
    return c->group[0] == 0 ? "" : " ";
}

static void put_usage(const struct command *c, struct buf *out)
{
    buf_printf(out, "Usage: postern %s%s%s", c->group, space(c), c->name);
    if (c->operand[0] != 0)
        buf_printf(out, c->is_optional ? " [%s]" : " %s", c->operand);
    buf_put_text(out, " [OPTION …]\n");
}

/* Words of `text` from column `from` on, broken before WIDTH. */
static void put_wrapped(const char *text, size_t from, struct buf *out)
{
    struct view rest = view_text(text);
    size_t column = from;

    while (rest.n != 0) {
        const struct view word = view_first(rest, view_find(rest, ' '));
        if (column != from && column + 1 + word.n > WIDTH) {
            buf_printf(out, "\n%*s", (int)from, "");
            column = from;
        } else if (column != from) {
            buf_put_octet(out, ' ');
            column++;
        }
        buf_put(out, word);
        column += word.n;
        rest = view_skip(rest, word.n + 1);
    }
    buf_put_octet(out, '\n');
}

void help_command(const struct command *c, struct buf *out)
{
    put_usage(c, out);
    buf_put_octet(out, '\n');
    put_wrapped(c->sentence, 0, out);
    if (c->detail[0] != 0)
        put_wrapped(c->detail, 0, out);
    buf_put_text(out, "\nOptions:\n");
    for (unsigned o = 0; o < OPTION_COUNT; o++) {
        const struct option_row *row = command_option(o);
        char name[40];
        if ((c->options >> o & 1) == 0)
            continue;
        (void)snprintf(name, sizeof(name), "%s%s%s%s%s", row->brief == NULL ? "" : row->brief,
                       row->brief == NULL ? "" : ", ", row->name, row->argument == NULL ? "" : " ",
                       row->argument == NULL ? "" : row->argument);
        buf_printf(out, "  %-20s  ", name);
        put_wrapped(row->sentence, 24, out);
    }
}

static void put_commands(const char *group, struct buf *out)
{
    for (size_t i = 0; command_at(i) != NULL; i++) {
        const struct command *c = command_at(i);
        char name[48];
        if (strcmp(c->group, group) != 0)
            continue;
        (void)snprintf(name, sizeof(name), c->is_optional ? "%s%s%s [%s]" : "%s%s%s %s", c->group,
                       space(c), c->name, c->operand);
        buf_printf(out, "  %-28s  ", name);
        put_wrapped(c->sentence, 32, out);
    }
}

void help_group(const char *group, struct buf *out)
{
    const char *last = "";

    if (group[0] != 0) {
        buf_printf(out, "Usage: postern %s COMMAND …\n\n%s\n\n", group,
                   command_group_sentence(group));
        put_commands(group, out);
        buf_printf(out, "\nMore: postern %s COMMAND --help\n", group);
        return;
    }
    buf_put_text(out, "Usage: postern COMMAND …\n\nA mail access security gateway: no IMAP session "
                      "without TLS and proof of a\nsecond factor.\n\nThe service:\n");
    put_commands("", out);
    for (size_t i = 0; command_at(i) != NULL; i++) {
        const char *next = command_at(i)->group;
        if (next[0] == 0 || strcmp(next, last) == 0)
            continue;
        buf_printf(out, "\n%s\n", command_group_sentence(next));
        put_commands(next, out);
        last = next;
    }
    buf_put_text(out, "\nExit statuses: 0 done; 1 refused; 2 wrong command line; 3 wrong "
                      "configuration;\n4 the service does not answer.\n"
                      "More: postern COMMAND --help, postern(1), postern.conf(5)\n");
}

int help_usage(const struct command *c, const char *format, ...)
{
    va_list args;

    (void)fprintf(stderr, "postern %s%s%s: ", c->group, space(c), c->name);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\nSee postern %s%s%s --help\n", c->group, space(c), c->name);
    return STATUS_USAGE;
}
