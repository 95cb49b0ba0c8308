"""A TLS 1.2 client that asks for new handshakes for as long as one likes.

OpenSSL's and GnuTLS' own clients end at a refusal, so the records are sealed here, with the keys of
a handshake that Python's ssl has made.
"""

import hashlib
import hmac
import os
import re
import ssl
import struct
import tempfile

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CIPHER = "ECDHE-ECDSA-AES128-GCM-SHA256"
HANDSHAKE, ALERT = 22, 21


def _expanded(secret, seed, count):
    """The pseudorandom function of RFC 5246 §5."""
    out, a = b"", seed
    while len(out) < count:
        a = hmac.digest(secret, a, hashlib.sha256)
        out += hmac.digest(secret, a + seed, hashlib.sha256)
    return out[:count]


class Client:
    """TLS 1.2 over a connected socket (the caller's)."""

    def __init__(self, stream):
        self.stream = stream
        self.sequence = 1  # 0 was Finished
        received = b""
        with tempfile.NamedTemporaryFile("r", encoding="ascii") as keys:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(CIPHER)
            context.keylog_filename = keys.name
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            is_done = False
            while not is_done:
                try:
                    tls.do_handshake()
                    is_done = True
                except ssl.SSLWantReadError:
                    pass
                self.stream.sendall(outgoing.read())
                if not is_done:
                    got = self.stream.recv(65536)
                    if not got:
                        raise ConnectionError("closed in the handshake")
                    received += got
                    incoming.write(got)
            client, master = (bytes.fromhex(word) for word in re.search(
                r"CLIENT_RANDOM (\w+) (\w+)", keys.read()).groups())
        server = received[11:43]  # record and message header, version; then ServerHello.random
        block = _expanded(master, b"key expansion" + server + client, 40)
        self.aead, self.salt = AESGCM(block[:16]), block[32:36]

    def _record(self, kind, octets):
        sequence = struct.pack(">Q", self.sequence)
        self.sequence += 1
        sealed = self.aead.encrypt(self.salt + sequence, octets,
                                   sequence + struct.pack(">BHH", kind, 0x0303, len(octets)))
        return struct.pack(">BHH", kind, 0x0303, 8 + len(sealed)) + sequence + sealed

    def ask(self):
        """One ClientHello in the open session."""
        body = b"\x03\x03" + os.urandom(32) + b"\0" + b"\0\2\xc0\x2b" + b"\1\0"
        self.stream.sendall(self._record(HANDSHAKE, b"\1" + struct.pack(">I", len(body))[1:]
                                         + body))

    def records(self):
        """Types of the records that came until the other side closed or fell silent."""
        octets = b""
        try:
            while got := self.stream.recv(65536):
                octets += got
        except OSError:
            pass
        kinds = []
        while len(octets) >= 5:
            kinds.append(octets[0])
            octets = octets[5 + struct.unpack(">H", octets[3:5])[0]:]
        return kinds
