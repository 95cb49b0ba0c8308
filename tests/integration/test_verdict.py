"""What opens a mailbox and what does not: app passwords, codes, leases, policies, the throttle."""

import base64
import contextlib
import os
import signal
import sqlite3
import time

import pytest

from rig.dovecot import Dovecot
from rig.gateway import seconds
from rig.process import RigError
from support import otp

OK = b"OK"
REFUSED = b"NO [AUTHENTICATIONFAILED]"
LATER = b"NO [UNAVAILABLE]"


def failures(server, user):
    """The failed logins of a user in Dovecot's log."""
    return [line for line in server.log_tail(1000).splitlines()
            if "auth failed" in line and f"user=<{user}>" in line]


def answer(gate, user, secret, source=None):
    return gate.attempt(user, secret, source=source)[1]


# ---- app passwords ----------------------------------------------------------------------------

def test_shape_of_an_app_password(gate):
    seen = {gate.account().app_password for _ in range(3)}
    assert len(seen) == 3
    for secret in seen:
        assert secret.startswith("pst_") and len(secret) >= 4 + 26
        assert secret[4:].isalnum()


def test_app_password_is_listed_with_its_last_use(gate):
    account = gate.account()
    with gate.connect(source="127.0.80.1") as wire:
        wire.line()
        wire.command('ID ("name" "Lister")')
        assert wire.login(account.user, account.app_password)[1].startswith(OK)
        row, = gate.wait_for(lambda: [r for r in gate.rows("app-password", "list", account.user)
                                      if r["last_used_at"]])
    assert row["id"] == account.app_password_id and row["label"] == "test device"
    assert abs(seconds(row["last_used_at"]) - time.time()) < 60
    assert "127.0.80.1" in row["last_source"] and "Lister" in row["last_client"]
    assert account.app_password not in str(row)


def test_expired_app_password(gate):
    account = gate.account("--expires", "2s")
    assert answer(gate, account.user, account.app_password).startswith(OK)
    time.sleep(2.5)
    assert answer(gate, account.user, account.app_password).startswith(REFUSED)


def test_app_password_for_another_protocol(gate):
    account = gate.account("--protocols", "pop3")
    assert answer(gate, account.user, account.app_password).startswith(b"NO")


def test_wrong_mailbox_password_makes_no_app_password(gate):
    account = gate.account(has_app_password=False)
    done = gate.command("app-password", "add", account.user, "--label", "x", "--json",
                        stdin="not the mailbox password\n", check=False)
    assert done.returncode != 0 and done.stderr
    assert "pst_" not in done.stdout


def test_bound_to_the_network_of_the_first_use(gates):
    bound = gates.start(policies={"default": {"bind": "network"}})
    account = bound.account()
    assert answer(bound, account.user, account.app_password, "127.0.81.1").startswith(OK)
    assert answer(bound, account.user, account.app_password, "127.0.81.2").startswith(OK)
    assert answer(bound, account.user, account.app_password, "127.9.82.1").startswith(REFUSED)
    bound.stop()


def test_changed_mailbox_password(gates, base, authority):
    server = Dovecot(os.path.join(base, "changing"), authority, {"who@example.org": "old one"},
                     label="changing").start()
    gate = gates.start(server=server, upstreams={"mail": gates.upstream(server)})
    account = gate.enrol("who@example.org")
    assert answer(gate, account.user, account.app_password).startswith(OK)
    server.set_password("who@example.org", "a new one")
    untagged, said = gate.attempt(account.user, account.app_password)
    assert said.startswith(b"NO"), said
    assert any(b"[ALERT]" in line for line in untagged) or b"password" in said.lower()
    assert any(row["account"] == account.user and row["reason"] for row in gate.events())
    # A phone goes on trying: its owner was told, and the mail server is left alone.
    for _ in range(5):
        untagged, said = gate.attempt(account.user, account.app_password)
        assert said.startswith(REFUSED) and not any(b"[ALERT]" in line for line in untagged)
    assert len(failures(server, account.user)) == 1, server.log_tail(50)
    # Something was done: perhaps that has mended it.
    gate.command("account", "disable", account.user)
    gate.command("account", "enable", account.user)
    assert answer(gate, account.user, account.app_password).startswith(REFUSED)
    assert len(failures(server, account.user)) == 2, server.log_tail(50)
    server.set_password(account.user, "old one")
    gate.command("account", "enable", account.user)
    assert answer(gate, account.user, account.app_password).startswith(OK)
    gate.stop()
    server.stop()


