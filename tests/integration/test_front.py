"""The IMAP front on the wire: each way to say a login, each bound, each refusal's words."""

import base64

import pytest

from support.wire import Closed, Wire, capabilities, quoted


@pytest.fixture(scope="module")
def account(gate):
    return gate.account()


@pytest.fixture
def wire(gate):
    with gate.connect() as wire:
        wire.line()
        yield wire


def plain(account, authorization=""):
    text = f"{authorization}\0{account.user}\0{account.app_password}"
    return base64.b64encode(text.encode())


def is_open(wire):
    """The session is the upstream's: it selects."""
    return wire.command("SELECT INBOX")[1].startswith(b"OK")


def test_capabilities_before_login(wire):
    words = capabilities(wire.command("CAPABILITY")[0])
    assert {"IMAP4REV1", "AUTH=PLAIN", "SASL-IR", "ID"} <= words
    assert words & {"LITERAL-", "LITERAL+"}
    assert "LOGINDISABLED" not in words


def test_login_quoted(wire, account):
    assert wire.login(account.user, account.app_password)[1].startswith(b"OK")
    assert is_open(wire)


def test_login_octet_by_octet(wire, account):
    wire.send_slowly(b"a1 LOGIN " + quoted(account.user) + b" " + quoted(account.app_password)
                     + b"\r\n", 0.001)
    assert wire.until("a1")[1].startswith(b"OK")
    assert is_open(wire)


def test_login_with_synchronising_literals(wire, account):
    user, secret = account.user.encode(), account.app_password.encode()
    wire.send(b"a1 LOGIN {%d}\r\n" % len(user))
    assert wire.line().startswith(b"+ ")
    wire.send(user + b" {%d}\r\n" % len(secret))
    assert wire.line().startswith(b"+ ")
    wire.send(secret + b"\r\n")
    assert wire.until("a1")[1].startswith(b"OK")
    assert is_open(wire)


