"""The POP3 guard and real servers read the same mutated dialogues and must agree on what is a
command.

A dialogue hides commands behind whatever a laxer server may take for the end of a line or of a
word, then is mutated and cut into pieces. It goes through the guard to the server. The test fails
when anything but a known command in its exact spelling was let through, when the server has said
more or less than one reply to each, or when the client was not sent these, in the order of its
lines, with the gate's refusals between them. GUARD_DIFF_POP3 says how many to play at each server,
GUARD_DIFF_SEED which: the number of a failing dialogue, which is printed, is its seed.
"""

import collections
import glob
import imaplib
import os
import random
import re
import subprocess

import pytest

from rig.dovecot import Dovecot
from support.cyrus import Cyrus

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "..", "..", "src")
DIALOGUES = int(os.environ.get("GUARD_DIFF_POP3", "500"))
SEED = int(os.environ.get("GUARD_DIFF_SEED", "1"))
BATCH = 100
USER, PASSWORD = "differ@example.org", "differ"
REFUSAL = b"-ERR This command does not pass the gate\r\n"
KNOWN = re.compile(rb"(STAT|NOOP|RSET|QUIT|CAPA|UTF8|((LIST|UIDL)( [0-9]+)?)|((RETR|DELE) [0-9]+)"
                   rb"|TOP [0-9]+ [0-9]+|LANG( [A-Za-z0-9*-]+)?)\r\n", re.I)
SHOWN = re.compile(rb"(TOP|UIDL|PIPELINING|EXPIRE|LOGIN-DELAY|LANG)( [ -~]*)?\r\n", re.I)

# ---- the mailbox --------------------------------------------------------------------------------

# What looks like the end of a text, or like replies, in whatever way a server may stuff it.
MAILS = [
    b"Subject: short\r\n\r\n.\r\n",
    b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.a\r\n. \r\n .\r\n\r\n.\r\n",
    b"Subject: replies\r\n\r\n+OK\r\n-ERR\r\n.\r\n+OK 1 2\r\n.\r\n\r\n",
    b"Subject: long\r\n\r\n" + b"x" * 20000 + b"\r\n" + b"." * 9000 + b"\r\n",
    b"Subject: empty\r\n\r\n",
    b"Subject: no end\r\n\r\ntext\r\n.",
    b"Subject: many\r\n\r\n" + b".\r\n\r\n.\r\n" * 500,
]
# A server that stores what it is given.
RAW_MAILS = MAILS + [
    b"Subject: bare\r\n\r\n\n.\n\r.\r\n.\r\r\n\r\r\n.\r\n\n.\r\n\r\n.\n",
    b"Subject: ends in CR\r\n\r\na\r",
    b"Subject: ends\r\n\r\na\r\n.\r",
    b"Subject: bare ends\n\n.\n+OK\n.\n\n",
]
MESSAGES = 24


def refill(server, mails):
    """Dialogues may delete: has the mailbox MESSAGES again."""
    client = server.client(USER)
    try:
        has = int(client.select("INBOX")[1][0])
        for n in range(has, MESSAGES):
            client.literal = mails[n % len(mails)]  # as it is: append() would mend line ends
            status, said = client._simple_command("APPEND", "INBOX")
            assert status == "OK", said
    finally:
        client.logout()


# ---- the dialogues ------------------------------------------------------------------------------

SIMPLE = [
    b"STAT", b"NOOP", b"RSET", b"CAPA", b"LIST", b"UIDL", b"LIST 1", b"UIDL 2", b"LIST 99",
    b"UIDL 0", b"UTF8", b"LANG", b"LANG en", b"retr 3", b"top 2 0", b"List", b"uidl", b"Noop",
]
FETCHES = [b"RETR %d", b"TOP %d 0", b"TOP %d 3", b"TOP %d 4294967295", b"DELE %d", b"LIST %d"]
HIDDEN = [
    b"STAT", b"NOOP", b"RETR 1", b"UIDL", b"USER differ", b"PASS differ", b"QUIT", b"STLS",
    b"AUTH PLAIN AGEAYg==", b"AUTH", b"CAPA", b"APOP a b", b"XCLIENT ADDR=192.0.2.1", b"DELE 1",
    b"RSET", b"XTND XMIT", b"LAST",
]
ODD = [
    b"RETR", b"RETR ", b"RETR  1", b"RETR 1 ", b"RETR -1", b"RETR +1", b"RETR 1x", b"RETR 0x1",
    b"RETR 4294967297", b"RETR 00000000000000000001", b"RETR 18446744073709551617", b"LIST ",
    b"LIST 1 2", b"LIST a", b"UIDL 1 2", b"UIDL *", b"TOP 1", b"TOP 1 ", b"TOP 1 1 1", b"TOP 1 -1",
    b"TOP 1 4294967296", b"STAT 1", b"NOOP x", b"CAPA x", b"QUIT x", b"RSET 1", b"DELE", b"", b" ",
    b"  STAT", b"STAT ", b"\tSTAT", b"STAT\t", b"LIST\t1", b"\x0bSTAT", b"STAT\x0c", b"XSTAT",
    b"STATS", b"+OK", b".", b"-ERR", b"LANG *", b"LANG en us", b"BOGUS " + b"x" * 300,
    b"X" * 490 + b" STAT", b"X" * 1000, b"RETR " + b"0" * 300 + b"1", b"TOP " + b"1" * 253,
]
ENDS = [b"\r\n"] * 60 + [
    b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\0\r\n", b"\r\0\n", b" \r\n", b"\t\r\n", b"\x85\r\n",
    b"\x0b", b"\x0c", b"\xe2\x80\xa8", b"\r\n\r\n", b"\r\n.\r\n", b"\0", b"", b"\\r\\n", b"%0d%0a",
]
SPECIAL = [
    b"\r", b"\n", b"\r\n", b"\0", b"\t", b" ", b".", b"\x0b", b"\xff", b"\r\n.\r\n", b"1", b"-",
    b"STLS\r\n", b"\nUSER a\r\n", b"\rSTAT\r\n", b"x" * 250, b"\\", b"\"", b";", b"|",
]


