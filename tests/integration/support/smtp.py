"""SMTP submission on the wire (RFC 5321, 3030, 3207, 4954)."""

import base64

from .connection import Connection
from .sasl import plain


class Smtp(Connection):
    """One SMTP connection."""

    accepted = b"235"

    def reply(self):
        """(lines before the last, the last line); all of one reply have the same code."""
        before = []
        while True:
            line = self.line()
            assert line[:3].isdigit() and line[3:4] in (b" ", b"-", b""), line
            assert not before or line[:3] == before[0][:3], (before, line)
            if line[3:4] != b"-":
                return before, line
            before.append(line)

    def command(self, text):
        """Sends one command line; returns the last line of its reply."""
        self.send_line(text)
        return self.reply()[1]

    def ehlo(self, name="client.example.org"):
        """The keywords of the EHLO reply with their parameters, in capitals."""
        self.send_line(f"EHLO {name}")
        before, last = self.reply()
        assert last.startswith(b"250"), last
        rows = [line[4:].decode().upper() for line in [*before, last][1:]]
        return {row.partition(" ")[0]: row.partition(" ")[2] for row in rows}

    def greeting(self):
        before, last = self.reply()
        return [*before, last]

    def secure(self, context):
        self.ehlo()
        said = self.command("STARTTLS")
        assert said.startswith(b"220"), said
        self.start_tls(context)

    def ready(self, context=None):
        super().ready(context)
        self.ehlo()
        return self

    def login(self, user, secret):
        self.send_line(b"AUTH PLAIN " + plain(user, secret))
        return self.reply()

    def login_login(self, user, secret):
        """AUTH LOGIN, as old programs do it."""
        said = self.command("AUTH LOGIN")
        for value in (user, secret):
            if not said.startswith(b"334"):
                break
            said = self.command(base64.b64encode(value.encode()))
        return [], said

    def begin(self, sender, *recipients):
        """MAIL and RCPT; returns the last reply, or the first that is not a 250."""
        for text in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{r}>" for r in recipients)):
            said = self.command(text)
            if not said.startswith(b"250"):
                return said
        return said

    def submit(self, sender, recipient, octets):
        """Hands one message over by DATA; returns the last reply. `octets` end with CRLF."""
        said = self.begin(sender, recipient)
        if not said.startswith(b"250"):
            return said
        said = self.command("DATA")
        if not said.startswith(b"354"):
            return said
        self.send(b"".join(b"." + line if line.startswith(b".") else line
                           for line in octets.splitlines(keepends=True)) + b".\r\n")
        return self.reply()[1]

    def is_alive(self):
        return self.command("NOOP").startswith(b"250")
