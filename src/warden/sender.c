#include "warden/sender.h"

#include "warden/protocol_name.h"

static bool has_own_sender(const struct judgement *j)
{
    return j->is_device && j->row.sender[0] != '\0';
}

static bool is_held_by_policy(const struct judgement *j)
{
    return j->protocol == PROTOCOL_NAME_SUBMISSION && j->policy->sender == CONF_SENDER_OWN;
}

bool sender_needs_lookup(const struct verdict_parts *parts, const struct judgement *j)
{
    return parts->aliases != NULL && is_held_by_policy(j) && !(j->has_row && has_own_sender(j));
}

static bool fail(struct judgement *j, enum reason why)
{
    buf_clear(&j->senders);
    j->reason = why;
    return false;
}

static bool choose_own(const struct verdict_parts *parts, struct judgement *j)
{
    enum err e = ERR_OK;

    buf_put_text(&j->senders, j->account);
    if (parts->aliases != NULL)
        e = alias_lookup(parts->aliases, view_text(j->account), &j->senders);
    if (e == ERR_TOO_LONG)
        return fail(j, REASON_TOO_MANY_ALIASES);
    if (e == ERR_MEMORY || (e == ERR_OK && !buf_is_ok(&j->senders)))
        return fail(j, REASON_OVERLOADED);
    return e == ERR_OK || fail(j, REASON_ALIASES);
}

bool sender_choose(const struct verdict_parts *parts, struct judgement *j)
{
    if (j->protocol != PROTOCOL_NAME_SUBMISSION)
        return true;
    j->is_sender_held = has_own_sender(j) || is_held_by_policy(j);
    if (!j->is_sender_held)
        return true;
    if (!has_own_sender(j))
        return choose_own(parts, j);
    buf_put_text(&j->senders, j->row.sender);
    return buf_is_ok(&j->senders) || fail(j, REASON_OVERLOADED);
}
