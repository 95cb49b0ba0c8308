/* run.h: what each command does; one file a group. All return an exit status (status.h). */
#ifndef POSTERN_CLI_RUN_H
#define POSTERN_CLI_RUN_H

#include "cli/command.h"

int run_serve(const struct invocation *i);
int run_check(const struct invocation *i);
int run_version(const struct invocation *i);
int run_status(const struct invocation *i);

int run_account_add(const struct invocation *i);
int run_account_invite(const struct invocation *i);
int run_account_list(const struct invocation *i);
int run_account_show(const struct invocation *i);
int run_account_disable(const struct invocation *i);
int run_account_enable(const struct invocation *i);
int run_account_remove(const struct invocation *i);

int run_app_password_add(const struct invocation *i);
int run_app_password_list(const struct invocation *i);
int run_app_password_revoke(const struct invocation *i);

int run_totp_enrol(const struct invocation *i);

int run_lease_add(const struct invocation *i);
int run_lease_list(const struct invocation *i);
int run_lease_revoke(const struct invocation *i);

int run_session_list(const struct invocation *i);
int run_session_end(const struct invocation *i);

int run_events(const struct invocation *i);

#endif
