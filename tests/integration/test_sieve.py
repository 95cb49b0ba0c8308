"""ManageSieve through the gate: what sieve-connect puts there is on the server, and works."""

import re

import pytest

from support import letters
from support.connection import untrusting
from support.sasl import plain
from support.sieve import Sieve
from support.sieve_connect import sieve_connect

KEEP = b'require "fileinto";\r\nkeep;\r\n'
FILE = b'require ["fileinto", "mailbox"];\r\nfileinto :create "Filed";\r\n'
# A script may hold what would be commands elsewhere.
TRICKY = (b'# UNAUTHENTICATE\r\n/*\r\nUNAUTHENTICATE\r\nLOGOUT\r\n{5+}\r\n'
          b'AUTHENTICATE "PLAIN" "AA=="\r\n'
          b'OK "Logged in."\r\n*/\r\nkeep;\r\n')


@pytest.fixture(scope="module")
def gate(gates):
    return gates.start(protocols=("sieve", "submission"))


def behind(server, account):
    """A connection to the server itself, logged in."""
    wire = Sieve(server.ports["sieve"]).ready()
    assert wire.login(account.user, account.password)[1].startswith(b"OK")
    return wire


# ---- the real client -----------------------------------------------------------------------------

def test_sieve_connect_manages_scripts(gate, tmp_path):
    account = gate.account()
    door = gate.door(account)
    script = tmp_path / "script"
    script.write_bytes(KEEP)

    def does(*options):
        done = sieve_connect(door, *options)
        assert done.returncode == 0, done.stdout
        return done.stdout

    does("--checkscript", "--localsieve", str(script))
    does("--upload", "--localsieve", str(script), "--remotesieve", "mine")
    does("--upload", "--localsieve", str(script), "--remotesieve", "other")
    does("--activate", "--remotesieve", "mine")
    assert set(does("--list").split("\n")) >= {'"mine" ACTIVE', '"other"'}
    does("--delete", "--remotesieve", "other")
    assert does("--download", "--remotesieve", "mine",
                "--localsieve", "-").encode().split() == KEEP.split()
    with behind(gate.server, account) as wire:
        assert wire.command("LISTSCRIPTS")[0] == [b'"mine" ACTIVE']
        assert wire.get("mine") == KEEP


def test_sieve_connect_is_refused(gate):
    account = gate.account()
    done = sieve_connect(gate.door(account), "--list", secret=account.password)
    assert done.returncode != 0 and "app password" in done.stdout


def test_an_active_script_does_its_work(gate, gates):
    account = gate.account()
    with gate.opened(account, gate="sieve") as wire:
        assert wire.put("filing", FILE).startswith(b"OK")
        assert wire.command('SETACTIVE "filing"')[1].startswith(b"OK")
    letter = letters.letter("plain", account.user, account.user)
    with gate.opened(account, gate="submissions") as wire:
        assert wire.submit(account.user, account.user, letter).startswith(b"250")
    gates.postfix().wait_until_delivered()
    client = gates.dovecot.client(account.user)
    filed, = letters.in_mailbox(client, "Filed")
    assert filed.endswith(letter)
    client.logout()


# ---- octets --------------------------------------------------------------------------------------

LONG = KEEP + b"# " + b"x" * 200 + b"\r\n" + b"keep;\r\n" * 10_000


@pytest.mark.parametrize("script", [KEEP, TRICKY, LONG, b""],
                         ids=["short", "tricky", "long", "empty"])
def test_scripts_arrive_unchanged(gate, script):
    account = gate.account()
    with gate.opened(account, gate="sieve") as wire:
        assert wire.put("s", script).startswith(b"OK"), wire.seen
        assert wire.get("s") == script
    with behind(gate.server, account) as wire:
        assert wire.get("s") == script


