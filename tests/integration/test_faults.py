"""What breaks, and what it may cost: killed processes, failing upstreams, a full disk, a crowd."""

import os
import signal
import socket
import ssl
import threading
import time

import pytest

from rig.dovecot import Dovecot
from support.faulty import Faulty
from support.wire import Closed, untrusting

LATER = b"NO [UNAVAILABLE]"


def is_alive(wire):
    try:
        return wire.command("NOOP")[1].startswith(b"OK")
    except (Closed, OSError):
        return False


def test_a_killed_edge_costs_only_its_own_sessions(gates):
    gate = gates.start(edges={"count": 2})
    account = gate.account()
    wires = [gate.opened(account) for _ in range(16)]
    before = gate.role("edge")
    os.kill(before[0], signal.SIGKILL)
    gate.wait_for(lambda: len(gate.role("edge")) == 2 and gate.role("edge") != before, 5,
                  "no new edge")
    alive = sum(is_alive(wire) for wire in wires)
    assert 0 < alive < len(wires), f"{alive} of {len(wires)} sessions live on"
    gate.wait_for(lambda: len(gate.sessions(account.user)) == alive, 5,
                  "the registry keeps sessions of the dead edge")
    for _ in range(8):
        gate.opened(account).close()
    gate.stop()


def test_a_killed_warden_costs_no_session(gates):
    gate = gates.start()
    account = gate.account()
    wire = gate.opened(account)
    warden, = gate.role("warden")
    os.kill(warden, signal.SIGKILL)
    gate.wait_for(lambda: gate.role("warden") not in ([], [warden]), 5, "no new warden")
    assert is_alive(wire)
    gate.wait_for(lambda: gate.attempt(account.user, account.app_password)[1].startswith(b"OK"), 5,
                  "no login after the warden's return")
    gate.wait_for(lambda: gate.sessions(account.user), 5, "live session not resumed")
    gate.command("account", "disable", account.user)
    assert wire.is_closed(3), "a session from before cannot be revoked any more"
    gate.stop()


def test_kill_at_any_moment_loses_nothing_acknowledged(gates):
    gate = gates.start()
    account = gate.account(has_app_password=False)
    made = []
    for n in range(6):
        row = gate.add_app_password(account.user, account.password, label=f"device {n}")
        made.append(row)
        warden, = gate.role("warden")
        os.kill(warden, signal.SIGKILL)
        gate.wait_for(lambda old=warden: gate.role("warden") not in ([], [old]), 5, "no warden")
        gate.wait_for(lambda: gate.command("account", "list", check=False).returncode == 0, 5)
    listed = {row["id"] for row in gate.rows("app-password", "list", account.user)}
    assert listed == {row["id"] for row in made}
    for row in made:
        assert gate.attempt(account.user, row["app_password"])[1].startswith(b"OK")
    gate.stop()


def test_without_a_warden_it_is_later(gates):
    gate = gates.start(session={"login_timeout": "5s"})
    account = gate.account()
    warden, = gate.role("warden")
    os.kill(warden, signal.SIGSTOP)
    try:
        with gate.connect(timeout_s=20) as wire:
            wire.line()
            _, said = wire.login(account.user, account.app_password)
        assert said.startswith(LATER), said
    finally:
        os.kill(warden, signal.SIGCONT)
    gate.stop()


def test_dead_upstream_is_later_and_comes_back(gates, base):
    server = Dovecot(os.path.join(base, "mortal"), gates.authority, {"m@example.org": "pw"},
                     label="mortal").start()
    gate = gates.start(server=server, upstreams={"mail": gates.upstream(server)})
    account = gate.enrol("m@example.org")
    wire = gate.opened(account)
    server.stop()
    assert wire.is_closed(5)
    assert gate.attempt(account.user, account.app_password)[1].startswith(LATER)
    server.start()
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK")
    gate.stop()
    server.stop()


def enrolled_unchecked(gate):
    account = gate.fresh_user()
    gate.add_account(account.user)
    account.app_password = gate.add_app_password(
        account.user, account.password, "--no-check")["app_password"]
    return account


def silent(talk):
    talk.drain()


def slow_greeting(talk):
    for octet in b"* OK [CAPABILITY IMAP4rev1] slow":
        time.sleep(0.5)
        talk.say(bytes([octet]))


def endless_banner(talk):
    while True:
        talk.say(b"* OK " + b"x" * 4000 + b"\r\n")


def endless_line(talk):
    while True:
        talk.say(b"* OK " + b"x" * 4000)


@pytest.mark.parametrize("script", [silent, slow_greeting, endless_banner, endless_line])
def test_upstream_that_never_finishes_its_login(gates, script):
    with Faulty(gates.authority, script) as server:
        gate = gates.start(upstreams={"mail": {
            "imap": f"imaps://localhost:{server.port}", "ca": gates.authority.certificate,
            "connect_timeout": "2s", "login_timeout": "3s"}})
        account = enrolled_unchecked(gate)
        began = time.monotonic()
        assert gate.attempt(account.user, account.app_password)[1].startswith(LATER)
        assert time.monotonic() - began < 12
        gate.stop()


