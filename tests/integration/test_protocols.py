"""What holds at every gate: who gets in, what the others are told, and how a session ends."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.gateway import PROTOCOLS, SCHEMES, schemes
from rig.process import free_port
from support import otp
from support.connection import untrusting

WITHIN_S = 1.0
GATES = list(SCHEMES)
NEW = schemes("pop3", "submission", "sieve")
ONE_EACH = {"imap": "imaps", "pop3": "pop3s", "submission": "submissions", "sieve": "sieve"}
CLEAR = [name for name in NEW if SCHEMES[name][1] == "starttls"]

# The table of what the client sees (RFC 3206, 3463, 4954, 5804).
WORDS = {
    "password": {"pop3": b"-ERR [AUTH] ", "submission": b"534 5.7.9 ", "sieve": b'NO "'},
    "device": {"pop3": b"-ERR [AUTH] ", "submission": b"535 5.7.8 ", "sieve": b'NO "'},
    "later": {"pop3": b"-ERR [SYS/TEMP] ", "submission": b"454 4.7.0 ",
              "sieve": b"NO (TRYLATER) "},
    "off": {"pop3": b"-ERR [SYS/PERM] ", "submission": b"525 5.7.13 ", "sieve": b'NO "'},
    "clear": {"pop3": b"-ERR [AUTH] ", "submission": b"538 5.7.11 ",
              "sieve": b"NO (ENCRYPT-NEEDED) "},
}
each_new = pytest.mark.parametrize("name", NEW)
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS[1:])


@pytest.fixture(scope="module")
def gate(gates):
    """Every gate, before Dovecot and Postfix."""
    return gates.start(protocols=PROTOCOLS)


def says(what, name):
    return WORDS[what][SCHEMES[name][0]]


def at_once(function, values):
    """The results in turn; what is refused takes its time, so they run beside each other."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(function, values))


def opens(gate, user, secret, name, source=None):
    """Whether this login opens a session that lives."""
    with gate.connect(name, source) as wire:
        _, said = wire.ready().login(user, secret)
        return said.startswith(wire.accepted) and wire.is_alive()


# ---- who gets in ---------------------------------------------------------------------------------

def test_one_app_password_opens_every_gate(gate):
    account = gate.account()
    for name in GATES:
        assert opens(gate, account.user, account.app_password, name), name
    gate.wait_for(lambda: {row["gate"] for row in gate.events(account.user)
                           if row["kind"] == "login"} == set(GATES), what="no event of each gate")


def test_password_with_a_code_opens_every_protocol(gate):
    for name in ONE_EACH.values():
        account = gate.account(has_app_password=False)
        seed = gate.row("totp", "enrol", account.user)["secret"]
        otp.wait_for_room()
        secret = f"{account.password},{otp.totp(seed)}"
        assert opens(gate, account.user, secret, name), name
        assert not opens(gate, account.user, secret, name), f"{name}: the code counted twice"


def test_a_lease_opens_every_gate_from_its_network(gate):
    account = gate.account(has_app_password=False)
    gate.command("lease", "add", account.user, "--network", "127.0.80.0/24", "--for", "1h")
    for name in GATES:
        assert opens(gate, account.user, account.password, name, source="127.0.80.7"), name
    assert not opens(gate, account.user, account.password, "pop3s", source="127.0.81.7")


@each_protocol
def test_an_app_password_may_be_limited_to_one_protocol(gate, protocol):
    account = gate.account("--protocols", protocol)
    opened = at_once(lambda name: opens(gate, account.user, account.app_password, name),
                     ONE_EACH.values())
    assert dict(zip(ONE_EACH, opened)) == {other: other == protocol for other in ONE_EACH}


def test_names_are_normalised(gate):
    account = gate.account()
    local = account.user.partition("@")[0]
    for name in ONE_EACH.values():
        for user in (local, account.user.upper()):
            assert opens(gate, user, account.app_password, name), (name, user)


# ---- what the others are told --------------------------------------------------------------------

@each_new
def test_a_bare_password_right_or_wrong_is_told_the_same(gate, name):
    account = gate.account(has_app_password=False)
    answers = at_once(lambda pair: gate.attempt(*pair, gate=name)[1], (
        (account.user, account.password), (account.user, "wrong"),
        ("nobody@example.org", "whatever")))
    assert len(set(answers)) == 1, answers
    assert answers[0].startswith(says("password", name))
    assert b"https://portal.example.org" in answers[0]


@each_new
def test_a_wrong_app_password(gate, name):
    account = gate.account()
    wrong = account.app_password[:-1] + ("0" if account.app_password[-1] != "0" else "1")
    _, said = gate.attempt(account.user, wrong, gate=name)
    assert said.startswith(says("device", name)) and b"portal" not in said
    assert opens(gate, account.user, account.app_password, name)


@pytest.mark.parametrize("name", CLEAR)
def test_before_tls_no_credential_is_looked_at(gate, name):
    account = gate.account()
    count = len(gate.events(account.user))
    with gate.connect(name) as wire:
        wire.greeting()
        if name == "submission":
            wire.ehlo()
        answers = {wire.login(account.user, secret)[1] for secret in (account.app_password, "no")}
        assert len(answers) == 1 and answers.pop().startswith(says("clear", name))
        wire.secure(untrusting())
        if name == "submission":
            wire.ehlo()
        assert wire.login(account.user, account.app_password)[1].startswith(wire.accepted)
    row = gate.wait_for(lambda: gate.events(account.user)[count:count + 1], what="no event")
    assert row[0]["kind"] == "login"


