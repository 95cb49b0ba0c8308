"""./run as a newcomer uses it: in the background, with a ready file, twice, and as nobody."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

import pytest

from rig.build import TOOLS
from rig.process import is_listening
from support import clients, fetchers, mailers
from support.gates import Door
from support.sieve_connect import sieve_connect

RUN = os.path.join(os.path.dirname(TOOLS), "run")


pytestmark = pytest.mark.release  # ./run builds and starts that one


@pytest.fixture
def state():
    """A state folder that unprivileged processes cannot reach by themselves."""
    closed = tempfile.mkdtemp(prefix="postern-run-")           # mode 0700
    yield os.path.join(closed, "state")
    shutil.rmtree(closed, ignore_errors=True)


def start(state, *options, prefix=()):
    ready = os.path.join(os.path.dirname(state), "ready.json")
    done = subprocess.run([*prefix, RUN, "--state", state, "--background", "--ready", ready,
                           *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
    with open(ready, encoding="utf-8") as f:
        return json.load(f), done.stdout


def end(ready):
    os.kill(ready["pid"], signal.SIGTERM)
    ports = [*ready["ports"].values(), *ready["upstream"]["ports"].values()]
    deadline = time.monotonic() + 20
    while any(is_listening(p) for p in ports):
        assert time.monotonic() < deadline, "something still listens"
        time.sleep(0.1)
    time.sleep(0.5)


def fresh(state):
    """An empty folder that ends with the test."""
    return tempfile.mkdtemp(dir=os.path.dirname(state))


def door(ready, account):
    return Door(ready["host"], ready["ports"], ready["ca"], account["user"],
                account.get("app_password", account["mailbox_password"]))


def test_up_both_sides_and_the_same_state_again(binary, state):
    ready, told = start(state)
    try:
        assert {"host", "ports", "ca", "accounts", "upstream", "pid", "config",
                "control"} <= set(ready)
        alice, bob = ready["accounts"]
        assert alice["app_password"] in told and "app_password" not in bob
        for scheme in ("imaps", "imap"):
            opened = clients.curl(door(ready, alice), "INBOX", "-X", "STATUS INBOX (MESSAGES)",
                                  scheme=scheme)
            assert "MESSAGES" in opened.stdout, opened.stderr
        assert int(opened.stdout.split("MESSAGES ")[1].split(")")[0]) > 50
        for scheme in ("pop3s", "pop3"):
            assert len(fetchers.curl(door(ready, alice), fresh(state), scheme, most=2)) == 2
        hello = b"From: alice@example.org\r\nSubject: hello\r\n\r\nhello\r\n"
        for scheme in ("submissions", "submission"):
            sent = mailers.curl(door(ready, alice), fresh(state), hello, bob["user"], scheme)
            assert sent.returncode == 0, sent.stderr
        assert sieve_connect(door(ready, alice), "--list").returncode == 0
        for secret in (alice["mailbox_password"], "wrong"):
            assert mailers.curl(door(ready, alice), fresh(state), hello, bob["user"],
                                secret=secret).returncode == 67
        bare = clients.curl(door(ready, alice), secret=alice["mailbox_password"])
        assert bare.returncode == 67
        assert clients.curl(door(ready, bob)).returncode == 67
        behind = Door(ready["upstream"]["host"], ready["upstream"]["ports"], ready["ca"],
                      bob["user"], bob["mailbox_password"])
        assert clients.curl(behind, "INBOX", "-X", "NOOP").returncode == 0
        second = subprocess.run([RUN, "--state", state, "--background"], capture_output=True,
                                text=True, timeout=120, check=False)
        assert second.returncode == 1 and "in use" in second.stderr
    finally:
        end(ready)
    again, _ = start(state)
    try:
        assert again["accounts"] == ready["accounts"]
        assert clients.curl(door(again, alice), "INBOX", "-X", "NOOP").returncode == 0
    finally:
        end(again)


def test_interrupt_ends_everything(binary, state):
    ready = os.path.join(os.path.dirname(state), "ready.json")
    running = subprocess.Popen([RUN, "--state", state, "--ready", ready], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not os.path.exists(ready):
        assert running.poll() is None and time.monotonic() < deadline, running.communicate()[0]
        time.sleep(0.1)
    with open(ready, encoding="utf-8") as f:
        told = json.load(f)
    running.send_signal(signal.SIGINT)
    assert running.wait(20) == 0
    ports = [*told["ports"].values(), *told["upstream"]["ports"].values()]
    assert not any(is_listening(p) for p in ports)
    assert not os.path.exists(f"/proc/{told['pid']}")


@pytest.mark.parametrize("schemes", [["imaps"], ["imap", "pop3s", "sieve"]])
def test_before_a_server_of_ones_own(binary, state, dovecot, schemes):
    user = "user0@example.org"
    urls = [f"--upstream={scheme}://localhost:{dovecot.ports[scheme]}" for scheme in schemes]
    ready = os.path.join(os.path.dirname(state), "ready.json")
    done = subprocess.run(
        [RUN, "--state", state, "--background", "--ready", ready, *urls,
         "--upstream-ca", dovecot.authority.certificate, "--user", user],
        input=dovecot.users[user] + "\n", capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    with open(ready, encoding="utf-8") as f:
        told = json.load(f)
    try:
        account, = told["accounts"]
        assert clients.curl(door(told, account), "INBOX", "-X", "NOOP").returncode == 0
        assert clients.curl(door(told, account), secret=dovecot.users[user]).returncode == 67
        assert dovecot.users[user] not in done.stdout
        assert set(told["upstream"]["ports"]) == set(schemes)
        assert ("pop3s" in told["ports"]) == ("pop3s" in schemes) == ("sieve" in told["ports"])
        assert "submission" not in told["ports"]
        if "sieve" in schemes:
            fetchers.curl(door(told, account), fresh(state))
            assert sieve_connect(door(told, account), "--list").returncode == 0
    finally:
        os.kill(told["pid"], signal.SIGTERM)


def test_help_and_wrong_usage():
    assert "--upstream" in subprocess.run([RUN, "--help"], capture_output=True, text=True,
                                          check=True).stdout
    for wrong in ("--nonsense", "--upstream=https://mail.example.org", "--upstream=imaps://"):
        assert subprocess.run([RUN, wrong], capture_output=True, check=False).returncode == 2


def test_ready_certificates_verify(binary, state):
    ready, _ = start(state)
    try:
        context = ssl.create_default_context(cafile=ready["ca"])
        with socket.create_connection((ready["host"], ready["ports"]["imaps"])) as raw, \
                context.wrap_socket(raw, server_hostname=ready["host"]) as tls:
            assert tls.version() == "TLSv1.3"
    finally:
        end(ready)
