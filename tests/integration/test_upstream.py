"""The leg towards the upstream: how it is reached, verified and logged in to."""

import os

import pytest

from rig.dovecot import Dovecot
from rig.gateway import CommandFailed
from rig.process import free_port, run
from support import unverifiable
from support.faulty import Faulty, Talk

UNAVAILABLE = b"NO [UNAVAILABLE]"


def pin_of(certificate):
    """sha256/… of the public key, as `pin` wants it."""
    done = run(["sh", "-c", f"openssl x509 -in {certificate} -noout -pubkey | "
                "openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64"])
    return "sha256/" + done.stdout.strip()


def test_starttls(gates):
    gate = gates.start(upstreams={"mail": gates.upstream(scheme="imap")})
    account = gate.account()
    gate.opened(account).close()
    log = gates.dovecot.log_tail(200)
    assert f"user=<{account.user}>" in log and ", TLS, " in log.split(f"user=<{account.user}>")[-1]
    gate.stop()


def test_pin_instead_of_ca(gates):
    pinned = gates.upstream(pin=[pin_of(gates.dovecot.certificate)])
    pinned.pop("ca")
    gate = gates.start(upstreams={"mail": pinned})
    gate.opened(gate.account()).close()
    gate.stop()


def test_wrong_pin_is_unavailable(gates):
    pinned = gates.upstream(pin=["sha256/" + "A" * 43 + "="])
    pinned.pop("ca")
    gate = gates.start(upstreams={"mail": pinned})
    account = gate.unverified()
    assert gate.attempt(account.user, account.app_password)[1].startswith(UNAVAILABLE)
    gate.stop()


def serve(talk):
    if not talk.is_tls:
        talk.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n")
        while b"STARTTLS" not in (line := talk.line()).upper():
            talk.say(b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n"
                     + line.split(b" ")[0] + b" OK\r\n")
        talk.say(line.split(b" ")[0] + b" OK go on\r\n")
        talk.tls()
    talk.serve_login()
    talk.drain()


@pytest.mark.parametrize("scheme", ["imaps", "imap"])
@pytest.mark.parametrize("what", unverifiable.KINDS)
def test_certificate_that_does_not_verify(gates, base, what, scheme):
    certificate = unverifiable.certificate(gates.authority, base, what)
    with Faulty(gates.authority, serve, is_tls=scheme == "imaps",
                certificate=certificate) as server:
        gate = gates.start(upstreams={"mail": {
            "imap": f"{scheme}://localhost:{server.port}", "ca": gates.authority.certificate}})
        account = gate.unverified()
        assert gate.attempt(account.user, account.app_password)[1].startswith(UNAVAILABLE)
        assert server.count >= 1
        heard = server.heard.upper()
        assert (b"STARTTLS" in heard) == (scheme == "imap")
        assert b"LOGIN" not in heard and b"AUTHENTICATE" not in heard, server.heard
        gate.stop()


def test_several_addresses_are_tried_in_turn(gates):
    dead = free_port()
    good = gates.upstream()["imap"]
    gate = gates.start(upstreams={"mail": gates.upstream(imap=[f"imaps://127.0.0.1:{dead}", good])})
    gate.opened(gate.account()).close()
    gate.stop()


@pytest.mark.parametrize("login", ["sealed", "passthrough", "master"])
def test_login_towards_the_upstream(gates, login):
    extra = {"login": login}
    if login == "master":
        extra.update(master_user="postern-master", master_password="the master password")
    policies = {"default": {"require": "password" if login == "passthrough" else "mfa"}}
    gate = gates.start(upstreams={"mail": gates.upstream(**extra)}, policies=policies)
    if login == "passthrough":
        account = gate.account(has_app_password=False)
        _, said = gate.attempt(account.user, account.password)
        assert said.startswith(b"OK"), said
    else:
        gate.opened(gate.account()).close()
    gate.stop()


def test_proxy_v2_tells_the_client_s_address(gates):
    port = gates.dovecot.ports["imaps_proxied"]
    gate = gates.start(upstreams={"mail": gates.upstream(
        imap=f"imaps://localhost:{port}", proxy="v2")})
    account = gate.account()
    gate.opened(account, source="127.0.60.7").close()
    rows = [r for r in gates.dovecot.log_tail(400).splitlines() if f"user=<{account.user}>" in r]
    assert any("rip=127.0.60.7" in r for r in rows), rows
    gate.stop()


