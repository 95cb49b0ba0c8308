"""IMAP on the wire: commands with tags, lines with their literals."""

import re

from .connection import Closed, Connection, untrusting

__all__ = ["Closed", "Wire", "capabilities", "quoted", "untrusting"]


class Wire(Connection):
    """One IMAP connection."""

    accepted = b"OK"

    def __init__(self, *args, **options):
        self.tags = 0
        super().__init__(*args, **options)

    def greeting(self):
        return [self.line()]

    def secure(self, context):
        _, said = self.command("STARTTLS")
        assert said.startswith(b"OK"), said
        self.start_tls(context)

    def is_alive(self):
        return self.command("NOOP")[1].startswith(b"OK")

    def line(self):
        """The next line, without its CRLF; a literal in it is read with it."""
        out = super().line()
        while literal := re.search(rb"\{(\d+)\+?\}$", out):
            out += b"\r\n" + self.octets(int(literal.group(1))) + super().line()
        return out

    def until(self, tag):
        """(untagged lines, the tagged line without its tag)."""
        start = tag.encode() + b" "
        untagged = []
        while True:
            line = self.line()
            if line.startswith(start):
                return untagged, line[len(start):]
            untagged.append(line)

    def tag(self):
        self.tags += 1
        return f"t{self.tags}"

    def command(self, text):
        """Sends one command line and reads to its tagged answer."""
        tag = self.tag()
        if isinstance(text, str):
            text = text.encode()
        self.send(tag.encode() + b" " + text + b"\r\n")
        return self.until(tag)

    def login(self, user, secret):
        return self.command(b"LOGIN " + quoted(user) + b" " + quoted(secret))


def quoted(text):
    octets = text.encode() if isinstance(text, str) else text
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def capabilities(lines):
    """The words of the CAPABILITY response among these lines, in capitals."""
    for line in lines:
        if line.upper().startswith(b"* CAPABILITY "):
            return set(line.decode().upper().split()[2:])
    raise AssertionError(f"no CAPABILITY in {lines}")
