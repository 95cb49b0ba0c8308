/* attr.h: the few compiler extensions that the house uses, and the clean-up idiom.
 *
 * AUTO(type) declares a local that type##_free() releases at the end of its scope; hand it over
 * with TAKE(p), which returns the pointer and leaves NULL behind.
 * CHECK(x) is for "we are wrong" only, never reachable from input: it aborts in release builds
 * too, and the supervisor restarts the process. */
#ifndef POSTERN_BASE_ATTR_H
#define POSTERN_BASE_ATTR_H

#include <stdlib.h>

#define MUST_USE     __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define UNUSED       __attribute__((unused))
#define COUNT_OF(a)  (sizeof(a) / sizeof((a)[0]))
#define TAKE(p)                                                                                    \
    (__extension__({                                                                               \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    }))
#define AUTO(type) __attribute__((cleanup(type##_auto))) struct type *
#define AUTO_DEFINE(type)                                                                          \
    UNUSED static inline void type##_auto(struct type **p)                                         \
    {                                                                                              \
        type##_free(*p);                                                                           \
    }
#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x))                                                                                  \
            check_failed(#x, __FILE__, __LINE__);                                                  \
    } while (0)

_Noreturn void check_failed(const char *what, const char *file, int line);

#endif