def cut_literal(talk):
    if talk.serve_login() and talk.line():
        talk.say(b"* 1 FETCH (BODY[] {1000}\r\n" + b"half of it " * 20)


def test_upstream_that_closes_in_the_middle_of_a_literal(gates):
    with Faulty(gates.authority, cut_literal) as server:
        gate = gates.start(upstreams={"mail": {
            "imap": f"imaps://localhost:{server.port}", "ca": gates.authority.certificate}})
        account = enrolled_unchecked(gate)
        wire = gate.opened(account)
        wire.send(b"f1 FETCH 1 BODY.PEEK[]\r\n")
        assert wire.is_closed(5)
        assert b"half of it" in wire.seen
        assert b"BYE" not in wire.seen.split(b"{1000}")[-1], "words put into a message"
        gate.wait_for(lambda: not gate.sessions(account.user), 5, "session still listed")
        gate.stop()


def test_client_that_does_not_read_stops_the_upstream_not_the_gate(gates, dovecot):
    """Back-pressure: a slow reader costs a bounded buffer, and others go on."""
    gate = gates.start()
    account = gate.account()
    client = dovecot.client(account.user)
    big = b"Subject: big\r\n\r\n" + b"z" * 998 + (b"\r\n" + b"z" * 998) * 20_000
    client.append("INBOX", None, None, big)
    client.logout()
    wire = gate.opened(account)
    wire.command("SELECT INBOX")
    before = sum(resident_octets(pid) for pid in gate.role("edge"))
    wire.send(b"f1 FETCH 1 BODY.PEEK[]\r\n")
    time.sleep(2)
    grown = sum(resident_octets(pid) for pid in gate.role("edge")) - before
    assert grown < 4_000_000, f"{grown} octets more for one client that does not read"
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK")
    fetched, said = wire.until("f1")
    assert said.startswith(b"OK") and any(len(line) >= len(big) for line in fetched)
    gate.stop()


def resident_octets(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_full_disk_refuses_nobody_wrongly_and_heals(gates):
    gate = gates.make()
    gate.write_config()
    gate.wrap = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                 f"mount -t tmpfs -o size=3m,mode=0700,uid={os.stat(gate.state).st_uid} none "
                 f'{gate.state} && exec "$@"', "sh"]
    gate.start()
    account = gate.account()
    filler = f"/proc/{gate.child.pid}/root{gate.state}/filler"
    with pytest.raises(OSError), open(filler, "wb", buffering=0) as f:
        for block in (65536, 4096, 512, 1):
            while True:
                try:
                    f.write(b"x" * block)
                except OSError:
                    if block == 1:
                        raise
                    break
    for _ in range(3):
        _, said = gate.attempt(account.user, account.app_password)
        assert said.startswith((b"OK", LATER)), said
    done = gate.command("app-password", "add", account.user, "--label", "x", "--json",
                        stdin=account.password + "\n", check=False)
    assert done.returncode != 0 and done.stderr
    assert gate.attempt(account.user, "wrong")[1].startswith(b"NO")
    os.unlink(filler)
    gate.wait_for(lambda: gate.attempt(account.user, account.app_password)[1].startswith(b"OK"), 5)
    assert gate.add_app_password(account.user, account.password)["app_password"]
    gate.stop()


def test_slow_senders_do_not_keep_others_out(gates):
    """500 connections that send an octet every few seconds, half of them before TLS."""
    gate = gates.start(session={"login_timeout": "60s"})
    account = gate.account()
    slow, stop = [], threading.Event()
    context = untrusting()
    for n in range(500):
        raw = socket.create_connection(("127.0.0.1", gate.ports["imaps"]), timeout=10)
        slow.append(context.wrap_socket(raw, server_hostname="localhost") if n % 2 else raw)

    def trickle():
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        at = 0
        while not stop.wait(2):
            for stream in slow:
                try:
                    if isinstance(stream, ssl.SSLSocket):
                        stream.send(b"a")
                    else:
                        stream.send(hello[at % len(hello) :][:1])
                except OSError:
                    pass
            at += 1

    sender = threading.Thread(target=trickle)
    sender.start()
    try:
        times = []
        for _ in range(40):
            began = time.monotonic()
            assert gate.attempt(account.user, account.app_password,
                                source="127.0.99.1")[1].startswith(b"OK")
            times.append(time.monotonic() - began)
        assert sorted(times)[36] < 1.0, sorted(times)
    finally:
        stop.set()
        sender.join()
        for stream in slow:
            stream.close()
    gate.stop()


def test_handshakes_that_are_never_finished_are_dropped(gates):
    gate = gates.start(session={"handshake_timeout": "2s"})
    raw = [socket.create_connection(("127.0.0.1", gate.ports["imaps"]), timeout=6)
           for _ in range(50)]
    time.sleep(3.5)
    for connection in raw:
        assert connection.recv(1) == b""
        connection.close()
    gate.stop()
