"""The guard and real servers read the same mutated dialogues and must agree on what is a command.

A dialogue hides commands (NOOP, UNAUTHENTICATE, LOGIN …), each with a tag of its own, in and around
literals, quoted strings and IDLE, then is mutated and cut into pieces. It goes through the guard to
the server. The test fails when the server answers a tag that the guard has not seen as a command,
when a forbidden command was let through, or when the server is not at the beginning of a command
although the guard says so. GUARD_DIFF_DIALOGUES says how many to play at each server,
GUARD_DIFF_SEED which: the number of a failing dialogue, which is printed, is its seed.
"""

import collections
import glob
import os
import random
import re
import subprocess

import pytest

from rig.dovecot import Dovecot
from support.cyrus import Cyrus

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "..", "..", "src")
DIALOGUES = int(os.environ.get("GUARD_DIFF_DIALOGUES", "2000"))
SEED = int(os.environ.get("GUARD_DIFF_SEED", "1"))
BATCH = 100
# What makes the forbidden COMPRESS a real danger, and SETMETADATA do something.
PLUGINS = """
mail_attribute_dict = file:%h/attributes
protocol imap {
  mail_plugins = zlib imap_zlib
  imap_metadata = yes
}
"""
USER, PASSWORD = "differ@example.org", "differ"
FORBIDDEN = {b"UNAUTHENTICATE", b"LOGIN", b"AUTHENTICATE", b"STARTTLS", b"COMPRESS"}
STATUS = re.compile(rb"\* (OK|NO|BAD|BYE|PREAUTH)\b", re.I)
LITERAL = re.compile(rb"\{(\d+)\}$")

# ---- the dialogues ------------------------------------------------------------------------------

SIMPLE = [
    b"NOOP", b"CAPABILITY", b"SELECT INBOX", b"LIST \"\" *", b"STATUS INBOX (MESSAGES)",
    b"ID (\"name\" \"differ\" \"version\" \"1\")", b"ID NIL", b"FETCH 1 (FLAGS BODY[])",
    b"UID SEARCH 1:3", b"CREATE \"x{5}\"", b"DELETE \"a\\\"{3+}\\\\\"", b"NAMESPACE", b"CHECK",
    b"EXAMINE INBOX", b"ENABLE CONDSTORE", b"CREATE foo}", b"LSUB \"\" \"%\"", b"BOGUS x y",
    b"SETMETADATA INBOX (/private/x \"y\" /private/z NIL)", b"STORE 1 +FLAGS (\\Seen)",
    b"SELECT \"Box\"", b"GETQUOTAROOT INBOX",
]
ODD = [
    b"FETCH (", b"SEARCH SUBJECT \"{4}\" TEXT \"\\\\\"", b"XFOO {x", b"SEARCH (", b"UID",
    b"CREATE a{5+}b", b"APPEND INBOX )", b"APPEND INBOX CATENATE (x)", b"CREATE \xffx", b"STORE 1",
]
HIDDEN = [
    b"NOOP", b"UNAUTHENTICATE", b"LOGIN a b", b"AUTHENTICATE PLAIN AGEAYg==", b"STARTTLS",
    b"COMPRESS DEFLATE", b"IDLE", b"unauthenticate", b"SELECT INBOX",
    b"LOGIN {1+}\r\na {1+}\r\nb",
]
HOLDERS = [
    b"APPEND Box ", b"APPEND nowhere/at/all ", b"APPEND Box (\\Seen) ", b"CREATE ", b"SELECT ",
    b"SEARCH SUBJECT ", b"SEARCH CHARSET UTF-8 SUBJECT ", b"BOGUS ", b"NOOP ", b"FETCH 1 ",
    b"LIST \"\" ", b"STATUS ", b"ID (\"name\" ", b"LOGIN ", b"LOGIN a ", b"AUTHENTICATE PLAIN ",
    b"APPEND Box UTF8 (", b"APPEND Box CATENATE (TEXT ", b"APPEND Box CATENATE (URL ",
    b"FETCH 1 BODY[HEADER.FIELDS (", b"CREATE \"open ", b"CREATE x", b"FETCH ( ", b"IDLE ",
    b"SETMETADATA INBOX (/private/comment ", b"SETMETADATA ", b"UID FETCH ", b"LOGOUT ",
    b"ENABLE ", b"UID ", b"COPY 1 ", b"GETMETADATA ", b"XAPPLEPUSHSERVICE aps-version ",
    b"NOTIFY SET (mailboxes ", b"SEARCH OR SUBJECT ", b"REPLACE 1 Box ", b"STORE 1 FLAGS ",
    b"CREATE \"a\\\" ",
]
MARKERS = [b"{%d}"] * 6 + [b"{%d+}"] * 8 + [b"~{%d}"] * 2 + [b"~{%d+}"] * 3
ODD_MARKERS = MARKERS + [
    b"{0%d+}", b"{0000%d}", b"{-%d+}", b"{%d +}", b"{ %d}", b"{+%d}", b"{%d-}", b"{%d++}",
    b"{%d} ", b"{%d}\r", b"\"{%d}", b"\"{%d}\"", b"\\{%d+}", b"{{%d}", b"{%d+}}", b"({%d+}",
    b"~~{%d}",
]
ODD_ENDS = [b"\r\n"] * 24 + [b"\n", b"\r\r\n", b"\r", b" \r\n", b"\0\r\n"]
ODD_DONES = [b"DONE\r\n"] * 6 + [b"done\r\n", b"DONE \r\n", b"\r\nDONE\r\n", b""]
SPECIAL = [
    b"\r", b"\n", b"\r\n", b"\0", b"\t", b" ", b"\"", b"\\", b"{", b"}", b"+", b"(", b")", b"~",
    b"0", b"\x0b", b"\xff", b"{5}", b"{3+}\r\n", b"\"\"", b"* ", b"+ ", b"DONE\r\n",
]


