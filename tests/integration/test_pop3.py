"""POP3 through the gate: real clients, messages octet for octet, logins, what is offered."""

import pytest

from support import fetchers, letters
from support.sasl import plain

LETTERS = [letters.letter(name, "ann@example.net", "reader@example.org")
           for name in letters.BODIES]
WAYS = [("curl", "pop3s"), ("curl", "pop3"), ("fetchmail", "pop3s"), ("fetchmail", "pop3"),
        ("getmail", "pop3s"), ("mpop", "pop3s"), ("mpop", "pop3")]


@pytest.fixture(scope="module")
def gate(gates):
    return gates.start(protocols=("pop3",))


def filled(gate):
    """A new account with LETTERS in its mailbox."""
    account = gate.account()
    client = gate.server.client(account.user)
    for octets in LETTERS:
        assert client.append("INBOX", None, None, octets)[0] == "OK"
    client.logout()
    return account


@pytest.fixture(scope="module")
def reader(gate):
    """Its mailbox is read only."""
    return filled(gate)


# ---- real clients --------------------------------------------------------------------------------

@pytest.mark.parametrize("client, scheme", WAYS)
def test_client_fetches_everything(gate, reader, tmp_path, client, scheme):
    got = getattr(fetchers, client)(gate.door(reader), str(tmp_path), scheme)
    assert letters.digests(got) == letters.digests(LETTERS)


@pytest.mark.parametrize("client", ["curl", "fetchmail", "getmail", "mpop"])
def test_client_is_refused(gate, reader, tmp_path, client):
    with pytest.raises(fetchers.Refused):
        getattr(fetchers, client)(gate.door(reader), str(tmp_path), secret=reader.password)


# ---- octets --------------------------------------------------------------------------------------

def test_messages_are_the_upstream_s_own(gate, reader):
    with gate.opened(reader, gate="pop3s") as wire:
        sizes = [int(row.split()[1]) for row in wire.many("LIST")]
        assert sizes == [len(octets) for octets in LETTERS]
        for number, octets in enumerate(LETTERS, 1):
            assert wire.message(number) == octets
        assert b"\r\n".join(wire.many("TOP 5 2")).count(b"\r\n") < LETTERS[4].count(b"\r\n")
        assert len({row.split()[1] for row in wire.many("UIDL")}) == len(LETTERS)
        assert wire.command("RETR 99").startswith(b"-ERR")
        assert wire.command("QUIT").startswith(b"+OK")
        assert wire.is_closed()


def test_commands_octet_by_octet(gate, reader):
    with gate.connect("pop3s") as wire:
        wire.greeting()
        wire.send_slowly(f"USER {reader.user}\r\nPASS {reader.app_password}\r\nSTAT\r\n".encode(),
                         0.001)
        assert [wire.line()[:3] for _ in range(3)] == [b"+OK"] * 3


def test_deleted_messages_are_gone(gate):
    account = filled(gate)
    with gate.opened(account, gate="pop3") as wire:
        assert wire.command("DELE 1").startswith(b"+OK")
        assert wire.command("RSET").startswith(b"+OK")
        assert wire.command("DELE 2").startswith(b"+OK")
        assert wire.command("QUIT").startswith(b"+OK")
        assert wire.is_closed()
    client = gate.server.client(account.user)
    assert letters.digests(letters.in_mailbox(client)) == \
        letters.digests([LETTERS[0], *LETTERS[2:]])
    client.logout()


def test_a_lost_connection_deletes_nothing(gate):
    account = filled(gate)
    with gate.opened(account, gate="pop3s") as wire:
        assert wire.command("DELE 1").startswith(b"+OK")
        wire.reset()
    gate.wait_for(lambda: not gate.sessions(account.user), 5, "session still listed")
    client = gate.server.client(account.user)
    assert len(letters.in_mailbox(client)) == len(LETTERS)
    client.logout()


@pytest.mark.parametrize("form", ["initial response", "continuation"])
def test_auth_plain(gate, reader, form):
    with gate.connect("pop3s") as wire:
        wire.greeting()
        if form == "initial response":
            _, said = wire.login_plain(reader.user, reader.app_password)
        else:
            assert wire.command("AUTH PLAIN").startswith(b"+ ")
            said = wire.command(plain(reader.user, reader.app_password))
        assert said.startswith(b"+OK") and wire.is_alive()


@pytest.mark.parametrize("text, answer", [
    ("APOP reader@example.org c4c9334bac560ecc979e58001b3e22fb", b"-ERR"),
    ("AUTH CRAM-MD5", b"-ERR"), ("STAT", b"-ERR"), ("RETR 1", b"-ERR"), ("PASS x", b"-ERR"),
    ("AUTH PLAIN =", b"-ERR"), ("STLS", b"-ERR")])
def test_what_is_not_understood_before_the_login(gate, reader, text, answer):
    with gate.connect("pop3s") as wire:
        wire.greeting()
        assert wire.command(text).startswith(answer)
        assert wire.login(reader.user, reader.app_password)[1].startswith(b"+OK")


# ---- upstreams -----------------------------------------------------------------------------------

@pytest.mark.parametrize("server", ["dovecot", "cyrus"])
def test_offer_before_the_login_is_the_upstream_s(request, gates, server):
    """test_guard_pop3.py has what follows the login, before each kind of upstream."""
    upstream = request.getfixturevalue(server)
    gate = gates.start(protocols=("pop3",), upstreams={
        "mail": gates.upstream(upstream, scheme="pop3")})
    with gate.connect("pop3s") as wire:
        offered = wire.ready().capabilities()
        words = {word.split(" ")[0] for word in offered}
        assert {"USER", "SASL", "UIDL", "TOP"} <= words and "SASL PLAIN" in offered
        assert not words & {"STLS", "IMPLEMENTATION", "XCLIENT", "APOP"}
        assert ("EXPIRE" in words) == (server == "cyrus")
    gate.stop()


def test_proxy_v2_tells_the_client_s_address(gates):
    port = gates.dovecot.ports["pop3s_proxied"]
    gate = gates.start(protocols=("pop3",), upstreams={"mail": gates.upstream(
        scheme="pop3s", pop3=f"pop3s://localhost:{port}", proxy="v2")})
    account = gate.account()
    gate.opened(account, source="127.0.62.7", gate="pop3s").close()
    rows = [r for r in gates.dovecot.log_tail(400).splitlines() if f"user=<{account.user}>" in r]
    assert any("pop3-login" in r and "rip=127.0.62.7" in r for r in rows), rows
    gate.stop()
