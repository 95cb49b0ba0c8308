"""TLS of the gates: versions, certificates, names, tickets, ALPN; and no octet in the clear."""

import socket
import ssl
import subprocess
import time

import pytest

from rig.demo import certificates
from rig.process import run
from support.wire import Closed, Wire, capabilities, untrusting


def handshake(port, name="localhost", lowest=None, highest=None, ciphers=None, alpn=None,
              session=None, context=None):
    """A TLS connection; the caller closes it."""
    if context is None:
        context = untrusting()
        if lowest:
            context.minimum_version = lowest
        if highest:
            context.maximum_version = highest
        if ciphers:
            context.set_ciphers(ciphers)
        if alpn:
            context.set_alpn_protocols(alpn)
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    try:
        return context.wrap_socket(raw, server_hostname=name, session=session)
    except BaseException:
        raw.close()
        raise


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_version_is_spoken(gate, version):
    with handshake(gate.ports["imaps"], lowest=version, highest=version) as tls:
        assert tls.version() == version.name.replace("_", ".")
        assert tls.recv(4096).startswith(b"* OK")


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_version_is_refused(gate, version):
    version = ssl.TLSVersion[version]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(gate.ports["imaps"], lowest=version, highest=version,
                  ciphers="ALL:@SECLEVEL=0").close()


@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES256-GCM-SHA384", "NULL-SHA256",
                                    "ECDHE-RSA-AES128-SHA"])
def test_weak_cipher_is_refused(gate, cipher):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(gate.ports["imaps"], highest=ssl.TLSVersion.TLSv1_2,
                  ciphers=f"{cipher}:@SECLEVEL=0").close()


@pytest.mark.parametrize("offered, chosen", [
    (["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"], 1),
    (["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"], 0),
    # First of all means: no AES in hardware.
    (["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"], 0),
])
def test_order_of_ciphers_is_the_gate_s(gate, offered, chosen):
    with handshake(gate.ports["imaps"], highest=ssl.TLSVersion.TLSv1_2,
                   ciphers=":".join(offered)) as tls:
        assert tls.cipher()[0] == offered[chosen]


def test_minimum_of_1_3_refuses_1_2(gates, authority):
    settings = certificates(authority.issue("gate-ecdsa"))
    strict = gates.start(tls={**settings, "minimum": "1.3"})
    handshake(strict.ports["imaps"]).close()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(strict.ports["imaps"], highest=ssl.TLSVersion.TLSv1_2).close()
    strict.stop()


@pytest.mark.parametrize("key, cipher", [("ecdsa", "ECDHE-ECDSA-AES128-GCM-SHA256"),
                                         ("rsa", "ECDHE-RSA-AES128-GCM-SHA256")])
def test_each_key_type_has_its_certificate(gate, authority, key, cipher):
    with handshake(gate.ports["imaps"], highest=ssl.TLSVersion.TLSv1_2, ciphers=cipher) as tls:
        assert tls.cipher()[0] == cipher
        shown = ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))
    with open(authority.issue(f"gate-{key}", key)[0], encoding="ascii") as f:
        assert shown.strip() in f.read()


def test_certificate_is_chosen_by_name(gates, authority):
    names = {"localhost": authority.issue("gate-ecdsa"),
             "imap.example.net": authority.issue("other", names=["imap.example.net"]),
             "a.wild.example.com": authority.issue("wild", names=["*.wild.example.com"])}
    several = gates.start(tls=certificates(*names.values()))
    for name, (path, _) in names.items():
        with handshake(several.ports["imaps"], name=name) as tls:
            shown = ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))
        with open(path, encoding="ascii") as f:
            assert shown.strip() in f.read(), name
    with handshake(several.ports["imaps"], name="unknown.example") as tls:
        assert tls.recv(4096).startswith(b"* OK")
    several.stop()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_every_edge_accepts_the_tickets_of_the_others(gates, version):
    several = gates.start(edges={"count": 3})
    assert len(several.role("edge")) == 3
    context = untrusting()
    context.minimum_version = context.maximum_version = version
    first = handshake(several.ports["imaps"], context=context)
    first.recv(4096)                   # TLS 1.3 sends its tickets behind the handshake
    session = first.session
    reused = []
    for _ in range(24):
        with handshake(several.ports["imaps"], context=context, session=session) as tls:
            reused.append(tls.session_reused)
            tls.recv(4096)
    first.close()
    assert all(reused), reused
    several.stop()


def test_alpn(gate):
    port = gate.ports["imaps"]
    with handshake(port, alpn=["imap"]) as tls:
        assert tls.selected_alpn_protocol() == "imap"
    with handshake(port) as tls:
        assert tls.selected_alpn_protocol() is None
    with pytest.raises(ssl.SSLError):
        handshake(port, alpn=["h2", "http/1.1"]).recv(1)


