"""POP3 on the wire (RFC 1939, 2449, 2595, 5034)."""

from .connection import Connection
from .sasl import plain


class Pop3(Connection):
    """One POP3 connection."""

    accepted = b"+OK"

    def command(self, text):
        """Sends one command line; returns the first line of its answer."""
        self.send_line(text)
        return self.line()

    def lines(self):
        """A multi-line answer behind its first line, up to the full stop, with stuffing undone."""
        out = []
        while (line := self.line()) != b".":
            out.append(line[1:] if line.startswith(b".") else line)
        return out

    def many(self, text):
        """Sends one command whose answer has many lines, and returns them."""
        said = self.command(text)
        assert said.startswith(b"+OK"), said
        return self.lines()

    def message(self, number):
        """The message as its sender had it: with CRLF behind each line."""
        return b"".join(line + b"\r\n" for line in self.many(f"RETR {number}"))

    def capabilities(self):
        return [line.decode() for line in self.many("CAPA")]

    def greeting(self):
        return [self.line()]

    def secure(self, context):
        said = self.command("STLS")
        assert said.startswith(b"+OK"), said
        self.start_tls(context)

    def login(self, user, secret):
        said = self.command(f"USER {user}")
        return ([said], self.command(f"PASS {secret}")) if said.startswith(b"+OK") else ([], said)

    def login_plain(self, user, secret):
        """AUTH PLAIN with an initial response (RFC 5034)."""
        return [], self.command(b"AUTH PLAIN " + plain(user, secret))

    def is_alive(self):
        return self.command("NOOP").startswith(b"+OK")
