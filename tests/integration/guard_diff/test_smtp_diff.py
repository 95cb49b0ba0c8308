"""The submission guard and a real Postfix read the same mutated dialogues and must agree on what is
a command, what a message and what a chunk.

A dialogue hides commands (XCLIENT, AUTH, STARTTLS, MAIL with a sender of its own …) in and around
messages that end in every way but the right one, chunks, and lines, then is mutated and cut into
pieces. It goes through the guard to a Postfix that is laxer than Debian's and trusts whoever comes.
The test fails when the server has answered more or less than the guard has let through, when a
forbidden command was let through, when the server is not at the beginning of a command although the
guard says so, and when Postfix has taken another number of messages than ended for the guard, or
one from a sender that the guard has not seen. GUARD_DIFF_DIALOGUES says how many to play in each
mode, GUARD_DIFF_SEED which: the number of a failing dialogue, which is printed, is its seed.
"""

import collections
import glob
import os
import random
import re
import subprocess
import time

import pytest

from rig.dovecot import Dovecot
from rig.postfix import Postfix

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "..", "..", "src")
DIALOGUES = int(os.environ.get("GUARD_DIFF_DIALOGUES", "500"))
SEED = int(os.environ.get("GUARD_DIFF_SEED", "1"))
BATCH = 100
# Everybody may do everything, no oddity is refused, no error counts; a message is taken, its
# envelope logged, and thrown away.
LAX = {
    "mynetworks": "127.0.0.0/8",
    "smtpd_relay_restrictions": "permit_mynetworks, reject",
    "smtpd_recipient_restrictions": "permit_mynetworks, reject",
    "smtpd_end_of_data_restrictions": "check_client_access static:discard",
    "smtpd_tls_security_level": "may",
    "smtpd_tls_auth_only": "no",
    "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
    "smtpd_authorized_xforward_hosts": "127.0.0.0/8",
    "smtpd_forbid_bare_newline": "no",
    "smtpd_forbid_unauth_pipelining": "no",
    "smtpd_forbidden_commands": "",
    "strict_rfc821_envelopes": "no",
    "smtpd_helo_required": "no",
    "smtpd_soft_error_limit": "1000000",
    "smtpd_hard_error_limit": "1000000",
    "smtpd_junk_command_limit": "1000000",
    "smtpd_recipient_limit": "1000000",
    "default_transport": "smtp",
    "relay_transport": "smtp",
    "anvil_rate_time_unit": "1s",
}
PATH = rb"<[^<>]*>"
KNOWN = re.compile(
    rb"(?:(?:EHLO|HELO) [^ ]+|MAIL FROM:" + PATH + rb"(?: [^ ]+)*|RCPT TO:" + PATH +
    rb"(?: [^ ]+)*|DATA|BDAT \d{1,10}(?: LAST)?|RSET|QUIT|(?:NOOP|HELP|VRFY|EXPN)(?: .*)?) *\r\n",
    re.I)
SENDER = re.compile(rb"MAIL FROM:<([^<>]*)>", re.I)
LOGGED = re.compile(r"discard: END-OF-MESSAGE .* from=<(\S*)>")

# ---- the dialogues ------------------------------------------------------------------------------

