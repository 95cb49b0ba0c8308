"""Submission through the gate: real clients, mail that arrives octet for octet, whose it may be."""

import base64
import json
import os

import pytest

from support import letters, mailers
from support.sasl import plain

WAYS = [(client, scheme) for client in ("curl", "msmtp", "swaks", "nodemailer")
        for scheme in ("submissions", "submission")]


@pytest.fixture(scope="module")
def gate(gates):
    return gates.start(protocols=("submission",))


@pytest.fixture
def friend(gate):
    """Somebody with an empty mailbox, who has no account at the gate."""
    return gate.fresh_user().user


def arrived(gates, user):
    gates.postfix().wait_until_delivered()
    client = gates.dovecot.client(user)
    found = letters.in_mailbox(client)
    client.logout()
    return found


def received(gates, user, wanted):
    """The messages arrived as they were sent, behind what the servers put before them."""
    found = arrived(gates, user)
    assert len(found) == len(wanted)
    for octets in wanted:
        assert any(message.endswith(b"\r\n" + octets) for message in found), octets[:300]


# ---- real clients --------------------------------------------------------------------------------

@pytest.mark.parametrize("client, scheme", WAYS)
def test_client_sends(gate, gates, friend, cache, tmp_path, client, scheme):
    account = gate.account()
    octets = letters.letter("mixed", account.user, friend)
    folder = cache if client == "nodemailer" else str(tmp_path)
    done = getattr(mailers, client)(gate.door(account), folder, octets, friend, scheme)
    assert done.returncode == 0, done.stdout
    received(gates, friend, [octets])
    assert [user for _, user in gates.postfix().logins()].count(account.user) == 1


@pytest.mark.parametrize("client, status", [("curl", 67), ("msmtp", 77), ("swaks", 28)])
def test_client_is_refused(gate, gates, friend, tmp_path, client, status):
    account = gate.account()
    done = getattr(mailers, client)(gate.door(account), str(tmp_path), b"Subject: x\r\n\r\n",
                                    friend, secret=account.password)
    assert done.returncode == status
    assert not arrived(gates, friend)


def test_nodemailer_is_told_where_to_go(gate, friend, cache):
    account = gate.account()
    done = mailers.nodemailer(gate.door(account), cache, b"Subject: x\r\n\r\n", friend,
                              secret=account.password)
    said = json.loads(done.stdout)
    assert said["code"] == "EAUTH" and said["responseCode"] == 534
    assert "https://portal.example.org" in said["response"]


# ---- octets --------------------------------------------------------------------------------------

def test_data_arrives_unchanged(gate, gates, friend):
    account = gate.account()
    sent = letters.all_letters(account.user, friend)
    with gate.opened(account, gate="submissions") as wire:
        for octets in sent:
            assert wire.submit(account.user, friend, octets).startswith(b"250")
        assert wire.command("QUIT").startswith(b"221")
        assert wire.is_closed()
    received(gates, friend, sent)


@pytest.mark.parametrize("chunk_octets", [17, 4096, 10_000_000])
def test_chunks_arrive_unchanged(gate, gates, friend, chunk_octets):
    """RFC 3030: BDAT, counted exactly whatever is in it."""
    account = gate.account()
    sent = [letters.letter(name, account.user, friend)
            for name in (letters.BODIES if chunk_octets > 1000 else ["dots", "commands"])]
    with gate.opened(account, gate="submissions") as wire:
        for octets in sent:
            assert wire.begin(account.user, friend).startswith(b"250")
            for start in range(0, len(octets), chunk_octets):
                part = octets[start : start + chunk_octets]
                last = b" LAST" if start + chunk_octets >= len(octets) else b""
                wire.send(b"BDAT %d%b\r\n%b" % (len(part), last, part))
                assert wire.reply()[1].startswith(b"250")
    received(gates, friend, sent)


def test_pipelined_transactions(gate, gates, friend):
    """RFC 2920: commands in groups, the next transaction right behind a message."""
    account = gate.account()
    count = 20
    sent = [letters.letter("dots", account.user, friend, number) for number in range(count)]
    begin = f"MAIL FROM:<{account.user}>\r\nRCPT TO:<{friend}>\r\n".encode()
    with gate.opened(account, gate="submissions") as wire:
        wire.send(b"".join(b"RSET\r\n" + begin + b"BDAT %d LAST\r\n%b" % (len(octets), octets)
                           for octets in sent) + b"NOOP\r\nQUIT\r\n")
        assert [wire.reply()[1][:3] for _ in range(4 * count + 2)] == \
            [b"250"] * (4 * count + 1) + [b"221"]
    received(gates, friend, sent)


def test_commands_octet_by_octet(gate, gates, friend):
    account = gate.account()
    octets = letters.letter("dots", account.user, friend)
    stuffed = octets.replace(b"\r\n.", b"\r\n..")
    with gate.opened(account, gate="submission") as wire:
        wire.send_slowly(f"MAIL FROM:<{account.user}>\r\nRCPT TO:<{friend}>\r\nDATA\r\n".encode(),
                         0.001)
        assert [wire.reply()[1][:3] for _ in range(3)] == [b"250", b"250", b"354"]
        wire.send_slowly(stuffed + b".\r\nNOOP\r\n", 0.001)
        assert [wire.reply()[1][:3] for _ in range(2)] == [b"250", b"250"]
    received(gates, friend, [octets])


