"""A raw connection: octets out, lines in. For what real clients never send."""

import socket
import ssl
import struct
import time


def untrusting():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default one reads all authorities
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Closed(Exception):
    """The other side closed where more was expected."""


class Connection:
    """One connection; everything that came is kept in `seen` for messages of failed tests."""

    def __init__(self, port, tls=None, host="127.0.0.1", source=None, timeout_s=15, first=b"",
                 name="localhost"):
        self.raw = socket.create_connection((host, port), timeout=timeout_s,
                                            source_address=(source, 0) if source else None)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.raw
        self.buffer = bytearray()
        self.seen = bytearray()
        self.name = name
        if first:
            self.raw.sendall(first)
        if tls:
            self.start_tls(tls)

    def start_tls(self, context):
        self.buffer.clear()
        self.stream = context.wrap_socket(self.raw, server_hostname=self.name)

    def send(self, octets):
        self.stream.sendall(octets)

    def send_slowly(self, octets, pause_s=0.0):
        for i in range(len(octets)):
            self.stream.sendall(octets[i : i + 1])
            if pause_s:
                time.sleep(pause_s)

    def _more(self):
        try:
            got = self.stream.recv(65536)
        except (ConnectionResetError, ssl.SSLError) as e:
            if isinstance(e, TimeoutError):
                raise
            raise Closed(f"{e!r} after {self.seen[-300:]!r}") from None
        if not got:
            raise Closed(f"closed after {self.seen[-300:]!r}")
        self.buffer += got
        self.seen += got

    def _take(self, count):
        octets = bytes(self.buffer[:count])
        del self.buffer[:count]
        return octets

    def line(self):
        """The next line, without its CRLF."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            self._more()
        octets = self._take(end)
        del self.buffer[:2]
        return octets

    def octets(self, count):
        while len(self.buffer) < count:
            self._more()
        return self._take(count)

    def send_line(self, text):
        self.send(text.encode() + b"\r\n" if isinstance(text, str) else text + b"\r\n")

    @property
    def is_tls(self):
        return self.stream is not self.raw

    def patience(self, seconds):
        """How long a read waits from now on."""
        self.stream.settimeout(seconds)

    def is_closed(self, within_s=5.0):
        """Whether the other side closes within that time; swallows what it still says."""
        self.patience(within_s)
        deadline = time.monotonic() + within_s
        try:
            while time.monotonic() < deadline:
                self._more()
        except (Closed, OSError) as e:
            return not isinstance(e, TimeoutError)
        return False

    def reset(self):
        """Closes with RST."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        try:
            self.stream.close()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the same words for every protocol -------------------------------------------------------

    accepted = b""  # how the answer to a good login begins

    def greeting(self):
        """Reads what the server says unasked; returns its lines."""
        raise NotImplementedError

    def secure(self, context):
        """STARTTLS in the protocol's own words, and TLS behind it."""
        raise NotImplementedError

    def ready(self, context=None):
        """The greeting and, where TLS is not on yet, STARTTLS: a login may follow. Returns self."""
        self.greeting()
        if not self.is_tls:
            self.secure(context or untrusting())
        return self

    def login(self, user, secret):
        """(lines before the last, the last line) of the answer."""
        raise NotImplementedError

    def is_alive(self):
        """Whether a command that changes nothing is answered with success."""
        raise NotImplementedError
