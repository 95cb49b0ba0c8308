"""The service as a whole: start, reload, drain, bad configuration, privileges, metrics."""

import json
import os
import re
import shutil
import signal
import ssl
import time
import urllib.request

import pytest

from rig import pki
from rig.gateway import EDGE_UID, WARDEN_UID, CommandFailed
from rig.process import free_port
from support.wire import Closed


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(row.rstrip("\n").split(":\t", 1) for row in f if ":\t" in row)


def shown_certificate(gate):
    return ssl.get_server_certificate(("127.0.0.1", gate.ports["imaps"]), timeout=10)


@pytest.mark.release  # a sanitizer needs what the sandbox forbids
def test_roles_and_their_privileges(gate):
    edges, wardens = gate.role("edge"), gate.role("warden")
    assert len(edges) == os.cpu_count() and len(wardens) == 1
    for pid, uid in [(p, EDGE_UID) for p in edges] + [(p, WARDEN_UID) for p in wardens]:
        status = status_of(pid)
        assert set(status["Uid"].split()) == {str(uid)}, status["Uid"]
        assert set(status["Gid"].split()) == {str(uid)}, status["Gid"]
        assert status["Groups"].split() in ([], [str(uid)])
        assert int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) >= 0
        assert status["NoNewPrivs"].strip() == "1"
        assert status["Seccomp"].strip() == "2", gate.children()[pid]


def test_edges_hold_no_open_file_of_the_state(gate):
    for pid in gate.role("edge"):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            assert not target.startswith(gate.state), target


def test_reload_takes_new_certificates_and_drops_no_session(gates):
    own = pki.Authority(os.path.join(gates.base, f"renewing-{time.monotonic_ns()}"))
    certificate, key = own.issue("renewed")
    gate = gates.start(tls={"certificate": certificate, "key": key})
    account = gate.account()
    wire = gate.opened(account)
    before = shown_certificate(gate)
    own.issue("renewed", renew=True)
    gate.child.signal(signal.SIGHUP)
    gate.wait_for(lambda: shown_certificate(gate) != before, 10, "the old certificate is shown")
    assert wire.command("NOOP")[1].startswith(b"OK")
    with gate.opened(account) as second:
        assert second.command("NOOP")[1].startswith(b"OK")
    gate.command("account", "disable", account.user)
    assert wire.is_closed(3), "a session of an old edge cannot be revoked"
    gate.stop()


def test_reload_takes_new_settings(gates):
    gate = gates.start()
    account = gate.account()
    port = free_port()
    gate.settings["gates"]["second"] = {"protocol": "imap", "listen": f"127.0.0.1:{port}",
                                        "tls": "implicit"}
    gate.settings["policies"] = {"default": {"legacy": []}}
    gate.reload()
    gate.wait_for(gate.is_up, 10, "the new gate does not listen")
    gate.wait_for(lambda: gate.attempt(account.user, account.app_password)[1]
                  .startswith(b"NO [CONTACTADMIN]"), 10, "the old policy is in force")
    gate.stop()


def test_bad_configuration_is_refused_and_the_service_goes_on(gates):
    gate = gates.start()
    account = gate.account()
    wire = gate.opened(account)
    good = gate.settings
    gate.settings = {**good, "tls": {**good["tls"], "minimum": "1.1"}}
    gate.reload()
    gate.wait_for(lambda: re.search(r"postern\.conf:\d+.*minimum", gate.log()), 5,
                  "the log does not say file, line and key")
    assert wire.command("NOOP")[1].startswith(b"OK")
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK")
    gate.settings = good
    gate.reload()
    time.sleep(1)
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK")
    gate.stop()


def test_missing_certificate_is_refused_too(gates):
    gate = gates.start()
    account = gate.account()
    gate.settings = {**gate.settings, "tls": {"certificate": "/nowhere.pem", "key": "/nowhere.key"}}
    gate.reload()
    gate.wait_for(lambda: "/nowhere" in gate.log(), 5, "the log says nothing")
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK")
    gate.stop()


def test_term_drains(gates):
    gate = gates.start(session={"drain_timeout": "3s"})
    account = gate.account()
    wire = gate.opened(account)
    began = time.monotonic()
    gate.child.signal(signal.SIGTERM)
    time.sleep(0.5)
    assert wire.command("NOOP")[1].startswith(b"OK"), "a live session was cut at once"
    with pytest.raises((OSError, Closed)):
        with gate.connect(timeout_s=2) as late:
            late.line()
    assert gate.child.popen.wait(10) == 0
    assert 2 < time.monotonic() - began < 6
    assert wire.is_closed(2)


def test_term_ends_at_once_when_nobody_is_there(gates):
    gate = gates.start(session={"drain_timeout": "30s"})
    began = time.monotonic()
    gate.child.signal(signal.SIGTERM)
    assert gate.child.popen.wait(10) == 0
    assert time.monotonic() - began < 5


def test_state_outlives_a_restart(gates):
    gate = gates.start()
    account = gate.account()
    gate.stop()
    gate.start()
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK")
    gate.stop()


def test_stays_unprivileged_when_started_so(gates, base):
    folder = os.path.join(base, "plain")
    gate = gates.make()
    # The repository may lie where that user cannot go.
    gate.binary = shutil.copy(gate.binary, os.path.join(base, "postern-of-nobody"))
    gate.folder = folder
    gate.settings.pop("users")
    gate.wrap = ["setpriv", "--reuid=61030", "--regid=61030", "--clear-groups"]
    gate.state = gate.settings["state"] = os.path.join(folder, "state")
    gate.control = gate.settings["control"] = os.path.join(folder, "control")
    gate.config = os.path.join(folder, "postern.conf")
    own = pki.Authority(os.path.join(folder, "pki"))
    certificate, key = own.issue("plain")
    gate.settings["tls"] = {"certificate": certificate, "key": key}
    gate.write_config()
    for where, names, files in os.walk(folder):
        for name in [".", *names, *files]:
            os.chown(os.path.join(where, name), 61030, 61030)
    gate.child = None
    gate.write_config = lambda: None
    gate.start()
    for pid in gate.children():
        assert status_of(pid)["Uid"].split()[0] == "61030"
    account = gate.account()
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK")
    gate.stop()


def test_metrics(gates):
    port = free_port()
    gate = gates.start(metrics={"listen": f"127.0.0.1:{port}"})
    account = gate.account()
    gate.opened(account).close()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        text = answer.read().decode()
    rows = [r for r in text.splitlines() if r and not r.startswith("#")]
    sample = re.compile(r'^postern_[a-z_]+(\{[^}]*\})? [0-9.e+-]+$')
    assert rows and all(sample.match(row) for row in rows), text
    assert account.user not in text
    gate.stop()


def test_log_is_json_when_it_is_no_terminal(gate):
    lines = [line for line in gate.log().splitlines() if line.strip()]
    assert lines
    for line in lines:
        assert isinstance(json.loads(line), dict)


def test_start_with_a_bad_configuration_fails_and_says_why(gates):
    gate = gates.make()
    gate.settings["gates"]["imaps"]["tls"] = "maybe"
    gate.write_config()
    with pytest.raises(CommandFailed) as failed:
        gate.command("serve", timeout_s=10)
    assert re.search(r"postern\.conf:\d+", failed.value.error) and "tls" in failed.value.error