SIMPLE = [
    b"NOOP", b"RSET", b"HELP", b"EHLO again", b"HELO again", b"VRFY ann@example.org", b"EXPN x",
    b"NOOP what ever", b"noop", b"EHLO [127.0.0.1]", b"RCPT TO:<lost@example.org>", b"DATA",
]
HIDDEN = [
    b"XCLIENT LOGIN=victim@example.org", b"XCLIENT ADDR=192.0.2.1", b"XFORWARD NAME=spike",
    b"AUTH PLAIN AHZpY3RpbQB2aWN0aW0=", b"AUTH LOGIN", b"STARTTLS", b"NOOP", b"RSET", b"DATA",
    b"BDAT 5 LAST", b"MAIL FROM:<%s>", b"MAIL FROM:<%s> SIZE=1", b"RCPT TO:<hidden@example.org>",
    b"EHLO hidden", b"ETRN example.org", b"PROXY TCP4 192.0.2.1 192.0.2.1 1 1", b"TURN", b"HELP",
    b"xclient name=x", b"VRFY hidden",
]
ODD = [
    b"", b" ", b" NOOP", b"\tNOOP", b"NOOP\t", b"NOOP\tx", b"\x0bNOOP",
    b"MAIL FROM: <a@example.org>",
    b"MAIL FROM:a@example.org", b"MAIL FROM:<a@example.org", b"MAIL FROM:<a@example.org>>",
    b"MAIL FROM:<\"a b\"@example.org>", b"MAIL FROM:<@x:a@example.org>",
    b"MAIL FROM:<<a@example.org>>",
    b"MAIL FROM:<a@example.org> AUTH=victim@example.org", b"MAIL FROM:<a@example.org> XVERP",
    b"MAIL FROM:<\"a\\\"> SIZE=5 \"@example.org>", b"RCPT TO:<>", b"RCPT TO:a@example.org",
    b"DATA x", b"DATA ", b"RSET x", b"QUITX", b"BDAT", b"BDAT x", b"BDAT 5 LAST x", b"BDAT +5",
    b"BDAT 05", b"BDAT -1", b"BDAT 4294967301", b"BDAT 18446744073709551621", b"BDAT 0x5",
    b"BDAT 5  LAST", b"NOOP " + b"x" * 510, b"NOOP " + b"x" * 2040 + b"XCLIENT NAME=x",
    b"RCPT TO:<a@example.org> ORCPT=rfc822;" + b"x" * 1990, b"NOOP \xff", b"NOOP \xe2\x80\xa8",
    b".", b"..", b"From: x", b"GET / HTTP/1.1", b"CONNECT x:25", b"\x16\x03\x01", b"MAIL", b"EHLO",
]
ENDS = [b"\r\n"] * 50 + [
    b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\r\n", b"\r\0\n", b" \r\n", b"\x0b\r\n", b"\r\n\r\n",
    b"\x85", b"\xe2\x80\xa8", b"\n\n", b"\r\n.\r\n",
]
# What a message may be made of besides lines of text: ends of all kinds.
STOPS = [
    b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
    b"\r\r\n.\r\n", b"\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n. \r\n", b"\r\n.\t\r\n",
    b"\n\r.\r\n", b"\n\r.\n\r", b"\r\n\r.\r\n", b"\r\n.\n\r\n", b"\r\n..\r\n", b"\n..\n",
    b"\r\n.\x0b\r\n", b"\r\n .\r\n", b"\x85.\x85", b"\r\n.\r\n.\r\n", b"\r\n..\n", b"\r..\r",
]
LENGTHS = [70, 511, 512, 998, 1000, 2047, 2048, 5000]  # where servers split lines, or do not
PLAIN_STOPS = [b"\r\n..\r\n", b"\r\n .\r\n", b"\r\n..a\r\n", b"\r\n.a\r\n", b"\r\n\r\n", b"\r\n"]
SPECIAL = [
    b"\r", b"\n", b"\r\n", b"\0", b"\t", b" ", b".", b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"<", b">",
    b"\"", b"\\", b":", b"\xff", b"0", b"1", b"x" * 600, b"LAST", b"XCLIENT NAME=x\r\n",
    b"\nNOOP\n", b"\rNOOP\r", b"STARTTLS\r\n",
]


