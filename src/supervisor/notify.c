#include "supervisor/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define STATUS_MAX 600

PRINTF(2, 0) static void say(const char *state, const char *format, va_list arguments)
{
    char text[STATUS_MAX];

    (void)vsnprintf(text, sizeof(text), format, arguments);
    /* The service manager may be gone; the mail goes on. */
    (void)sd_notifyf(0, "%sSTATUS=%s", state, text);
}

void notify_ready(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say("READY=1\n", format, arguments);
    va_end(arguments);
}

void notify_status(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

void notify_reloading(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0,
                     "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=taking a new configuration",
                     (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void notify_resumed(void)
{
    (void)sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1\nSTATUS=draining");
}

void notify_watchdog(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_watchdog_ms(void)
{
    uint64_t us = 0;

    return sd_watchdog_enabled(0, &us) > 0 ? us / 2000 : 0;
}
