"""What ./run starts: a private Dovecot (or the user's own server), Postern, a demo enrolment."""

import fcntl
import json
import os
import secrets
import string
import urllib.parse

from . import mail
from .dovecot import Dovecot
from .gateway import CommandFailed, Gateway
from .pki import Authority
from .process import RigError, free_port, loopback

DOMAIN = "example.org"
ENROLLED, BARE = f"alice@{DOMAIN}", f"bob@{DOMAIN}"
MESSAGES = {ENROLLED: 320, BARE: 40}
PORTS = {"imaps": 9993, "imap": 9143, "upstream_imaps": 9994, "upstream_imap": 9144}
DRAIN = "2s"


def private_write(path, text):
    """Replaces a file at once; nobody else may read it."""
    fresh = f"{path}.new"
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(fresh, path)


class Demo:
    """All that runs; start() and stop() are the keeper's."""

    def __init__(self, state, binary, upstream=None, upstream_ca=None, owner=None):
        self.state = os.path.abspath(state)
        self.binary = binary
        self.upstream_url = upstream
        self.upstream_ca = os.path.abspath(upstream_ca) if upstream_ca else None
        self.owner = owner
        self.dovecot = None
        self.gateway = None
        self.lock = None
        place = urllib.parse.urlsplit(upstream).hostname if upstream else "demo"
        self.memory_path = os.path.join(self.state, f"accounts-{place}.json")
        self.folder = os.path.join(self.state, f"postern-{place}")
        self.memory = {}

    # ---- memory: what must be the same in the next run ------------------------------------------

    def take_state(self):
        """Makes the state folder ours for as long as we run; two runs may not share it."""
        os.makedirs(self.state, mode=0o755, exist_ok=True)
        self.lock = open(os.path.join(self.state, "lock"), "a+", encoding="ascii")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.lock.seek(0)
            raise RigError(f"{self.state} is in use by a run with pid {self.lock.read().strip()}: "
                           "end that one (kill PID), or name another --state") from None
        self.lock.truncate(0)
        self.lock.write(f"{os.getpid()}\n")
        self.lock.flush()
        if os.path.exists(self.memory_path):
            with open(self.memory_path, encoding="utf-8") as f:
                self.memory = json.load(f)
        self.memory.setdefault("ports", {})
        self.memory.setdefault("accounts", {})

    def remember(self):
        private_write(self.memory_path, json.dumps(self.memory, indent=2) + "\n")

    def port(self, name):
        chosen = free_port(self.memory["ports"].get(name) or PORTS[name])
        self.memory["ports"][name] = chosen
        return chosen

    # ---- parts ---------------------------------------------------------------------------------

    def start(self, say):
        self.take_state()
        self.authority = Authority(os.path.join(self.state, "pki"))
        if not self.upstream_url:
            self.start_dovecot(say)
        self.start_gateway(say)
        self.enrol(say)
        self.remember()

    def start_dovecot(self, say):
        say("starting a private Dovecot …")
        alphabet = string.ascii_letters + string.digits
        for user in MESSAGES:
            account = self.memory["accounts"].setdefault(user, {})
            account.setdefault("mailbox_password",
                               "".join(secrets.choice(alphabet) for _ in range(16)))
        self.remember()
        users = {u: self.memory["accounts"][u]["mailbox_password"] for u in MESSAGES}
        self.dovecot = Dovecot(
            os.path.join(self.state, "dovecot"), self.authority, users,
            ports={p: self.port(f"upstream_{p}") for p in ("imaps", "imap")}).start()
        for user, count in MESSAGES.items():
            if not self.memory["accounts"][user].get("has_mail"):
                say(f"putting {count} messages into the mailbox of {user} …")
                client = self.dovecot.client(user)
                mail.fill(client, mail.generate(user, count))
                client.logout()
                self.memory["accounts"][user]["has_mail"] = True
                self.remember()

    def settings(self):
        ecdsa = self.authority.issue("gate-ecdsa", "ecdsa")
        rsa = self.authority.issue("gate-rsa", "rsa")
        upstream = {"imap": self.upstream_url, "ca": self.upstream_ca, "login": "sealed"}
        if self.dovecot:
            upstream = {"imap": f"imaps://localhost:{self.dovecot.ports['imaps']}",
                        "ca": self.authority.certificate, "login": "sealed"}
        domain = self.owner[0].partition("@")[2] if self.owner else DOMAIN
        return {
            "domain": domain or DOMAIN,
            "tls": certificates(ecdsa, rsa),
            "gates": {
                "imaps": gate("implicit", self.port("imaps")),
                "imap": gate("starttls", self.port("imap")),
            },
            "upstreams": {"mail": upstream},
            "session": {"drain_timeout": DRAIN},
        }

    def start_gateway(self, say):
        say("starting Postern …")
        self.gateway = Gateway(self.binary, self.folder, self.settings(),
                               readable=[self.authority.folder])
        self.gateway.start()

    def enrol(self, say):
        wanted = {self.owner[0]: self.owner[1]} if self.owner else {}
        if self.dovecot:
            wanted[ENROLLED] = self.memory["accounts"][ENROLLED]["mailbox_password"]
        for user, mailbox_password in wanted.items():
            account = self.memory["accounts"].setdefault(user, {})
            account["mailbox_password"] = mailbox_password
            if self.is_enrolled(user, account):
                continue
            say(f"enrolling {user} …")
            if not any(row["account"] == user for row in self.gateway.rows("account", "list")):
                self.gateway.add_account(user)
            account["otpauth"] = self.gateway.row("totp", "enrol", user)["otpauth"]
            row = self.gateway.add_app_password(user, mailbox_password, label="demonstration")
            account["app_password_id"], account["app_password"] = row["id"], row["app_password"]
            self.remember()

    def is_enrolled(self, user, account):
        if "app_password" not in account:
            return False
        try:
            rows = self.gateway.rows("app-password", "list", user)
        except CommandFailed:
            return False
        return any(row["id"] == account["app_password_id"] for row in rows)

    def stop(self):
        if self.gateway:
            self.gateway.stop()
        if self.dovecot:
            self.dovecot.stop()

    def children(self):
        parts = [self.gateway.child if self.gateway else None,
                 self.dovecot.child if self.dovecot else None]
        return [child for child in parts if child]

    # ---- what is told ----------------------------------------------------------------------------

    def ready(self):
        """The object that --ready writes."""
        accounts = []
        for user, account in self.memory["accounts"].items():
            if user in MESSAGES and not self.dovecot:
                continue
            row = {"user": user, "mailbox_password": account["mailbox_password"]}
            if "app_password" in account:
                row["app_password"] = account["app_password"]
            accounts.append(row)
        if self.dovecot:
            upstream = {"host": self.dovecot.host,
                        "ports": {p: self.dovecot.ports[p] for p in ("imaps", "imap")}}
        else:
            url = urllib.parse.urlsplit(self.upstream_url)
            default = 993 if url.scheme == "imaps" else 143
            upstream = {"host": url.hostname, "ports": {url.scheme: url.port or default}}
        return {"host": "localhost", "ports": self.gateway.ports,
                "ca": self.authority.certificate, "accounts": accounts, "upstream": upstream,
                "pid": self.gateway.child.pid, "config": self.gateway.config,
                "control": self.gateway.control}

    def write_ready(self, path):
        private_write(os.path.abspath(path), json.dumps(self.ready()) + "\n")

    def report(self):
        ready = self.ready()
        imaps = ready["ports"]["imaps"]
        curl = f"curl --cacert {ready['ca']} imaps://localhost:{imaps}/INBOX"
        where = ", ".join(f"{n} on port {p}" for n, p in ready["upstream"]["ports"].items())
        rows = ["", "Postern is up.",
                f"  gates       imaps://localhost:{imaps} (TLS), "
                f"imap://localhost:{ready['ports']['imap']} (STARTTLS)",
                f"  upstream    {ready['upstream']['host']}: {where}",
                f"  CA          {ready['ca']}",
                f"  supervisor  pid {ready['pid']}, configuration {ready['config']}",
                f"  state       {self.state}"]
        for account in ready["accounts"]:
            rows += self.report_account(account, curl)
        rows += ["", "Look at what happened, and who is connected:",
                 f"  {self.binary} events -c {ready['config']}",
                 f"  {self.binary} session list -c {ready['config']}"]
        if not ready["accounts"]:
            rows += ["", "Enrol an account of that server:",
                     f"  {self.binary} account add USER -c {ready['config']}",
                     f"  {self.binary} app-password add USER --label phone -c {ready['config']}"]
        return "\n".join(rows)

    def report_account(self, account, curl):
        user, password = account["user"], account["mailbox_password"]
        shown = password if self.dovecot else "MAILBOX-PASSWORD"
        bare = f"  {curl} -X NOOP -u '{user}:{shown}'"
        if "app_password" not in account:
            return ["", f"{user} (mailbox password {shown}) has no second factor: refused",
                    bare]
        rows = ["", f"{user}: app password {account['app_password']}",
                "  opens the mailbox:",
                f"  {curl} -X 'STATUS INBOX (MESSAGES UNSEEN)' "
                f"-u '{user}:{account['app_password']}'",
                "  its bare mailbox password, though right, does not:", bare]
        otpauth = self.memory["accounts"][user].get("otpauth")
        if otpauth:
            rows += ["  with a code of this authenticator entry it does "
                     "(password,123456 in place of the password):", f"  {otpauth}"]
        return rows


def gate(tls, port):
    listen = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in loopback()]
    return {"protocol": "imap", "listen": listen, "tls": tls}


def certificates(*pairs):
    """The tls group for these (certificate, key) pairs."""
    return {"certificate": [c for c, _ in pairs], "key": [k for _, k in pairs]}
