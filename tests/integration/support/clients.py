"""Real IMAP clients, each run as a person would have it run, with its own configuration.

Those that fetch by POP3 are in fetchers.py, those that submit mail in mailers.py.
"""

import json
import os
import shutil
import subprocess

from rig.process import RigError, run

from . import node


def curl(door, path="INBOX", *options, secret=None, scheme="imaps", check=False):
    """Runs curl on one IMAP URL; returns the finished process (67: login denied)."""
    port = door.ports[scheme]
    extra = ["--ssl-reqd"] if scheme == "imap" else []
    return run(["curl", "-sS", "--max-time", "60", "--cacert", door.ca, *extra,
                "-u", f"{door.user}:{secret or door.secret}", *options,
                f"{scheme}://{door.host}:{port}/{path}"], check=check)


def _quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def mbsync(door, folder, scheme="imaps"):
    """Pulls every folder into Maildirs below `folder`; returns the finished process."""
    os.makedirs(os.path.join(folder, "mail"), exist_ok=True)
    config = os.path.join(folder, "mbsyncrc")
    port = door.ports[scheme]
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"""\
IMAPAccount gate
Host {door.host}
Port {port}
User {_quote(door.user)}
Pass {_quote(door.secret)}
SSLType {"IMAPS" if scheme == "imaps" else "STARTTLS"}
CertificateFile {door.ca}
SystemCertificates no
Timeout 60

IMAPStore far
Account gate

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
SyncState *
Sync Pull
CopyArrivalDate yes
""")
    return run(["mbsync", "-c", config, "all"])


def fetchmail(door, folder, keep=True):
    """Fetches the INBOX through fetchmail into one mbox; returns the mbox's octets."""
    os.makedirs(folder, exist_ok=True)
    box = os.path.join(folder, "mbox")
    config = os.path.join(folder, "fetchmailrc")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"""\
set idfile "{folder}/ids"
poll {door.host} protocol IMAP port {door.ports['imaps']}
    user {_quote(door.user)} password {_quote(door.secret)}
    ssl sslcertck sslcertfile "{door.ca}"
    fetchall {"keep" if keep else "nokeep"} no rewrite
    mda "cat >> {box}; echo >> {box}"
""")
    os.chmod(config, 0o600)
    done = run(["fetchmail", "-f", config, "--pidfile", os.path.join(folder, "pid"), "-v"],
               check=False, env=dict(os.environ, HOME=folder, FETCHMAILHOME=folder))
    if done.returncode != 0:
        raise RigError(f"fetchmail: exit {done.returncode}\n{done.stdout}{done.stderr}")
    with open(box, "rb") as f:
        return f.read()


def neomutt(door, folder, commands):
    """Opens the INBOX in neomutt without a terminal of its own and types `commands` into it."""
    os.makedirs(folder, exist_ok=True)
    config = os.path.join(folder, "neomuttrc")
    url = f"imaps://{door.host}:{door.ports['imaps']}/"
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"""\
set imap_user = {_quote(door.user)}
set imap_pass = {_quote(door.secret)}
set ssl_ca_certificates_file = "{door.ca}"
set certificate_file = "{door.ca}"
set ssl_force_tls = yes
set ssl_starttls = yes
set header_cache = ""
set message_cachedir = ""
set folder = "{url}"
set spoolfile = "{url}INBOX"
set mbox_type = mbox
set confirmappend = no
set confirmcreate = no
set delete = yes
set move = no
set abort_key = "<f12>"
push "{commands}"
""")
    if not shutil.which("script"):
        raise RigError("script(1) is missing")
    inner = f"neomutt -n -F {config}"
    return run(["script", "-qec", inner, "/dev/null"], check=False, timeout=60,
               stdin=subprocess.DEVNULL, env=dict(os.environ, TERM="xterm", HOME=folder))


class ImapFlow:
    """imapflow in a process of its own, waiting in IDLE; tells what it sees, one JSON a line."""

    def __init__(self, door, cache):
        self.popen = subprocess.Popen(
            ["node", node.script(cache, "idle.mjs")], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(os.environ, NODE_EXTRA_CA_CERTS=door.ca))
        self.popen.stdin.write(json.dumps({"host": door.host, "port": door.ports["imaps"],
                                           "user": door.user, "pass": door.secret}) + "\n")
        self.popen.stdin.flush()

    def said(self):
        """The next thing it tells; its end is told as {"end": status}."""
        line = self.popen.stdout.readline()
        if not line:
            return {"end": self.popen.wait(10)}
        try:
            return json.loads(line)
        except ValueError:
            return {"text": line}

    def close(self):
        self.popen.stdin.close()
        try:
            return self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()
