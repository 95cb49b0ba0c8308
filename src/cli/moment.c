#include "cli/moment.h"

#include "config/value.h"

#include <stdio.h>
#include <time.h>

const char *moment_local(int64_t at, char *text)
{
    const time_t t = (time_t)at;
    struct tm parts;

    if (localtime_r(&t, &parts) == NULL ||
        strftime(text, MOMENT_TEXT, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        (void)snprintf(text, MOMENT_TEXT, "?");
    return text;
}

const char *moment_utc(int64_t at, char *text)
{
    const time_t t = (time_t)at;
    struct tm parts;

    if (gmtime_r(&t, &parts) == NULL ||
        strftime(text, MOMENT_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        (void)snprintf(text, MOMENT_TEXT, "?");
    return text;
}

bool moment_parse_span(const char *text, int64_t max_s, int64_t *ret_s)
{
    uint64_t ms;

    if (!value_duration_parse(text, &ms) || ms < 1000 || ms / 1000 > (uint64_t)max_s)
        return false;
    *ret_s = (int64_t)(ms / 1000);
    return true;
}

static bool parse_date(const char *text, int64_t *ret)
{
    struct tm parts = { 0 };
    const char *end = strptime(text, "%Y-%m-%d", &parts);

    if (end == NULL || *end != 0)
        return false;
    const int day = parts.tm_mday;
    parts.tm_hour = 23;
    parts.tm_min = 59;
    parts.tm_sec = 59;
    parts.tm_isdst = -1;
    const time_t t = mktime(&parts);
    if (t == (time_t)-1 || parts.tm_mday != day) /* 30 February moves on to March */
        return false;
    *ret = (int64_t)t;
    return true;
}

bool moment_parse(const char *text, int64_t now, int64_t *ret)
{
    int64_t at;

    if (moment_parse_span(text, MOMENT_SPAN_MAX, &at))
        at += now;
    else if (!parse_date(text, &at))
        return false;
    if (at <= now)
        return false;
    *ret = at;
    return true;
}