class Maker:
    """Makes one dialogue: octets, and where they are cut."""

    def __init__(self, number):
        self.random = random.Random(number)
        self.number = number
        self.count = 0
        # Most oddities end the session; a dialogue without any is the one that goes deep.
        self.is_odd = self.random.random() < 0.5
        self.simple = SIMPLE + ODD if self.is_odd else SIMPLE
        self.markers = ODD_MARKERS if self.is_odd else MARKERS
        self.ends = ODD_ENDS if self.is_odd else [b"\r\n"]
        self.dones = ODD_DONES if self.is_odd else [b"DONE\r\n"]

    def tag(self):
        self.count += 1
        return b"t%dx%d" % (self.number, self.count)

    def hidden(self):
        return self.tag() + b" " + self.random.choice(HIDDEN) + b"\r\n"

    def literal(self, is_text, depth=0):
        r = self.random
        inner = b"".join(self.hidden() for _ in range(r.randint(0, 2)))
        if r.random() < 0.2:
            inner = b"From: a\r\n\r\n" + inner
        if not is_text and not self.is_odd:
            inner = re.sub(rb"[\r\n]", b"_", inner)  # else the guard ends here
        size = len(inner) + r.choice([0] * 10 + [1, -1, 2, -2, -len(inner), 7, 4294967296])
        more = b" " + self.literal(is_text, depth + 1) if depth < 2 and r.random() < 0.25 else b""
        close = r.choice([b"", b"", b"", b")", b" x", b"\"", b" \"NIL\")"])
        return (r.choice(self.markers) % max(0, size) + r.choice(self.ends) + inner + close +
                (more or r.choice(self.ends)))

    def command(self):
        r = self.random
        kind = r.random()
        if kind < 0.3:
            return self.tag() + b" " + r.choice(self.simple) + r.choice(self.ends)
        if kind < 0.42:
            return self.hidden()
        if kind < 0.52:
            done = r.choice(self.dones) or self.hidden()
            return self.tag() + b" IDLE" + r.choice(self.ends) + done
        holder = r.choice(HOLDERS)
        is_text = holder.startswith((b"APPEND", b"REPLACE", b"SETMETADATA INBOX"))
        return self.tag() + b" " + holder + self.literal(is_text)

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
        """The dialogue in guard_diff's words."""
        r = self.random
        octets = self.mutate(b"".join(self.command() for _ in range(r.randint(1, 4))))
        cuts = sorted(r.randrange(len(octets) + 1) for _ in range(r.choice([0, 0, 1, 2, 5])))
        if r.random() < 0.3:  # a client that waits at each line, as honest ones do
            cuts = [m.end() for m in re.finditer(rb"\n", octets)]
        pieces = [octets[a:b] for a, b in zip([0] + cuts, cuts + [len(octets)]) if a != b]
        return " ".join(r.choice(["w", ""]) + p.hex() for p in pieces)


# ---- what was said ------------------------------------------------------------------------------

def tags(octets):
    """The tags that the server has answered: a reader of its own, not the guard's."""
    found, at, is_line_start = [], 0, True
    while at < len(octets):
        end = octets.find(b"\r\n", at)
        if end < 0:
            break
        line = octets[at:end]
        at = end + 2
        is_data = not is_line_start or (line.startswith(b"*") and not STATUS.match(line))
        marker = LITERAL.search(line) if is_data else None
        if is_line_start and line and not line.startswith((b"*", b"+")):
            found.append(line.split(b" ")[0])
        is_line_start = marker is None
        if marker:
            at += int(marker.group(1))
    return found


