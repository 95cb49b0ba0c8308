/* gate.h: the first step of a verdict: may this account, from this network, use this protocol at
 * all? It looks at names only, never at the store, so it says nothing of who exists. Pure; runs in:
 * warden. */
#ifndef POSTERN_WARDEN_GATE_H
#define POSTERN_WARDEN_GATE_H

#include "warden/judgement.h"

enum gate_finding gate_judge(const struct conf_policy *policy, const char *protocol,
                             const struct addr *source);

#endif
