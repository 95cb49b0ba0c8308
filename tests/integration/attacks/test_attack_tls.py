"""Attacks on TLS itself and on patience, at every gate; each prints what it cost."""

import ssl
import threading
import time

import pytest

from rig.gateway import SCHEMES
from support import gnutls, rehandshake
from support.attack import Watch
from support.connection import Connection
from support.dialect import ALL, by_name

GATES = pytest.mark.parametrize("name", SCHEMES)
EACH = pytest.mark.parametrize("dialect", ALL, ids=by_name)
DIALECTS = {dialect.name: dialect for dialect in ALL}
MOST_OCTETS = 24_000_000
MOST_MS = 1000
HANDSHAKE_S, LOGIN_S = 2, 4
FLOODS = 40  # one is over in a moment


@pytest.fixture(scope="module")
def hasty(gates):
    """Every gate, with short deadlines."""
    return gates.start(protocols=tuple(DIALECTS), session={
        "handshake_timeout": f"{HANDSHAKE_S}s", "login_timeout": f"{LOGIN_S}s"})


def before_handshake(gate, name, source=None):
    """A connection to this gate on which the next octet is TLS's."""
    protocol, tls = SCHEMES[name]
    wire = Connection(gate.ports[name], source=source)
    if tls == "starttls":
        dialect = DIALECTS[protocol]
        dialect.reply(wire)
        if protocol == "submission":
            dialect.ask(wire, b"EHLO attacker.example\r\n")
        assert dialect.ask(wire, dialect.starttls)
    return wire


def hello():
    """The octets of a ClientHello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


@GATES
def test_a_tls_handshake_never_finished(hasty, context, request, name):
    """120 at once: silent, in the middle of the ClientHello, and behind it. All are dropped."""
    begins = (b"", hello()[:40], hello())
    with Watch(hasty, context) as watch:
        wires = [before_handshake(hasty, name, f"127.0.71.{n + 1}") for n in range(120)]
        for n, wire in enumerate(wires):
            wire.send(begins[n % 3])
        deadline = time.monotonic() + HANDSHAKE_S + 2
        for wire in wires:
            assert wire.is_closed(max(deadline - time.monotonic(), 0.01))
            wire.close()
    watch.check(request, MOST_OCTETS, MOST_MS)


@GATES
def test_a_flood_of_renegotiations_ends_the_session(hasty, context, request, name):
    """TLS 1.2: none is granted, and who goes on asking is sent away."""
    with Watch(hasty, context) as watch:
        for _ in range(FLOODS):
            client = rehandshake.Client(before_handshake(hasty, name).raw)
            began, asked = time.monotonic(), 0
            try:
                while asked < 100_000:
                    client.ask()
                    asked += 1
            except OSError:
                pass
            assert asked < 100_000
            assert time.monotonic() - began < LOGIN_S, "it was the login's deadline"
            client.stream.close()
    watch.check(request, MOST_OCTETS, MOST_MS, f"(the last asked {asked} times)")


@GATES
def test_a_renegotiation_is_not_granted(hasty, name):
    """A ClientHello in the open session gets a warning, and no ServerHello."""
    client = rehandshake.Client(before_handshake(hasty, name).raw)
    for _ in range(8):
        client.ask()
    client.stream.settimeout(0.3)
    kinds = client.records()
    client.stream.close()
    assert kinds.count(rehandshake.ALERT) == 8, kinds
    assert rehandshake.HANDSHAKE not in kinds, kinds


@GATES
def test_a_flood_of_key_updates_ends_the_session(hasty, context, request, name):
    """TLS 1.3 sets no bound to them (RFC 8446 §4.6.3), and each costs a key schedule."""
    with Watch(hasty, context) as watch:
        for _ in range(FLOODS):
            wire = before_handshake(hasty, name)
            with gnutls.Client(wire.raw) as client:
                began = time.monotonic()
                sent = client.key_updates(100_000)
                assert sent < 100_000
                assert time.monotonic() - began < LOGIN_S, "it was the login's deadline"
    watch.check(request, MOST_OCTETS, MOST_MS, f"(the last took {sent})")


@EACH
def test_a_few_key_updates_are_nothing_bad(hasty, dialect):
    wire = before_handshake(hasty, dialect.implicit or dialect.clear)
    with gnutls.Client(wire.raw) as client:
        assert client.key_updates(8) == 8
        time.sleep(0.2)
        assert client.key_updates(8) == 8


@EACH
def test_slow_senders(hasty, context, request, dialect):
    """100 logins of an octet every now and then: others do not wait, and the deadline ends them."""
    login = dialect.logins[0]("user1@example.org", "x" * 40)
    stop = threading.Event()
    with Watch(hasty, context) as watch:
        wires = [dialect.connected(hasty, context, source=f"127.0.72.{n + 1}")
                 for n in range(100)]

        def trickle():
            for octet in login:
                for wire in wires:
                    try:
                        wire.send(bytes([octet]))
                    except OSError:
                        pass
                if stop.wait(0.25):
                    return

        sender = threading.Thread(target=trickle)
        sender.start()
        deadline = time.monotonic() + LOGIN_S + 2
        is_closed = [wire.is_closed(max(deadline - time.monotonic(), 0.01)) for wire in wires]
        stop.set()
        sender.join()
        for wire in wires:
            wire.close()
    assert all(is_closed), f"{is_closed.count(False)} live on"
    watch.check(request, MOST_OCTETS, MOST_MS)


def timers(port):
    """The kernel's timers of established connections to (or from) this local port: 2 is keepalive,
    1 a retransmission."""
    found = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(path, encoding="ascii") as f:
            for row in (line.split() for line in f.readlines()[1:]):
                if row[3] == "01" and int(row[1].rsplit(":", 1)[1], 16) == port:
                    found.append(int(row[5].split(":")[0], 16))
    return found


@EACH
def test_half_open_connections_are_found_out(hasty, context, dialect):
    """Of a client that vanished without a word the kernel hears by keepalive, at every gate."""
    account = hasty.account()
    with dialect.opened(hasty, account, context):
        deadline = time.monotonic() + 5
        port = hasty.ports[dialect.implicit or dialect.clear]
        while 2 not in timers(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert timers(port).count(2) == len(timers(port)) == 1, timers(port)


def test_connections_reset_in_the_middle(hasty, context, request):
    """400 RSTs: before TLS, in the handshake, before and after the login. Nothing is left."""
    account = hasty.account()
    with Watch(hasty, context) as watch:
        for n in range(100):
            for name in ("imaps", "pop3", "submissions", "sieve"):
                wire = before_handshake(hasty, name)
                if n % 4 == 1:
                    wire.send(hello())
                elif n % 4 > 1:
                    wire.start_tls(context)
                    if n % 4 == 3:
                        wire.send(b"AUTH PLAIN ")
                wire.reset()
    hasty.wait_for(lambda: not hasty.sessions(account.user), 5)
    watch.check(request, MOST_OCTETS, MOST_MS)