class Maker:
    """Makes one dialogue: octets, and where they are cut."""

    def __init__(self, number):
        self.random = random.Random(number)
        # Most oddities end the session; a dialogue without any is the one that goes deep.
        self.is_odd = self.random.random() < 0.5
        self.ends = ENDS if self.is_odd else [b"\r\n"]

    def command(self):
        r = self.random
        kind = r.random()
        if kind < 0.35:
            return r.choice(SIMPLE) + r.choice(self.ends)
        if kind < 0.65:
            return r.choice(FETCHES) % r.randint(0, MESSAGES + 1) + r.choice(self.ends)
        if kind < 0.85:
            return r.choice(HIDDEN) + r.choice(self.ends)
        return r.choice(ODD) + r.choice(self.ends)

    def mutate(self, octets):
        r = self.random
        for _ in range(r.choice([0, 0, 0, 1, 1, 2, 4]) if self.is_odd else 0):
            at = r.randrange(len(octets) + 1)
            end = min(len(octets), at + r.randint(1, 12))
            how = r.randrange(5)
            if how == 0:
                octets = octets[:at] + octets[end:]
            elif how == 1:
                octets = octets[:at] + r.choice(SPECIAL) + octets[at:]
            elif how == 2:
                octets = octets[:at] + r.choice(SPECIAL) + octets[at + 1:]
            elif how == 3:
                octets = octets[:end] + octets[at:]
            else:
                octets = octets[:at] + bytes([r.randrange(256)]) + octets[at + 1:]
        return octets

    def octets(self):
        r = self.random
        many = r.choice([1, 2, 3, 4, 6, 10, 45])
        return self.mutate(b"".join(self.command() for _ in range(many)))

    def line(self):
        """The dialogue in pop3_diff's words."""
        r = self.random
        octets = self.octets()
        cuts = sorted(r.randrange(len(octets) + 1) for _ in range(r.choice([0, 0, 1, 2, 5])))
        if r.random() < 0.3:  # a client that waits at each line, as most do
            cuts = [m.end() for m in re.finditer(rb"\n", octets)]
        pieces = [octets[a:b] for a, b in zip([0] + cuts, cuts + [len(octets)]) if a != b]
        return " ".join(r.choice(["w", ""]) + p.hex() for p in pieces)


# ---- what was said ------------------------------------------------------------------------------

def lines(octets):
    return re.findall(rb"[^\n]*\n", octets)


def take_reply(octets, command):
    """(reply, rest), or None where it is not whole: a reader of its own, not the guard's."""
    words = command.split()
    is_long = octets.startswith(b"+OK") and (
        words[0].upper() in (b"RETR", b"TOP", b"CAPA") or
        (words[0].upper() in (b"LIST", b"UIDL", b"LANG") and len(words) == 1))
    status = octets.find(b"\r\n") + 2
    if status < 2:
        return None
    end = octets.find(b"\r\n.\r\n", status - 2) + 5 if is_long else status
    return None if end < 5 else (octets[:end], octets[end:])


def shown(reply, command):
    """What of a reply the client may see."""
    if command[:4].upper() != b"CAPA" or not reply.startswith(b"+OK"):
        return reply
    rows = lines(reply)
    own = [b"RESP-CODES\r\n", b"AUTH-RESP-CODE\r\n", b".\r\n"]
    return b"".join(rows[:1] + [row for row in rows if SHOWN.fullmatch(row)] + own)