class Maker:
    """Makes one dialogue: octets, and where they are cut."""

    def __init__(self, number):
        self.random = random.Random(number)
        self.number = number
        self.count = 0
        # Most oddities end the session; a dialogue without any is the one that goes deep.
        kind = self.random.random()
        self.is_odd = kind < 0.3
        self.has_odd_text = kind < 0.65
        self.ends = ENDS if self.is_odd else [b"\r\n"]
        self.stops = STOPS + PLAIN_STOPS if self.has_odd_text else PLAIN_STOPS

    def sender(self):
        self.count += 1
        return b"s%d.%d@example.org" % (self.number, self.count)

    def hidden(self):
        word = self.random.choice(HIDDEN)
        return word % self.sender() if b"%s" in word else word

    def text(self):
        """A message without its end, or what a chunk holds."""
        r = self.random
        parts = []
        for _ in range(r.choice([0, 1, 1, 2, 3, 5])):
            parts.append(r.choice([b"Subject: x", b"text", b"", b".", b"..", self.hidden(),
                                   self.hidden(), b"x" * r.choice(LENGTHS)]))
            parts.append(r.choice(self.stops))
        if r.random() < 0.3:
            parts.append(self.hidden() + r.choice(self.ends))
        return b"".join(parts)

    def chunk(self, is_last):
        r = self.random
        content = self.text()
        size = len(content)
        if self.has_odd_text:
            size = max(0, size + r.choice([0] * 10 + [1, -1, 7, -size]))
        return b"BDAT %d%s\r\n" % (size, b" LAST" if is_last else b"") + content

    def transaction(self):
        r = self.random
        lines = [b"MAIL FROM:<%s>%s" % (self.sender(), r.choice(
            [b"", b"", b" SIZE=100", b" BODY=8BITMIME", b" AUTH=<>", b" RET=HDRS ENVID=x"]))]
        lines += [b"RCPT TO:<r%d@example.org>" % n for n in range(r.choice([0, 1, 1, 1, 2, 5]))]
        octets = b"".join(line + r.choice(self.ends) for line in lines)
        if r.random() < 0.3:
            chunks = r.choice([1, 1, 2, 4])
            return octets + b"".join(self.chunk(n == chunks - 1 and r.random() < 0.9)
                                     for n in range(chunks))
        end = b"\r\n.\r\n" if r.random() < 0.9 else r.choice(self.stops)
        return octets + b"DATA" + r.choice(self.ends) + self.text() + end

    def command(self):
        r = self.random
        kind = r.random()
        if kind < 0.5:
            return self.transaction()
        if kind < 0.7:
            return r.choice(SIMPLE) + r.choice(self.ends)
        if kind < 0.85 or not self.is_odd:
            return self.hidden() + r.choice(self.ends)
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

    def line(self):
        """The dialogue in smtp_diff's words."""
        r = self.random
        octets = self.mutate(b"".join(self.command() for _ in range(r.choice([1, 1, 2, 3, 5]))))
        if r.random() < 0.1:
            octets += b"QUIT\r\n"
        cuts = sorted(r.randrange(len(octets) + 1) for _ in range(r.choice([0, 0, 1, 2, 5, 20])))
        if r.random() < 0.2:  # a client that waits at each line
            cuts = [m.end() for m in re.finditer(rb"\n", octets)]
        pieces = [octets[a:b] for a, b in zip([0] + cuts, cuts + [len(octets)]) if a != b]
        return " ".join(r.choice(["w", ""]) + p.hex() for p in pieces)


# ---- what was said ------------------------------------------------------------------------------

def octets_of(word):
    return b"" if word == "-" else bytes.fromhex(word)


def runs(sent):
    """What went up: (letter, octets) of each run that the guard took for the same."""
    return [(letter, bytes.fromhex(hexed)) for letter, hexed in re.findall(r"([lmk.!])([0-9a-f]*)",
                                                                         sent.replace("-", ""))]


def commands_of(parts):
    return re.findall(rb"[^\n]*\n?", b"".join(o for letter, o in parts if letter == "l"))[:-1]


def replies(octets):
    """The code of each whole reply: a reader of its own, not the guard's."""
    return [line[:3] for line in octets.split(b"\r\n")[:-1] if line[3:4] != b"-"]


def messages_of(codes, parts):
    """How many messages were taken: a 250 behind the end of one, or behind a last chunk."""
    due = []
    for letter, octets in parts:
        if letter == "l":
            due += [b"BDAT " in line.upper() and b"LAST" in line.upper()
                    for line in commands_of([(letter, octets)])]
        due += [True] if letter in ".!" else []
    return sum(is_end and code == b"250" for is_end, code in zip(due, codes))


def judge(status, reason, parts, answered):
    """Returns what is wrong, or None."""
    commands, codes = commands_of(parts), replies(answered)
    unknown = [c for c in commands if not KNOWN.fullmatch(c)]
    if unknown:
        return f"let through: {unknown}"
    due = len(commands) + sum(letter in ".!" for letter, _ in parts)
    has_quit = b"221" in codes
    if status == "huge":
        return None if len(codes) == due - 1 else f"{status}: {codes} to {commands}"
    if len(codes) != due and not (has_quit and len(codes) < due):
        return f"{status} {reason}: {codes} to {commands}"
    if status != "clean" and not has_quit:
        return f"{status} {reason}: {commands}, {answered[-300:]}"
    if reason.startswith(("unasked", "upstream", "no-memory")):
        return f"the guard accuses the server: {reason}: {commands}, {answered[-300:]}"
    return None