def test_login_with_non_synchronising_literals(wire, account):
    user, secret = account.user.encode(), account.app_password.encode()
    wire.send(b"a1 LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(user), user, len(secret), secret))
    assert wire.until("a1")[1].startswith(b"OK")
    assert is_open(wire)


def test_authenticate_plain_with_initial_response(wire, account):
    assert wire.command(b"AUTHENTICATE PLAIN " + plain(account))[1].startswith(b"OK")
    assert is_open(wire)


def test_authenticate_plain_with_continuation(wire, account):
    wire.send(b"a1 AUTHENTICATE PLAIN\r\n")
    assert wire.line().startswith(b"+ ")
    wire.send(plain(account) + b"\r\n")
    assert wire.until("a1")[1].startswith(b"OK")
    assert is_open(wire)


def test_authorization_identity_of_somebody_else_is_refused(wire, account, gate):
    other = gate.account()
    _, said = wire.command(b"AUTHENTICATE PLAIN " + plain(account, other.user))
    assert said.startswith(b"NO"), said


def test_cancelled_exchange(wire, account):
    wire.send(b"a1 AUTHENTICATE PLAIN\r\n")
    assert wire.line().startswith(b"+ ")
    wire.send(b"*\r\n")
    assert wire.until("a1")[1].startswith(b"BAD")
    assert wire.login(account.user, account.app_password)[1].startswith(b"OK")


def test_pipelined_commands_are_answered_in_order(wire, account):
    wire.send(b"a1 CAPABILITY\r\na2 NOOP\r\na3 ID NIL\r\na4 LOGIN " + quoted(account.user) + b" "
              + quoted(account.app_password) + b"\r\na5 SELECT INBOX\r\na6 NOOP\r\n")
    for tag in ("a1", "a2", "a3", "a4", "a5", "a6"):
        assert wire.until(tag)[1].startswith(b"OK"), tag


def test_dashes_and_spaces_in_an_app_password_are_ignored(wire, account):
    secret = account.app_password
    typed = secret[:8] + " " + secret[8:14] + "-" + secret[14:]
    assert wire.login(account.user, typed)[1].startswith(b"OK")


def test_user_name_in_capitals(wire, account):
    assert wire.login(account.user.upper(), account.app_password)[1].startswith(b"OK")


def test_bare_user_name_gets_the_domain(wire, account):
    assert wire.login(account.user.split("@")[0], account.app_password)[1].startswith(b"OK")


def test_id_before_login_labels_the_session(gate, wire, account):
    assert wire.command('ID ("name" "Test Mailer" "version" "7")')[1].startswith(b"OK")
    assert wire.login(account.user, account.app_password)[1].startswith(b"OK")
    assert any("Test Mailer" in row["client"] for row in gate.sessions(account.user))


def test_capabilities_of_the_upstream_are_given_less_what_may_not_pass(wire, account):
    wire.login(account.user, account.app_password)
    words = capabilities(wire.command("CAPABILITY")[0])
    assert {"IDLE", "MOVE", "CONDSTORE"} <= words
    assert not words & {"STARTTLS", "LOGINDISABLED", "UNAUTHENTICATE", "COMPRESS=DEFLATE"}
    assert not any(w.startswith("AUTH=") for w in words)


def test_logout(wire):
    untagged, said = wire.command("LOGOUT")
    assert untagged[-1].startswith(b"* BYE") and said.startswith(b"OK")
    assert wire.is_closed()


# ---- bounds -----------------------------------------------------------------------------------

@pytest.mark.parametrize("octets", [
    pytest.param(b"a1 NOOP" + b" " * 20_000, id="a line without end"),
    pytest.param(b"a1 LOGIN {99999}\r\n", id="a literal over the bound"),
    pytest.param(b"a1 LOGIN {99999999999999999999}\r\n", id="a literal that overflows"),
    pytest.param(b"a1 NO\0OP\r\n" * 20, id="NUL"),
    pytest.param(b"x" * 300 + b" NOOP\r\n", id="a tag without end"),
    pytest.param(b"a1 NOOP\r\n" * 200, id="commands without end"),
    pytest.param(b"\x16\x03\x01\r\n" * 50, id="nonsense"),
])
def test_what_is_over_a_bound_ends_the_connection(wire, octets):
    try:
        wire.send(octets)
    except OSError:
        pass
    assert wire.is_closed()
    assert b" OK [CAPABILITY" not in wire.seen.replace(b"* OK [CAPABILITY", b"")


def test_bare_line_feed_is_no_line_end(wire):
    wire.send(b"a1 NOOP\na2 NOOP\r\n")
    said = wire.line()
    assert not said.startswith(b"a2 OK") and not said.startswith(b"a1 OK"), said


def test_silent_connections_are_closed(gates):
    hasty = gates.start(session={"login_timeout": "3s", "handshake_timeout": "2s"})
    with hasty.connect() as wire:
        wire.line()
        assert wire.is_closed(6)
    with Wire(hasty.ports["imaps"]) as wire:
        assert wire.is_closed(6)
    hasty.stop()


# ---- refusals ---------------------------------------------------------------------------------

def test_every_refused_password_has_the_same_words(gate):
    bare = gate.account(has_app_password=False)
    enrolled = gate.account()
    unknown = gate.fresh_user()
    tries = {
        "right password, app password enrolled": (enrolled.user, enrolled.password),
        "right password, no factor": (bare.user, bare.password),
        "right password, unknown to the gate": (unknown.user, unknown.password),
        "wrong password": (enrolled.user, "not the password"),
        "no such account": ("nobody-at-all@example.org", "not the password"),
    }
    said = {name: gate.attempt(*pair, source=f"127.0.{40 + n}.1")
            for n, (name, pair) in enumerate(tries.items())}
    tagged = {answer for _, answer in said.values()}
    assert len(tagged) == 1, said
    assert tagged.pop().startswith(b"NO [AUTHENTICATIONFAILED]")
    alerts = {tuple(untagged) for untagged, _ in said.values()}
    assert len(alerts) == 1, said
    assert b"https://portal.example.org" in b"".join(alerts.pop())


def test_alert_comes_at_most_once_an_hour(gate):
    account = gate.account(has_app_password=False)
    first, _ = gate.attempt(account.user, account.password, source="127.0.50.1")
    second, _ = gate.attempt(account.user, "something else", source="127.0.50.1")
    assert any(b"[ALERT]" in line for line in first)
    assert not any(b"[ALERT]" in line for line in second)


def test_refused_app_password_has_no_alert(gate):
    account = gate.account()
    wrong = account.app_password[:-4] + "0000"
    untagged, said = gate.attempt(account.user, wrong, source="127.0.51.1")
    assert said.startswith(b"NO [AUTHENTICATIONFAILED]")
    assert not untagged


def test_app_password_of_another_account_is_refused(gate):
    one, other = gate.account(), gate.account()
    _, said = gate.attempt(other.user, one.app_password, source="127.0.52.1")
    assert said.startswith(b"NO [AUTHENTICATIONFAILED]")


def test_after_some_tries_the_connection_ends(gate):
    with gate.connect(source="127.0.53.1") as wire:
        wire.line()
        for n in range(12):
            try:
                _, said = wire.login("nobody@example.org", f"guess {n}")
            except Closed:
                break
            assert said.startswith(b"NO"), said
        else:
            pytest.fail("twelve tries on one connection")
