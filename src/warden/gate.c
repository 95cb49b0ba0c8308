#include "warden/gate.h"

enum gate_finding gate_judge(const struct conf_policy *policy, const char *protocol,
                             const struct addr *source)
{
    bool is_on = false, is_near = policy->networks.n == 0;

    for (size_t i = 0; i < policy->networks.n; i++)
        is_near = is_near || network_holds(&policy->networks.items[i], source);
    for (size_t i = 0; i < policy->legacy.n; i++)
        is_on = is_on || strcmp(policy->legacy.items[i], protocol) == 0;
    if (!is_near)
        return GATE_SHUT_NETWORK;
    return is_on ? GATE_PASSES : GATE_SHUT_PROTOCOL;
}
