"""What an attacker must know of each protocol: how it greets, switches to TLS, logs in, answers."""

import base64
import re
import ssl
from dataclasses import dataclass, field

from .wire import Closed, quoted


def plain(user, secret):
    return base64.b64encode(b"\0" + user.encode() + b"\0" + secret.encode())


@dataclass(frozen=True)
class Dialect:
    """One protocol. Replies are read up to the line that `ends` matches."""

    name: str
    implicit: str  # the gate with TLS from the start; sieve has none
    clear: str     # the gate with STARTTLS
    ends: bytes    # the last line of a reply or greeting
    good: bytes
    starttls: bytes
    logins: tuple = field(repr=False)  # functions (user, secret) -> octets
    refused_clear: bytes = b""         # what a login before TLS is told
    harmless: bytes = b""
    refused_open: bytes = b""          # how the guard refuses a command
    later: bytes = b""

    def reply(self, wire):
        """The lines of one reply; the last one ends it."""
        lines = []
        while True:
            lines.append(wire.line())
            if re.match(self.ends, lines[-1]):
                return lines

    def ask(self, wire, octets):
        wire.send(octets)
        return self.reply(wire)

    def secure(self, wire, context):
        """From the greeting to a secured connection on the STARTTLS gate."""
        self.reply(wire)
        if self.name == "submission":
            self.ask(wire, b"EHLO attacker.example\r\n")
        assert re.match(self.good, self.ask(wire, self.starttls)[-1])
        wire.start_tls(context)
        if self.name == "sieve":
            self.reply(wire)

    def connected(self, gate, context, source=None):
        """A connection on which a login may be sent."""
        if self.implicit:
            wire = gate.connect(self.implicit, source=source)
            self.reply(wire)
        else:
            wire = gate.connect(self.clear, source=source)
            self.secure(wire, context)
        if self.name == "submission":
            self.ask(wire, b"EHLO client.example\r\n")
        return wire

    def opened(self, gate, account, context, source=None):
        wire = self.connected(gate, context, source)
        said = self.ask(wire, self.logins[0](account.user, account.app_password))[-1]
        assert re.match(self.good, said), said
        return wire

    def is_alive(self, wire):
        try:
            return bool(re.match(self.good, self.ask(wire, self.harmless)[-1]))
        except (Closed, OSError, ssl.SSLError):
            return False


IMAP = Dialect(
    "imap", "imaps", "imap", rb"a |\* OK|\* BYE", rb"a OK", b"a STARTTLS\r\n",
    (lambda u, s: b"a LOGIN " + quoted(u) + b" " + quoted(s) + b"\r\n",
     lambda u, s: b"a AUTHENTICATE PLAIN " + plain(u, s) + b"\r\n"),
    rb"a (NO \[PRIVACYREQUIRED\]|BAD)", b"a NOOP\r\n", rb"a NO \[CANNOT\]",
    rb"a NO \[UNAVAILABLE\]")
POP3 = Dialect(
    "pop3", "pop3s", "pop3", rb"\+OK|-ERR", rb"\+OK", b"STLS\r\n",
    (lambda u, s: b"AUTH PLAIN " + plain(u, s) + b"\r\n",
     lambda u, s: b"USER " + u.encode() + b"\r\n"),
    rb"-ERR \[AUTH\]", b"NOOP\r\n", rb"-ERR", rb"-ERR \[SYS/TEMP\]")
SUBMISSION = Dialect(
    "submission", "submissions", "submission", rb"\d\d\d ", rb"2\d\d ", b"STARTTLS\r\n",
    (lambda u, s: b"AUTH PLAIN " + plain(u, s) + b"\r\n",
     lambda u, s: b"AUTH LOGIN " + base64.b64encode(u.encode()) + b"\r\n"),
    rb"538 5\.7\.11", b"NOOP\r\n", rb"50[0-9] |554 |530 ", rb"454 4\.7\.0")
SIEVE = Dialect(
    "sieve", "", "sieve", rb"OK|NO|BYE", rb"OK", b"STARTTLS\r\n",
    (lambda u, s: b'AUTHENTICATE "PLAIN" "' + plain(u, s) + b'"\r\n',),
    rb"NO", b"NOOP\r\n", rb"NO", rb"NO \(TRYLATER\)")

ALL = (IMAP, POP3, SUBMISSION, SIEVE)


def by_name(dialect):
    return dialect.name
