"""For tests/integration/attacks: one gateway with every gate, a bystander, and figures.

A plugin (conftest.py names it): its fixtures are there for all tests, figures are printed at the
end of the run.
"""

import os
import threading
import time

import pytest

from .connection import untrusting
from .dialect import IMAP

FIGURES = []
# A sanitizer keeps freed memory back to find who still uses it: its bounds are of that size.
SANITIZED_TIMES = 10 if "ASAN_OPTIONS" in os.environ else 1


@pytest.fixture(scope="session")
def context():
    return untrusting()


@pytest.fixture(scope="module")
def whole(gates):
    """Every gate, before Dovecot and Postfix."""
    return gates.start(protocols=("imap", "pop3", "submission", "sieve"))


def resident_octets(pid):
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class Watch:
    """Memory of the edges and the warden, and a bystander's round trips, while an attack runs."""

    def __init__(self, gate, context):
        self.gate = gate
        account = gate.account()
        self.wire = IMAP.opened(gate, account, context, source="127.0.88.1")
        self.edges = gate.role("edge")
        self.trips_ms = []
        self.peak = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def memory(self):
        return sum(resident_octets(pid)
                   for pid in self.gate.role("edge") + self.gate.role("warden"))

    def __enter__(self):
        self.before = self.peak = self.memory()
        self.began = time.monotonic()
        self.thread.start()
        return self

    def _run(self):
        while True:
            began = time.monotonic()
            if not IMAP.is_alive(self.wire):
                self.trips_ms.append(float("inf"))
                return
            self.trips_ms.append((time.monotonic() - began) * 1000)
            self.peak = max(self.peak, self.memory())
            if self.stop.wait(0.02):
                return

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.seconds = time.monotonic() - self.began
        self.wire.close()

    @property
    def grown(self):
        """Octets more than before, at most."""
        return max(self.peak, self.memory()) - self.before

    def check(self, request, most_octets, most_ms, what=""):
        """The bystander lived, waited no longer, and memory stayed below; the figures are kept."""
        trips = sorted(self.trips_ms)
        worst = trips[int(len(trips) * 0.99)]
        FIGURES.append(f"{request.node.name}: {self.seconds:.1f} s, "
                       f"memory at most +{self.grown / 1e6:.1f} MB, "
                       f"bystander p50 {trips[len(trips) // 2]:.1f} ms, p99 {worst:.1f} ms "
                       f"of {len(trips)} {what}")
        assert self.gate.role("edge") == self.edges, "an edge has died"
        assert self.grown <= most_octets * SANITIZED_TIMES, FIGURES[-1]
        assert worst <= most_ms, FIGURES[-1]


@pytest.fixture
def watch(whole, context):
    return Watch(whole, context)


def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if FIGURES and reporter:
        reporter.write_line("")
        for row in FIGURES:
            reporter.write_line(f"attack {row}")
