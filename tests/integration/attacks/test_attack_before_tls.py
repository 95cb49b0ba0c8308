"""Attacks on the clear part of a connection, and by clients of other protocols."""

import re
import ssl
import time

import pytest

from support.connection import Connection
from support.dialect import ALL, by_name
from support.wire import Closed, untrusting

EACH = pytest.mark.parametrize("dialect", ALL, ids=by_name)


@EACH
def test_plaintext_credentials_are_refused_unseen(whole, dialect):
    """Right, wrong and malformed credentials: the same octets, at once, and nobody hears."""
    account = whole.account()
    count = len(whole.events(account.user))
    said = []
    for login in dialect.logins:
        for user, secret in ((account.user, account.app_password), (account.user, "wrong"),
                             ("nobody@example.org", "wrong")):
            with whole.connect(dialect.clear) as wire:
                dialect.reply(wire)
                if dialect.name == "submission":
                    dialect.ask(wire, b"EHLO client.example\r\n")
                began = time.monotonic()
                said.append(dialect.ask(wire, login(user, secret))[-1])
                assert time.monotonic() - began < 0.3, "somebody looked at it"
                assert re.match(dialect.refused_clear, said[-1]), said[-1]
    assert len(set(said)) == 1, said
    assert len(whole.events(account.user)) == count
    assert not whole.sessions(account.user)


@EACH
def test_commands_injected_behind_starttls_are_not_obeyed(whole, dialect, context):
    """RFC 9051 §11.1 and relatives: octets of the clear are not obeyed under TLS."""
    injected = {"imap": b"x1 CAPABILITY\r\nx2 NOOP\r\n", "pop3": b"CAPA\r\nQUIT\r\n",
                "submission": b"EHLO injected.example\r\nQUIT\r\n",
                "sieve": b"CAPABILITY\r\nLOGOUT\r\n"}[dialect.name]
    with whole.connect(dialect.clear) as wire:
        dialect.reply(wire)
        if dialect.name == "submission":
            dialect.ask(wire, b"EHLO client.example\r\n")
        wire.send(dialect.starttls + injected)
        assert re.match(dialect.good, dialect.reply(wire)[-1])
        assert not wire.buffer, "more than the reply came in the clear"
        wire.start_tls(context)
        if dialect.name == "sieve":
            dialect.reply(wire)
        wire.patience(0.5)
        with pytest.raises((TimeoutError, ssl.SSLError)):
            wire.line()
        wire.patience(10)
        if dialect.name == "submission":
            assert dialect.ask(wire, b"EHLO client.example\r\n")[-1].startswith(b"250 ")
        assert wire.stream.version() in ("TLSv1.2", "TLSv1.3")
        assert b"injected" not in wire.seen


REQUESTS = [verb + b" /secret-word HTTP/1.1\r\nHost: localhost\r\nCookie: secret-word=1\r\n\r\n"
            for verb in (b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"PATCH")]
REQUESTS += [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
OTHERS = [b"SSH-2.0-OpenSSH_9.2p1\r\n", b"USER anonymous\r\nPASV\r\nRETR secret-word\r\n",
          b"\x16\x03\x01\x00\x05hello", b"JRMI\x00\x02K", b"\x00\x00\x00\x2f\xffSMB",
          b"\xff\xfb\x01"]


def talk(gate, dialect, context, request, within_s=2):
    """What a gate says to these octets, and whether it ends the session within two seconds."""
    if dialect.implicit:
        wire = gate.connect(dialect.implicit)
        dialect.reply(wire)
    else:
        wire = gate.connect(dialect.clear)
        dialect.secure(wire, context)
    with wire:
        wire.seen.clear()
        try:
            wire.send(request)
        except OSError:
            pass
        is_closed = wire.is_closed(within_s)
        return bytes(wire.seen), is_closed


@EACH
def test_a_browser_at_the_gate_is_sent_away(whole, dialect, context):
    """ALPACA: the session of an HTTP request ends at once, and nothing of it is reflected."""
    for request in REQUESTS:
        said, is_closed = talk(whole, dialect, context, request)
        assert is_closed, request
        assert b"secret-word" not in said, said
        assert len(said) < 200, said


@EACH
def test_a_browser_that_posts_commands_gets_no_further(whole, dialect, context):
    """The body of a form holds a whole dialogue of the protocol: none of it is obeyed."""
    account = whole.account()
    body = dialect.logins[0](account.user, account.app_password) + dialect.harmless
    request = (b"POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n"
               + (b"EHLO x\r\n" if dialect.name == "submission" else b"") + body)
    said, is_closed = talk(whole, dialect, context, request)
    assert is_closed and len(said) < 200, said
    assert not whole.sessions(account.user)


@EACH
@pytest.mark.parametrize("alpn", [["http/1.1"], ["h2", "http/1.1"], ["ftp"], ["xmpp-client"]])
def test_alpn_of_another_protocol_ends_the_handshake(whole, dialect, alpn):
    """At both gates of the protocol: the one that begins with TLS, and behind STARTTLS."""
    context = untrusting()
    context.set_alpn_protocols(alpn)
    if dialect.implicit:
        with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
            Connection(whole.ports[dialect.implicit], tls=context).line()
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        wire = whole.connect(dialect.clear)
        dialect.secure(wire, context)
        wire.line()


@pytest.mark.parametrize("dialect", [d for d in ALL if d.name != "submission"], ids=by_name)
def test_alpn_of_the_protocol_is_answered(whole, dialect):
    name = {"imap": "imap", "pop3": "pop3", "sieve": "managesieve"}[dialect.name]
    context = untrusting()
    context.set_alpn_protocols(["h2", name])
    with whole.connect(dialect.clear) as wire:
        dialect.secure(wire, context)
        assert wire.stream.selected_alpn_protocol() == name
    if dialect.implicit:
        with Connection(whole.ports[dialect.implicit], tls=context) as wire:
            assert wire.stream.selected_alpn_protocol() == name


def test_alpn_is_not_spoken_where_none_is_registered(whole, context):
    """RFC 7301's registry has no name for submission: who offers any is no client of it."""
    for name in ("smtp", "submission", "imap"):
        offering = untrusting()
        offering.set_alpn_protocols([name])
        with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
            Connection(whole.ports["submissions"], tls=offering).line()
    with Connection(whole.ports["submissions"], tls=context) as wire:
        assert wire.stream.selected_alpn_protocol() is None


@EACH
@pytest.mark.parametrize("octets", OTHERS, ids=range(len(OTHERS)))
def test_clients_of_other_protocols_get_nowhere(whole, dialect, context, octets):
    """Nobody's octets are reflected, under TLS or before it; none opens anything."""
    said, _ = talk(whole, dialect, context, octets, within_s=0.2)
    assert b"secret-word" not in said
    with whole.connect(dialect.clear) as wire:
        dialect.reply(wire)
        try:
            wire.send(octets)
            wire.is_closed(0.2)
        except (Closed, OSError):
            pass
        assert b"secret-word" not in wire.seen


@EACH
def test_a_browser_before_tls_is_sent_away(whole, dialect):
    """The same in the clear: a page can make a browser speak http:// to any port."""
    for request in REQUESTS:
        with whole.connect(dialect.clear) as wire:
            dialect.reply(wire)
            wire.seen.clear()
            wire.send(request)
            assert wire.is_closed(2), request
            assert b"secret-word" not in wire.seen
            assert len(wire.seen) < 200, wire.seen
