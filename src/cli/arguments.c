#include "cli/command.h"
#include "cli/status.h"
#include "config/nearest.h"

#include <stdio.h>

#define HELP_MAX 16384

static int say(const struct command *c, const char *group)
{
    AUTO_BUF(text, HELP_MAX);

    if (c != NULL)
        help_command(c, &text);
    else
        help_group(group, &text);
    (void)fwrite(text.p, 1, text.n, stdout);
    return buf_is_ok(&text) && fflush(stdout) == 0 ? STATUS_OK : STATUS_REFUSED;
}

static bool is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0 || strcmp(arg, "help") == 0;
}

/* ---- which command -------------------------------------------------------------------- */

static const struct command *find(const char *group, const char *name)
{
    for (size_t i = 0; command_at(i) != NULL; i++)
        if (strcmp(command_at(i)->group, group) == 0 && strcmp(command_at(i)->name, name) == 0)
            return command_at(i);
    return NULL;
}

static void consider(const char *candidate, const char *name, const char **best, unsigned *distance)
{
    const unsigned d = nearest_distance(view_text(candidate), view_text(name), *distance);

    if (d < *distance) {
        *distance = d;
        *best = candidate;
    }
}

/* The name of a command of `group`, or of a group when that is "", nearest to `name`; or NULL. */
static const char *nearest(const char *group, const char *name)
{
    const char *best = NULL;
    unsigned distance = 3;

    for (size_t i = 0; command_at(i) != NULL; i++) {
        const struct command *c = command_at(i);
        if (strcmp(c->group, group) == 0)
            consider(c->name, name, &best, &distance);
        if (group[0] == 0 && c->group[0] != 0)
            consider(c->group, name, &best, &distance);
    }
    return best;
}

static int say_unknown(const char *group, const char *name)
{
    const char *best = nearest(group, name);
    const char *space = group[0] == 0 ? "" : " ";

    (void)fprintf(stderr, "postern: there is no command \"%s%s%s\"", group, space, name);
    if (best != NULL)
        (void)fprintf(stderr, "; did you mean \"%s%s%s\"", group, space, best);
    (void)fprintf(stderr, "%s See postern %s%s--help\n", best == NULL ? "." : "?", group, space);
    return STATUS_USAGE;
}

/* Finds the command; *ret_used is how many words it took. */
static const struct command *find_command(int argc, char **argv, int *ret_used, int *ret_status)
{
    if (argc == 0 || is_help(argv[0])) {
        const bool is_asked = argc != 0;
        *ret_status = is_asked ? say(NULL, "") : STATUS_USAGE;
        if (!is_asked)
            (void)fprintf(stderr, "postern: which command? See postern --help\n");
        return NULL;
    }
    *ret_used = 1;
    if (strcmp(argv[0], "--version") == 0)
        return find("", "version");
    const struct command *c = find("", argv[0]);
    if (c != NULL)
        return c;
    if (command_group_sentence(argv[0]) == NULL) {
        *ret_status = say_unknown("", argv[0]);
        return NULL;
    }
    if (argc == 1 || is_help(argv[1])) {
        *ret_status = say(NULL, argv[0]);
        if (argc == 1)
            *ret_status = STATUS_USAGE;
        return NULL;
    }
    *ret_used = 2;
    c = find(argv[0], argv[1]);
    if (c == NULL)
        *ret_status = say_unknown(argv[0], argv[1]);
    return c;
}

/* ---- its options ---------------------------------------------------------------------- */

/* Is `arg` this option? *ret_value is what follows it in the same word, or NULL. */
static bool is_option(const struct option_row *row, const char *arg, const char **ret_value)
{
    const size_t n = strlen(row->name);

    *ret_value = NULL;
    if (strcmp(arg, row->name) == 0)
        return true;
    if (strncmp(arg, row->name, n) == 0 && arg[n] == '=') {
        *ret_value = arg + n + 1;
        return true;
    }
    if (row->brief == NULL || strncmp(arg, row->brief, 2) != 0 ||
        (arg[2] != 0 && row->argument == NULL))
        return false;
    *ret_value = arg[2] == 0 ? NULL : arg + 2;
    return true;
}

/* Takes the option at argv[0], and its value; returns the words used, 0 after an error. */
static int take_option(int argc, char **argv, struct invocation *i, int *ret_status)
{
    const struct command *c = i->command;
    const char *value;

    for (unsigned o = 0; o < OPTION_COUNT; o++) {
        const struct option_row *row = command_option(o);
        if ((c->options >> o & 1) == 0 || !is_option(row, argv[0], &value))
            continue;
        if (row->argument == NULL && value == NULL) {
            i->values[o] = "";
            return 1;
        }
        if (row->argument != NULL && (value != NULL || argc > 1)) {
            i->values[o] = value != NULL ? value : argv[1];
            return value != NULL ? 1 : 2;
        }
        *ret_status = help_usage(c, row->argument == NULL ? "%s takes no value" : "%s needs %s",
                                 row->name, row->argument == NULL ? "" : row->argument);
        return 0;
    }
    *ret_status = help_usage(c, "there is no option %s", argv[0]);
    return 0;
}

static bool take_operand(const char *arg, struct invocation *i, int *ret_status)
{
    if (i->command->operand[0] == 0 || i->operand[0] != 0) {
        *ret_status = help_usage(i->command, "\"%s\" is too much", arg);
        return false;
    }
    if (arg[0] == 0) {
        *ret_status = help_usage(i->command, "%s may not be empty", i->command->operand);
        return false;
    }
    i->operand = arg;
    return true;
}

bool command_parse(int argc, char **argv, struct invocation *ret, int *ret_status)
{
    struct invocation i = { .operand = "" };
    bool is_options_over = false;
    int at = 0;

    i.command = find_command(argc, argv, &at, ret_status);
    if (i.command == NULL)
        return false;
    while (at < argc) {
        if (!is_options_over && strcmp(argv[at], "--") == 0) {
            is_options_over = true;
            at++;
        } else if (!is_options_over && argv[at][0] == '-' && argv[at][1] != 0) {
            const int used = take_option(argc - at, argv + at, &i, ret_status);
            if (used == 0)
                return false;
            at += used;
        } else if (!take_operand(argv[at++], &i, ret_status)) {
            return false;
        }
    }
    if (i.values[OPTION_HELP] != NULL) {
        *ret_status = say(i.command, "");
        return false;
    }
    if (i.command->operand[0] != 0 && !i.command->is_optional && i.operand[0] == 0) {
        *ret_status = help_usage(i.command, "which %s?", i.command->operand);
        return false;
    }
    *ret = i;
    return true;
}
