"""ManageSieve through the gate before both real servers: what passes, and what is refused in its
turn."""

import pytest

from support.connection import Closed

REFUSED = ([], b'NO "This command does not pass the gate"')
CHANGING = [
    b"UNAUTHENTICATE", b"unauthenticate", b"STARTTLS", b'AUTHENTICATE "PLAIN" "AGEAYg=="',
    b'AUTHENTICATE "PLAIN" {8+}\r\nAGEAYg==', b"XCLIENT ADDR=192.0.2.1", b"COMPRESS DEFLATE",
]
SCRIPTS = [
    b"keep;", b"# no end of line", b"", b"keep;\r\n" * 1000,
    b'# UNAUTHENTICATE\r\nUNAUTHENTICATE\r\nOK\r\n{5+}\r\nNO "x"\r\n"y"\r\n',
]
OVER_THE_BOUND = b"UNAUTHENTICATE\r\n" * 80000  # of Dovecot (1 MiB) and Cyrus (32 KiB)
IS_GOOD = {b"keep;", b"# no end of line", b"", b"keep;\r\n" * 1000}


@pytest.fixture(scope="module", params=["dovecot", "cyrus"])
def place(request, gates):
    """A gateway before one of the servers, with a way to a fresh session."""
    server = request.getfixturevalue(request.param)
    gateway = gates.start(server=server, protocols=("sieve",),
                          upstreams={"mail": gates.upstream(server, scheme="sieve")})
    is_dovecot = request.param == "dovecot"
    account = gateway.enrol(gateway.fresh_user().user if is_dovecot else "cy3@example.org")
    yield lambda: gateway.opened(account, gate="sieve")
    gateway.stop()


def test_scripts_are_what_they_were(place):
    with place() as wire:
        for script in SCRIPTS:
            said = wire.put("mine", script)
            assert said.startswith(b"OK" if script in IS_GOOD else b"NO"), said
            if script in IS_GOOD:
                assert wire.get("mine").removesuffix(b"\r\n") == script.removesuffix(b"\r\n")
        assert wire.command('SETACTIVE "mine"')[1].startswith(b"OK")
        assert wire.command("LISTSCRIPTS")[0] == [b'"mine" ACTIVE']
        assert wire.command('DELETESCRIPT "mine"')[1].startswith(b"NO (ACTIVE)")
        assert wire.command('SETACTIVE ""')[1].startswith(b"OK")
        assert wire.command('RENAMESCRIPT "mine" "yours"')[1].startswith(b"OK")
        assert wire.command('DELETESCRIPT "yours"')[1].startswith(b"OK")
        assert wire.command("LISTSCRIPTS")[0] == []
        assert wire.command('HAVESPACE "x" 4000000000')[1].startswith(b"NO (QUOTA")
        assert wire.command('NOOP "x"')[1].startswith(b"OK (TAG")
        assert wire.command("LOGOUT")[1].startswith(b"OK")
        with pytest.raises(Closed):
            wire.line()


def test_refused(place):
    with place() as wire:
        for command in CHANGING:
            assert wire.command(command) == REFUSED
        assert wire.is_alive()


def test_refused_in_its_turn(place):
    with place() as wire:
        wire.send(b'NOOP "1"\r\nLISTSCRIPTS\r\nUNAUTHENTICATE\r\nCHECKSCRIPT {5+}\r\nkeep;\r\n'
                  b'AUTHENTICATE "PLAIN" {16+}\r\nUNAUTHENTICATE\r\n\r\nNOOP "2"\r\n')
        assert b"1" in wire.response()[1]
        assert wire.response()[1].startswith(b"OK")
        assert wire.response() == REFUSED
        assert wire.response()[1].startswith(b"OK")
        assert wire.response() == REFUSED
        assert b"2" in wire.response()[1]


def test_a_script_over_the_servers_bound_is_no_command(place):
    with place() as wire:
        assert wire.put("mine", OVER_THE_BOUND).startswith(b"NO")
        assert wire.is_alive()
        wire.send(b'PUTSCRIPT "mine" {%d+}\r\n' % len(OVER_THE_BOUND))
        wire.send_slowly(OVER_THE_BOUND[:100], pause_s=0.002)
        wire.send(OVER_THE_BOUND[100:] + b"\r\n")
        assert wire.response()[1].startswith(b"NO")
        assert wire.is_alive()


def test_a_name_that_is_not_ascii_does_not_free_the_script_behind_it(place):
    """Cyrus throws away the line behind such a quoted name, and would read the script."""
    with place() as wire:
        wire.send('PUTSCRIPT "Übersicht" {16+}\r\nUNAUTHENTICATE\r\n\r\n'.encode())
        wire.response()
        assert wire.is_alive()
        assert wire.command("LISTSCRIPTS")[1].startswith(b"OK")


@pytest.mark.parametrize("name", [b"a\xff", b"\xed\xa0\x80", b"a\r\nOK", b"n" * 513])
def test_a_name_that_no_server_takes_ends_the_session(place, name):
    with place() as wire:
        wire.send(b"PUTSCRIPT {%d+}\r\n" % len(name) + name + b" {16+}\r\nUNAUTHENTICATE\r\n\r\n")
        assert wire.line() == b'BYE "Protocol error"'


def test_many_at_once(place):
    with place() as wire:
        wire.send(b'PUTSCRIPT "a" {5+}\r\nkeep;\r\n' + b'GETSCRIPT "a"\r\n' * 300)
        assert wire.response()[1].startswith(b"OK")
        for _ in range(300):
            data, said = wire.response()
            assert data[0].startswith(b"{5}\r\nkeep;") and said.startswith(b"OK")
        assert wire.is_alive()


def test_capabilities(place):
    with place() as wire:
        named = wire.capabilities()
        assert named["IMPLEMENTATION"] == "Postern"
        assert "fileinto" in named["SIEVE"].split()
        assert named["VERSION"] == "1.0"
        assert set(named) <= {"IMPLEMENTATION", "SASL", "SIEVE", "NOTIFY", "MAXREDIRECTS",
                              "EXTLISTS", "VERSION"}
