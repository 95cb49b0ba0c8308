"""Revoking ends the live sessions within one second; nothing else does."""

import time

import pytest

WITHIN_S = 1.0


def revoke_session(gate, account):
    row, = gate.sessions(account.user)
    gate.command("session", "end", row["session"])


REVOCATIONS = {
    "session end": revoke_session,
    "session end --account": lambda g, a: g.command("session", "end", "--account", a.user),
    "app-password revoke": lambda g, a: g.command("app-password", "revoke", a.app_password_id),
    "account disable": lambda g, a: g.command("account", "disable", a.user),
    "account remove": lambda g, a: g.command("account", "remove", a.user),
}


@pytest.mark.parametrize("state", ["selected", "idle"])
@pytest.mark.parametrize("how", REVOCATIONS)
def test_live_session_ends(gate, how, state):
    account, bystander = gate.account(), gate.account()
    wire, other = gate.opened(account), gate.opened(bystander)
    wire.command("SELECT INBOX")
    if state == "idle":
        wire.send(b"i1 IDLE\r\n")
        while not wire.line().startswith(b"+"):
            pass
    began = time.monotonic()
    REVOCATIONS[how](gate, account)
    assert wire.is_closed(5)
    assert time.monotonic() - began < WITHIN_S
    assert b"* BYE" in wire.seen
    assert other.command("NOOP")[1].startswith(b"OK")
    other.close()


def test_all_sessions_of_an_app_password_end_and_no_others(gate):
    account = gate.account()
    second = gate.add_app_password(account.user, account.password, label="second device")
    wires = [gate.opened(account) for _ in range(5)]
    with gate.connect() as kept:
        kept.line()
        assert kept.login(account.user, second["app_password"])[1].startswith(b"OK")
        began = time.monotonic()
        gate.command("app-password", "revoke", account.app_password_id)
        assert all(wire.is_closed(5) for wire in wires)
        assert time.monotonic() - began < WITHIN_S
        assert kept.command("NOOP")[1].startswith(b"OK")


def test_revoked_lease_ends_the_session_it_let_in(gate):
    account = gate.account(has_app_password=False)
    gate.command("lease", "add", account.user, "--network", "127.0.95.0/24", "--for", "1h")
    with gate.connect(source="127.0.95.1") as wire:
        wire.line()
        assert wire.login(account.user, account.password)[1].startswith(b"OK")
        row, = gate.rows("lease", "list", account.user)
        began = time.monotonic()
        gate.command("lease", "revoke", str(row["id"]))
        assert wire.is_closed(5)
        assert time.monotonic() - began < WITHIN_S


def test_what_was_revoked_opens_nothing(gate):
    account = gate.account()
    gate.command("app-password", "revoke", account.app_password_id)
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"NO")


def test_disabled_account_is_refused_and_enabled_again(gate):
    account = gate.account()
    gate.command("account", "disable", account.user)
    _, said = gate.attempt(account.user, account.app_password)
    assert said.startswith(b"NO [AUTHENTICATIONFAILED]")
    gate.command("account", "enable", account.user)
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK")


def test_expiry_of_an_app_password_cuts_no_open_session(gate):
    account = gate.account("--expires", "2s")
    with gate.opened(account) as wire:
        time.sleep(3)
        assert wire.command("NOOP")[1].startswith(b"OK")


def test_session_list_follows(gate):
    account = gate.account()
    with gate.opened(account):
        row, = gate.sessions(account.user)
        assert row["account"] == account.user and row["gate"] == "imaps"
        assert row["tls_version"] == "1.3"
    gate.wait_for(lambda: not gate.sessions(account.user), 5, "session still listed")
