#include "warden/verdict.h"

#include "warden/account.h"
#include "warden/credential.h"
#include "warden/gate.h"
#include "warden/proof.h"
#include "warden/protocol_name.h"
#include "warden/route.h"
#include "warden/sender.h"

/* Looked up in the place of a name that nobody can have. RFC 6761 §6.4: never a real one. */
#define NOBODY "nobody@nowhere.invalid"

static enum answer refusal_of(const struct judgement *j)
{
    return j->is_device ? WIRE_ANSWER_REFUSE_DEVICE : WIRE_ANSWER_REFUSE_PASSWORD;
}

static void refuse(struct judgement *j, enum reason why)
{
    j->verdict = VERDICT_REFUSE;
    j->answer = refusal_of(j);
    j->reason = why;
}

static void later(struct judgement *j, enum reason why)
{
    j->verdict = VERDICT_LATER;
    j->answer = WIRE_ANSWER_LATER;
    j->reason = why;
}

/* Waiting would not help, and who has proven the device may know what does. */
static void stale(struct judgement *j)
{
    j->verdict = VERDICT_REFUSE;
    j->answer = WIRE_ANSWER_STALE;
}

/* ---- ask: gate and throttle ----------------------------------------------------------- */

static enum err copy_question(const struct verdict_parts *parts, struct judgement *j,
                              const struct wire_question *q)
{
    const char *domain = parts->config->domain;
    char other[STORE_NAME];

    j->session = q->session;
    j->protocol = q->protocol;
    j->tls_version = q->tls_version;
    j->source = q->source;
    j->fault = REASON_NONE;
    event_copy(j->gate, sizeof(j->gate), q->gate);
    event_copy(j->client, sizeof(j->client), q->client);
    j->is_device = app_password_is_like(q->secret);
    if (!account_normalise(q->user, domain, j->account)) {
        event_copy(j->account, sizeof(j->account), VIEW_LIT(NOBODY));
        j->fault = REASON_BAD_NAME;
    } else if (q->authorization.n != 0 && (!account_normalise(q->authorization, domain, other) ||
                                           strcmp(other, j->account) != 0)) {
        j->fault = REASON_AUTHORIZATION;
    } else if (q->secret.n == 0) {
        j->fault = REASON_EMPTY_SECRET;
    }
    return secret_set(&j->secret, q->secret);
}

static void look_for_row(const struct verdict_parts *parts, struct judgement *j)
{
    j->is_formed = app_password_parse(secret_view(&j->secret), &j->presented);
    j->rows_seen = rows_changes(parts->rows);
    j->has_row = j->is_formed && rows_find(parts->rows, j->presented.public, j->now_ms, &j->row);
}

static enum verdict_next pass_throttle(const struct verdict_parts *parts, struct judgement *j)
{
    const struct throttle_try attempt = {
        .account = view_text(j->account),
        .secret = secret_view(&j->secret),
        .source = j->source,
        .client = view_text(j->client),
        .protocol = j->protocol,
        .is_device = j->is_device,
    };

    switch (throttle_enter(parts->throttle, &attempt, j->now_ms, &j->ticket)) {
    case THROTTLE_PASS:
        return VERDICT_NEEDS_WORK;
    case THROTTLE_KNOWN:
        refuse(j, REASON_KNOWN_SECRET);
        return VERDICT_IS_GIVEN;
    case THROTTLE_SOURCE:
        later(j, REASON_THROTTLED_SOURCE);
        return VERDICT_IS_GIVEN;
    case THROTTLE_ACCOUNT:
        later(j, REASON_THROTTLED_ACCOUNT);
        return VERDICT_IS_GIVEN;
    }
    return VERDICT_IS_GIVEN;
}

enum err verdict_ask(const struct verdict_parts *parts, struct judgement *j,
                     const struct wire_question *q, uint64_t now_ms, int64_t now_s,
                     enum verdict_next *ret_next)
{
    const struct conf_gate *gate = config_gate(parts->config, q->gate);
    const char *protocol = protocol_name_of(q->protocol);

