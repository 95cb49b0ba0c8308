"""What ./run starts: private mail servers (or the user's own), Postern, a demo enrolment."""

import fcntl
import json
import os
import secrets
import string
import urllib.parse

from . import mail, report
from .dovecot import Dovecot
from .gateway import SCHEMES, CommandFailed, Gateway, schemes
from .pki import Authority
from .postfix import Postfix
from .process import RigError, free_port, loopback

DOMAIN = "example.org"
ENROLLED, BARE = f"alice@{DOMAIN}", f"bob@{DOMAIN}"
MESSAGES = {ENROLLED: 320, BARE: 40}
PORTS = {"imaps": 9993, "imap": 9143, "pop3s": 9995, "pop3": 9110, "submissions": 9465,
         "submission": 9587, "sieve": 9190}
PORTS.update({f"upstream_{scheme}": port + 1000 for scheme, port in PORTS.items()})
# What a URL without a port means.
DEFAULT_PORTS = {"imaps": 993, "imap": 143, "pop3s": 995, "pop3": 110, "submissions": 465,
                 "submission": 587, "sieve": 4190}
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

    def __init__(self, state, binary, upstreams=(), upstream_ca=None, owner=None):
        self.state = os.path.abspath(state)
        self.binary = binary
        self.upstream_urls = list(upstreams)
        self.upstream_ca = os.path.abspath(upstream_ca) if upstream_ca else None
        self.owner = owner
        self.dovecot = None
        self.postfix = None
        self.gateway = None
        self.lock = None
        place = urllib.parse.urlsplit(upstreams[0]).hostname if upstreams else "demo"
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
        if not self.upstream_urls:
            self.start_dovecot(say)
            self.start_postfix(say)
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
            ports={p: self.port(f"upstream_{p}") for p in schemes("imap", "pop3", "sieve")},
            also=("pop3", "sieve", "delivery")).start()
        for user, count in MESSAGES.items():
            if not self.memory["accounts"][user].get("has_mail"):
                say(f"putting {count} messages into the mailbox of {user} …")
                client = self.dovecot.client(user)
                mail.fill(client, mail.generate(user, count))
                client.logout()
                self.memory["accounts"][user]["has_mail"] = True
                self.remember()

    @property
    def is_without_postfix(self):
        return bool(self.dovecot) and os.geteuid() != 0

    def start_postfix(self, say):
        if self.is_without_postfix:
            return
        say("starting a private Postfix …")
        self.postfix = Postfix(
            os.path.join(self.state, "postfix"), self.authority, self.dovecot,
            ports={p: self.port(f"upstream_{p}") for p in schemes("submission")}).start()

    def urls(self):
        """protocol → URLs of its upstreams."""
        found = {}
        for url in self.upstream_urls:
            found.setdefault(SCHEMES[urllib.parse.urlsplit(url).scheme][0], []).append(url)
        for scheme, port in self.private_ports().items():
            # The first scheme of a protocol is the one that begins with TLS.
            found.setdefault(SCHEMES[scheme][0], [f"{scheme}://localhost:{port}"])
        return found

    def private_ports(self):
        """The ports of our own servers, without those for tests."""
        servers = [server for server in (self.dovecot, self.postfix) if server]
        return {name: server.ports[name] for name in SCHEMES for server in servers
                if name in server.ports}

    def settings(self):
        ecdsa = self.authority.issue("gate-ecdsa", "ecdsa")
        rsa = self.authority.issue("gate-rsa", "rsa")
        urls = self.urls()
        ca = self.authority.certificate if self.dovecot else self.upstream_ca
        domain = self.owner[0].partition("@")[2] if self.owner else DOMAIN
        return {
            "domain": domain or DOMAIN,
            "tls": certificates(ecdsa, rsa),
            "gates": {name: gate(name, self.port(name)) for name in schemes(*urls)},
            "upstreams": {"mail": {**urls, "ca": ca, "login": "sealed"}},
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
            report.write_hello(self, user)
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
        for part in (self.gateway, self.postfix, self.dovecot):
            if part:
                part.stop()

    def children(self):
        parts = [part.child for part in (self.gateway, self.postfix, self.dovecot) if part]
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
            upstream = {"host": self.dovecot.host, "ports": self.private_ports()}
        else:
            urls = [urllib.parse.urlsplit(url) for url in self.upstream_urls]
            upstream = {"host": urls[0].hostname,
                        "ports": {u.scheme: u.port or DEFAULT_PORTS[u.scheme] for u in urls}}
        return {"host": "localhost", "ports": self.gateway.ports,
                "ca": self.authority.certificate, "accounts": accounts, "upstream": upstream,
                "pid": self.gateway.child.pid, "config": self.gateway.config,
                "control": self.gateway.control}

    def write_ready(self, path):
        private_write(os.path.abspath(path), json.dumps(self.ready()) + "\n")

    def report(self):
        return report.text(self)


def gate(name, port):
    protocol, tls = SCHEMES[name]
    listen = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in loopback()]
    return {"protocol": protocol, "listen": listen, "tls": tls}


def certificates(*pairs):
    """The tls group for these (certificate, key) pairs."""
    return {"certificate": [c for c, _ in pairs], "key": [k for _, k in pairs]}