def test_no_app_password_where_none_can_work(gates):
    gate = gates.start(upstreams={"mail": gates.upstream(login="passthrough")})
    account = gate.account(has_app_password=False)
    done = gate.command("app-password", "add", account.user, "--label", "x", "--json",
                        stdin=account.password + "\n", check=False)
    assert done.returncode != 0 and "pst_" not in done.stdout
    assert 'set login = "sealed" or "master"' in done.stderr
    gate.stop()


def test_app_password_of_a_master_login_after_a_change_to_sealed(gates):
    master = gates.upstream(login="master", master_user="postern-master",
                            master_password="the master password")
    gate = gates.start(upstreams={"mail": master})
    account = gate.account()
    assert answer(gate, account.user, account.app_password).startswith(OK)
    gate.stop()
    gate.settings["upstreams"]["mail"] = gates.upstream()
    gate.start()
    untagged, said = gate.attempt(account.user, account.app_password)
    assert said.startswith(REFUSED) and any(b"new app password" in line for line in untagged)
    assert any(row["reason"] == "no-sealed-password" for row in gate.events(account.user))
    gate.stop()


# ---- one-time codes ---------------------------------------------------------------------------

@pytest.fixture
def coder(gate):
    account = gate.account()
    account.totp = gate.row("totp", "enrol", account.user)["secret"]
    otp.wait_for_room()
    return account


@pytest.mark.parametrize("join", ["{0}{1}", "{0},{1}"])
def test_password_with_code(gate, coder, join):
    secret = join.format(coder.password, otp.totp(coder.totp))
    assert answer(gate, coder.user, secret).startswith(OK)


def test_a_code_counts_once(gate, coder):
    secret = f"{coder.password},{otp.totp(coder.totp)}"
    assert answer(gate, coder.user, secret).startswith(OK)
    assert answer(gate, coder.user, secret).startswith(REFUSED)
    other = f"{coder.password}{otp.totp(coder.totp)}"
    assert answer(gate, coder.user, other).startswith(REFUSED)


def test_wrong_code_and_old_code(gate, coder):
    code = int(otp.totp(coder.totp))
    wrong = f"{(code + 1) % 1_000_000:06d}"
    assert answer(gate, coder.user, f"{coder.password},{wrong}").startswith(REFUSED)
    old = otp.totp(coder.totp, offset_steps=-20)
    assert answer(gate, coder.user, f"{coder.password},{old}").startswith(REFUSED)
    assert answer(gate, coder.user, f"wrong,{otp.totp(coder.totp)}").startswith(REFUSED)


def test_enrolled_code_does_not_open_by_the_password_alone(gate, coder):
    assert answer(gate, coder.user, coder.password).startswith(REFUSED)


def test_reuse_window_is_bound_to_secret_and_address(gates):
    gate = gates.start(policies={"default": {"otp_reuse": "60s"}})
    account = gate.account()
    seed = gate.row("totp", "enrol", account.user)["secret"]
    otp.wait_for_room(12)
    secret = f"{account.password},{otp.totp(seed)}"
    assert answer(gate, account.user, secret, "127.0.83.1").startswith(OK)
    assert answer(gate, account.user, secret, "127.0.83.1").startswith(OK)
    assert answer(gate, account.user, secret, "127.7.84.1").startswith(REFUSED)
    gate.stop()


# ---- leases -----------------------------------------------------------------------------------

