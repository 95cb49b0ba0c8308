"""A hostile upstream, or somebody on the way to it: it never ends, hurries nobody, speaks unasked.

That it is not shown a credential when its TLS is not what it must be: test_upstream.py (IMAP, and
PREAUTH) and test_upstream_faults.py (the others).
"""

import re
import time

import pytest

from support import dialogues
from support.attack import Watch
from support.dialect import POP3, SIEVE, SUBMISSION, by_name
from support.faulty import Faulty

EACH = pytest.mark.parametrize("dialect", [POP3, SUBMISSION, SIEVE], ids=by_name)
SPOKEN = {d.protocol: d for d in dialogues.ALL}
MOST_OCTETS = 24_000_000
MOST_MS = 1000
MOST_TAKEN = 8 << 20  # by both kernels' buffers, on the way to an edge that no longer reads
LOGIN_S = 2
LINES = {"pop3": b"X-ENDLESS\r\n", "submission": b"250-X-ENDLESS\r\n",
         "sieve": b'"X-ENDLESS" "x"\r\n'}
STARTS = {"pop3": b"+OK ", "submission": b"220-", "sieve": b'"IMPLEMENTATION" "'}


def pour(talk, octets):
    """Sends for as long as somebody takes it; the sum is in talk.owner.sent."""
    while True:
        talk.say(octets)
        talk.owner.sent += len(octets)


def endless_line(spoken):
    return lambda talk: (talk.say(STARTS[spoken.protocol]), pour(talk, b"x" * 16384))


def endless_capabilities(spoken):
    def run(talk):
        before, _, behind = spoken.capabilities.partition(b"{words}")
        if not spoken.is_unasked:
            talk.say(spoken.greeting)
            talk.line()
        talk.say(before)
        pour(talk, LINES[spoken.protocol] * 1000)
        talk.say(behind)
    return run


def octet_by_octet(spoken):
    def run(talk):
        for octet in STARTS[spoken.protocol] + b"x" * 1000:
            talk.say(bytes([octet]))
            time.sleep(0.05)
    return run


@EACH
@pytest.mark.parametrize("attack", [endless_line, endless_capabilities, octet_by_octet])
def test_an_upstream_that_never_comes_to_the_login(gates, context, request, dialect, attack):
    """Clients are told to come later, in time; no credential is shown, nothing is kept."""
    spoken = SPOKEN[dialect.name]
    with Faulty(gates.authority, attack(spoken)) as server:
        server.sent = 0
        gate = start(gates, dialect, server, connect_timeout=f"{LOGIN_S}s",
                     login_timeout=f"{LOGIN_S}s")
        with Watch(gate, context) as watch:
            account = gate.unverified()
            for _ in range(3):
                began = time.monotonic()
                with dialect.connected(gate, context) as wire:
                    said = dialect.ask(
                        wire, dialect.logins[0](account.user, account.app_password))[-1]
                assert re.match(dialect.later, said), said
                assert time.monotonic() - began < 2 * LOGIN_S + 1
        assert not spoken.has_credential(server.heard)
        assert server.sent < server.count * MOST_TAKEN, server.sent
        watch.check(request, MOST_OCTETS, MOST_MS, f"({server.sent} octets taken)")
        gate.stop()


@EACH
def test_an_upstream_that_speaks_unasked(gates, context, request, dialect):
    """Answers that nobody has asked for: the client could take them for those of its commands."""
    spoken = SPOKEN[dialect.name]

    def run(talk):
        words = spoken.words(True, True)
        talk.say(spoken.greeting.replace(b"{words}", words))
        while line := talk.line():
            if spoken.has_credential(line):
                talk.say(spoken.accepted)
                pour(talk, spoken.accepted * 1000)
            talk.say(spoken.capabilities.replace(b"{words}", words)
                     if line.upper().startswith(spoken.ask) else spoken.accepted)

    with Faulty(gates.authority, run) as server:
        server.sent = 0
        gate = start(gates, dialect, server)
        with Watch(gate, context) as watch:
            account = gate.unverified()
            with dialect.opened(gate, account, context) as wire:
                wire.seen.clear()
                assert wire.is_closed(5)
                assert not re.search(dialect.good, bytes(wire.seen)), wire.seen[:200]
            gate.wait_for(lambda: not gate.sessions(account.user), 5)
        watch.check(request, MOST_OCTETS, MOST_MS, f"({server.sent} octets taken)")
        gate.stop()


def start(gates, dialect, server, **changes):
    """A gateway before Dovecot for the bystander's IMAP and the hostile one for this protocol."""
    spoken = SPOKEN[dialect.name]
    return gates.start(protocols=("imap", dialect.name), upstreams={"mail": {
        **gates.upstream(), dialect.name: f"{spoken.implicit}://localhost:{server.port}",
        **changes}})
