"""Real mail clients through the gate (with --direct: past it, to see what they do by nature)."""

import imaplib
import os
import re
import ssl
import time
from dataclasses import replace

import pytest

from rig import mail
from rig.process import run
from support import clients, compare


@pytest.fixture(scope="module")
def original(dovecot, door):
    """What the mailbox holds, read from the upstream itself."""
    client = dovecot.client(door.user)
    held = compare.of_server(client)
    client.logout()
    return held


@pytest.fixture
def own_door(request, door, dovecot, number):
    """A door to a fresh and empty mailbox that the test may change."""
    if request.config.getoption("--direct"):
        user = f"user{number}@example.org"
        secret = dovecot.users[user]
    else:
        account = request.getfixturevalue("gate").account()
        user, secret = account.user, account.app_password
    return replace(door, user=user, secret=secret)


def connect(door):
    client = imaplib.IMAP4_SSL(door.host, door.ports["imaps"], timeout=30,
                               ssl_context=ssl.create_default_context(cafile=door.ca))
    client.login(door.user, door.secret)
    return client


@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_curl_opens_the_mailbox(door, original, scheme):
    done = clients.curl(door, "INBOX", "-X", "STATUS INBOX (MESSAGES)", scheme=scheme)
    assert done.returncode == 0, done.stderr
    assert f"MESSAGES {sum(original['INBOX'].values())}" in done.stdout


def test_curl_fetches_a_message(door, dovecot):
    client = dovecot.client(door.user)
    client.select("INBOX", readonly=True)
    wanted = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
    client.logout()
    done = clients.curl(door, "INBOX;MAILINDEX=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.replace("\r\n", "\n").strip() == \
        wanted.decode("utf-8").replace("\r\n", "\n").strip()


def test_curl_with_a_wrong_password_is_denied(door):
    assert clients.curl(door, "INBOX", secret="not the password").returncode == 67


@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_mbsync_copies_everything(door, original, tmp_path, scheme):
    clients.mbsync(door, str(tmp_path), scheme)
    copy = compare.of_maildir(str(tmp_path / "mail"))
    assert set(copy) == set(original)
    for folder, counted in original.items():
        assert copy[folder] == counted, folder
    assert sum(sum(c.values()) for c in original.values()) >= 60
    flags = {f for counted in original.values() for _, f in counted}
    assert any("S" in f for f in flags) and any("F" in f for f in flags)


def test_mbsync_pushes_a_change_back(own_door, dovecot, tmp_path):
    client = dovecot.client(own_door.user)
    mail.fill(client, mail.generate(own_door.user, 10))
    clients.mbsync(own_door, str(tmp_path))
    config = tmp_path / "mbsyncrc"
    config.write_text(config.read_text().replace("Sync Pull", "Sync All"))
    here = tmp_path / "mail" / "INBOX" / "cur"
    names = os.listdir(here)
    for name in names:
        os.rename(here / name, here / (name.split(":2,")[0] + ":2,FS"))
    run(["mbsync", "-c", config, "all"])
    client.select("INBOX", readonly=True)
    found = client.search(None, "FLAGGED", "SEEN")[1][0].split()
    assert len(found) >= len(names) > 0
    client.logout()


def test_fetchmail_fetches_the_inbox(door, original, tmp_path):
    got = clients.fetchmail(door, str(tmp_path / "fm"))
    assert len(re.findall(rb"(?m)^Message-ID: <demo\.", got)) == sum(original["INBOX"].values())


def test_neomutt_copies_the_inbox(door, original, tmp_path):
    box = tmp_path / "copy"
    done = clients.neomutt(door, str(tmp_path / "nm"),
                           f"<tag-pattern>~A<enter><tag-prefix><copy-message>{box}<enter><exit>")
    assert box.exists(), done.stdout[-800:]
    got = box.read_bytes()
    assert len(re.findall(rb"(?mi)^Message-ID: <demo\.", got)) == sum(original["INBOX"].values())


def test_imaplib_reads_writes_and_searches(own_door):
    client = connect(own_door)
    folder = f"work {time.time_ns()}"
    client.create(mail.quote(folder))
    big = b"Subject: big\r\n\r\n" + b"x" * 78 + (b"\r\n" + b"y" * 78) * 40_000 + b"\r\n"
    assert client.append(mail.quote(folder), r"(\Flagged)", None, big)[0] == "OK"
    small = b"Subject: small\r\n\r\nhello\r\n"
    assert client.append(mail.quote(folder), None, None, small)[0] == "OK"
    client.select(mail.quote(folder))
    assert client.search(None, "FLAGGED")[1] == [b"1"]
    assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == big
    assert client.store("2", "+FLAGS", r"(\Deleted)")[0] == "OK"
    assert client.expunge()[1] == [b"2"]
    client.close()
    client.delete(mail.quote(folder))
    assert client.logout()[0] == "BYE"


def test_imapflow_sees_a_message_arrive_in_idle(door, dovecot, cache):
    watcher = clients.ImapFlow(door, cache)
    try:
        opened = watcher.said()
        assert "open" in opened, opened
        time.sleep(1)
        client = dovecot.client(door.user)
        subject = f"arrived {time.time_ns()}"
        client.append("INBOX", None, None, f"Subject: {subject}\r\n\r\nnow\r\n".encode())
        assert watcher.said() == {"arrived": subject}
        client.select("INBOX")
        number = client.search(None, "SUBJECT", f'"{subject}"')[1][0].decode()
        client.store(number, "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
    finally:
        assert watcher.close() == 0


def test_imapflow_is_told_why_it_is_refused(door, cache):
    watcher = clients.ImapFlow(replace(door, secret="wrong"), cache)
    said = watcher.said()
    watcher.close()
    assert said.get("code") == "AUTHENTICATIONFAILED", said
