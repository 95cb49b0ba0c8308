"""POP3, submission and ManageSieve upstreams that are not what they must be.

Whatever is wrong, the client is told to come back later and no credential leaves the gate.
"""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import unverifiable
from support.dialogues import ALL
from support.faulty import Faulty

LATER = {"pop3": b"-ERR [SYS/TEMP]", "submission": b"454 4.7.0", "sieve": b"NO (TRYLATER)"}
GATES = {"pop3": "pop3s", "submission": "submissions", "sieve": "sieve"}


class Upstreams:
    """A faulty server of each protocol, and one gateway before all of them."""

    def __init__(self, gates, stack, fault="", **options):
        self.gates = gates
        self.servers = {d: stack.enter_context(
            Faulty(gates.authority, d.script(fault), **{"is_tls": False, **options})) for d in ALL}

    def answers(self, *others, is_implicit=False):
        """protocol → the last line of a login through its gate; `others` are asked afterwards."""
        urls = {d.protocol: [f"{d.implicit if is_implicit else d.explicit}://localhost:"
                             f"{chosen.servers[d].port}" for chosen in (self, *others)]
                for d in self.servers}
        gate = self.gates.start(protocols=tuple(urls), upstreams={"mail": {
            **urls, "ca": self.gates.authority.certificate, "connect_timeout": "1s"}})
        account = gate.unverified()

        def attempt(protocol):
            return gate.attempt(account.user, account.app_password, gate=GATES[protocol])[1]

        with ThreadPoolExecutor() as pool:
            said = dict(zip(urls, pool.map(attempt, urls)))
        gate.stop()
        return said

    def heard(self):
        """The protocols whose server was shown a credential."""
        assert all(server.count >= 1 for server in self.servers.values())
        return [d.protocol for d, server in self.servers.items() if d.has_credential(server.heard)]


def is_later(said):
    return {protocol: line.startswith(LATER[protocol]) for protocol, line in said.items()}


ALL_LATER = dict.fromkeys(LATER, True)
NONE_LATER = dict.fromkeys(LATER, False)


@pytest.fixture
def stack():
    with contextlib.ExitStack() as opened:
        yield opened


def test_healthy_ones_are_logged_in_to(gates, stack):
    """The scripts speak well enough: what is refused below is refused for its fault."""
    healthy = Upstreams(gates, stack)
    assert is_later(healthy.answers()) == NONE_LATER
    assert healthy.heard() == list(LATER)


@pytest.mark.parametrize("fault", ["stripped", "declined", "injected"])
def test_no_credential_when_starttls_goes_wrong(gates, stack, fault):
    faulty = Upstreams(gates, stack, fault)
    assert is_later(faulty.answers()) == ALL_LATER
    assert faulty.heard() == []


@pytest.mark.parametrize("is_implicit", [False, True], ids=["STARTTLS", "TLS"])
@pytest.mark.parametrize("what", unverifiable.KINDS)
def test_no_credential_for_a_certificate_that_does_not_verify(gates, base, stack, what,
                                                              is_implicit):
    faulty = Upstreams(gates, stack, is_tls=is_implicit,
                       certificate=unverifiable.certificate(gates.authority, base, what))
    assert is_later(faulty.answers(is_implicit=is_implicit)) == ALL_LATER
    assert faulty.heard() == []


@pytest.mark.parametrize("fault", ["busy", "hangs"])
def test_next_url_is_asked_when_one_does_not_serve(gates, stack, fault):
    faulty, healthy = Upstreams(gates, stack, fault), Upstreams(gates, stack)
    assert is_later(faulty.answers(healthy)) == NONE_LATER
    assert faulty.heard() == [] and healthy.heard() == list(LATER)
