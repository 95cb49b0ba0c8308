"""ManageSieve on the wire (RFC 5804)."""

import re

from .connection import Connection
from .sasl import plain
from .wire import quoted

ENDS = re.compile(rb"(?i)(OK|NO|BYE)( |$)")


class Sieve(Connection):
    """One ManageSieve connection."""

    accepted = b"OK"

    def line(self):
        """The next line, without its CRLF; a literal in it is read with it."""
        out = super().line()
        while literal := re.search(rb"\{(\d+)\}$", out):
            out += b"\r\n" + self.octets(int(literal.group(1))) + super().line()
        return out

    def response(self):
        """(lines of data, the line with OK, NO or BYE)."""
        data = []
        while not ENDS.match(line := self.line()):
            data.append(line)
        return data, line

    def command(self, text):
        self.send_line(text)
        return self.response()

    def greeting(self):
        data, last = self.response()
        return [*data, last]

    def secure(self, context):
        _, said = self.command("STARTTLS")
        assert said.startswith(b"OK"), said
        self.start_tls(context)
        self.response()  # the capabilities, unasked

    def capabilities(self):
        return named(self.command("CAPABILITY")[0])

    def login(self, user, secret):
        return self.command(b'AUTHENTICATE "PLAIN" "' + plain(user, secret) + b'"')

    def put(self, name, script):
        """PUTSCRIPT with a literal; returns the last line of its response."""
        self.send(b"PUTSCRIPT " + quoted(name) + b" {%d+}\r\n" % len(script) + script + b"\r\n")
        return self.response()[1]

    def get(self, name):
        data, last = self.command(b"GETSCRIPT " + quoted(name))
        assert last.startswith(b"OK"), last
        return data[0].partition(b"\r\n")[2]

    def is_alive(self):
        return self.command("NOOP")[1].startswith(b"OK")


def named(lines):
    """name → value of capability lines ('"SIEVE" "fileinto …"'); names in capitals."""
    found = {}
    for line in lines:
        words = re.findall(r'"((?:[^"\\]|\\.)*)"', line.decode())
        if words:
            found[words[0].upper()] = words[1] if len(words) > 1 else ""
    return found
