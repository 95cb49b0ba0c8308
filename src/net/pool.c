#include "net/pool.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"

#define SPARE 32 /* buffers kept for the next session: half a megabyte */

static uint8_t *spare[SPARE];
static size_t spare_count;

uint8_t *pool_borrow(void)
{
    if (spare_count > 0)
        return spare[--spare_count];
    return mem_alloc(LIMIT_PIPE_BUFFER);
}

void pool_return(uint8_t *space, size_t used)
{
    if (space == NULL)
        return;
    secret_wipe(space, used);
    if (spare_count < SPARE)
        spare[spare_count++] = space;
    else
        mem_free(space);
}
