#include "config/check.h"

#include "config/schema.h"

static void check_policy(const struct config *c, struct report *r, const struct conf_policy *p)
{
    const bool is_default = strcmp(p->name, "default") == 0;
    char path[REPORT_PATH];

    (void)report_path("policies", p->name, "accounts", path);
    if (is_default && p->accounts.n != 0)
        report_setting(r, c, path,
                       "the policy \"default\" takes all accounts that no other does: "
                       "leave accounts out, or give the policy another name");
    if (!is_default && p->accounts.n == 0)
        report_setting(r, c, path,
                       "missing: write which accounts fall under it, such as "
                       "\"*@board.example.org\"");
    (void)report_path("policies", p->name, "legacy", path);
    for (size_t i = 0; i < p->legacy.n; i++)
        if (schema_protocol(p->legacy.items[i]) == NULL)
            report_setting(r, c, path, "\"%s\" is not spoken: write " SCHEMA_PROTOCOL_WORDS,
                           p->legacy.items[i]);
    if (p->otp_reuse_s != 0 && p->require != CONF_REQUIRE_MFA)
        report_setting(r, c, report_path("policies", p->name, "otp_reuse", path),
                       "of no use unless require = \"mfa\": write that, or leave this out");
}

void check_policies(const struct config *c, struct report *r)
{
    for (size_t i = 0; i < c->policy_count; i++)
        check_policy(c, r, &c->policies[i]);
}
