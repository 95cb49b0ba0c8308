"""The command line: what it prints, in words and in JSON, and how it fails."""

import json
import re
import subprocess
import time

import pytest

from rig.gateway import CommandFailed, seconds

COMMANDS = ["serve", "check", "version", "account", "app-password", "totp", "lease", "session",
            "events"]


@pytest.mark.parametrize("command", [[], *[[c] for c in COMMANDS]])
def test_help(binary, command):
    done = subprocess.run([binary, *command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()
    if not command:
        assert all(c in done.stdout for c in COMMANDS)


def test_version(binary):
    done = subprocess.run([binary, "version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and re.search(r"\d+\.\d+", done.stdout)


@pytest.mark.parametrize("wrong", [["nonsense"], ["account", "nonsense"], ["account", "add"],
                                   ["events", "--nonsense"], ["app-password", "add"]])
def test_wrong_usage(gate, wrong):
    done = gate.command(*wrong, check=False)
    assert done.returncode == 2 and done.stderr


def test_check_prints_the_effective_configuration(gate):
    assert "imaps" in gate.command("check").stdout
    shown = json.loads(gate.command("check", "--json").stdout)
    assert shown["gates"]["imaps"]["protocol"] == "imap"
    assert shown["domain"] == "example.org"


@pytest.mark.parametrize("change, key", [
    ({"tls": {"minimum": "1.1"}}, "minimum"), ({"nonsense": 1}, "nonsense"),
    ({"domain": 7}, "domain"),
    ({"gates": {"imaps": {"protocol": "imap", "listen": "127.0.0.1:99999"}}}, "listen"),
    ({"session": {"idle_timeout": "1m"}}, "idle_timeout"),
    ({"policies": {"default": {"mode": "sometimes"}}}, "mode"),
])
def test_check_names_file_line_and_key(gates, change, key):
    gate = gates.make(**change)
    gate.write_config()
    with pytest.raises(CommandFailed) as failed:
        gate.command("check")
    said = failed.value.error + failed.value.output
    assert re.search(rf"postern\.conf:\d+: .*{key}", said), said


def test_account_life(gate):
    user = gate.fresh_user().user
    assert gate.add_account(user).returncode == 0
    again = gate.command("account", "add", user, check=False)
    assert again.returncode != 0 and again.stderr
    row = next(r for r in gate.rows("account", "list") if r["account"] == user)
    assert row["is_enabled"] and row["app_passwords"] == 0 and row["policy"] == "default"
    assert user in gate.command("account", "show", user).stdout
    gate.command("account", "disable", user)
    assert not next(r for r in gate.rows("account", "list") if r["account"] == user)["is_enabled"]
    gate.command("account", "enable", user)
    gate.command("account", "remove", user)
    assert not any(r["account"] == user for r in gate.rows("account", "list"))
    gone = gate.command("account", "show", user, check=False)
    assert gone.returncode != 0 and gone.stderr


def test_invitation(gate):
    user = gate.fresh_user().user
    gate.add_account(user)
    row = gate.row("account", "invite", user)
    assert row["link"].startswith("https://portal.example.org")
    assert seconds(row["expires_at"]) > time.time()


def test_totp_enrol_shows_a_code_to_scan(gate):
    user = gate.account(has_app_password=False).user
    shown = gate.command("totp", "enrol", user).stdout
    assert "otpauth://totp/" in shown
    assert any(block in shown for block in "█▀▄") or "##" in shown
    row = gate.row("totp", "enrol", user)
    assert re.fullmatch(r"[A-Z2-7]+=*", row["secret"])
    assert row["secret"].rstrip("=") in row["otpauth"]


def test_events_tell_what_happened(gate):
    account = gate.account()
    gate.opened(account).close()
    gate.attempt(account.user, "wrong", source="127.0.110.1")
    rows = gate.events(account.user)
    assert any("127.0.110.1" in r["source"] for r in rows)
    assert all(r["account"] == account.user for r in rows)
    assert [r["id"] for r in rows] == sorted(r["id"] for r in rows)
    assert len({r["kind"] for r in rows}) >= 3, {r["kind"] for r in rows}


def test_events_follow(gate):
    account = gate.account()
    follower = subprocess.Popen([gate.binary, "events", "--follow", "--json", "-c", gate.config],
                                stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        gate.attempt(account.user, "wrong", source="127.0.111.1")
        for line in follower.stdout:
            row = json.loads(line)
            if "127.0.111.1" in row["source"]:
                assert row["account"] == account.user
                break
    finally:
        follower.terminate()
        follower.wait(5)


def test_unknown_session_app_password_and_lease(gate):
    for args in (["session", "end", "ffffffffffff"], ["app-password", "revoke", "nothere"],
                 ["lease", "revoke", "999999"]):
        done = gate.command(*args, check=False)
        assert done.returncode not in (0, 2) and done.stderr, args


def test_without_the_service_it_says_what_to_do(gates):
    gate = gates.make()
    gate.write_config()
    done = gate.command("account", "list", check=False)
    assert done.returncode not in (0, 2)
    assert "serve" in done.stderr or "running" in done.stderr
    assert gate.control in done.stderr


def test_control_socket_is_closed_to_others(gate):
    done = subprocess.run(["setpriv", "--reuid=61040", "--regid=61040", "--clear-groups",
                           gate.binary, "account", "list", "-c", gate.config],
                          capture_output=True, text=True, check=False)
    assert done.returncode not in (0, 2) and done.stderr