def test_a_script_with_a_mistake_is_told_by_the_server(gate):
    account = gate.account()
    with gate.opened(account, gate="sieve") as wire:
        assert re.search(rb"line \d+: error", wire.put("wrong", b"nonsense\r\n"))
        assert wire.command('GETSCRIPT "wrong"')[1].startswith(b"NO")
        assert wire.is_alive()


def test_pipelined_commands(gate):
    account = gate.account()
    count = 50
    with gate.opened(account, gate="sieve") as wire:
        wire.send(b'PUTSCRIPT "p" {%d+}\r\n%b\r\nGETSCRIPT "p"\r\nHAVESPACE "p" 99\r\n'
                  % (len(TRICKY), TRICKY) * count)
        for _ in range(count):
            assert wire.response()[1].startswith(b"OK")
            data, said = wire.response()
            assert data[0].endswith(b"\r\n" + TRICKY) and said.startswith(b"OK")
            assert wire.response()[1].startswith(b"OK")


def test_login_octet_by_octet(gate):
    account = gate.account()
    response = plain(account.user, account.app_password)
    with gate.connect("sieve") as wire:
        wire.ready()
        wire.send_slowly(b'NOOP\r\nAUTHENTICATE "PLAIN" "' + response + b'"\r\nNOOP\r\n', 0.001)
        assert [wire.response()[1][:2] for _ in range(3)] == [b"OK"] * 3


def test_authenticate_with_a_literal(gate):
    """RFC 5804 §2.1: the initial response may be a literal, or come when it is asked for."""
    account = gate.account()
    response = plain(account.user, account.app_password)
    with gate.connect("sieve") as wire:
        wire.ready()
        wire.send(b'AUTHENTICATE "PLAIN" {%d+}\r\n%b\r\n' % (len(response), response))
        assert wire.response()[1].startswith(b"OK")
        assert wire.is_alive()


@pytest.mark.parametrize("text", ["LISTSCRIPTS", 'GETSCRIPT "x"', "UNAUTHENTICATE",
                                  'AUTHENTICATE "CRAM-MD5"', "STARTTLS"])
def test_what_is_not_understood_before_the_login(gate, text):
    with gate.connect("sieve") as wire:
        wire.ready()
        assert wire.command(text)[1].startswith(b"NO")
        assert wire.is_alive()


# ---- upstreams -----------------------------------------------------------------------------------

def test_cyrus(gates, cyrus):
    gate = gates.start(server=cyrus, protocols=("sieve",),
                       upstreams={"mail": gates.upstream(cyrus, scheme="sieve")})
    account = gate.enrol("cy5@example.org")
    with gate.connect("sieve") as wire:
        wire.greeting()
        wire.secure(untrusting())
        offered = wire.capabilities()
        assert "vnd.cyrus.snooze" in offered["SIEVE"] and "UNAUTHENTICATE" not in offered
    with gate.opened(account, gate="sieve") as wire:
        assert wire.put("mine", KEEP).startswith(b"OK")
        assert wire.command('SETACTIVE "mine"')[1].startswith(b"OK")
        assert wire.put("tricky", TRICKY).startswith(b"OK")
    with behind(cyrus, account) as wire:
        assert wire.get("mine") == KEEP and wire.get("tricky") == TRICKY
        assert b'"mine" ACTIVE' in wire.command("LISTSCRIPTS")[0]
    gate.stop()


def test_proxy_v2_tells_the_client_s_address(gates):
    port = gates.dovecot.ports["sieve_proxied"]
    gate = gates.start(protocols=("sieve",), upstreams={"mail": gates.upstream(
        scheme="sieve", sieve=f"sieve://localhost:{port}", proxy="v2")})
    account = gate.account()
    gate.opened(account, source="127.0.63.7", gate="sieve").close()
    rows = [r for r in gates.dovecot.log_tail(400).splitlines() if f"user=<{account.user}>" in r]
    assert any("managesieve-login" in r and "rip=127.0.63.7" in r for r in rows), rows
    gate.stop()
