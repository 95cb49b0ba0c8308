"""What systemd does around the service, without systemd: sockets handed over, readiness told."""

import os
import signal
import socket

import pytest

PASS = 'LISTEN_PID=$$ exec "$@"'


@pytest.fixture
def notified(base, number):
    """A datagram socket in the place of systemd's, which the service may write to."""
    path = os.path.join(base, f"notify{number}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.settimeout(15)
        yield path, listener


def told(listener, word):
    """Waits for a notification with this line."""
    while True:
        rows = listener.recv(65536).decode().split("\n")
        if word in rows:
            return rows


def test_readiness_reload_and_end_are_told(gates, notified):
    path, listener = notified
    gate = gates.start(environment={"NOTIFY_SOCKET": path})
    told(listener, "READY=1")
    gate.reload()
    told(listener, "RELOADING=1")
    told(listener, "READY=1")
    gate.child.signal(signal.SIGTERM)
    told(listener, "STOPPING=1")
    gate.stop()


def test_socket_that_was_handed_over_is_the_gate_s(gates):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        gate = gates.make(gates={"imaps": {"protocol": "imap", "listen": f"127.0.0.1:{port}",
                                           "tls": "implicit"}},
                          environment={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "imaps"})
        # The descriptor must be number 3 in the service.
        gate.wrap = ["bash", "-c", f"exec 3<&{listener.fileno()}; {PASS}", "bash"]
        gate.inherited = (listener.fileno(),)
        gate.start()
    account = gate.account()
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK")
    gate.stop()