@pytest.mark.parametrize("form", ["PLAIN", "PLAIN asked", "LOGIN", "LOGIN initial"])
def test_mechanisms(gate, form):
    account = gate.account()
    with gate.connect("submissions") as wire:
        wire.ready()
        if form == "PLAIN":
            _, said = wire.login(account.user, account.app_password)
        elif form == "PLAIN asked":
            assert wire.command("AUTH PLAIN").startswith(b"334")
            said = wire.command(plain(account.user, account.app_password))
        elif form == "LOGIN":
            _, said = wire.login_login(account.user, account.app_password)
        else:
            user, secret = (base64.b64encode(v.encode()).decode()
                            for v in (account.user, account.app_password))
            assert wire.command(f"AUTH LOGIN {user}").startswith(b"334")
            said = wire.command(secret)
        assert said.startswith(b"235 2.7.0") and wire.is_alive()


@pytest.mark.parametrize("text", ["MAIL FROM:<a@example.org>", "RCPT TO:<a@example.org>", "DATA",
                                  "EXPN a", "ETRN example.org"])
def test_no_mail_command_before_the_login(gate, text):
    with gate.connect("submissions") as wire:
        wire.ready()
        assert wire.command(text).startswith(b"530 5.7.0")
        assert wire.is_alive()


def test_no_chunk_before_the_login(gate):
    """What follows BDAT is no command, whoever refuses it: there is no going on."""
    with gate.connect("submissions") as wire:
        wire.ready()
        assert wire.command("BDAT 6 LAST\r\nNOOP").startswith(b"421 4.7.0")
        assert wire.is_closed()
        assert b"250 2.0.0" not in wire.seen


# ---- whose mail ----------------------------------------------------------------------------------

def test_sender_own(gates, base):
    """The account's own address and its aliases, and nothing else."""
    made = gates.make(protocols=("submission",))
    account, friend = made.fresh_user(), made.fresh_user()
    aliases = os.path.join(base, "aliases")
    with open(aliases, "w", encoding="ascii") as f:
        f.write(f"sales@example.org {account.user}\n@lists.example.org {account.user}\n"
                f"board@example.org {friend.user}\n")
    gate = gates.start(protocols=("submission",), policies={"default": {"sender": "own"}},
                       aliases={"source": "file", "file": aliases})
    account = gate.enrol(account.user)
    foreign = ["board@example.org", friend.user, "x@lists.example.org.evil.example", ""]
    own = [account.user, account.user.upper(), "sales@example.org", "any@lists.example.org"]
    with gate.opened(account, gate="submissions") as wire:
        for sender in foreign:
            said = wire.begin(sender, friend.user)
            assert said.startswith(b"553 5.7.1") or not sender, (sender, said)
            assert wire.command("RSET").startswith(b"250")
        sent = [letters.letter("plain", sender, friend.user) for sender in own]
        for sender, octets in zip(own, sent):
            assert wire.submit(sender, friend.user, octets).startswith(b"250"), sender
    received(gates, friend.user, sent)
    gate.stop()


def test_a_printer_s_app_password(gate, gates, friend):
    """Submission only, one sender address, one network."""
    account = gate.account("--protocols", "submission", "--network", "127.0.90.0/24",
                           "--sender", "scanner@example.org")
    assert gate.attempt(account.user, account.app_password, source="127.0.91.1",
                        gate="submissions")[1].startswith(b"535 5.7.8")
    octets = letters.letter("plain", "scanner@example.org", friend)
    with gate.opened(account, gate="submissions", source="127.0.90.9") as wire:
        assert wire.begin(account.user, friend).startswith(b"553 5.7.1")
        assert wire.submit("scanner@example.org", friend, octets).startswith(b"250")
    received(gates, friend, [octets])


# ---- upstreams -----------------------------------------------------------------------------------

def test_starttls_upstream(gates, friend):
    gate = gates.start(protocols=("submission",),
                       upstreams={"mail": gates.upstream(scheme="submission")})
    account = gate.account()
    octets = letters.letter("plain", account.user, friend)
    with gate.opened(account, gate="submissions") as wire:
        assert wire.submit(account.user, friend, octets).startswith(b"250")
    received(gates, friend, [octets])
    assert gates.postfix().log_rows("postfix/submission/smtpd")
    gate.stop()


def test_proxy_v2_tells_the_client_s_address(gates, friend):
    port = gates.postfix().ports["submissions_proxied"]
    gate = gates.start(protocols=("submission",), upstreams={"mail": gates.upstream(
        scheme="submissions", submission=f"submissions://localhost:{port}", proxy="v2")})
    account = gate.account()
    with gate.opened(account, source="127.0.64.7", gate="submissions") as wire:
        assert wire.begin(account.user, friend).startswith(b"250")
        gate.wait_for(lambda: ("127.0.64.7", account.user) in gates.postfix().logins(),
                      what="no login from that address in Postfix' log")
    gate.stop()
