"""POP3 through the gate before both real servers: what passes, and what is refused in its turn."""

import pytest

REFUSED = b"-ERR This command does not pass the gate"
CHANGING = ["USER victim@example.org", "PASS secret", "AUTH", "AUTH PLAIN AGEAYg==", "AUTH PLAIN",
            "STLS", "APOP victim c4c9334bac560ecc979e58001b3e22fb", "XCLIENT ADDR=192.0.2.1"]
MAILS = [
    b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n\r\n.\r\n",
    b"Subject: replies\r\n\r\n+OK\r\n-ERR\r\n.\r\n+OK 1 2\r\n",
    b"Subject: long\r\n\r\n" + b"x" * 50000 + b"\r\n" + b"." * 9000 + b"\r\n",
]


@pytest.fixture(scope="module", params=["dovecot pop3s", "dovecot pop3", "cyrus pop3s",
                                        "cyrus pop3"])
def place(request, gates):
    """A gateway before one of the servers, with a way to a fresh session of a filled mailbox."""
    name, scheme = request.param.split(" ")
    server = request.getfixturevalue(name)
    gateway = gates.start(server=server, protocols=("pop3",),
                          upstreams={"mail": gates.upstream(server, scheme=scheme)})
    user = f"cy{1 + (scheme == 'pop3')}@example.org"
    account = gateway.enrol(gateway.fresh_user().user if name == "dovecot" else user)
    client = server.client(account.user)
    for mail in MAILS:
        assert client.append("INBOX", None, None, mail)[0] == "OK"
    client.logout()
    yield lambda gate="pop3s": gateway.opened(account, gate=gate)
    gateway.stop()


@pytest.mark.parametrize("gate", ["pop3s", "pop3"])
def test_mail_is_what_it_was(place, gate):
    with place(gate) as wire:
        assert wire.command("STAT").startswith(b"+OK %d " % len(MAILS))
        assert len(wire.many("UIDL")) == len(MAILS)
        for number, mail in enumerate(MAILS, 1):
            assert wire.message(number).endswith(mail)
        assert wire.command("QUIT").startswith(b"+OK")


def test_refused(place):
    with place() as wire:
        for command in CHANGING:
            assert wire.command(command) == REFUSED
        assert wire.is_alive()


def test_refused_in_its_turn(place):
    with place() as wire:
        wire.send(b"RETR 1\r\nUSER victim\r\nSTAT\r\nPASS secret\r\nLIST 1\r\n")
        assert wire.line().startswith(b"+OK")
        assert b"".join(line + b"\r\n" for line in wire.lines()).endswith(MAILS[0])
        assert wire.line() == REFUSED
        assert wire.line().startswith(b"+OK %d " % len(MAILS))
        assert wire.line() == REFUSED
        assert wire.line().startswith(b"+OK 1 ")


def test_many_at_once(place):
    with place() as wire:
        wire.send(b"".join(b"RETR %d\r\n" % (1 + n % len(MAILS)) for n in range(300)))
        for n in range(300):
            assert wire.line().startswith(b"+OK")
            assert b"".join(line + b"\r\n" for line in wire.lines()).endswith(MAILS[n % len(MAILS)])
        assert wire.is_alive()


def test_capabilities(place):
    with place() as wire:
        words = {line.split(" ")[0] for line in wire.capabilities()}
        assert {"TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE"} <= words
        assert not words & {"STLS", "SASL", "USER", "XCLIENT", "IMPLEMENTATION"}