def test_lease_lets_the_bare_password_pass_from_its_network(gate):
    account = gate.account(has_app_password=False)
    assert answer(gate, account.user, account.password, "127.0.85.1").startswith(REFUSED)
    gate.command("lease", "add", account.user, "--network", "127.0.85.0/24", "--for", "8h")
    assert answer(gate, account.user, account.password, "127.0.85.1").startswith(OK)
    assert answer(gate, account.user, "not it", "127.0.85.1").startswith(REFUSED)
    assert answer(gate, account.user, account.password, "127.0.86.1").startswith(REFUSED)
    row, = gate.rows("lease", "list", account.user)
    assert row["network"].startswith("127.0.85.0")
    assert seconds(row["expires_at"]) > time.time() + 7 * 3600
    gate.command("lease", "revoke", str(row["id"]))
    assert answer(gate, account.user, account.password, "127.0.85.1").startswith(REFUSED)


def test_lease_revoked_behind_a_warden_that_dies(gates):
    """Killed between the commit and telling the edges: its successor finds out."""
    gate = gates.start()
    leased, other = gate.account(has_app_password=False), gate.account(has_app_password=False)
    rows = {a.user: gate.row("lease", "add", a.user, "--network", "127.0.93.0/24", "--for", "8h")
            for a in (leased, other)}
    wires = {}
    for account in (leased, other):
        wire = wires[account.user] = gate.connect(source="127.0.93.1")
        wire.line()
        assert wire.login(account.user, account.password)[1].startswith(OK)
    warden, = gate.role("warden")
    os.kill(warden, signal.SIGSTOP)
    with contextlib.closing(sqlite3.connect(os.path.join(gate.state, "postern.db"))) as db, db:
        db.execute("DELETE FROM lease WHERE id = ?", (rows[leased.user]["id"],))
    os.kill(warden, signal.SIGKILL)
    assert wires[leased.user].is_closed(10)
    assert wires[other.user].command("NOOP")[1].startswith(OK)
    gate.stop()


def test_lease_ends(gate):
    account = gate.account(has_app_password=False)
    gate.command("lease", "add", account.user, "--network", "127.0.87.1/32", "--for", "2s")
    assert answer(gate, account.user, account.password, "127.0.87.1").startswith(OK)
    time.sleep(2.5)
    assert answer(gate, account.user, account.password, "127.0.87.1").startswith(REFUSED)


# ---- policies ---------------------------------------------------------------------------------

def test_modes_and_patterns(gates):
    gate = gates.start(policies={
        "watched": {"accounts": ["user*1@example.org", "user*2@example.org", "user*3@example.org",
                                 "user*4@example.org", "user*5@example.org"], "mode": "observe"},
        "warned": {"accounts": ["user*6@example.org", "user*7@example.org"], "mode": "warn"},
        "default": {"mode": "enforce"}})
    found = {}
    while len(found) < 3:
        account = gate.fresh_user()
        last = int(account.user.split("@")[0][-1])
        kind = "observe" if 1 <= last <= 5 else "warn" if last in (6, 7) else "enforce"
        if kind not in found:
            gate.add_account(account.user)
            found[kind] = account
    said = {kind: gate.attempt(a.user, a.password) for kind, a in found.items()}
    assert said["observe"][1].startswith(OK) and said["warn"][1].startswith(OK)
    assert any(b"[ALERT]" in line for line in said["warn"][0]), said["warn"]
    assert said["enforce"][1].startswith(REFUSED)
    assert answer(gate, found["observe"].user, "wrong one").startswith(REFUSED)
    assert any(row["account"] == found["observe"].user for row in gate.events())
    gate.stop()


def test_protocol_switched_off(gates):
    gate = gates.start(policies={"default": {"legacy": []}})
    account = gate.account()
    untagged, said = gate.attempt(account.user, account.app_password)
    assert said.startswith(b"NO [CONTACTADMIN]") and any(b"[ALERT]" in u for u in untagged)
    _, bare = gate.attempt(account.user, account.password)
    assert bare.startswith(REFUSED)
    gate.stop()


def test_networks_of_a_policy(gates):
    gate = gates.start(policies={"default": {"networks": ["127.0.88.0/24"]}})
    account = gate.account()
    assert answer(gate, account.user, account.app_password, "127.0.88.9").startswith(OK)
    assert answer(gate, account.user, account.app_password, "127.0.89.9").startswith(b"NO")
    gate.stop()


