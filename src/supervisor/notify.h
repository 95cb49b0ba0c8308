/* notify.h: what systemd is told (sd_notify(3), Type=notify). Without it nothing is said. */
#ifndef POSTERN_SUPERVISOR_NOTIFY_H
#define POSTERN_SUPERVISOR_NOTIFY_H

#include "base/attr.h"

#include <stdint.h>

void notify_ready(const char *format, ...) PRINTF(1, 2);
void notify_reloading(void);
void notify_resumed(void); /* a reload is over; the status stays as it was said */
void notify_stopping(void);
void notify_status(const char *format, ...) PRINTF(1, 2);
void notify_watchdog(void);
/* How often the watchdog wants to hear of us, in milliseconds; 0: never. */
uint64_t notify_watchdog_ms(void);

#endif