def test_when_the_upstream_is_down_it_is_later(gates):
    urls = {protocol: f"{name}://localhost:{free_port()}" for protocol, name in ONE_EACH.items()}
    gate = gates.start(protocols=PROTOCOLS, upstreams={"mail": {
        **urls, "ca": gates.authority.certificate}})
    account = gate.fresh_user()
    gate.add_account(account.user)
    row = gate.add_app_password(account.user, account.password, "--no-check")
    answers = at_once(lambda n: gate.attempt(account.user, row["app_password"], gate=n)[1], NEW)
    for name, said in zip(NEW, answers):
        assert said.startswith(says("later", name)), said
    gate.stop()


def test_a_protocol_that_is_switched_off(gates):
    gate = gates.start(protocols=PROTOCOLS, policies={"default": {"legacy": ["imap"]}})
    account = gate.account()
    assert opens(gate, account.user, account.app_password, "imaps")
    for secret, what in ((account.app_password, "off"), (account.password, "password")):
        answers = at_once(lambda n, s=secret: gate.attempt(account.user, s, gate=n)[1], NEW)
        for name, said in zip(NEW, answers):
            assert said.startswith(says(what, name)), said
    gate.stop()


# ---- how a session ends --------------------------------------------------------------------------

BYES = {"pop3": b"", "submission": b"\r\n421 4.", "sieve": b"\r\nBYE "}


@each_new
@pytest.mark.parametrize("how", ["app-password revoke", "session end", "account disable"])
def test_revoking_ends_the_session_within_a_second(gate, name, how):
    account, bystander = gate.account(), gate.account()
    wire, other = gate.opened(account, gate=name), gate.opened(bystander, gate=name)
    began = time.monotonic()
    if how == "app-password revoke":
        gate.command("app-password", "revoke", account.app_password_id)
    elif how == "session end":
        row, = gate.sessions(account.user)
        assert row["gate"] == name
        gate.command("session", "end", row["session"])
    else:
        gate.command("account", "disable", account.user)
    assert wire.is_closed(5)
    assert time.monotonic() - began < WITHIN_S
    assert BYES[SCHEMES[name][0]] in wire.seen, wire.seen
    assert other.is_alive()
    other.close()


def test_a_message_that_was_being_sent_is_not_delivered(gate, gates):
    """Revoked in the middle of DATA: neither is the rest taken, nor what was sent delivered."""
    account, friend = gate.account(), gate.account()
    wire = gate.opened(account, gate="submissions")
    assert wire.begin(account.user, friend.user).startswith(b"250")
    assert wire.command("DATA").startswith(b"354")
    wire.send(b"Subject: half\r\n\r\nthe first half\r\n")
    began = time.monotonic()
    gate.command("app-password", "revoke", account.app_password_id)
    assert wire.is_closed(5)
    assert time.monotonic() - began < WITHIN_S
    gates.postfix().wait_until_delivered()
    client = gates.dovecot.client(friend.user)
    assert client.select("INBOX")[1] == [b"0"]
    client.logout()


# ---- capabilities --------------------------------------------------------------------------------

def test_what_is_offered_before_the_login_is_true_after_it(gate):
    """The upstream's own words, less what may not pass."""
    account = gate.account()
    with gate.connect("pop3s") as wire:
        before = set(wire.ready() and wire.capabilities())
        assert {"UIDL", "TOP", "USER", "SASL PLAIN", "PIPELINING", "RESP-CODES"} <= before
        assert "STLS" not in before
        wire.login(account.user, account.app_password)
        after = set(wire.capabilities())
        assert before - after <= {"USER", "SASL PLAIN"} and not after & {"STLS", "XCLIENT"}
    with gate.connect("submissions") as wire:
        wire.greeting()
        before = wire.ehlo()
        assert set(before["AUTH"].split()) == {"PLAIN", "LOGIN"}
        assert {"PIPELINING", "SIZE", "8BITMIME", "CHUNKING", "ENHANCEDSTATUSCODES"} <= set(before)
        wire.login(account.user, account.app_password)
        after = wire.ehlo()
        assert set(before) - set(after) <= {"AUTH"}
        assert not set(after) & {"STARTTLS", "XCLIENT", "XFORWARD"}
    with gate.connect("sieve") as wire:
        clear = wire.greeting()
        assert b'"STARTTLS"' in clear and b'"SASL" ""' in clear
        wire.secure(untrusting())
        before = wire.capabilities()
        assert before["SASL"] == "PLAIN" and "fileinto" in before["SIEVE"]
        wire.login(account.user, account.app_password)
        after = wire.capabilities()
        assert after["SIEVE"] == before["SIEVE"]
        assert not set(after) & {"STARTTLS", "UNAUTHENTICATE"}


@each_protocol
def test_no_capability_is_shown_before_tls_that_needs_it(gate, protocol):
    if protocol == "pop3":
        with gate.connect("pop3") as wire:
            wire.greeting()
            assert "STLS" in wire.capabilities()
            assert not {"USER", "SASL PLAIN"} & set(wire.capabilities())
    elif protocol == "submission":
        with gate.connect("submission") as wire:
            wire.greeting()
            offered = wire.ehlo()
            assert "STARTTLS" in offered and "AUTH" not in offered
            assert wire.command("MAIL FROM:<a@example.org>").startswith(b"530 5.7.0 ")
    else:
        with gate.connect("sieve") as wire:
            assert b'"SASL" ""' in wire.greeting()
