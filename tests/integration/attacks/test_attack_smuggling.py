"""SMTP smuggling: a message in which a lax server sees an end, and behind it another message."""

import email
import itertools
import re
import time

import pytest

from support.dialect import SUBMISSION
from rig.postfix import Postfix
from support.wire import Wire

# What somebody, somewhere, has taken for the end of a message.
ENDS = [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\n", b"\r\n\0.\r\n",
        b"\r\n.\0\r\n", b"\n\n.\n", b"\r\n.\r\r\n", b"\n.\r", b"\r\r\n.\r\n\r", b"\r\n. \r\n",
        b"\r\n.\t\r\n", b"\r\n\r.\r\n", b"\x0b.\x0b", b"\r\n.\x85\n", b"\xe2\x80\xa8.\xe2\x80\xa8"]
FORGED = (b"MAIL FROM:<ceo@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n"
          b"Subject: forged\r\n\r\nforged\r\n.\r\n")


@pytest.fixture(scope="module")
def lax(base, authority, dovecot):
    """A Postfix as most were until 2023: a bare LF is an end of line to it."""
    server = Postfix(f"{base}/postfix-lax", authority, dovecot, options={
        "smtpd_forbid_bare_newline": "no", "smtpd_forbid_unauth_pipelining": "no",
        "smtpd_data_restrictions": ""})
    yield server.start()
    server.stop()


@pytest.fixture(scope="module", params=["refuse", "normalise"])
def gate(request, gates, lax):
    """Before the lax Postfix, one for each way to deal with bare newlines."""
    gate = gates.make(protocols=("submission",), upstreams={"mail": {
        "submission": f"submissions://localhost:{lax.ports['submissions']}",
        "ca": gates.authority.certificate}})
    for one in gate.settings["gates"].values():
        one["bare_newline"] = request.param
    gate.way = request.param
    return gate.start()


def smuggle(wire, account, recipient, end):
    """Sends one message with `end` and a forged dialogue in it; ignores what comes of it."""
    user = account.user.encode()
    wire.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (user, recipient))
    for _ in range(3):
        SUBMISSION.reply(wire)
    try:
        wire.send(b"Subject: honest\r\n\r\nhonest" + end + FORGED % recipient + b"\r\n.\r\n")
    except OSError:
        pass
    wire.is_closed(0.3)


def mailbox(dovecot, server, user):
    server.wait_until_delivered()
    client = dovecot.client(user)
    client.select("INBOX")
    numbers = client.search(None, "ALL")[1][0].split()
    found = [email.message_from_bytes(client.fetch(n, "(BODY.PEEK[])")[1][0][1]) for n in numbers]
    client.logout()
    return found


def test_smuggling_works_at_this_server_without_a_gate(lax, dovecot, gates, context):
    """The control: what the gate holds is real."""
    account, victim = (gates.make(protocols=("submission",)).fresh_user() for _ in range(2))
    with Wire(lax.ports["submissions"], tls=context) as wire:
        SUBMISSION.reply(wire)
        SUBMISSION.ask(wire, b"EHLO attacker.example\r\n")
        SUBMISSION.ask(wire, SUBMISSION.logins[0](account.user, account.password))
        smuggle(wire, account, victim.user.encode(), b"\n.\n")
    found = mailbox(dovecot, lax, victim.user)
    assert "forged" in {message["Subject"] for message in found}, found
    assert "<ceo@example.org>" in {message["Return-Path"] for message in found}


def test_no_end_of_message_but_the_real_one(gate, lax, dovecot, context):
    """Whatever stands in a message, nothing of it becomes a message of its own."""
    victim = gate.fresh_user()
    account = gate.account()
    wires = []
    for end in ENDS:
        wire = SUBMISSION.opened(gate, account, context)
        smuggle(wire, account, victim.user.encode(), end)
        wires.append(wire)
    for wire in wires:
        wire.close()
    time.sleep(0.5)
    found = mailbox(dovecot, lax, victim.user)
    assert {message["Return-Path"] for message in found} <= {f"<{account.user}>"}, [
        (m["Return-Path"], m["Subject"]) for m in found]
    assert {message["Subject"] for message in found} <= {"honest"}
    assert len(found) <= len(ENDS)
    if gate.way == "normalise":
        assert len(found) >= 6, "normalised messages are delivered"


def test_refused_message_is_told_for_good(gate, context):
    """A permanent error: the client does not try the same message for days."""
    if gate.way == "normalise":
        return
    account = gate.account()
    wire = SUBMISSION.opened(gate, account, context)
    wire.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % ((account.user.encode(),) * 2))
    for _ in range(3):
        SUBMISSION.reply(wire)
    wire.send(b"Subject: unix\n\nlines end in LF\n.\n\r\n.\r\n")
    assert SUBMISSION.reply(wire)[-1].startswith(b"550 5.6.0")
    wire.close()


def test_chunks_are_counted_exactly(gate, lax, dovecot, context):
    """BDAT: what stands in a chunk is never a command, what stands behind it always is."""
    account = gate.account()
    user = account.user.encode()
    inside = b"Subject: chunk\r\n\r\nhonest\r\n.\r\n" + FORGED % user
    with SUBMISSION.opened(gate, account, context) as wire:
        wire.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\n" % (user, user))
        wire.send(b"BDAT %d\r\n%sBDAT 0 LAST\r\nNOOP\r\n" % (len(inside), inside))
        said = [SUBMISSION.reply(wire)[-1][:3] for _ in range(5)]
        assert said == [b"250"] * 5, said
    for size in (b"-1", b"+5", b"5 5", b"0x5", b"99999999999", b"00000000005", b"5\t", b" 5", b""):
        with SUBMISSION.opened(gate, account, context) as wire:
            wire.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nBDAT %s\r\nXCLIENT LOGIN=a\r\n" % (
                user, user, size))
            wire.seen.clear()
            is_closed = wire.is_closed(0.3)
            said = re.fullmatch(rb"(250 .*\r\n){0,2}(([45]\d\d .*\r\n)+)", bytes(wire.seen))
            assert said and (is_closed or said[2].count(b"\n") == 2), (size, wire.seen)
    found = mailbox(dovecot, lax, account.user)
    assert [m["Return-Path"] for m in found] == [f"<{account.user}>"], [m["Subject"] for m in found]
    assert b"forged" in found[0].as_bytes(), "the octets of the chunk are the message's"


def test_every_short_string_around_a_dot(gate, lax, dovecot, context):
    """All strings of CR, LF and "." up to five octets: none makes two messages of one."""
    if gate.way == "normalise":
        return  # the unit test holds all of them to the model of a receiver
    account, victim = gate.account(), gate.fresh_user()
    products = (s for n in (3, 4) for s in itertools.product((b"\r", b"\n", b"."), repeat=n))
    strings = [b"".join(s) for s in products if b"." in s]
    sent = 0
    wire = None
    for string in strings:
        wire = wire or SUBMISSION.opened(gate, account, context)
        wire.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (
            account.user.encode(), victim.user.encode()))
        for _ in range(3):
            SUBMISSION.reply(wire)
        wire.send(b"Subject: honest\r\n\r\nx" + string
                  + b"MAIL FROM:<ceo@example.org>\r\n\r\n.\r\n")
        said = SUBMISSION.reply(wire)[-1]
        sent += said.startswith(b"250")
        if not said.startswith(b"250"):
            wire.close()
            wire = None
    found = mailbox(dovecot, lax, victim.user)
    assert len(found) == sent
    assert {m["Return-Path"] for m in found} <= {f"<{account.user}>"}
