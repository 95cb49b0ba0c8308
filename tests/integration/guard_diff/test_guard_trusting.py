"""Before an upstream that believes in ID the client's own ID loses what it forges, as a real server
hears it."""

import os

import pytest

from rig.dovecot import Dovecot

USER = "ann@example.org"


@pytest.fixture(scope="module")
def listener(base, authority):
    """A Dovecot that writes down what ID says."""
    server = Dovecot(os.path.join(base, "di"), authority, {USER: "the mailbox password"},
                     label="listener", extra="imap_id_log = *")
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("is_trusting", [True, False])
def test_id(gates, listener, is_trusting):
    gateway = gates.start(server=listener,
                          upstreams={"mail": gates.upstream(listener, id=is_trusting)})
    with gateway.opened(gateway.enrol(USER)) as wire:
        said = wire.command('ID ("name" "Listened" "X-Originating-IP" "192.0.2.66" "vendor" "v")')
        assert said[1].startswith(b"OK"), said
        assert wire.command("ID NIL")[1].startswith(b"OK")
        wire.send(b"l1 ID ({16+}\r\nx-originating-ip \"192.0.2.67\")\r\n")
        assert wire.until("l1")[1].startswith(b"NO" if is_trusting else b"OK")
        assert wire.is_alive()
    with open(os.path.join(listener.folder, "dovecot.log"), encoding="utf-8") as f:
        heard = [line for line in f if "ID sent: " in line]
    gateway.stop()
    assert any("name=Listened" in line and "vendor=v" in line for line in heard), heard
    if is_trusting:  # the first of the two: nothing was forged so far
        assert not any("192.0.2.6" in line for line in heard), heard
    else:
        assert any("192.0.2.66" in line for line in heard), heard
