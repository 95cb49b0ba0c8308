"""The guard in open sessions: what would change identity is refused before either real server."""

import pytest

from support.wire import Closed, capabilities

REFUSED = (b"NO", b"BAD")
CHANGING = ["UNAUTHENTICATE", "LOGIN other@example.org secret", "AUTHENTICATE PLAIN AGEAYg==",
            "AUTHENTICATE PLAIN", "STARTTLS", "COMPRESS DEFLATE"]


@pytest.fixture(scope="module", params=["dovecot", "cyrus"])
def place(request, gates):
    """A gateway before one of the servers, with a way to a fresh session."""
    if request.param == "dovecot":
        gateway = gates.start()
        account = gateway.account()
    else:
        server = request.getfixturevalue("cyrus")
        gateway = gates.start(server=server, upstreams={"mail": gates.upstream(server)})
        account = gateway.enrol("cy0@example.org")
    yield lambda: gateway.opened(account)
    gateway.stop()


@pytest.fixture
def wire(place):
    with place() as wire:
        wire.command("CREATE guard")
        assert wire.command("SELECT guard")[1].startswith(b"OK")
        yield wire


def is_alive(wire):
    return wire.command("NOOP")[1].startswith(b"OK")


@pytest.mark.parametrize("command", CHANGING)
def test_refused(wire, command):
    assert wire.command(command)[1].startswith(REFUSED)
    assert is_alive(wire)


@pytest.mark.parametrize("command", CHANGING)
def test_refused_in_mixed_case_octet_by_octet(wire, command):
    word, space, rest = command.partition(" ")
    mixed = "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(word))
    wire.send_slowly(f"m1 {mixed}{space}{rest}\r\n".encode(), 0.001)
    assert wire.until("m1")[1].startswith(REFUSED)
    assert is_alive(wire)


def answers(wire, *tags):
    """The tagged answers of pipelined commands, in whichever order they come."""
    found = {}
    while len(found) < len(tags):
        tag, _, rest = wire.line().partition(b" ")
        if tag.decode("ascii", "replace") in tags:
            found[tag.decode()] = rest
    return found


@pytest.mark.parametrize("command", CHANGING)
def test_refused_between_pipelined_commands(wire, command):
    wire.send(b"p1 NOOP\r\np2 " + command.encode() + b"\r\np3 STATUS guard (MESSAGES)\r\n")
    said = answers(wire, "p1", "p2", "p3")
    assert said["p1"].startswith(b"OK") and said["p3"].startswith(b"OK")
    assert said["p2"].startswith(REFUSED)


@pytest.mark.parametrize("literal", ["{%d}", "{%d+}"])
def test_refused_behind_a_literal_and_kept_within(wire, literal):
    body = b"Subject: a letter\r\n\r\nx9 LOGIN other secret\r\nx9 COMPRESS DEFLATE\r\n"
    head = b"l1 APPEND guard " + (literal % len(body)).encode() + b"\r\n"
    wire.send(head)
    if "+" not in literal:
        assert wire.line().startswith(b"+")
    wire.send(body + b"\r\nl2 COMPRESS DEFLATE\r\nl3 NOOP\r\n")
    said = answers(wire, "l1", "l2", "l3")
    assert said["l1"].startswith(b"OK") and said["l3"].startswith(b"OK")
    assert said["l2"].startswith(REFUSED)
    assert b"x9" not in wire.seen
    fetched, _ = wire.command("FETCH * BODY.PEEK[]")
    assert body in b"\r\n".join(fetched)


def test_refused_behind_a_literal_that_the_server_refuses(wire):
    wire.send(b"l1 APPEND nowhere-at-all {20}\r\n")
    said = wire.line()
    if said.startswith(b"+"):
        wire.send(b"x" * 20 + b"\r\n")
        said = wire.line()
    assert said.startswith(b"l1 NO"), said
    assert wire.command("UNAUTHENTICATE")[1].startswith(REFUSED)
    assert is_alive(wire)


def test_refused_with_its_arguments_as_literals(wire):
    wire.send(b"l1 LOGIN {5+}\r\nother {6+}\r\nsecret\r\n")
    try:
        assert wire.until("l1")[1].startswith(REFUSED)
        assert is_alive(wire)
    except Closed:
        pass                           # to end the session is fine as well


def test_refused_in_idle(wire):
    wire.send(b"i1 IDLE\r\n")
    while not wire.line().startswith(b"+"):
        pass
    wire.send(b"i2 COMPRESS DEFLATE\r\nDONE\r\n")
    wire.send(b"i3 NOOP\r\n")
    wire.patience(5)
    try:
        wire.until("i3")
    except (Closed, TimeoutError):
        pass                           # the upstream may end it
    assert b"i2 OK" not in wire.seen


@pytest.mark.parametrize("octets", [
    b"b1 NOOP\nb2 COMPRESS DEFLATE\r\n", b"b1 APPEND guard {99999999999999999999}\r\n",
    b"b1 APPEND guard {5x}\r\nabcde\r\n", b"b1 NOOP\r COMPRESS\r\n",
    b"b1 APPEND guard {-1}\r\n",
])
def test_what_is_not_sure_opens_nothing(wire, octets):
    """Ends the session, or is answered as an error; never a way past the guard."""
    wire.send(octets)
    wire.patience(3)
    try:
        wire.until("never")
    except (Closed, TimeoutError):
        pass
    assert b"b2 OK" not in wire.seen


def test_capabilities_without_what_is_refused(wire):
    words = capabilities(wire.command("CAPABILITY")[0])
    assert not words & {"UNAUTHENTICATE", "STARTTLS", "COMPRESS=DEFLATE", "LOGINDISABLED"}
    assert not any(w.startswith("AUTH=") for w in words)


def test_large_messages_pass_untouched(wire):
    body = b"Subject: large\r\n\r\n" + bytes(range(32, 127)) * 30_000 + b"\r\n"
    wire.send(b"l1 APPEND guard {%d}\r\n" % len(body))
    assert wire.line().startswith(b"+")
    wire.send(body + b"\r\n")
    assert wire.until("l1")[1].startswith(b"OK")
    fetched, _ = wire.command("FETCH * BODY.PEEK[]")
    assert body in b"\r\n".join(fetched)
