"""Who has signed in must stay who he is: every spelling of a change of identity."""

import base64
import re
import ssl
import time

import pytest

from support.dialect import ALL, IMAP, POP3, SIEVE, SUBMISSION, by_name, plain
from rig.postfix import Postfix
from support.wire import Closed

VICTIM = b"victim@example.org"
SECRET = b"sprayed"


def spellings(word):
    """The word as a lax server may still read it."""
    lower, mixed = word.lower(), bytes(c + 32 if i % 2 and 65 <= c <= 90 else c
                                       for i, c in enumerate(word))
    return [word, lower, mixed, b" " + word, b"\t" + word, word + b" ", word + b"\t",
            b"\0" + word, b"\r" + word, b"\n" + word, b"\x0b" + word]


def attempts(dialect):
    """Octets by which the session would become the victim's, or forge where it comes from."""
    token = plain(VICTIM.decode(), SECRET.decode())
    if dialect is IMAP:
        words = [b"UNAUTHENTICATE", b"LOGIN victim@example.org sprayed", b"STARTTLS",
                 b"AUTHENTICATE PLAIN " + token, b"COMPRESS DEFLATE", b"PROXYAUTH victim"]
        lines = [b"x " + s + b"\r\n" for word in words for s in spellings(word)]
        hidden = [b"y NOOP\n%s\r\n", b"y NOOP\r%s\r\n", b"y NOOP\r\n\r\n%s\r\n",
                  b"y NOOP {00005+}\r\nabcde\r\n%s\r\n", b"y LIST \"\" {-1+}\r\n%s\r\n",
                  b"y LIST \"\" {4294967301+}\r\nabcde\r\n%s\r\n", b"y LIST \"\" {5+}\n%s\r\n",
                  b'y LIST "" "a\\\r\n%s\r\n', b"y" * 9000 + b" NOOP\r\n%s\r\n"]
        return lines + [h % b"x UNAUTHENTICATE" for h in hidden]
    if dialect is POP3:
        words = [b"USER victim@example.org", b"PASS sprayed", b"AUTH PLAIN " + token, b"STLS",
                 b"APOP victim c4c9334bac560ecc979e58001b3e22fb", b"XCLIENT ADDR=10.0.0.1",
                 b"AUTH"]
        hidden = [b"NOOP\n%s\r\n", b"NOOP\r%s\r\n", b"\r\n%s\r\n", b"RETR 1\n%s\r\n",
                  b"NOOP" + b" " * 600 + b"\r\n%s\r\n"]
        return [s + b"\r\n" for w in words for s in spellings(w)] + [
            h % b"USER victim@example.org" for h in hidden]
    if dialect is SUBMISSION:
        words = [b"AUTH PLAIN " + token, b"AUTH LOGIN", b"STARTTLS", b"XFORWARD NAME=evil",
                 b"XCLIENT LOGIN=victim@example.org", b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2"]
        hidden = [b"NOOP\n%s\r\n", b"NOOP\r%s\r\n", b"\r\n%s\r\n", b"NOOP\0\r\n%s\r\n",
                  b"NOOP " + b"x" * 5000 + b"\r\n%s\r\n", b"EHLO a\n%s\r\n",
                  b"MAIL FROM:<a@example.org>\n%s\r\n", b"HELP\r\r\n%s\r\n"]
        return [s + b"\r\n" for w in words for s in spellings(w)] + [
            h % b"XCLIENT LOGIN=victim@example.org" for h in hidden]
    words = [b"UNAUTHENTICATE", b'AUTHENTICATE "PLAIN" "' + token + b'"', b"STARTTLS",
             b'AUTHENTICATE "PLAIN" {%d+}\r\n%s' % (len(token), token), b"XCLIENT ADDR=10.0.0.1"]
    hidden = [b"NOOP\n%s\r\n", b"NOOP\r%s\r\n", b"\r\n%s\r\n", b'HAVESPACE "a" 1\n%s\r\n',
              b'PUTSCRIPT "a" {4}\r\nkeep%s\r\n', b'PUTSCRIPT "a" {00004+}\r\nkee;\r\n%s\r\n',
              b'PUTSCRIPT "a" {4+}\nkee;\r\n%s\r\n', b'NOOP "a\\\r\n%s\r\n',
              b'PUTSCRIPT "a" {4294967300+}\r\nkee;\r\n%s\r\n']
    return [s + b"\r\n" for w in words for s in spellings(w)] + [
        h % b"UNAUTHENTICATE" for h in hidden]


def answers(wire):
    """All that is said within a moment, and whether the session was ended."""
    wire.seen.clear()
    is_closed = wire.is_closed(0.05)
    return bytes(wire.seen), is_closed


TAKEN = {IMAP: rb"(?m)^x OK", POP3: rb"(?m)^\+OK(?! )|^\+ ", SUBMISSION: rb"(?m)^(235|334|220|250)",
         SIEVE: rb"(?m)^OK"}


@pytest.mark.parametrize("dialect", ALL, ids=by_name)
def test_identity_is_never_changed_by_any_spelling(whole, dialect, context):
    """Each is refused by the gate, or ends the session; none is obeyed, none reaches the server."""
    account = whole.account()
    wire = dialect.opened(whole, account, context)
    for octets in attempts(dialect):
        try:
            wire.send(octets)
            said, is_closed = answers(wire)
        except (Closed, OSError, ssl.SSLError):
            said, is_closed = b"", True
        is_hidden = b"\n" in octets[:-2] or b"\r" in octets[:-2]
        if not is_hidden:
            assert not re.search(TAKEN[dialect], said), (octets, said)
            assert said or is_closed, octets
        if is_closed or not dialect.is_alive(wire):
            wire.close()
            wire = dialect.opened(whole, account, context)
    rows = whole.sessions(account.user)
    assert all(row["account"] == account.user for row in rows)
    wire.close()


def test_unauthenticate_does_not_make_scripts_of_others_writable(whole, context):
    """Dovecot's own ManageSieve proxy lets an ordinary user become another one this way."""
    account, victim = whole.account(), whole.account()
    wire = SIEVE.opened(whole, account, context)
    wire.send(b"UNAUTHENTICATE\r\n" b'AUTHENTICATE "PLAIN" "'
              + plain(victim.user, victim.password) + b'"\r\n'
              b'PUTSCRIPT "forged" {6+}\r\nkeep;\n\r\n')
    assert SIEVE.reply(wire)[-1].startswith(b"NO")
    assert SIEVE.reply(wire)[-1].startswith(b"NO")
    assert SIEVE.reply(wire)[-1].startswith(b"OK")
    assert SIEVE.ask(wire, b"LISTSCRIPTS\r\n")[0] == b'"forged"'
    with SIEVE.opened(whole, victim, context) as other:
        assert SIEVE.ask(other, b"LISTSCRIPTS\r\n") == [b'OK "Listscripts completed."']


@pytest.fixture(scope="module")
def trusting(base, authority, dovecot):
    """A Postfix that believes everybody on this machine: XCLIENT and XFORWARD."""
    server = Postfix(f"{base}/postfix-trusting", authority, dovecot, options={
        "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
        "smtpd_authorized_xforward_hosts": "127.0.0.0/8"})
    yield server.start()
    server.stop()


@pytest.fixture(scope="module")
def before_trusting(gates, trusting):
    return gates.start(protocols=("submission",), upstreams={"mail": {
        "submission": f"submissions://localhost:{trusting.ports['submissions']}",
        "ca": gates.authority.certificate}})


def logged(server):
    return {user for _, user in server.logins()}


def test_xclient_is_a_real_danger_of_this_upstream(trusting, dovecot, context):
    """The control: without a gate, XCLIENT makes anybody the victim."""
    from support.wire import Wire
    with Wire(trusting.ports["submissions"], tls=context) as wire:
        SUBMISSION.reply(wire)
        lines = SUBMISSION.ask(wire, b"EHLO attacker.example\r\n")
        assert any(b"XCLIENT" in line and b"LOGIN" in line for line in lines), lines
        assert SUBMISSION.ask(wire, b"XCLIENT LOGIN=user0@example.org\r\n")[-1].startswith(b"220")
        SUBMISSION.ask(wire, b"EHLO attacker.example\r\n")
        SUBMISSION.ask(wire, b"MAIL FROM:<user0@example.org>\r\n")
        assert SUBMISSION.ask(wire, b"RCPT TO:<user0@example.org>\r\n")[-1].startswith(b"250")


def test_xclient_and_xforward_never_pass(before_trusting, trusting, context):
    account = before_trusting.account()
    wire = SUBMISSION.opened(before_trusting, account, context)
    lines = SUBMISSION.ask(wire, b"EHLO client.example\r\n")
    assert not any(word in line for line in lines for word in (b"XCLIENT", b"XFORWARD", b"AUTH"))
    for octets in (b"XCLIENT LOGIN=user0@example.org\r\n", b"xclient login=user0@example.org\r\n",
                   b"XFORWARD NAME=spike.example ADDR=10.0.0.9\r\n"):
        assert re.match(rb"50\d ", SUBMISSION.ask(wire, octets)[-1])
    assert SUBMISSION.ask(wire, b"MAIL FROM:<" + account.user.encode() + b">\r\n")[-1][:3] == b"250"
    wire.send(b"RSET\r\nXCLIENT LOGIN=user0@example.org\r\nNOOP\r\n")
    assert [SUBMISSION.reply(wire)[-1][:1] for _ in range(3)] == [b"2", b"5", b"2"]
    wire.close()


def test_starttls_after_auth_does_not_forget_who_logged_in(whole, postfix, context):
    """Behind nginx: STARTTLS after AUTH, and inside it AUTH as the victim, succeeds."""
    account, victim = whole.account(), whole.account()
    wire = SUBMISSION.opened(whole, account, context)
    assert re.match(rb"5\d\d ", SUBMISSION.ask(wire, b"STARTTLS\r\n")[-1])
    said = SUBMISSION.ask(wire, b"AUTH PLAIN " + plain(victim.user, victim.password) + b"\r\n")[-1]
    assert re.match(rb"5\d\d ", said), said
    message = (b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (
        account.user.encode(), victim.user.encode()))
    wire.send(message)
    assert [SUBMISSION.reply(wire)[-1][:3] for _ in range(3)] == [b"250", b"250", b"354"]
    assert SUBMISSION.ask(wire, b"Subject: who\r\n\r\nsent this?\r\n.\r\n")[-1][:3] == b"250"
    wire.close()
    deadline = time.monotonic() + 5
    while account.user not in logged(postfix) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert account.user in logged(postfix)
    assert victim.user not in logged(postfix)


def test_auth_login_dialogue_is_not_begun(whole, context):
    """The second AUTH with its continuation lines: they are commands, and refused as such."""
    wire = SUBMISSION.opened(whole, whole.account(), context)
    wire.send(b"AUTH LOGIN\r\n" + base64.b64encode(VICTIM) + b"\r\n" + base64.b64encode(SECRET)
              + b"\r\nNOOP\r\n")
    said = [SUBMISSION.reply(wire)[-1][:1] for _ in range(4)]
    assert said == [b"5", b"5", b"5", b"2"], said
    wire.close()
