#include "warden/proof.h"

#include "warden/factor/totp.h"
#include "warden/protocol_name.h"

#include <stdio.h>

/* ---- evidence ------------------------------------------------------------------------- */

struct search {
    const struct judgement *j;
    uint64_t lease;
};

static bool is_lease_here(const struct store_lease *l, const struct judgement *j)
{
    struct network n;

    if (l->network[0] == '\0' && l->device[0] == '\0')
        return false;
    if (l->network[0] != '\0' && (!network_parse(l->network, &n) || !network_holds(&n, &j->source)))
        return false;
    if (!protocol_name_tells_client(j->protocol)) /* the network must do alone */
        return l->network[0] != '\0';
    return l->device[0] == '\0' || strcmp(l->device, j->client) == 0;
}

static bool each_lease(void *arg, const struct store_lease *l)
{
    struct search *s = arg;

    if (is_lease_here(l, s->j))
        s->lease = l->id;
    return s->lease == 0;
}

static struct reuse_try try_of(const struct judgement *j, const struct proof_evidence *e)
{
    return (struct reuse_try){
        .account = view_text(j->account),
        .secret = secret_view(&j->secret),
        .seed = view_of(e->totp.sealed, e->totp.sealed_n),
        .source = j->source,
        .client = view_text(j->client),
    };
}

/* The code is computed for accounts without a seed as well, from one that fits nothing. */
static enum err check_code(const struct verdict_parts *parts, const struct judgement *j,
                           struct proof_evidence *e, bool is_enrolled)
{
    AUTO_BUF(seed, sizeof(e->totp.sealed));
    AUTO_BUF(context, STORE_NAME + 8);
    uint8_t nothing[TOTP_SEED_OCTETS] = { 0 };

    buf_printf(&context, "totp:%s", j->account);
    if (is_enrolled) {
        const enum err err = keys_open(parts->keys, VIEW_NONE, buf_view(&context),
                                       view_of(e->totp.sealed, e->totp.sealed_n), &seed);
        if (err != ERR_OK)
            return err;
        if (seed.n != TOTP_SEED_OCTETS)
            return ERR_IO;
    }
    const bool fits = totp_check(is_enrolled ? seed.p : nothing,
                                 e->has_code ? e->code : VIEW_LIT("000000"), j->now_s, &e->step);
    e->is_code_right = fits && is_enrolled && e->has_code;
    return ERR_OK;
}

enum err proof_gather(const struct verdict_parts *parts, struct judgement *j,
                      struct proof_evidence *ret)
{
    struct search search = { .j = j };

    memset(ret, 0, sizeof(*ret));
    memset(&j->person, 0, sizeof(j->person));
    ret->has_code = totp_split(secret_view(&j->secret), &ret->password, &ret->code);
    enum err e = store_account_find(parts->store, j->account, &j->person);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    e = store_totp_find(parts->store, j->account, &ret->totp);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    const bool is_enrolled = e == ERR_OK;
    e = store_lease_list(parts->store, j->account, j->now_s, each_lease, &search);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    ret->lease = search.lease;
    const struct reuse_try attempt = try_of(j, ret);
    ret->is_code_reused = reuse_holds(parts->reuse, &attempt, j->now_ms) && ret->has_code &&
                          is_enrolled && j->policy->otp_reuse_s != 0;
    return check_code(parts, j, ret, is_enrolled);
}

bool proof_has_code(const struct proof_evidence *e)
{
    return e->has_code && (e->is_code_right || e->is_code_reused);
}

/* ---- what it is worth ----------------------------------------------------------------- */

static void take_code(const struct verdict_parts *parts, struct judgement *j,
                      const struct proof_evidence *e)
{
    const struct reuse_try attempt = try_of(j, e);
    enum err err = ERR_OK;

    if (!e->is_code_reused && !j->is_claimed)
        err = reuse_claim(parts->reuse, parts->store, j->account, e->step, &attempt,
                          j->policy->otp_reuse_s, j->now_ms);
    j->is_claimed = j->is_claimed || (err == ERR_OK && !e->is_code_reused);
    if (err == ERR_OK) {
        j->proof_finding = PROOF_OTP;
        event_copy(j->credential, sizeof(j->credential), VIEW_LIT("otp"));
        return;
    }
    const bool is_replay = err == ERR_EXISTS || err == ERR_NOT_FOUND;
    j->proof_finding = is_replay ? PROOF_NONE : PROOF_LATER;
    j->reason = is_replay ? REASON_OTP_REPLAYED : REASON_STORE;
}

void proof_check_password(const struct verdict_parts *parts, struct judgement *j,
                          const struct proof_evidence *e, bool is_split)
{
    if (is_split) {
        take_code(parts, j, e);
        return;
    }
    event_copy(j->credential, sizeof(j->credential), VIEW_LIT("password"));
    if (e->lease != 0) {
        j->proof_finding = PROOF_LEASE;
        j->lease = e->lease;
        (void)snprintf(j->credential, sizeof(j->credential), "lease %llu",
                       (unsigned long long)e->lease);
    } else if (j->policy->require == CONF_REQUIRE_PASSWORD) {
        j->proof_finding = PROOF_NOT_ASKED;
    } else if (j->policy->mode != CONF_MODE_ENFORCE) {
        j->proof_finding = PROOF_OBSERVED;
        j->observed = REASON_NO_FACTOR;
    } else {
        j->proof_finding = PROOF_NONE;
        j->reason = j->person.id == 0 ? REASON_UNKNOWN_ACCOUNT : REASON_NO_FACTOR;
    }
}
