/* manual.c: puts the settings and commands, as the program's own tables have them, into a template
 * of the manual: `manual TEMPLATE`, on standard output. A line of the template that is just
 *   @SETTINGS@     becomes the settings, for man
 *   @SETTINGS-MD@  becomes the settings, for docs/configuration.md
 *   @COMMANDS@     becomes the commands and options, for man
 *   @VERSION@      anywhere, becomes the version. Runs in: the build. */
#include "cli/command.h"
#include "config/config.h"

#include <stdio.h>

#define LINE_MAX_OCTETS 4096

/* ---- words ---------------------------------------------------------------------------- */

/* roff takes a hyphen, a backslash and a leading dot or apostrophe for its own; a long list of
 * ciphers may be broken behind its colons. */
static void put_roff(const char *text)
{
    if (*text == '.' || *text == '\'')
        (void)fputs("\\&", stdout);
    for (; *text != 0; text++) {
        if (*text == '-')
            (void)fputs("\\-", stdout);
        else if (*text == '\\')
            (void)fputs("\\e", stdout);
        else
            (void)fputc(*text, stdout);
        if (*text == ':')
            (void)fputs("\\:", stdout);
    }
}

/* Markdown in a table: a bar ends the cell. */
static void put_markdown(const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '|' || *text == '<' || *text == '*')
            (void)fputc('\\', stdout);
        (void)fputc(*text, stdout);
    }
}

/* "tls" of "tls.minimum", "gates" of "gates.*.listen", "" of "state". */
static struct view group_of(const char *path)
{
    const struct view v = view_text(path);
    const size_t dot = view_find(v, '.');

    return view_first(v, dot == v.n ? 0 : dot);
}

static void put_range(const struct config_setting *s)
{
    if (s->min == 0 && s->max == 0)
        return;
    (void)printf(", %llu to %llu%s%s", (unsigned long long)s->min, (unsigned long long)s->max,
                 s->unit[0] == 0 ? "" : " ", s->unit);
}

static const char *standard_of(const struct config_setting *s)
{
    if (s->standard == NULL)
        return "required";
    return s->standard[0] == 0 ? "empty" : s->standard;
}

/* ---- settings ------------------------------------------------------------------------- */

static void put_settings_man(void)
{
    struct view group = view_text("?");

    for (size_t i = 0; config_setting_at(i) != NULL; i++) {
        const struct config_setting *s = config_setting_at(i);
        const struct view next = group_of(s->path);
        if (!view_is_equal(group, next))
            (void)printf(".SS \"%.*s\"\n", next.n == 0 ? 9 : (int)next.n,
                         next.n == 0 ? "Top level" : (const char *)next.p);
        group = next;
        (void)printf(".TP\n.B ");
        put_roff(s->path);
        (void)printf("\n");
        put_roff(s->sentence);
        (void)printf("\n.br\nType: ");
        put_roff(s->type);
        put_range(s);
        (void)printf(". Default: ");
        put_roff(standard_of(s));
        (void)printf(".\n");
    }
}

static void put_settings_markdown(void)
{
    struct view group = view_text("?");

    for (size_t i = 0; config_setting_at(i) != NULL; i++) {
        const struct config_setting *s = config_setting_at(i);
        const struct view next = group_of(s->path);
        if (!view_is_equal(group, next)) {
            (void)printf(
                "%s### %.*s\n\n| setting | what it is | type | default |\n|---|---|---|---|\n",
                i == 0 ? "" : "\n", next.n == 0 ? 9 : (int)next.n,
                next.n == 0 ? "Top level" : (const char *)next.p);
        }
        group = next;
        (void)printf("| `%s` | ", s->path);
        put_markdown(s->sentence);
        (void)printf(" | ");
        put_markdown(s->type);
        put_range(s);
        (void)printf(" | ");
        put_markdown(standard_of(s));
        (void)printf(" |\n");
    }
}

/* ---- commands ------------------------------------------------------------------------- */

static void put_command(const struct command *c)
{
    (void)printf(".TP\n.B postern %s%s", c->group, c->group[0] == 0 ? "" : " ");
    put_roff(c->name);
    if (c->operand[0] != 0)
        (void)printf(c->is_optional ? " [\\fI%s\\fP]" : " \\fI%s\\fP", c->operand);
    (void)printf("\n");
    put_roff(c->sentence);
    (void)printf("\n");
    if (c->detail[0] != 0) {
        put_roff(c->detail);
        (void)printf("\n");
    }
    for (unsigned o = OPTION_HELP + 1; o < OPTION_COUNT; o++) {
        const struct option_row *row = command_option(o);
        if ((c->options >> o & 1) == 0)
            continue;
        (void)printf(".RS\n.TP\n\\fB");
        put_roff(row->name);
        (void)printf("\\fP");
        if (row->brief != NULL)
            (void)printf(", \\fB\\%s\\fP", row->brief);
        if (row->argument != NULL)
            (void)printf(" \\fI%s\\fP", row->argument);
        (void)printf("\n");
        put_roff(row->sentence);
        (void)printf("\n.RE\n");
    }
}

static void put_commands(void)
{
    const char *group = "";

    for (size_t i = 0; command_at(i) != NULL; i++) {
        const struct command *c = command_at(i);
        if (strcmp(c->group, group) != 0 && c->group[0] != 0)
            (void)printf(".SS \"%s\"\n", command_group_sentence(c->group));
        if (strcmp(c->group, group) != 0 && c->group[0] == 0)
            (void)printf(".SS \"What happened.\"\n");
        group = c->group;
        put_command(c);
    }
}

/* ---- the template --------------------------------------------------------------------- */

static void put_line(const char *line)
{
    static const char mark[] = "@VERSION@";
    const char *at = strstr(line, mark);

    if (strcmp(line, "@SETTINGS@\n") == 0)
        put_settings_man();
    else if (strcmp(line, "@SETTINGS-MD@\n") == 0)
        put_settings_markdown();
    else if (strcmp(line, "@COMMANDS@\n") == 0)
        put_commands();
    else if (at != NULL)
        (void)printf("%.*s%s%s", (int)(at - line), line, POSTERN_VERSION, at + strlen(mark));
    else
        (void)fputs(line, stdout);
}

int main(int argc, char **argv)
{
    char line[LINE_MAX_OCTETS];
    FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;

    if (f == NULL) {
        (void)fprintf(stderr, "usage: manual TEMPLATE\n");
        return 2;
    }
    while (fgets(line, sizeof(line), f) != NULL)
        put_line(line);
    const bool is_bad = ferror(f) != 0 || fflush(stdout) != 0;
    (void)fclose(f);
    return is_bad ? 1 : 0;
}