    if (gate == NULL || protocol == NULL || strcmp(gate->protocol, protocol) != 0 ||
        q->mechanism != 0)
        return ERR_INVALID;
    const enum err e = copy_question(parts, j, q);
    if (e != ERR_OK)
        return e;
    j->now_ms = now_ms;
    j->now_s = now_s;
    j->policy = config_policy(parts->config, view_text(j->account));
    j->upstream = config_route(parts->config, view_text(j->account));
    j->gate_finding = gate_judge(j->policy, protocol, &j->source);
    if (j->is_device)
        look_for_row(parts, j);
    *ret_next = pass_throttle(parts, j);
    return ERR_OK;
}

/* ---- work: credential, proof, route --------------------------------------------------- */

static enum reason shut_reason(const struct judgement *j)
{
    return j->gate_finding == GATE_SHUT_NETWORK ? REASON_NETWORK : REASON_PROTOCOL_OFF;
}

/* A shut gate refuses, or is only noted where the policy observes. */
static bool pass_gate(struct judgement *j)
{
    if (j->gate_finding == GATE_PASSES)
        return true;
    if (j->policy->mode == CONF_MODE_ENFORCE)
        return false;
    if (j->observed == REASON_NONE)
        j->observed = shut_reason(j);
    return true;
}

static void judge_device(const struct verdict_parts *parts, struct judgement *j)
{
    credential_check_device(parts, j);
    if (j->credential_finding == CREDENTIAL_LATER) {
        later(j, j->reason);
    } else if (j->credential_finding != CREDENTIAL_GOOD) {
        refuse(j, j->reason);
    } else if (j->fault != REASON_NONE) {
        refuse(j, j->fault);
    } else if (!pass_gate(j)) {
        refuse(j, shut_reason(j));
        /* Only who has proven the device is told. */
        if (j->gate_finding == GATE_SHUT_PROTOCOL)
            j->answer = WIRE_ANSWER_SWITCHED_OFF;
    } else {
        j->proof_finding = PROOF_DEVICE;
    }
}

/* Which of the two readings of the secret, with a code at its end or without, has a good password.
 */
struct reading {
    enum credential_finding whole, split;
    bool is_split; /* the one that counts */
};

static struct reading read_secret(const struct verdict_parts *parts, const struct judgement *j,
                                  const struct proof_evidence *e)
{
    struct reading r = { .whole = CREDENTIAL_BAD, .split = CREDENTIAL_BAD };

    if (e->has_code)
        r.split = credential_check_password(parts, j, e->password);
    const bool is_found =
        (r.split == CREDENTIAL_GOOD || r.split == CREDENTIAL_UNJUDGED) && proof_has_code(e);
    r.is_split = is_found;
    /* Who fails has both readings asked, whichever of them is wrong. */
    r.whole =
        is_found ? CREDENTIAL_BAD : credential_check_password(parts, j, secret_view(&j->secret));
    return r;
}

static enum reason why_bad(const struct judgement *j, const struct reading *r)
{
    if (j->person.id != 0 && !j->person.is_enabled)
        return REASON_ACCOUNT_DISABLED;
    if (j->person.id == 0)
        return REASON_UNKNOWN_ACCOUNT;
    return r->split == CREDENTIAL_GOOD ? REASON_NO_FACTOR : REASON_WRONG_PASSWORD;
}

static void judge_reading(const struct verdict_parts *parts, struct judgement *j,
                          const struct proof_evidence *e, const struct reading *r)
{
    const bool is_disabled = j->person.id != 0 && !j->person.is_enabled;

    j->credential_finding = r->is_split ? r->split : r->whole;
    if (r->whole == CREDENTIAL_LATER || r->split == CREDENTIAL_LATER) {
        later(j, REASON_SOURCE);
    } else if (j->credential_finding == CREDENTIAL_BAD || is_disabled) {
        refuse(j, why_bad(j, r));
    } else if (j->fault != REASON_NONE) {
        refuse(j, j->fault);
    } else if (!pass_gate(j)) {
        refuse(j, shut_reason(j));
    } else {
        proof_check_password(parts, j, e, r->is_split);
        j->password = r->is_split ? e->password : secret_view(&j->secret);
    }
}