def octets_of(word):
    return b"" if word == "-" else bytes.fromhex(word)


def judge(number, dialogue, status, reason, seen, answered, odd_after):
    """Returns what is wrong, or None."""
    seen = [line.split(b" ") for line in octets_of(seen).split(b"\r\n") if line]
    let_through = [line for line in seen if line[1].upper() in FORBIDDEN]
    replies = collections.Counter(t for t in tags(octets_of(answered))
                                  if not t.startswith((b"last", b"in")))
    more = replies - collections.Counter(line[0] for line in seen)
    if let_through:
        return f"{number}: forbidden command let through: {let_through}\n{dialogue}"
    if more:
        return f"{number}: answered, but not seen by the guard: {dict(more)}\n{dialogue}"
    # The guard knows that it cannot know where the server is; the session is over.
    is_known = status != "lost" and any(odd_after.search(b" ".join(line)) for line in seen)
    if reason.startswith(("unasked", "reply-inside", "upstream")) and not is_known:
        return (f"{number}: the guard lost the server: {reason}, {octets_of(answered)}\n"
                f"{dialogue}")
    is_over = reason == "refused-inside-list" or b"* BYE" in octets_of(answered) or is_known
    if status in ("lost", "deaf", "silent") and not is_over:
        return (f"{number}: {status} {reason}; seen {seen}, answered {octets_of(answered)}\n"
                f"{dialogue}")
    return None


@pytest.fixture(scope="module")
def player(base):
    """guard_diff, built from the guard's own sources."""
    binary = os.path.join(base, "guard_diff")
    files = (glob.glob(os.path.join(SOURCE, "proto/imap/guard*.c")) +
             [os.path.join(SOURCE, "proto/imap/capability.c")] +
             [os.path.join(SOURCE, "base", f"{name}.c") for name in ("buf", "view", "mem", "err")])
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-I", SOURCE,
                    "-fsanitize=address,undefined", "-o", binary,
                    os.path.join(HERE, "guard_diff.c"), *files, "-lsodium"], check=True)
    return binary


def readable(line):
    return "  " + "\n  ".join(repr(bytes.fromhex(p.lstrip("w"))) for p in line.split())


def compare(player, port, wanted, odd_after):
    """Plays the dialogues and returns the outcomes (status, reason) and what is wrong."""
    outcomes, wrong = collections.Counter(), []
    numbers = list(range(SEED, SEED + wanted))
    for first in range(0, wanted, BATCH):
        some = numbers[first:first + BATCH]
        lines = [Maker(n).line() for n in some]
        said = subprocess.run([player, str(port), USER, PASSWORD], input="\n".join(lines) + "\n",
                              capture_output=True, text=True, timeout=600, check=False)
        assert said.returncode == 0, said.stderr
        answers = said.stdout.splitlines()
        assert len(answers) == len(some)
        for number, line, answer in zip(some, lines, answers):
            status, reason, seen, answered = answer.split(" ")
            outcomes[status, reason] += 1
            fault = judge(number, readable(line), status, reason, seen, answered, odd_after)
            if fault:
                wrong.append(fault)
    return outcomes, wrong


def check(player, port, odd_after):
    outcomes, wrong = compare(player, port, DIALOGUES, odd_after)
    for (status, reason), n in outcomes.most_common():
        print(f"{n:6} {status:8} {reason}")
    assert not wrong, f"{len(wrong)} of {DIALOGUES}:\n" + "\n".join(wrong[:10])
    # Dialogues that end at their first line show nothing; enough must have gone on to their end.
    assert outcomes["clean", "-"] > DIALOGUES * 0.2


def test_dovecot_takes_for_commands_what_the_guard_does(base, authority, player):
    server = Dovecot(os.path.join(base, "dd"), authority, {USER: PASSWORD}, label="differ",
                     ssl="no", no_plaintext="no", extra=PLUGINS)
    server.start()
    try:
        check(player, server.ports["imap"], re.compile(rb"^$"))
    finally:
        server.stop()


def test_cyrus_takes_for_commands_what_the_guard_does(base, cache, authority, player):
    server = Cyrus(os.path.join(base, "dc"), cache, authority, {USER: PASSWORD},
                   allow_plaintext="yes")
    try:
        server.start()
        # Cyrus 3.6 throws away the line behind a malformed GETMETADATA, or does not answer it, nor
        # a malformed LIST, and sends an empty line at a malformed ENABLE.
        check(player, server.ports["imap"], re.compile(rb" (GETMETADATA|ENABLE|LIST \"\" \()"))
    finally:
        server.stop()