@pytest.fixture(scope="module")
def player(base):
    """smtp_diff, built from the guard's own sources."""
    binary = os.path.join(base, "smtp_diff")
    files = (glob.glob(os.path.join(SOURCE, "proto/smtp/guard*.c")) +
             [os.path.join(SOURCE, "proto/smtp/capability.c")] +
             [os.path.join(SOURCE, "base", f"{name}.c")
              for name in ("buf", "view", "mem", "err", "utf8")])
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-I", SOURCE,
                    "-fsanitize=address,undefined", "-o", binary,
                    os.path.join(HERE, "smtp_diff.c"), *files, "-lsodium"], check=True)
    return binary


def readable(line):
    return "  " + "\n  ".join(repr(bytes.fromhex(p.lstrip("w"))) for p in line.split())


class Played:
    """What came of all dialogues of one mode."""

    def __init__(self):
        self.outcomes, self.wrong = collections.Counter(), []
        self.senders, self.taken = set(), 0

    def add(self, number, line, answer):
        status, reason, sent, answered, _ = answer.split(" ")
        parts, answered = runs(sent), octets_of(answered)
        self.outcomes[status, reason] += 1
        fault = judge(status, reason, parts, answered)
        if fault:
            self.wrong.append(f"{number}: {fault}\n{readable(line)}")
        self.senders |= {m[1].decode("latin-1") for c in commands_of(parts)
                         for m in [SENDER.match(c)] if m}
        self.taken += messages_of(replies(answered), parts)


def compare(player, port, mode):
    played = Played()
    for first in range(SEED, SEED + DIALOGUES, BATCH):
        numbers = range(first, min(first + BATCH, SEED + DIALOGUES))
        lines = [Maker(n).line() for n in numbers]
        said = subprocess.run([player, str(port), mode], input="\n".join(lines) + "\n",
                              capture_output=True, text=True, timeout=600, check=False)
        assert said.returncode == 0, said.stderr
        answers = said.stdout.splitlines()
        assert len(answers) == len(lines)
        for row in zip(numbers, lines, answers):
            played.add(*row)
    return played


@pytest.fixture(scope="module")
def upstream(base, authority):
    """Postfix, and the Dovecot that it asks whether AUTH is right."""
    dovecot = Dovecot(os.path.join(base, "ds"), authority, {"victim@example.org": "victim"},
                      label="differ-smtp", also=("delivery",)).start()
    server = Postfix(os.path.join(base, "ps"), authority, dovecot, label="differ", options=LAX)
    try:
        yield server.start()
    finally:
        server.stop()
        dovecot.stop()


def logged(upstream, count):
    """What Postfix has logged of messages; its log may be a moment behind."""
    deadline = time.monotonic() + 5
    while len(rows := upstream.log_rows("END-OF-MESSAGE")) < count and time.monotonic() < deadline:
        time.sleep(0.1)
    return rows


@pytest.mark.parametrize("mode", ["refuse", "normalise"])
def test_postfix_takes_for_commands_what_the_guard_does(upstream, player, mode):
    before = len(upstream.log_rows("END-OF-MESSAGE"))
    played = compare(player, upstream.ports["submission"], mode)
    rows = logged(upstream, before + played.taken)[before:]
    for (status, reason), n in played.outcomes.most_common():
        print(f"{n:6} {status:8} {reason}")
    print(f"{played.taken:6} messages taken, {len(rows)} logged")
    assert not played.wrong, (f"{len(played.wrong)} of {DIALOGUES}:\n" +
                              "\n".join(played.wrong[:10]))
    # Postfix writes the local part "a." in quotes.
    senders = {m[1].replace('"', "") for row in rows for m in [LOGGED.search(row)] if m}
    strangers = senders - {sender.replace('"', "") for sender in played.senders}
    assert not strangers
    assert len(rows) == played.taken
    # Dialogues that end at their first line show nothing; enough must have gone on to their end.
    assert played.outcomes["clean", "-"] > DIALOGUES * 0.2
    assert played.taken > DIALOGUES * 0.2
