"""Real clients that fetch mail by POP3: each returns the messages that it got, as octets.

A client whose server refuses it raises Refused with what it said.
"""

import os

from rig.process import run

TIMEOUT_S = 60


class Refused(Exception):
    """The client ended without having fetched; the text is its output."""


def _finished(done, wanted=(0,)):
    if done.returncode not in wanted:
        raise Refused(f"exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def _contents(*folders):
    found = []
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as f:
                found.append(f.read())
    return found


def _maildir(folder):
    box = os.path.join(folder, "mail")
    for part in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(box, part), exist_ok=True)
    return box


def _of_maildir(box):
    return _contents(os.path.join(box, "new"), os.path.join(box, "cur"))


def _config(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


def curl(door, folder, scheme="pop3s", secret=None, most=None):
    """Lists the mailbox and retrieves each message (at most so many) in a connection of its own."""
    url = f"{scheme}://{door.host}:{door.ports[scheme]}/"
    common = ["curl", "-sS", "--max-time", TIMEOUT_S, "--cacert", door.ca, "--ssl-reqd",
              "-u", f"{door.user}:{secret or door.secret}"]
    listed = _finished(run([*common, url], check=False)).stdout.splitlines()
    for number in [row.split()[0] for row in listed if row.strip()][:most]:
        path = os.path.join(folder, f"{int(number):06d}")
        _finished(run([*common, "-o", path, url + number], check=False))
    return _contents(folder)


def fetchmail(door, folder, scheme="pop3s", secret=None):
    box = os.path.join(folder, "mail")
    os.makedirs(box, exist_ok=True)
    tls = "ssl" if scheme == "pop3s" else "sslproto TLS1.2+"
    config = _config(folder, "fetchmailrc", f"""\
set idfile "{folder}/ids"
set invisible
poll {door.host} protocol POP3 port {door.ports[scheme]} timeout {TIMEOUT_S}
    user "{door.user}" password "{secret or door.secret}"
    {tls} sslcertck sslcertfile "{door.ca}"
    fetchall keep no rewrite pass8bits
    mda "cat > $(mktemp {box}/XXXXXXXX)"
""")
    _finished(run(["fetchmail", "-f", config, "--pidfile", os.path.join(folder, "pid"), "-v"],
                  check=False, env=dict(os.environ, HOME=folder, FETCHMAILHOME=folder)),
              wanted=(0, 1))
    return _contents(box)


def getmail(door, folder, scheme="pop3s", secret=None):
    """getmail speaks implicit TLS only, and waits a minute for a child that was faster than it."""
    assert scheme == "pop3s"
    box = os.path.join(folder, "mail")
    os.makedirs(box, exist_ok=True)
    config = _config(folder, "getmailrc", f"""\
[retriever]
type = SimplePOP3SSLRetriever
server = {door.host}
port = {door.ports[scheme]}
username = {door.user}
password = {secret or door.secret}
ca_certs = {door.ca}
timeout = {TIMEOUT_S}

[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > $(mktemp {box}/XXXXXXXX); sleep 0.3")
allow_root_commands = true

[options]
delivered_to = false
received = false
read_all = true
""")
    done = run(["getmail", f"--getmaildir={folder}", f"--rcfile={config}"], check=False)
    if done.returncode or "error" in (done.stdout + done.stderr).lower():
        raise Refused(done.stdout + done.stderr)
    return [octets.removeprefix(b"Return-Path: <unknown>\n") for octets in _contents(box)]


def mpop(door, folder, scheme="pop3s", secret=None):
    box = _maildir(folder)
    config = _config(folder, "mpoprc", f"""\
account default
host {door.host}
port {door.ports[scheme]}
tls on
tls_starttls {"off" if scheme == "pop3s" else "on"}
tls_trust_file {door.ca}
auth user
user {door.user}
password "{secret or door.secret}"
delivery maildir {box}
uidls_file {folder}/uidls
received_header off
keep on
timeout {TIMEOUT_S}
""")
    _finished(run(["mpop", "-C", config], check=False))
    return _of_maildir(box)
