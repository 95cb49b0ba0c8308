/* utf8.h: where one UTF-8 sequence ends and the next begins. Source: RFC 3629 §4. Pure. */
#ifndef POSTERN_BASE_UTF8_H
#define POSTERN_BASE_UTF8_H

#include "base/view.h"

/* Octets (1 to 4) of the sequence at the start of v, or 0: there is none, or v is empty. */
size_t utf8_sequence(struct view v);

#endif
