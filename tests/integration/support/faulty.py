"""An upstream that misbehaves on purpose: the faults that a healthy server never shows.

A script is a function (Talk) → None; it runs in a thread of its own for each connection. Those of
other protocols than IMAP are in dialogues.py.
"""

import socket
import ssl
import threading


class Talk:
    """One connection as the scripted server sees it."""

    def __init__(self, owner, connection):
        self.owner = owner
        self.stream = connection
        self.buffer = b""
        self.is_tls = False

    def tls(self):
        self.is_tls = True
        self.stream = self.owner.context.wrap_socket(self.stream, server_side=True)

    def say(self, octets):
        self.stream.sendall(octets)

    def line(self):
        """The next line of the client, or b"" at its end; all of it is recorded."""
        while b"\r\n" not in self.buffer:
            try:
                got = self.stream.recv(65536)
            except OSError:
                return b""
            if not got:
                return b""
            with self.owner.lock:
                self.owner.heard += got
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def serve_login(self, capabilities=b"IMAP4rev1 AUTH=PLAIN SASL-IR"):
        """Greets, answers CAPABILITY, NOOP and ID, takes any login; returns after its OK."""
        self.say(b"* OK [CAPABILITY " + capabilities + b"] ready\r\n")
        while line := self.line():
            tag, _, rest = line.partition(b" ")
            word = rest.split(b" ")[0].upper()
            if word == b"CAPABILITY":
                self.say(b"* CAPABILITY " + capabilities + b"\r\n" + tag + b" OK done\r\n")
            elif word == b"AUTHENTICATE":
                if rest.count(b" ") == 1:
                    self.say(b"+ \r\n")
                    self.line()
                self.say(tag + b" OK [CAPABILITY IMAP4rev1 IDLE] logged in\r\n")
                return True
            elif word == b"LOGIN":
                while line.endswith((b"}", b"+}")):
                    if not line.endswith(b"+}"):
                        self.say(b"+ go on\r\n")
                    line = self.line()
                self.say(tag + b" OK [CAPABILITY IMAP4rev1 IDLE] logged in\r\n")
                return True
            else:
                self.say(tag + b" OK done\r\n")
        return False

    def drain(self):
        """Reads until the client is gone."""
        while self.line():
            pass


class Faulty:
    """Listens on a loopback port and runs the script for each connection."""

    def __init__(self, authority, script, is_tls=True, certificate=None):
        certificate, key = certificate or authority.issue("faulty")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.script = script
        self.is_tls = is_tls
        self.lock = threading.Lock()
        self.heard = b""
        self.count = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.count += 1
                self.open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        talk = Talk(self, connection)
        try:
            if self.is_tls:
                talk.tls()
            self.script(talk)
        except OSError:
            pass
        finally:
            # A wrapped stream owns the descriptor: closing that one is what the client sees.
            try:
                talk.stream.close()
            except OSError:
                pass
            with self.lock:
                self.open.discard(connection)

    def stop(self):
        self.listener.close()
        with self.lock:
            for connection in list(self.open):
                connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
