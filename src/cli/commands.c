#include "cli/command.h"

#define BIT(o)  ((uint32_t)1 << (o))
#define FILES   (BIT(OPTION_CONFIG) | BIT(OPTION_HELP))
#define CONTROL (FILES | BIT(OPTION_CONTROL) | BIT(OPTION_JSON))

static const struct option_row options[OPTION_COUNT] = {
    [OPTION_CONFIG] = { "--config", "-c", "FILE",
                        "The configuration file; /etc/postern/postern.conf if not given." },
    [OPTION_CONTROL] = { "--control", NULL, "PATH",
                         "The service's control socket; from the configuration if not given." },
    [OPTION_JSON] = { "--json", NULL, NULL, "Print JSON, one object a line." },
    [OPTION_HELP] = { "--help", "-h", NULL, "Print this help." },
    [OPTION_LABEL] = { "--label", NULL, "TEXT", "What its owner calls the device; needed." },
    [OPTION_PROTOCOLS] = { "--protocols", NULL, "LIST",
                           "The protocols that it opens, such as \"imap,submission\"; all if not "
                           "given." },
    [OPTION_EXPIRES] = { "--expires", NULL, "WHEN",
                         "When it ends: \"90d\", or a date such as 2030-12-31; never if not "
                         "given." },
    [OPTION_NETWORK] = { "--network", NULL, "CIDR",
                         "The network that it is good for, such as 192.0.2.0/24." },
    [OPTION_SENDER] = { "--sender", NULL, "ADDRESS",
                        "The one address as which it may submit mail; as the policy says if not "
                        "given." },
    [OPTION_NO_CHECK] = { "--no-check", NULL, NULL,
                          "Take the mailbox password without trying it at the upstream." },
    [OPTION_DEVICE] = { "--device", NULL, "TEXT",
                        "The device that it is good for, as its client names itself." },
    [OPTION_FOR] = { "--for", NULL, "TIME", "How long it is good for, such as \"8h\" or \"30d\"." },
    [OPTION_ACCOUNT] = { "--account", NULL, "ACCOUNT", "All sessions of this account." },
    [OPTION_LIMIT] = { "--limit", NULL, "N", "The newest N events; 50 if not given." },
    [OPTION_FOLLOW] = { "--follow", "-f", NULL, "Go on with new events as they come." },
};

/* Groups stand together, in the order of --help. */
static const struct command commands[COMMAND_COUNT] = {
    { COMMAND_SERVE, "", "serve", "", false, FILES, "Run the service.",
      "SIGHUP checks and takes a new configuration and new certificates without dropping a "
      "session; SIGTERM lets open sessions end within session.drain_timeout." },
    { COMMAND_CHECK, "", "check", "", false, FILES | BIT(OPTION_JSON),
      "Say what is wrong with the configuration, or print it with every default.",
      "Secrets are masked. Certificates, keys and ciphers are looked at, too." },
    { COMMAND_VERSION, "", "version", "", false, BIT(OPTION_JSON) | BIT(OPTION_HELP),
      "Print the version.", "" },
    { COMMAND_STATUS, "", "status", "", false, CONTROL, "Say how the service is doing.", "" },

    { COMMAND_ACCOUNT_ADD, "account", "add", "ACCOUNT", false, CONTROL, "Make an account.",
      "An account opens nothing by itself: give it an app password or a TOTP factor next." },
    { COMMAND_ACCOUNT_INVITE, "account", "invite", "ACCOUNT", false, CONTROL | BIT(OPTION_FOR),
      "Make a one-time link to enrol a first factor.",
      "The link is shown once, and good for a week unless --for says otherwise." },
    { COMMAND_ACCOUNT_LIST, "account", "list", "", false, CONTROL, "List the accounts.", "" },
    { COMMAND_ACCOUNT_SHOW, "account", "show", "ACCOUNT", false, CONTROL,
      "Show an account with its app passwords, leases and sessions.", "" },
    { COMMAND_ACCOUNT_DISABLE, "account", "disable", "ACCOUNT", false, CONTROL,
      "Refuse an account, and end its sessions.", "" },
    { COMMAND_ACCOUNT_ENABLE, "account", "enable", "ACCOUNT", false, CONTROL,
      "Take a disabled account back in.", "" },
    { COMMAND_ACCOUNT_REMOVE, "account", "remove", "ACCOUNT", false, CONTROL,
      "Remove an account with all that belongs to it.", "There is no way back." },

    { COMMAND_APP_PASSWORD_ADD, "app-password", "add", "ACCOUNT", false,
      CONTROL | BIT(OPTION_LABEL) | BIT(OPTION_PROTOCOLS) | BIT(OPTION_EXPIRES) |
          BIT(OPTION_NETWORK) | BIT(OPTION_SENDER) | BIT(OPTION_NO_CHECK),
      "Make an app password for one device, and show it once.",
      "The mailbox password is asked for on the terminal, or read as the first line of standard "
      "input. It is tried at the upstream, and kept sealed under the app password only." },
    { COMMAND_APP_PASSWORD_LIST, "app-password", "list", "ACCOUNT", true, CONTROL,
      "List app passwords, without their secrets.", "" },
    { COMMAND_APP_PASSWORD_REVOKE, "app-password", "revoke", "ID", false, CONTROL,
      "Revoke an app password, and end its sessions.", "" },

    { COMMAND_TOTP_ENROL, "totp", "enrol", "ACCOUNT", false, CONTROL,
      "Enrol one-time codes (TOTP) in place of earlier ones, and show the QR code once.",
      "Clients then send the password and the code as one: password123456 or password,123456." },

    { COMMAND_LEASE_ADD, "lease", "add", "ACCOUNT", false,
      CONTROL | BIT(OPTION_NETWORK) | BIT(OPTION_DEVICE) | BIT(OPTION_FOR),
      "Let a bare password pass from one network or device, for a time.",
      "Give --for, and one of --network and --device." },
    { COMMAND_LEASE_LIST, "lease", "list", "ACCOUNT", true, CONTROL, "List leases.", "" },
    { COMMAND_LEASE_REVOKE, "lease", "revoke", "ID", false, CONTROL,
      "Revoke a lease, and end the sessions that it let in.", "" },

    { COMMAND_SESSION_LIST, "session", "list", "ACCOUNT", true, CONTROL, "List live sessions.",
      "" },
    { COMMAND_SESSION_END, "session", "end", "ID", true, CONTROL | BIT(OPTION_ACCOUNT),
      "End a session, or all of an account.",
      "Give an ID or --account. A client that may log in "
      "again will: revoke its app password, too." },

    { COMMAND_EVENTS, "", "events", "ACCOUNT", true,
      CONTROL | BIT(OPTION_LIMIT) | BIT(OPTION_FOLLOW), "Show the event log.", "" },
};

static const struct {
    const char *name, *sentence;
} groups[] = {
    { "account", "Accounts: who may come in at all." },
    { "app-password", "App passwords: one secret for one device." },
    { "totp", "One-time codes." },
    { "lease", "Leases: bare passwords, for a time." },
    { "session", "Live sessions." },
};

const struct command *command_at(size_t index)
{
    return index < COUNT_OF(commands) ? &commands[index] : NULL;
}

const struct option_row *command_option(enum option o)
{
    return &options[o];
}

const char *command_group_sentence(const char *group)
{
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        if (strcmp(groups[i].name, group) == 0)
            return groups[i].sentence;
    return NULL;
}
