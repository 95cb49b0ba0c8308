"""PROXY protocol towards the gates: only where a gate says so, only from listed addresses."""

import pytest

from rig.process import free_port
from support import proxy
from support.wire import Closed, Wire, untrusting


@pytest.fixture(scope="module")
def proxied(gates):
    listen = f"127.0.0.1:{free_port()}"
    return gates.start(gates={
        "imaps": {"protocol": "imap", "listen": listen, "tls": "implicit",
                  "proxy_from": ["127.0.0.1", "127.0.70.0/24"]}})


@pytest.fixture(scope="module")
def account(proxied):
    return proxied.account()


def login(gateway, account, header, source=None):
    with gateway.connect(first=header, source=source) as wire:
        wire.line()
        _, said = wire.login(account.user, account.app_password)
        assert said.startswith(b"OK"), said
        return [row["source"] for row in gateway.sessions(account.user)]


@pytest.mark.parametrize("header, address", [
    (proxy.v1("192.0.2.7"), "192.0.2.7"),
    (proxy.v1("2001:db8::7"), "2001:db8::7"),
    (proxy.v2("192.0.2.8"), "192.0.2.8"),
    (proxy.v2("2001:db8::8"), "2001:db8::8"),
    (proxy.v2("192.0.2.9", tlv=b"\x04\x00\x03abc"), "192.0.2.9"),
])
def test_address_is_taken_from_the_header(proxied, account, header, address):
    assert any(address in source for source in login(proxied, account, header))


@pytest.mark.parametrize("header", [proxy.v2_local(), b"PROXY UNKNOWN\r\n"])
def test_local_connections_keep_their_own_address(proxied, account, header):
    assert any("127.0.0.1" in source for source in login(proxied, account, header))


def test_listed_network(proxied, account):
    sources = login(proxied, account, proxy.v2("192.0.2.10"), source="127.0.70.9")
    assert any("192.0.2.10" in source for source in sources)


def fails(gateway, **options):
    """Whether no session begins: the handshake or the greeting never comes."""
    try:
        with gateway.connect(timeout_s=6, **options) as wire:
            wire.line()
    except (Closed, OSError):
        return True
    return False


@pytest.mark.parametrize("header", [
    b"", b"PROXY TCP4 192.0.2.1\r\n", b"PROXY TCP4 999.0.2.1 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 " + b"1" * 200 + b"\r\n", proxy.SIGNATURE + b"\x21\x11\x00\x02ab",
    proxy.SIGNATURE + b"\x31\x11\x00\x0c" + b"\0" * 12,
    proxy.SIGNATURE + b"\x21\x11\xff\xff" + b"\0" * 2000,
])
def test_missing_or_malformed_header_ends_the_connection(proxied, header):
    assert fails(proxied, first=header)


def test_unlisted_address_may_not_speak_it(proxied):
    assert fails(proxied, first=proxy.v2("192.0.2.11"), source="127.0.71.1")


def test_a_plain_gate_takes_no_header(gate):
    assert fails(gate, first=proxy.v1("192.0.2.12"))


def test_header_octet_by_octet(proxied, account):
    with Wire(proxied.ports["imaps"]) as wire:
        wire.send_slowly(proxy.v2("192.0.2.13"), 0.002)
        wire.start_tls(untrusting())
        wire.line()
        assert wire.login(account.user, account.app_password)[1].startswith(b"OK")
