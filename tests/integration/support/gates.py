"""Gateways for tests: default settings, enrolled accounts, connections."""

import copy
import os
from dataclasses import dataclass, field

from rig.demo import certificates
from rig.gateway import SCHEMES, Gateway, schemes
from rig.process import free_port

from .connection import untrusting
from .pop3 import Pop3
from .sieve import Sieve
from .smtp import Smtp
from .wire import Wire

CONNECTIONS = {"imap": Wire, "pop3": Pop3, "submission": Smtp, "sieve": Sieve}


@dataclass
class Door:
    """Where a client knocks, and with what."""

    host: str
    ports: dict  # by the names in rig.gateway.SCHEMES
    ca: str
    user: str
    secret: str


@dataclass
class Account:
    """An account of one gateway whose mailbox is on Dovecot."""

    user: str
    password: str
    app_password: str = ""
    app_password_id: str = ""
    totp: str = ""
    rows: dict = field(default_factory=dict)


class TestGateway(Gateway):
    """A gateway that knows its upstream, so that accounts can be made in one call."""

    __test__ = False
    host = "localhost"
    server = None
    numbers = None

    def fresh_user(self):
        """An unused mailbox of the upstream, unknown to the gateway."""
        user = f"user{next(self.numbers)}@example.org"
        return Account(user, self.server.users[user])

    def account(self, *options, has_app_password=True):
        """A new mailbox, an account and (unless told otherwise) an app password for it."""
        account = self.fresh_user()
        self.add_account(account.user)
        return self._app_password(account, options) if has_app_password else account

    def enrol(self, user, *options):
        """An account and app password for a mailbox that is there already."""
        account = Account(user, self.server.users[user])
        self.add_account(user)
        return self._app_password(account, options)

    def _app_password(self, account, options):
        row = self.add_app_password(account.user, account.password, *options)
        account.app_password, account.app_password_id = row["app_password"], row["id"]
        return account

    def unverified(self):
        """An account whose app password was made without asking the (broken) upstream."""
        account = self.fresh_user()
        self.add_account(account.user)
        return self._app_password(account, ["--no-check"])

    def connect(self, gate="imaps", source=None, **options):
        """A raw connection; TLS is on when the gate has implicit TLS."""
        asked = self.settings["gates"][gate]
        tls = untrusting() if asked["tls"] == "implicit" else None
        return CONNECTIONS[asked["protocol"]](self.ports[gate], tls=tls, source=source, **options)

    def opened(self, account, source=None, gate="imaps"):
        """A raw connection, logged in with the app password."""
        wire = self.connect(gate, source).ready()
        _, said = wire.login(account.user, account.app_password)
        assert said.startswith(wire.accepted), said
        return wire

    def door(self, account, secret=None):
        """Where a real client of this account knocks."""
        return Door(self.host, self.ports, self.server.authority.certificate, account.user,
                    secret or account.app_password)

    def attempt(self, user, secret, source=None, gate="imaps"):
        """One login on a connection of its own: (lines before the last, the last line)."""
        with self.connect(gate, source) as wire:
            return wire.ready().login(user, secret)


class Gates:
    """Makes gateways with changed settings; owns them.

    They speak IMAP; `protocols` says which ones instead (rig.gateway.PROTOCOLS: all). Mail that is
    submitted goes to the Postfix that `postfix()` returns, which is not started before.
    """

    def __init__(self, base, binary, authority, dovecot, numbers, postfix=None):
        self.base = base
        self.binary = binary
        self.authority = authority
        self.dovecot = dovecot
        self.numbers = numbers
        self.postfix = postfix
        self.made = []

    def url(self, scheme, server=None):
        """Of a server of the rig: of `server` where it has the port, else of Dovecot or Postfix."""
        if scheme not in (server or self.dovecot).ports:
            server = self.postfix()
        return f"{scheme}://localhost:{(server or self.dovecot).ports[scheme]}"

    def upstream(self, server=None, scheme="imaps", **changes):
        """An upstream of one scheme, or of a list of them, of different protocols."""
        wanted = [scheme] if isinstance(scheme, str) else scheme
        return {**{SCHEMES[name][0]: self.url(name, server) for name in wanted},
                "ca": self.authority.certificate, "login": "sealed", **changes}

    def settings(self, protocols=("imap",), **changes):
        """The default settings; a change replaces a top-level setting, None removes it."""
        # Of the URLs of one protocol the first counts: that with implicit TLS.
        reached = {SCHEMES[name][0]: name for name in reversed(schemes(*protocols))}
        made = {
            "domain": "example.org",
            "tls": certificates(self.authority.issue("gate-ecdsa", "ecdsa"),
                                self.authority.issue("gate-rsa", "rsa")),
            "gates": {
                name: {"protocol": SCHEMES[name][0], "listen": f"127.0.0.1:{free_port()}",
                       "tls": SCHEMES[name][1]} for name in schemes(*protocols)
            },
            "portal": {"url": "https://portal.example.org"},
            # Many tests refuse from one address: those of the throttle set limits of their own.
            "throttle": {"per_source": 10_000, "per_account": 1_000},
        }
        made.update(copy.deepcopy(changes))
        if "upstreams" not in made:
            made["upstreams"] = {"mail": self.upstream(scheme=reached.values())}
        # Connections that a test leaves open must not hold up its end.
        made["session"] = {"drain_timeout": "1s", **made.get("session", {})}
        return made

    def make(self, server=None, environment=None, **changes):
        folder = os.path.join(self.base, f"gate{next(self.numbers)}")
        gateway = TestGateway(self.binary, folder, self.settings(**changes))
        gateway.server = server or self.dovecot
        gateway.numbers = self.numbers
        gateway.environment = dict(os.environ, **environment) if environment else None
        self.made.append(gateway)
        return gateway

    def start(self, server=None, environment=None, **changes):
        return self.make(server, environment, **changes).start()

    def stop(self):
        """Ends all of them; returns what the sanitizers said."""
        reports = []
        for gateway in self.made:
            gateway.stop()
            reports += gateway.sanitizer_reports()
        return reports