def test_session_cap_sheds_the_oldest_idle_session(gates):
    gate = gates.start(session={"per_account": 4})
    account = gate.account()
    wires = [gate.opened(account) for _ in range(4)]
    for wire in wires[1:]:
        time.sleep(0.05)
        assert wire.command("NOOP")[1].startswith(OK)
    fifth = gate.opened(account)
    assert wires[0].is_closed(5)
    for wire in (*wires[1:], fifth):
        assert wire.command("NOOP")[1].startswith(OK)
        wire.close()
    gate.stop()


# ---- the throttle -----------------------------------------------------------------------------

def test_a_guessing_source_is_told_later_and_others_are_not(gates):
    gate = gates.start(throttle={"per_source": 10, "per_account": 1000})
    account = gate.account()
    for n in range(30):
        if answer(gate, f"victim{n}@example.org", f"guess {n}", "127.3.90.1").startswith(LATER):
            break
    else:
        pytest.fail("thirty guesses from one place and never told to wait")
    assert answer(gate, "someone@example.org", "guess", "127.3.90.2").startswith(LATER)
    # A neighbour of the guesser that has never logged in: an app password is no guess.
    assert answer(gate, account.user, account.app_password, "127.3.90.2").startswith(OK)
    assert answer(gate, account.user, "pst_" + "0" * 37, "127.3.90.2").startswith(REFUSED)
    assert answer(gate, account.user, account.app_password, "127.4.91.1").startswith(OK)
    gate.stop()


def test_the_same_wrong_secret_counts_once(gates):
    gate = gates.start(throttle={"per_source": 6, "per_account": 6})
    account = gate.account()
    for _ in range(25):
        assert answer(gate, account.user, "stale password", "127.5.92.1").startswith(REFUSED)
    assert answer(gate, account.user, account.app_password, "127.5.92.1").startswith(OK)
    gate.stop()


# ---- secrets at rest --------------------------------------------------------------------------

def test_a_copy_of_the_database_gives_nothing_away(gates):
    gate = gates.start()
    account = gate.account()
    seed = gate.row("totp", "enrol", account.user)["secret"]
    gate.opened(account).close()
    gate.stop()
    raw_seed = base64.b32decode(seed + "=" * (-len(seed) % 8))
    secret = account.app_password.split("_", 1)[1]
    hunted = [account.password.encode(), account.app_password.encode(), seed.encode(), raw_seed,
              *(secret[i : i + 20].encode() for i in range(8, max(9, len(secret) - 19)))]
    key_octets = None
    for name in os.listdir(gate.state):
        path = os.path.join(gate.state, name)
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as f:
            octets = f.read()
        if name == "key":
            key_octets = octets
            assert os.stat(path).st_mode & 0o077 == 0
            continue
        for needle in hunted:
            assert needle not in octets, (name, needle)
    assert key_octets
    assert account.user.encode() in b"".join(
        open(os.path.join(gate.state, n), "rb").read() for n in os.listdir(gate.state)
        if n.endswith((".db", "-wal")))


def test_no_new_key_for_an_old_database(gates):
    gate = gates.start()
    account = gate.account()
    gate.stop()
    key = os.path.join(gate.state, "key")
    os.rename(key, key + ".away")
    with pytest.raises(RigError):
        gate.start(timeout_s=10)
    gate.stop()
    assert not os.path.exists(key)
    assert any(row.get("event") == "key-missing" and row["key"] == key and "copy" in row["mend"]
               for row in gate.log_rows()), gate.log()
    os.rename(key + ".away", key)
    gate.start()
    assert answer(gate, account.user, account.app_password).startswith(OK)
    gate.stop()


def test_no_secret_in_log_or_events(gates):
    gate = gates.start(log={"level": "debug"})
    account = gate.account()
    seed = gate.row("totp", "enrol", account.user)["secret"]
    otp.wait_for_room()
    answer(gate, account.user, account.app_password)
    answer(gate, account.user, account.password)
    answer(gate, account.user, "a wrong secret")
    answer(gate, account.user, f"{account.password},{otp.totp(seed)}")
    told = gate.log() + str(gate.events()) + str(gate.rows("account", "show", account.user))
    for secret in (account.app_password, account.password, seed, "a wrong secret"):
        assert secret not in told
    gate.stop()
