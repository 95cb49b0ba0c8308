#include "base/err.h"

#include "base/attr.h"

#include <stdio.h>

const char *err_text(enum err e)
{
    switch (e) {
    case ERR_OK:
        return "no error";
    case ERR_MEMORY:
        return "out of memory";
    case ERR_IO:
        return "input or output failed";
    case ERR_INVALID:
        return "malformed";
    case ERR_TOO_LONG:
        return "too long";
    case ERR_NOT_FOUND:
        return "not found";
    case ERR_EXISTS:
        return "exists already";
    case ERR_DENIED:
        return "not permitted";
    case ERR_BUSY:
        return "busy, try again later";
    }
    return "unknown error";
}

_Noreturn void check_failed(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "postern: internal error: %s is false at %s:%d\n", what, file, line);
    abort();
}