def test_id_tells_the_client_s_address(gates, base):
    trusting = Dovecot(os.path.join(base, "trusting"), gates.authority,
                       gates.dovecot.users, label="trusting", trusted="127.0.0.0/8").start()
    gate = gates.start(server=trusting, upstreams={"mail": gates.upstream(trusting, id=True)})
    account = gate.account()
    gate.opened(account, source="127.0.61.7").close()
    rows = [r for r in trusting.log_tail(400).splitlines() if f"user=<{account.user}>" in r]
    assert any("rip=127.0.61.7" in r for r in rows), rows
    gate.stop()
    trusting.stop()


def test_clear_text_upstream_only_on_loopback(gates):
    port = gates.dovecot.ports["imap"]
    local = gates.start(upstreams={"mail": {"imap": f"imap+clear://127.0.0.1:{port}"}})
    local.opened(local.account()).close()
    local.stop()
    far = gates.make(upstreams={"mail": {"imap": "imap+clear://192.0.2.1:143"}})
    far.write_config()
    with pytest.raises(CommandFailed) as failed:
        far.command("check")
    assert "imap+clear" in failed.value.error + failed.value.output


def preauth(talk):
    talk.say(b"* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n")
    talk.drain()


def no_starttls(talk):
    talk.serve_login(b"IMAP4rev1 AUTH=PLAIN SASL-IR")
    talk.drain()


def starttls_refused(talk):
    talk.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready\r\n")
    while line := talk.line():
        tag, _, rest = line.partition(b" ")
        if rest.upper().startswith(b"CAPABILITY"):
            talk.say(b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n" + tag + b" OK\r\n")
        else:
            talk.say(tag + b" BAD not today\r\n")


def octets_behind_starttls(talk):
    talk.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready\r\n")
    while line := talk.line():
        tag, _, rest = line.partition(b" ")
        if rest.upper().startswith(b"STARTTLS"):
            talk.say(tag + b" OK go on\r\n* OK injected\r\n")
            talk.tls()
            talk.serve_login()
            talk.drain()
            return
        talk.say(b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n" + tag + b" OK\r\n")


@pytest.mark.parametrize("script", [preauth, no_starttls, starttls_refused,
                                    octets_behind_starttls])
def test_no_credential_is_sent_when_starttls_goes_wrong(gates, script):
    with Faulty(gates.authority, script, is_tls=False) as server:
        gate = gates.start(upstreams={"mail": {
            "imap": f"imap://localhost:{server.port}", "ca": gates.authority.certificate}})
        account = gate.unverified()
        assert gate.attempt(account.user, account.app_password)[1].startswith(UNAVAILABLE)
        assert server.count >= 1
        heard = server.heard.upper()
        assert b"LOGIN" not in heard and b"AUTHENTICATE" not in heard, server.heard
        gate.stop()


# ---- another address, another URL -------------------------------------------------------------

def close_at_once(talk):
    talk.stream.close()


def bye_at_once(talk):
    talk.say(b"* BYE too busy\r\n")


def hang(talk):
    talk.drain()


@pytest.mark.parametrize("is_tls,script", [(False, close_at_once), (True, bye_at_once),
                                           (False, hang), (True, hang)],
                         ids=["closes before TLS", "says BYE", "hangs before TLS",
                              "hangs before the greeting"])
def test_next_url_is_asked_when_one_does_not_serve(gates, authority, script, is_tls):
    """As long as nothing of a credential has been said, another may be asked."""
    with Faulty(authority, script, is_tls=is_tls) as faulty:
        both = gates.upstream(connect_timeout="1s")
        both["imap"] = [f"imaps://localhost:{faulty.port}", both["imap"]]
        gate = gates.start(upstreams={"mail": both})
        account = gate.unverified()
        gate.opened(account).close()
        assert faulty.count > 0
        assert b"AUTHENTICATE" not in faulty.heard and b"LOGIN" not in faulty.heard
        gate.stop()


def test_no_other_is_asked_once_the_credential_was_said(gates, authority):
    def lose(talk):
        talk.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n")
        talk.line()

    with Faulty(authority, lose) as faulty, Faulty(authority, Talk.serve_login) as second:
        one = gates.upstream()
        one["imap"] = [f"imaps://localhost:{faulty.port}", f"imaps://localhost:{second.port}"]
        gate = gates.start(upstreams={"mail": one})
        account = gate.unverified()
        assert gate.attempt(account.user, account.app_password)[1].startswith(UNAVAILABLE)
        assert second.count == 0
        gate.stop()
