"""Attacks on memory and time. Each prints what it cost; a bystander's latency is part of it."""

import re
import socket
import ssl
import threading
import time

import pytest

from support.dialect import ALL, IMAP, POP3, SIEVE, SUBMISSION, by_name
from support.wire import Closed

EACH = pytest.mark.parametrize("dialect", ALL, ids=by_name)
# Two edges and a warden; a sanitizer's allocator keeps freed memory for a while.
MOST_OCTETS = 24_000_000
MOST_MS = 1000
BAD_COMMANDS = 100_000
REPEATED = 15  # of what takes a moment: a bystander must have something to suffer from


def pour(wire, block, octets, deadline_s=20):
    """Sends until it has sent so much, is cut off, or the time is over; returns what was sent."""
    sent, deadline = 0, time.monotonic() + deadline_s
    wire.patience(5)
    try:
        while sent < octets and time.monotonic() < deadline:
            wire.send(block)
            sent += len(block)
    except OSError:
        pass
    return sent


def drain(wire, stop):
    """Reads and forgets, in a thread, so that the flood is not stopped by its own answers."""
    def run():
        try:
            while not stop.is_set():
                if not wire.stream.recv(65536):
                    return
        except (OSError, ssl.SSLError):
            return
    thread = threading.Thread(target=run)
    thread.start()
    return thread


@EACH
def test_100000_bad_commands_before_login(whole, watch, dialect, context, request):
    """A connection is ended after a few: 30 of them, then one flood."""
    bad = {"imap": b"a NONSENSE\r\n"}.get(dialect.name, b"NONSENSE\r\n")
    with watch:
        answered = 0
        for _ in range(30):
            with dialect.connected(whole, context) as wire:
                wire.seen.clear()
                pour(wire, bad * 64, 1)
                assert wire.is_closed(5)
                answered += wire.seen.count(b"\n")
        with dialect.connected(whole, context) as wire:
            sent = pour(wire, bad * 1000, BAD_COMMANDS * len(bad), 3)
            assert wire.is_closed(5)
    assert answered < 30 * 80
    watch.check(request, MOST_OCTETS, MOST_MS, f"({sent // len(bad)} commands taken by the kernel)")


@EACH
def test_100000_bad_commands_in_an_open_session(whole, watch, dialect, context, request):
    """The guard, or the server behind it, answers each of them or ends the session."""
    bad = {"imap": b"a UNAUTHENTICATE\r\n", "pop3": b"XTND XLST\r\n",
           "submission": b"XCLIENT LOGIN=a\r\n", "sieve": b"UNAUTHENTICATE\r\n"}[dialect.name]
    account = whole.account()
    with watch, dialect.opened(whole, account, context) as wire:
        stop = threading.Event()
        thread = drain(wire, stop)
        sent = pour(wire, bad * 1000, BAD_COMMANDS * len(bad), 30)
        wire.send(dialect.harmless)
        time.sleep(0.2)
        stop.set()
        wire.stream.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert sent >= BAD_COMMANDS * len(bad), f"{sent // len(bad)} commands"
    watch.check(request, MOST_OCTETS, MOST_MS, f"({sent // len(bad)} commands)")


@EACH
@pytest.mark.parametrize("is_open", [False, True], ids=["before", "open"])
def test_a_line_without_end(whole, watch, dialect, context, request, is_open):
    account = whole.account()
    most = 0
    with watch:
        for _ in range(REPEATED):
            wire = (dialect.opened(whole, account, context) if is_open
                    else dialect.connected(whole, context))
            with wire:
                most = max(most, pour(wire, b"x" * 65536, 64 << 20))
                assert wire.is_closed(5)
    assert most < 8 << 20, f"{most} octets were taken"
    watch.check(request, MOST_OCTETS, MOST_MS, f"({most} octets sent at most)")


ENDLESS = {
    "imap": [b"a LOGIN {1000000000}\r\n", b"a LOGIN {4096+}\r\n", b"a AUTHENTICATE PLAIN\r\n"],
    "pop3": [b"AUTH PLAIN\r\n", b"USER "],
    "submission": [b"AUTH PLAIN\r\n", b"AUTH LOGIN ", b"EHLO "],
    "sieve": [b'AUTHENTICATE "PLAIN" {4096+}\r\n', b'AUTHENTICATE "PLAIN" {1000000000+}\r\n',
              b'AUTHENTICATE "PLAIN"\r\n'],
}


