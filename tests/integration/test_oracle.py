"""No oracle: every kind of refused password takes the same time.

Unknown account, wrong password, right password without a second factor, and an account without
factors are tried interleaved, each from a source of its own, so that neither drift of the machine
nor the throttle tells them apart. tests/integration/test_timing_method.py shows on made-up times
that the statistic sees a leak; here a leak is put into the real ones.

A lease lets a password go on to the mail server, which takes its time to refuse it: Dovecot's two
seconds must drown in Postern's own delay, and without that delay they must be found.
"""

import itertools
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.dovecot import Dovecot
from support.timing import difference

ROUNDS = int(os.environ.get("ORACLE_ROUNDS", "120"))
LEAK_S = 0.005       # on an idle machine 2 ms are seen as well; this also holds on a busy one
AT_ONCE = 4          # more would make noise of their own
SLOW_ROUNDS = 24
SLOW_AT_ONCE = 16  # they sleep

pytestmark = pytest.mark.quiet


@pytest.fixture(scope="module")
def gate(gates):
    # A short delay for a short test; the checks must end within it all the same.
    return gates.start(throttle={"per_source": 100_000, "per_account": 100_000},
                       session={"refusal_delay": "200ms"})


def kinds(gate):
    """kind → a function that makes the next (user, secret) of that kind."""
    enrolled = [gate.account() for _ in range(4)]
    bare = [gate.account(has_app_password=False) for _ in range(4)]
    coded = [gate.account() for _ in range(4)]
    for account in coded:
        gate.row("totp", "enrol", account.user)
    count = itertools.count()

    def guess(user):
        return user, f"wrong password {next(count)}"

    return {
        "unknown account": lambda: guess(f"nobody{next(count)}@example.org"),
        "wrong password": lambda: guess(random.choice(enrolled).user),
        "wrong password, code enrolled": lambda: guess(random.choice(coded).user),
        "right password, no code": lambda: (lambda a: (a.user, a.password))(random.choice(coded)),
        "right password, app password enrolled":
            lambda: (lambda a: (a.user, a.password))(random.choice(enrolled)),
        "right password, no factor":
            lambda: (lambda a: (a.user, a.password))(random.choice(bare)),
    }


def timed(gate, user, secret, source):
    """Seconds from the last octet of the login to its refusal."""
    with gate.connect(source=source) as wire:
        wire.line()
        began = time.perf_counter()
        _, said = wire.login(user, secret)
        took = time.perf_counter() - began
    assert said.startswith(b"NO [AUTHENTICATIONFAILED]"), said
    return took


def measure(gate, makers, rounds, at_once=AT_ONCE):
    """kind → times; each round tries every kind once, in random order."""
    rng = random.Random(7)
    plan = []
    for number in range(rounds):
        order = list(makers)
        rng.shuffle(order)
        plan += [(kind, *makers[kind](), f"127.{10 + number % 200}.{1 + number // 200}.9")
                 for kind in order]
    times = {kind: [] for kind in makers}
    with ThreadPoolExecutor(at_once) as pool:
        results = pool.map(lambda p: (p[0], timed(gate, *p[1:])), plan)
        for kind, took in results:
            times[kind].append(took)
    return times


@pytest.fixture(scope="module")
def times(gate):
    makers = kinds(gate)
    measure(gate, makers, 3)           # warm
    return measure(gate, makers, ROUNDS)


def test_every_refusal_takes_the_same_time(times):
    found = {f"{a} / {b}": difference(times[a], times[b])
             for a, b in itertools.combinations(times, 2)}
    for pair, told in found.items():
        print(f"{pair}: {told}")
    leaks = {pair: str(told) for pair, told in found.items() if told.is_leak}
    assert not leaks, leaks


def test_a_leak_put_in_is_found(times):
    """The same times, one kind some milliseconds later: each comparison with it must tell."""
    for late, other in itertools.permutations(times, 2):
        assert difference([t + LEAK_S for t in times[late]], times[other]).is_leak, (late, other)


def test_repeated_secret_takes_the_same_time(gate):
    """The cache that answers a known wrong secret must not show that it knows it."""
    account = gate.account()
    count = itertools.count()
    makers = {"known": lambda: (account.user, "stale password"),
              "new": lambda: (account.user, f"new {next(count)}")}
    measure(gate, makers, 3)
    times = measure(gate, makers, ROUNDS)
    told = difference(times["known"], times["new"])
    assert not told.is_leak, str(told)


# ---- behind a lease the mail server refuses, slowly -------------------------------------------

@pytest.fixture(scope="module")
def slow(base, authority):
    """A Dovecot that waits before it refuses, as it does where nobody has changed that."""
    users = {f"slow{n}@example.org": f"mailbox password {n}" for n in range(8)}
    server = Dovecot(os.path.join(base, "slow"), authority, users, label="slow",
                     failure_delay="2 secs").start()
    yield server
    server.stop()


def leased_or_not(gates, slow, refusal_delay, rounds):
    """Times of wrong passwords with a matching lease and without one."""
    gate = gates.start(server=slow, upstreams={"mail": gates.upstream(slow)},
                       session={"refusal_delay": refusal_delay},
                       throttle={"per_source": 100_000, "per_account": 100_000})
    users = list(slow.users)
    for user in users:
        gate.add_account(user)
    for user in users[::2]:
        gate.command("lease", "add", user, "--network", "127.0.0.0/8", "--for", "1h")
    count = itertools.count()
    makers = {
        "matching lease": lambda: (random.choice(users[::2]), f"wrong password {next(count)}"),
        "no lease": lambda: (random.choice(users[1::2]), f"wrong password {next(count)}"),
    }
    times = measure(gate, makers, rounds, SLOW_AT_ONCE)
    gate.stop()
    told = difference(times["matching lease"], times["no lease"])
    print(f"refusal_delay {refusal_delay}: {told}; "
          + ", ".join(f"{kind} {min(t):.3f} to {max(t):.3f} s" for kind, t in times.items()))
    return told


def test_a_lease_does_not_show_by_time(gates, slow):
    told = leased_or_not(gates, slow, "3500ms", SLOW_ROUNDS)
    assert not told.is_leak, str(told)


def test_without_the_delay_a_lease_shows(gates, slow):
    """The leak that is really in the program when its delay is taken away."""
    told = leased_or_not(gates, slow, 0, SLOW_ROUNDS)
    assert told.is_leak, str(told)
