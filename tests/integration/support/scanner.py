"""testssl.sh at the gates: what it asks, and what it found."""

import json
import os
import shutil
import socket
import subprocess
import threading
from contextlib import suppress

from rig.process import Child

from .sieve import Sieve

# What testssl.sh calls the protocol of a gate with STARTTLS.
STARTTLS = {"imap": "imap", "pop3": "pop3", "submission": "smtp"}
# Versions, who chooses the cipher, every known attack, and with those every weak kind of cipher but
# NULL and anonymous ones.
EVERYWHERE = ["--protocols", "--server-preference", "--vulnerable"]
# An edge has one set of ciphers and certificates for all gates: about those one gate is asked. None
# is asked for --each-cipher and --client-simulation: these are lists, of INFO only.
ONCE = {"imaps": ["--standard", "--pfs"], "submission": ["--standard"],
        "pop3s": ["--server-defaults"]}
# No DNS, nothing outside this machine; the gate listens on 127.0.0.1.
QUIETLY = ["--warnings", "batch", "--color", "0", "--nodns", "none", "--ip", "127.0.0.1"]
# It keeps its temporary files in /tmp and can be told no other folder: its /tmp is the scan's.
IN_OWN_TMP = ["--mount", "--propagation", "private", "sh", "-c", 'mount --bind . /tmp && exec "$@"',
              "sh"]


class Scan:
    """One run before one gate, in a folder of its own."""

    def __init__(self, folder, gate, port, ca):
        self.gate = gate
        self.folder = folder
        self.relay = Relay(port) if gate == "sieve" else None
        os.makedirs(folder)
        shutil.copy(ca, os.path.join(folder, "ca.pem"))
        as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        way = ["--starttls", STARTTLS[gate]] if gate in STARTTLS else []
        self.child = Child(
            f"testssl ({gate})",
            ["unshare", *as_root, *IN_OWN_TMP, "testssl", *QUIETLY, "--add-ca", "/tmp/ca.pem",
             "--jsonfile", "/tmp/found.json", *EVERYWHERE, *ONCE.get(gate, []), *way,
             f"localhost:{self.relay.port if self.relay else port}"],
            os.path.join(folder, "testssl.log"), cwd=folder,
            # Else each of its many openssl processes reads all authorities of the system.
            env=dict(os.environ, SSL_CERT_FILE="/tmp/ca.pem"))

    def wait(self, timeout_s):
        """Its findings: a list of objects with id, severity and finding."""
        try:
            self.child.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.child.fail(f"did not end within {timeout_s:.0f} s")
        # Its exit status counts remarks of any kind, so it says nothing.
        with open(os.path.join(self.folder, "found.json"), encoding="utf-8") as f:
            return json.load(f)

    def stop(self):
        self.child.stop()
        if self.relay:
            self.relay.close()


class Relay:
    """Makes implicit TLS of a ManageSieve gate: says STARTTLS to it, then relays octets.

    testssl.sh 3.0 of Debian 12 knows no --starttls sieve; so it asks that gate as much as others.
    """

    def __init__(self, port):
        self.gate_port = port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, Sieve(self.gate_port) as gate:
            gate.greeting()
            gate.command("STARTTLS")
            # Some attacks are told from a safe server by who closes first: hand on each end.
            back = threading.Thread(target=_pump, args=(gate.raw, client), daemon=True)
            back.start()
            _pump(client, gate.raw)
            back.join()


def _pump(source, target):
    try:
        while octets := source.recv(65536):
            target.sendall(octets)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