@EACH
def test_literals_and_base64_without_end(whole, watch, dialect, context, request):
    with watch:
        for start in ENDLESS[dialect.name] * (REPEATED // 3):
            with dialect.connected(whole, context) as wire:
                wire.send(start)
                sent = pour(wire, b"QUFB" * 16384, 32 << 20)
                assert wire.is_closed(5), start
                assert sent < 8 << 20, (start, sent)
    watch.check(request, MOST_OCTETS, MOST_MS)


@EACH
def test_clients_that_never_read(whole, watch, dialect, context, request):
    """Ten of them ask for far more than they take; the gate stops reading, not growing."""
    ask = {"imap": b"a CAPABILITY\r\n", "pop3": b"CAPA\r\n", "submission": b"EHLO x.example\r\n",
           "sieve": b"CAPABILITY\r\n"}[dialect.name]
    account = whole.account()
    with watch:
        wires = [dialect.opened(whole, account, context) for _ in range(10)]
        for wire in wires:
            wire.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.stream.settimeout(0.2)
            try:
                for _ in range(200):
                    wire.send(ask * 1000)
            except OSError:
                pass
        time.sleep(0.5)
        assert len(whole.sessions(account.user)) <= 10
    for wire in wires:
        wire.close()
    watch.check(request, MOST_OCTETS, MOST_MS)


def test_half_open_connections(whole, watch, request):
    """1,000 connections that say nothing, on all gates."""
    ports = list(whole.ports.values())
    with watch:
        idle = [socket.create_connection(("127.0.0.1", ports[n % len(ports)]),
                                         source_address=(f"127.0.66.{n % 200 + 1}", 0))
                for n in range(1000)]
        time.sleep(1)
        account = whole.account()
        assert whole.attempt(account.user, account.app_password)[1].startswith(b"OK")
    for connection in idle:
        connection.close()
    watch.check(request, 60_000_000, MOST_MS)


def test_handshakes_begun_and_left(whole, watch, request):
    """1,000 ClientHellos whose senders do not go on: RSA and ECDSA signatures for nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    left = []
    with watch:
        for n in range(1000):
            raw = socket.create_connection(("127.0.0.1", whole.ports["imaps"]),
                                           source_address=(f"127.0.67.{n % 200 + 1}", 0))
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            try:
                context.wrap_bio(incoming, outgoing).do_handshake()
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
            left.append(raw)
        time.sleep(1)
    for connection in left:
        connection.close()
    watch.check(request, 120_000_000, MOST_MS)


@EACH
def test_octet_by_octet(whole, watch, dialect, context, request):
    """A login that arrives one octet at a time is a login; many of them cost nobody anything."""
    account = whole.account()
    with watch:
        wires = [dialect.connected(whole, context) for _ in range(8)]
        octets = dialect.logins[0](account.user, account.app_password)
        for i in range(len(octets)):
            for wire in wires:
                wire.send(octets[i:i + 1])
        for wire in wires:
            assert re.match(dialect.good, dialect.reply(wire)[-1])
            wire.close()
    watch.check(request, MOST_OCTETS, MOST_MS)


def test_an_endless_message_is_not_kept(whole, watch, context, request):
    """64 MiB in one header of base64: passed on, or refused, not kept."""
    account = whole.account()
    user = account.user.encode()
    with watch, SUBMISSION.opened(whole, account, context) as wire:
        wire.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (user, user))
        for _ in range(3):
            SUBMISSION.reply(wire)
        sent = pour(wire, b"Subject: =?utf-8?B?", 1) + pour(wire, b"QUFB" * 16384, 64 << 20)
        try:
            wire.send(b"\r\n\r\n.\r\n")
            assert SUBMISSION.reply(wire)[-1][:1] in (b"5", b"4", b"2")
        except (Closed, OSError):
            pass
    watch.check(request, MOST_OCTETS, MOST_MS, f"({sent} octets sent)")


def test_a_script_without_end(whole, watch, context, request):
    account = whole.account()
    with watch:
        for _ in range(REPEATED):
            with SIEVE.opened(whole, account, context) as wire:
                wire.send(b'PUTSCRIPT "big" {4000000000+}\r\n')
                sent = pour(wire, b"keep;\r\n" * 8192, 64 << 20)
                assert wire.is_closed(5)
    assert sent < 8 << 20
    watch.check(request, MOST_OCTETS, MOST_MS, f"({sent} octets sent)")


def test_a_mailbox_fetched_by_nobody_who_reads(whole, watch, context, request, dovecot):
    """RETR of a large message again and again, pipelined, and never read."""
    account = whole.account()
    client = dovecot.client(account.user)
    client.append("INBOX", None, None, b"Subject: big\r\n\r\n" + (b"z" * 998 + b"\r\n") * 3000)
    client.logout()
    with watch, POP3.opened(whole, account, context) as wire:
        wire.stream.settimeout(0.5)
        try:
            wire.send(b"RETR 1\r\n" * 1000)
        except OSError:
            pass
        time.sleep(1)
        assert whole.sessions(account.user) or wire.is_closed(1)
    watch.check(request, MOST_OCTETS, MOST_MS)
    assert IMAP.is_alive(IMAP.opened(whole, account, context))
