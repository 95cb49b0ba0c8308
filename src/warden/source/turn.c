#include "warden/source/turn.h"

#include <limits.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec t;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void turn_init(struct turn *t)
{
    CHECK(pthread_mutex_init(&t->mutex, NULL) == 0);
    t->until_ms = 0;
}

void turn_done(struct turn *t)
{
    (void)pthread_mutex_destroy(&t->mutex);
}

bool turn_take(struct turn *t, uint32_t timeout_ms)
{
    const int64_t until_ms = now_ms() + timeout_ms;
    const struct timespec until = { until_ms / 1000, until_ms % 1000 * 1000000 };

    if (pthread_mutex_clocklock(&t->mutex, CLOCK_MONOTONIC, &until) != 0)
        return false;
    t->until_ms = until_ms;
    return true;
}

int turn_left_ms(const struct turn *t)
{
    const int64_t left = t->until_ms - now_ms();

    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

void turn_give(struct turn *t)
{
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
}
