#include "supervisor/problem.h"

#include <stdarg.h>
#include <stdio.h>

bool problem_say(struct config_error *p, const struct config *c, const char *setting,
                 const char *format, ...)
{
    const struct conf_place *place = NULL;
    char text[sizeof(p->text) / 2];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < c->place_count && place == NULL; i++)
        if (strcmp(c->places[i].path, setting) == 0)
            place = &c->places[i];
    if (place != NULL)
        (void)snprintf(p->text, sizeof(p->text), "%s:%u: %s: %s", place->file, place->line, setting,
                       text);
    else
        (void)snprintf(p->text, sizeof(p->text), "%s: %s: %s", c->file, setting, text);
    return false;
}
