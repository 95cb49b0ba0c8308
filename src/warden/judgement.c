#include "warden/judgement.h"

#include "base/mem.h"

struct judgement *judgement_new(void)
{
    struct judgement *j = NEW(judgement);

    if (j == NULL)
        return NULL;
    buf_init(&j->upstream_secret, LIMIT_SECRET);
    buf_init(&j->senders, LIMIT_SENDERS);
    return j;
}

void judgement_free(struct judgement *j)
{
    if (j == NULL)
        return;
    secret_done(&j->secret);
    buf_done(&j->upstream_secret);
    buf_done(&j->senders);
    app_password_done(&j->presented);
    secret_wipe(j->row.verifier, sizeof(j->row.verifier));
    mem_free(j);
}