static void judge_password(const struct verdict_parts *parts, struct judgement *j)
{
    struct proof_evidence e;

    if (proof_gather(parts, j, &e) != ERR_OK) {
        later(j, REASON_STORE);
        return;
    }
    struct reading r = read_secret(parts, j, &e);
    judge_reading(parts, j, &e, &r);
    /* A code that was used before may still be the end of a password that has a lease. */
    if (j->reason == REASON_OTP_REPLAYED && r.split == CREDENTIAL_UNJUDGED) {
        r.is_split = false;
        r.whole = CREDENTIAL_UNJUDGED;
        judge_reading(parts, j, &e, &r);
        if (j->proof_finding == PROOF_NONE)
            j->reason = REASON_OTP_REPLAYED;
    }
}

static void start_over(struct judgement *j)
{
    j->credential_finding = CREDENTIAL_BAD;
    j->proof_finding = PROOF_NONE;
    refuse(j, REASON_NONE);
    j->observed = REASON_NONE;
    j->lease = 0;
    j->app_password[0] = '\0';
    j->credential[0] = '\0';
    j->is_upstream_judge = j->is_stale_possible = false;
    j->upstream_authorization = j->upstream_user = VIEW_NONE;
    buf_clear(&j->upstream_secret);
    j->is_sender_held = false;
    buf_clear(&j->senders);
}

/* Who has proven to be who they are, but there is no way on: a fault of ours, or an old seal. */
static void block(struct judgement *j)
{
    const enum reason why = j->reason;

    j->is_upstream_judge = j->is_stale_possible = false;
    buf_clear(&j->upstream_secret);
    if (why == REASON_NOTHING_SEALED)
        stale(j);
    else
        later(j, why);
}

void verdict_work(const struct verdict_parts *parts, struct judgement *j)
{
    start_over(j);
    if (j->is_device)
        judge_device(parts, j);
    else
        judge_password(parts, j);
    if (j->verdict == VERDICT_LATER)
        return;
    switch (j->proof_finding) {
    case PROOF_NONE:
        if (j->fault != REASON_NONE)
            j->reason = j->fault;
        return;
    case PROOF_LATER:
        later(j, j->reason);
        return;
    case PROOF_DEVICE:
    case PROOF_OTP:
    case PROOF_LEASE:
    case PROOF_NOT_ASKED:
    case PROOF_OBSERVED:
        break;
    }
    if (!route_choose(parts, j) || !sender_choose(parts, j)) {
        block(j);
        return;
    }
    j->verdict = VERDICT_ALLOW;
    j->answer = refusal_of(j);
    j->reason = REASON_NONE;
}

/* ---- settle --------------------------------------------------------------------------- */

void verdict_settle(const struct verdict_parts *parts, struct judgement *j, uint64_t now_ms)
{
    enum throttle_result result = THROTTLE_UNDECIDED;

    if (j->verdict == VERDICT_ALLOW && j->is_device && !j->has_row && !j->is_bound)
        rows_put(parts->rows, &j->row, j->rows_seen, now_ms);
    if (j->verdict == VERDICT_ALLOW && j->is_upstream_judge)
        return;
    if (j->verdict == VERDICT_ALLOW)
        result = THROTTLE_GOOD;
    else if (j->verdict == VERDICT_REFUSE && j->answer == refusal_of(j) &&
             !(j->is_device && j->credential_finding == CREDENTIAL_GOOD))
        result = THROTTLE_BAD; /* a proven device that asked for too much is no guess */
    throttle_leave(parts->throttle, &j->ticket, result, now_ms);
}

void verdict_renew(const struct verdict_parts *parts, struct judgement *j, int64_t now_s)
{
    j->now_s = now_s;
    j->has_row = false;
    j->rows_seen = rows_changes(parts->rows);
}

bool verdict_is_quick(const struct verdict_parts *parts, const struct judgement *j)
{
    return credential_is_known(j) && !sender_needs_lookup(parts, j);
}

bool verdict_is_slow(const struct verdict_parts *parts, const struct judgement *j)
{
    return (!j->is_device && parts->passwords != NULL) ||
           (alias_is_slow(parts->aliases) && sender_needs_lookup(parts, j));
}
