"""Fixtures: real servers on loopback, the gateway under test before them.

POSTERN names the binary (default build/postern): the sanitizer build is tested by the same suite.
--direct lets the client tests talk to the upstream itself: shows what the clients do by nature.
"""

import itertools
import os
import shutil
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(REPOSITORY, "tools"), HERE]

from rig import mail, pki                                                    # noqa: E402
from rig.dovecot import Dovecot                                              # noqa: E402
from rig.postfix import Postfix                                              # noqa: E402
from support.cyrus import Cyrus                                              # noqa: E402
from support.gates import Door, Gates                                        # noqa: E402

pytest_plugins = ["support.attack"]

MAILBOX = "reader@example.org"
MAILBOX_MESSAGES = 60
FRESH_USERS = 3000  # each test takes as many as it likes


def pytest_addoption(parser):
    parser.addoption("--direct", action="store_true", help="clients speak to the upstream itself")


def pytest_configure(config):
    config.addinivalue_line("markers", "quiet: measures time; wants the machine for itself")
    config.addinivalue_line("markers", "release: is about the release build, not a sanitizer's")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    if outcome.get_result().failed:
        item.session.has_failed = True


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("POSTERN", os.path.join(REPOSITORY, "build", "postern"))
    if not os.access(path, os.X_OK):
        pytest.fail(f"{path}: no such binary; build it or name it in POSTERN")
    return path


@pytest.fixture(scope="session")
def cache():
    """What is fetched once and kept between runs; git ignores it."""
    return os.path.join(REPOSITORY, ".cache")


@pytest.fixture(scope="session")
def base(request):
    """A short folder that processes without privileges can reach (pytest's own is closed)."""
    folder = tempfile.mkdtemp(prefix="postern-")
    os.chmod(folder, 0o755)
    yield folder
    if getattr(request.session, "has_failed", False) or os.environ.get("KEEP"):
        print(f"\nlogs and state of the servers are kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def authority(base):
    return pki.Authority(os.path.join(base, "pki"))


@pytest.fixture(scope="session")
def dovecot(base, authority):
    """The upstream of most tests; one mailbox is filled, the others are fresh users."""
    users = {MAILBOX: "the mailbox password"}
    for n in range(FRESH_USERS):
        users[f"user{n}@example.org"] = f"mailbox password {n}"
    server = Dovecot(os.path.join(base, "dovecot"), authority, users,
                     masters={"postern-master": "the master password"},
                     also=("pop3", "sieve", "delivery"))
    server.start()
    client = server.client(MAILBOX)
    mail.fill(client, mail.generate(MAILBOX, MAILBOX_MESSAGES, large_octets=(300_000, 5_000_000)))
    client.logout()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postfix(base, authority, dovecot):
    """Takes mail of Dovecot's users and delivers it into their mailboxes there."""
    server = Postfix(os.path.join(base, "postfix"), authority, dovecot)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def cyrus(base, cache, authority):
    server = Cyrus(os.path.join(base, "cyrus"), cache, authority,
                   {f"cy{n}@example.org": f"cyrus {n}" for n in range(8)})
    try:
        yield server.start()
    finally:
        server.stop()


_numbers = itertools.count(1)


@pytest.fixture
def number():
    return next(_numbers)


@pytest.fixture(scope="module")
def gates(request, base, binary, authority, dovecot):
    """Makes gateways; ends them with the module and fails it on a sanitizer's report."""
    maker = Gates(base, binary, authority, dovecot, _numbers,
                  postfix=lambda: request.getfixturevalue("postfix"))
    yield maker
    reports = maker.stop()
    assert not reports, "\n".join(reports)


@pytest.fixture(scope="module")
def gate(gates):
    """A gateway with the default settings before Dovecot."""
    return gates.start()


@pytest.fixture(scope="module")
def door(request, dovecot):
    """Where the client tests knock with one filled mailbox: the gate, or with --direct Dovecot."""
    if request.config.getoption("--direct"):
        return Door(dovecot.host, dovecot.ports, dovecot.authority.certificate, MAILBOX,
                    dovecot.users[MAILBOX])
    gate = request.getfixturevalue("gate")
    account = gate.enrol(MAILBOX)
    return gate.door(account)