def test_openssl_is_content(gate, authority):
    for name, options in (("imaps", []), ("imap", ["-starttls", "imap"])):
        done = run(["openssl", "s_client", "-connect", f"127.0.0.1:{gate.ports[name]}",
                    "-CAfile", authority.certificate, "-verify_return_error",
                    "-verify_hostname", "localhost", "-brief", *options], check=False,
                   input="a LOGOUT\r\n", timeout=20)
        assert "Verification: OK" in done.stderr, done.stderr
        assert "TLSv1.3" in done.stderr


def test_no_renegotiation_and_no_compression(gate):
    with handshake(gate.ports["imaps"], highest=ssl.TLSVersion.TLSv1_2) as tls:
        assert tls.compression() is None
    done = run(["openssl", "s_client", "-connect", f"127.0.0.1:{gate.ports['imaps']}", "-tls1_2"],
               check=False, input="R\n", timeout=20)
    assert "Secure Renegotiation IS supported" in done.stdout
    assert "no renegotiation" in done.stderr.lower() or done.returncode != 0


def test_a_flood_of_key_updates_ends_the_session(gate):
    """RFC 8446 §4.6.3 sets no bound to them, and each costs the receiver a key schedule."""
    client = subprocess.Popen(["openssl", "s_client", "-connect",
                               f"127.0.0.1:{gate.ports['imaps']}", "-tls1_3"],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    sent = 0
    try:
        while client.poll() is None and sent < 500:
            client.stdin.write(b"k\n")  # one command of s_client a read of its
            client.stdin.flush()
            sent += 1
            time.sleep(0.005)
    except BrokenPipeError:
        pass
    client.kill()
    client.wait()
    assert 64 <= sent < 500
    with gate.connect() as wire:
        assert wire.line().startswith(b"* OK")


def test_clear_text_on_the_tls_port_gets_no_word(gate):
    with Wire(gate.ports["imaps"]) as wire:
        wire.send(b"a LOGIN alice@example.org secret\r\n")
        assert wire.is_closed()
        assert b"OK" not in wire.seen and b"NO" not in wire.seen


# ---- the starttls gate before TLS -------------------------------------------------------------

def test_before_tls_no_credential_is_invited(gate):
    with gate.connect("imap") as wire:
        greeting = wire.line()
        assert greeting.startswith(b"* OK")
        untagged, said = wire.command("CAPABILITY")
        words = capabilities(untagged)
        assert {"STARTTLS", "LOGINDISABLED"} <= words
        assert not any(w.startswith("AUTH=") for w in words), words
        assert said.startswith(b"OK")


@pytest.mark.parametrize("command", [
    b'LOGIN "alice@example.org" "secret"', b"login alice@example.org secret",
    b"LOGIN {17}", b"AUTHENTICATE PLAIN", b"AUTHENTICATE PLAIN AGEAYg==", b"AUTHENTICATE LOGIN",
])
def test_before_tls_every_login_is_refused(gate, command):
    with gate.connect("imap") as wire:
        wire.line()
        wire.send(b"x1 " + command + b"\r\n")
        said = wire.line()
        assert said.startswith(b"x1 NO [PRIVACYREQUIRED]"), said


def test_before_tls_nothing_else_is_understood(gate):
    with gate.connect("imap") as wire:
        wire.line()
        for command in ("SELECT INBOX", "LIST \"\" *", "ID (\"name\" \"x\")", "ENABLE UTF8=ACCEPT"):
            _, said = wire.command(command)
            assert said.startswith((b"BAD", b"NO")), (command, said)
        assert wire.command("NOOP")[1].startswith(b"OK")


def test_octets_behind_starttls_are_thrown_away(gate):
    account = gate.account()
    with gate.connect("imap") as wire:
        wire.line()
        injected = f'x2 LOGIN "{account.user}" "{account.app_password}"\r\nx3 NOOP\r\n'.encode()
        wire.send(b"x1 STARTTLS\r\n" + injected)
        try:
            assert wire.line().startswith(b"x1 OK")
            wire.start_tls(untrusting())
        except (Closed, ssl.SSLError):
            return                     # it may as well end the connection
        _, said = wire.command("NOOP")
        assert said.startswith(b"OK")
        assert b"x2" not in wire.seen and b"x3" not in wire.seen


def test_after_starttls_a_login_works_and_starttls_is_gone(gate):
    account = gate.account()
    with gate.connect("imap") as wire:
        wire.line()
        assert wire.command("STARTTLS")[1].startswith(b"OK")
        wire.start_tls(untrusting())
        words = capabilities(wire.command("CAPABILITY")[0])
        assert "STARTTLS" not in words and "LOGINDISABLED" not in words and "AUTH=PLAIN" in words
        assert wire.command("STARTTLS")[1].startswith((b"BAD", b"NO"))
        assert wire.login(account.user, account.app_password)[1].startswith(b"OK")


def test_implicit_gate_offers_no_starttls(gate):
    with gate.connect("imaps") as wire:
        wire.line()
        assert "STARTTLS" not in capabilities(wire.command("CAPABILITY")[0])
        assert wire.command("STARTTLS")[1].startswith((b"BAD", b"NO"))
