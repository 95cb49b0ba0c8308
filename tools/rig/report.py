"""What ./run tells when all is up: where everything is, and commands to try."""

import os
import shutil

# What opens a gate: reads the mailbox, sends a message to oneself, lists scripts.
TRIALS = {
    "imaps": "curl --cacert {ca} imaps://localhost:{port}/INBOX "
             "-X 'STATUS INBOX (MESSAGES UNSEEN)' -u {login}",
    "pop3s": "curl --cacert {ca} pop3s://localhost:{port}/1 -u {login}",
    "submissions": "curl --cacert {ca} smtps://localhost:{port} --mail-from {user} "
                   "--mail-rcpt {user} --upload-file {state}/hello.eml -u {login}",
    "sieve": "echo '{secret}' | sieve-connect --passwordfd 0 --server localhost --port {port} "
             "--tlscafile {ca} --user {user} --list",
}
# Where sieve-connect is not there: up to TLS and the capabilities, by hand.
SIEVE_BY_HAND = "openssl s_client -starttls sieve -connect localhost:{port} -CAfile {ca} -quiet"
NAMES = {"imaps": "IMAP", "pop3s": "POP3", "submissions": "submission", "sieve": "ManageSieve"}
WAYS = {"implicit": "TLS", "starttls": "STARTTLS"}

HELLO = """\
From: {user}\r
To: {user}\r
Subject: Hello\r
\r
Sent through the gate.\r
"""


def _trial(scheme, ready, state, account, secret):
    template = TRIALS[scheme]
    if scheme == "sieve" and not shutil.which("sieve-connect"):
        template = SIEVE_BY_HAND
    return template.format(ca=ready["ca"], port=ready["ports"][scheme], state=state, secret=secret,
                           user=account["user"], login=f"'{account['user']}:{secret}'")


def _account(demo, ready, account):
    user, password = account["user"], account["mailbox_password"]
    shown = password if demo.dovecot else "MAILBOX-PASSWORD"
    open_gates = [scheme for scheme in TRIALS if scheme in ready["ports"]]

    def bare():
        return [f"  {_trial(open_gates[0], ready, demo.state, account, shown)}"]

    if "app_password" not in account:
        return ["", f"{user} (mailbox password {shown}) has no second factor: refused", *bare()]
    rows = ["", f"{user}: app password {account['app_password']}", "  opens every gate:"]
    for scheme in open_gates:
        trial = _trial(scheme, ready, demo.state, account, account["app_password"])
        rows += [f"  {NAMES[scheme]}", f"  {trial}"]
    rows += ["  its bare mailbox password, though right, does not:", *bare()]
    otpauth = demo.memory["accounts"][user].get("otpauth")
    if otpauth:
        rows += ["  with a code of this authenticator entry it does "
                 "(password,123456 in place of the password):", f"  {otpauth}"]
    return rows


def write_hello(demo, user):
    """The message that the commands send."""
    with open(os.path.join(demo.state, "hello.eml"), "w", encoding="ascii", newline="") as f:
        f.write(HELLO.format(user=user))


def text(demo):
    ready = demo.ready()
    gates = [f"{name}://localhost:{port} ({WAYS[demo.gateway.settings['gates'][name]['tls']]})"
             for name, port in ready["ports"].items()]
    where = ", ".join(f"{n} {p}" for n, p in ready["upstream"]["ports"].items())
    rows = ["", "Postern is up."]
    rows += [f"  {'gates' if not n else '':11} {gate}" for n, gate in enumerate(gates)]
    rows += [f"  upstream    {ready['upstream']['host']}, ports: {where}",
             f"  CA          {ready['ca']}",
             f"  supervisor  pid {ready['pid']}, configuration {ready['config']}",
             f"  state       {demo.state}"]
    if demo.is_without_postfix:
        rows += ["  no submission: its private Postfix wants root (sudo ./run)"]
    for account in ready["accounts"]:
        rows += _account(demo, ready, account)
    rows += ["", "Look at what happened, and who is connected:",
             f"  {demo.binary} events -c {ready['config']}",
             f"  {demo.binary} session list -c {ready['config']}"]
    if not ready["accounts"]:
        rows += ["", "Enrol an account of that server:",
                 f"  {demo.binary} account add USER -c {ready['config']}",
                 f"  {demo.binary} app-password add USER --label phone -c {ready['config']}"]
    return "\n".join(rows)