def due(given, sent, replies):
    """What the client is due for each of its lines, in their order."""
    sent, replies = list(sent), list(replies)
    for line in given:
        if sent and line == sent[0]:
            if not replies:
                return
            yield shown(replies.pop(0), sent.pop(0))
        else:
            yield REFUSAL


def octets_of(word):
    return b"" if word == "-" else bytes.fromhex(word)


def judge(given, status, reason, sent, answered, seen):
    """Returns what is wrong, or None."""
    commands, replies, rest = lines(sent), [], answered
    unknown = [c for c in commands if not KNOWN.fullmatch(c)]
    if unknown or b"".join(commands) != sent:
        return f"let through: {unknown or sent}"
    for command in commands:
        taken = take_reply(rest, command)
        if taken is None:
            break
        replies.append(taken[0])
        rest = taken[1]
    has_quit = [c.upper() for c in commands[:len(replies)]].count(b"QUIT\r\n")
    if rest or (len(replies) < len(commands) and not has_quit):
        return (f"{status} {reason}: {len(replies)} replies to {commands}, and {rest[:200]}, "
                f"{answered[-200:]}")
    if status != "clean" and not has_quit:
        return f"{status} {reason}: {commands}, {answered[-300:]}"
    if reason.startswith(("unasked", "upstream", "no-memory")):
        return f"the guard accuses the server: {reason}: {commands}, {answered[-300:]}"
    wanted = b"".join(due(lines(given), commands, replies))
    is_good = wanted.startswith(seen) if reason != "-" or status != "clean" else wanted == seen
    return None if is_good else f"the client has seen {seen[-300:]}, due {wanted[-300:]}"


@pytest.fixture(scope="module")
def player(base):
    """pop3_diff, built from the guard's own sources."""
    binary = os.path.join(base, "pop3_diff")
    files = (glob.glob(os.path.join(SOURCE, "proto/pop3/guard*.c")) +
             [os.path.join(SOURCE, "proto/pop3/capability.c")] +
             [os.path.join(SOURCE, "base", f"{name}.c") for name in ("buf", "view", "mem", "err")])
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-I", SOURCE,
                    "-fsanitize=address,undefined", "-o", binary,
                    os.path.join(HERE, "pop3_diff.c"), *files, "-lsodium"], check=True)
    return binary


def readable(line):
    return "  " + "\n  ".join(repr(bytes.fromhex(p.lstrip("w"))) for p in line.split())


def compare(player, server, mails):
    """Plays the dialogues; returns the outcomes (status, reason) and what is wrong."""
    outcomes, wrong = collections.Counter(), []
    for first in range(SEED, SEED + DIALOGUES, BATCH):
        numbers = range(first, min(first + BATCH, SEED + DIALOGUES))
        refill(server, mails)
        played = [Maker(n).line() for n in numbers]
        said = subprocess.run([player, str(server.ports["pop3"]), USER, PASSWORD],
                              input="\n".join(played) + "\n", capture_output=True, text=True,
                              timeout=600, check=False)
        assert said.returncode == 0, said.stderr
        answers = said.stdout.splitlines()
        assert len(answers) == len(played)
        for number, line, answer in zip(numbers, played, answers):
            status, reason, *flows = answer.split(" ")
            outcomes[status, reason] += 1
            given = b"".join(bytes.fromhex(p.lstrip("w")) for p in line.split())
            fault = judge(given, status, reason, *map(octets_of, flows))
            if fault:
                wrong.append(f"{number}: {fault}\n{readable(line)}")
    return outcomes, wrong


def check(player, server, mails):
    imaplib._MAXLINE = 10_000_000
    outcomes, wrong = compare(player, server, mails)
    for (status, reason), n in outcomes.most_common():
        print(f"{n:6} {status:8} {reason}")
    assert not wrong, f"{len(wrong)} of {DIALOGUES}:\n" + "\n".join(wrong[:10])
    # Dialogues that end at their first line show nothing; enough must have gone on to their end.
    assert outcomes["clean", "-"] > DIALOGUES * 0.2


def test_dovecot_takes_for_commands_what_the_guard_does(base, authority, player):
    server = Dovecot(os.path.join(base, "dp"), authority, {USER: PASSWORD}, label="differ-pop3",
                     no_plaintext="no", also=("pop3",))
    server.start()
    try:
        check(player, server, RAW_MAILS)
    finally:
        server.stop()


def test_cyrus_takes_for_commands_what_the_guard_does(base, cache, authority, player):
    server = Cyrus(os.path.join(base, "dq"), cache, authority, {USER: PASSWORD},
                   allow_plaintext="yes")
    try:
        server.start()
        check(player, server, MAILS)
    finally:
        server.stop()
