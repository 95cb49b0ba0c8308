"""The ManageSieve guard and real servers read the same mutated dialogues and must agree on what is
a command.

A dialogue hides commands (NOOP with a tag of its own, UNAUTHENTICATE, STARTTLS …) in and around
scripts, names, tags and quoted strings, then is mutated and cut into pieces. It goes through the
guard to the server. The test fails when the server has answered more commands than the guard has
seen, or a NOOP that it has not, when a forbidden command was let through, or when the server is not
at the beginning of a command although the guard says so. GUARD_DIFF_DIALOGUES says how many to play
at each server, GUARD_DIFF_SEED which: the number of a failing dialogue, which is printed, is its
seed.
"""

import base64
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
DIALOGUES = int(os.environ.get("GUARD_DIFF_DIALOGUES", "500"))
SEED = int(os.environ.get("GUARD_DIFF_SEED", "1"))
BATCH = 100
# Small bounds, so that scripts are refused at their literal.
BOUNDS = """
plugin {
  sieve_max_script_size = 300
  sieve_quota_max_scripts = 4
}
"""
USER, PASSWORD = "sieve@example.org", "differ"
PASSING = {b"PUTSCRIPT", b"CHECKSCRIPT", b"SETACTIVE", b"LISTSCRIPTS", b"GETSCRIPT",
           b"DELETESCRIPT", b"RENAMESCRIPT", b"HAVESPACE", b"NOOP", b"CAPABILITY", b"LOGOUT"}
STATUS = re.compile(rb"(OK|NO|BYE)\b", re.I)
LITERAL = re.compile(rb"\{(\d+)\+?\}$")
TAGGED = re.compile(rb"OK \(TAG (?:\"([^\"]*)\"|\{\d+\}\r\n(.*?))\) \"", re.S)

# ---- the dialogues ------------------------------------------------------------------------------

NAMES = [
    b"a", b"b", b"c d", b"\xc3\xa4", b"x/y", b".", b"a\"b", b"a\\", b"", b"n" * 200,
    b"\xe2\x82\xac{5+}",
]
ODD_NAMES = NAMES + [
    b"n" * 512, b"n" * 513, b"n" * 600, b"\xff", b"\xc3", b"a\tb", b"\xed\xa0\x80", b"\xc0\xaf",
    b"a\x7f", b"\xc2\x85", b"\xf5\x80\x80\x80", b"\x01", b"a\0b", b"\xef\xbf\xbf",
    b"\xf4\x8f\xbf\xbf",
]
SCRIPTS = [
    b"keep;", b"", b"keep;\r\n", b"# \xff\0\n", b"stop", b"keep;\r\nLOGOUT\r\n", b"k" * 299,
    b"#" * 301, b"{5+}\r\n", b"\"", b"keep; # }\r\n",
]
HIDDEN = [
    b"UNAUTHENTICATE", b"STARTTLS", b"LISTSCRIPTS", b"CAPABILITY", b"unauthenticate", b"NOOP",
    b"AUTHENTICATE \"PLAIN\" \"AGEAYg==\"", b"XCLIENT ADDR=192.0.2.1", b"DELETESCRIPT \"a\"",
    b"LOGOUT", b"AUTHENTICATE \"PLAIN\" {8+}\r\nAGEAYg==", b"XCLIENT {3+}\r\nabc",
]
SIMPLE = [
    b"LISTSCRIPTS", b"CAPABILITY", b"SETACTIVE \"\"", b"HAVESPACE \"a\" 5", b"noop", b"NoOp",
    b"HAVESPACE \"a\" 4294967295", b"LISTSCRIPTS", b"SETACTIVE {0+}\r\n",
]
ODD = [
    b"NOOP ", b" NOOP", b"NOOP  \"a\"", b"NOOP\t\"a\"", b"NOOPX", b"NOOP1", b"NOOP\"a\"",
    b"NOOP{1+}\r\na", b"", b"\"NOOP\"", b"HAVESPACE \"a\" 05", b"HAVESPACE \"a\" 4294967296",
    b"HAVESPACE \"a\" \"5\"", b"HAVESPACE \"a\"", b"LISTSCRIPTS \"a\"", b"GETSCRIPT a",
    b"NOOP \"a\" \"b\"", b"(NOOP)", b"NOOP a", b"PUTSCRIPT \"a\"", b"CHECKSCRIPT", b"NOOP \"a",
    b"NOOP \"a\\\"", b"NOOP \"\\a\"", b"NOOP \"" + b"q" * 1024 + b"\"",
    b"NOOP \"" + b"q" * 1025 + b"\"", b"CAPABILITY NOOP", b"NOOP;NOOP",
]
MARKERS = [b"{%d+}"]
ODD_MARKERS = MARKERS * 8 + [
    b"{%d}", b"{0%d+}", b"{0000%d+}", b"{-%d+}", b"{%d +}", b"{ %d+}", b"{+%d}", b"{%d-}",
    b"{%d++}", b"{%d+} ", b"{%d+}\r", b"\"{%d+}", b"\"{%d+}\"", b"{{%d+}", b"{%d+}}", b"({%d+}",
    b"~{%d+}", b"{0x%x+}",
]
ODD_ENDS = [b"\r\n"] * 24 + [b"\n", b"\r\r\n", b"\r", b" \r\n", b"\0\r\n", b"\r\n\r\n"]
SPECIAL = [
    b"\r", b"\n", b"\r\n", b"\0", b"\t", b" ", b"\"", b"\\", b"{", b"}", b"+", b"(", b")", b"0",
    b"\x0b", b"\xff", b"{5+}", b"{3+}\r\n", b"\"\"", b"\xc3\xa4", b"NOOP\r\n",
]


class Maker:
    """Makes one dialogue: octets, and where they are cut."""

    def __init__(self, number):
        self.random = random.Random(number)
        self.number = number
        self.count = 0
        # Most oddities end the session; a dialogue without any is the one that goes deep.
        self.is_odd = self.random.random() < 0.5
        self.names = ODD_NAMES if self.is_odd else NAMES
        self.markers = ODD_MARKERS if self.is_odd else MARKERS
        self.ends = ODD_ENDS if self.is_odd else [b"\r\n"]

    def noop(self):
        self.count += 1
        return b"NOOP \"t%dx%d\"" % (self.number, self.count)

    def hidden(self):
        r = self.random
        return (self.noop() if r.random() < 0.6 else r.choice(HIDDEN)) + b"\r\n"

    def literal(self, text):
        r = self.random
        odd = [1, -1, 2, -2, -len(text), 7, 4294967296] if self.is_odd else [0]
        size = len(text) + r.choice([0] * 10 + odd)
        end = b"\r\n" if r.random() < 0.9 else r.choice(self.ends)
        return r.choice(self.markers) % max(0, size) + end + text

    def quoted(self, text):
        if self.is_odd and self.random.random() < 0.1:
            return b"\"" + text + b"\""
        return b"\"" + re.sub(rb"([\"\\])", rb"\\\1", text) + b"\""

    def name(self):
        r = self.random
        text = r.choice(self.names)
        if self.is_odd and r.random() < 0.1:
            text += b"\r\n" + self.hidden()
        return self.quoted(text) if r.random() < 0.7 else self.literal(text)

    def script(self):
        r = self.random
        text = r.choice(SCRIPTS)
        if r.random() < 0.7:
            text = r.choice([text, b"", b"\r\n"])
            text += b"".join(self.hidden() for _ in range(r.randint(1, 3)))
        if r.random() < 0.03:
            text += b"#\r\n" * 12000
        if r.random() < 0.15 and (self.is_odd or not re.search(rb"[\r\n\0]", text)):
            return self.quoted(text)
        return self.literal(text)

    def command(self):
        r = self.random
        kind = r.random()
        if kind < 0.15:
            return r.choice(SIMPLE)
        if kind < 0.25 and self.is_odd:
            return r.choice(ODD)
        if kind < 0.32:
            return self.hidden()[:-2]
        if kind < 0.4:
            return b"NOOP " + self.literal(self.noop()[6:-1])
        if kind < 0.45:
            return self.noop()
        if kind < 0.55:
            return b"CHECKSCRIPT " + self.script()
        if kind < 0.6:
            return b"RENAMESCRIPT " + self.name() + b" " + self.name()
        if kind < 0.75:
            word = r.choice([b"GETSCRIPT ", b"DELETESCRIPT ", b"SETACTIVE ", b"getscript "])
            return word + self.name()
        return b"PUTSCRIPT " + self.name() + b" " + self.script()

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
        """The dialogue in sieve_diff's words."""
        r = self.random
        octets = self.mutate(b"".join(self.command() + r.choice(self.ends)
                                      for _ in range(r.randint(1, 5))))
        cuts = sorted(r.randrange(len(octets) + 1) for _ in range(r.choice([0, 0, 1, 2, 5])))
        if r.random() < 0.3:  # a client that waits at each line: NO comes before the script
            cuts = [m.end() for m in re.finditer(rb"\n", octets[:4000])]
        pieces = [octets[a:b] for a, b in zip([0] + cuts, cuts + [len(octets)]) if a != b]
        return " ".join(r.choice(["w", ""]) + p.hex() for p in pieces)


# ---- what was said ------------------------------------------------------------------------------

def replies(octets):
    """The statuses of the server's responses, whole: a reader of its own, not the guard's."""
    found, at, start = [], 0, None
    while at < len(octets):
        end = octets.find(b"\r\n", at)
        if end < 0:
            break
        line = octets[at:end]
        is_start = start is None
        start = at if is_start else start
        at = end + 2
        marker = LITERAL.search(line)
        if marker:
            at += int(marker.group(1))
            continue
        whole, start = octets[start:at], None
        if STATUS.match(whole):
            found.append(whole)
    return found


def octets_of(word):
    return b"" if word == "-" else bytes.fromhex(word)


def tag_of(head):
    """The tag of a NOOP in the guard's own words."""
    text = head[5:-2]
    if text.startswith(b"\""):
        return re.sub(rb"\\(.)", rb"\1", text[1:-1])
    return text[text.find(b"\n") + 1:]


def judge(number, dialogue, status, reason, heads, answered):
    """Returns what is wrong, or None."""
    heads = [octets_of(h) for h in heads.strip(",-").split(",") if h]
    words = [re.split(rb"[ \r]", h)[0] for h in heads]
    said = replies(octets_of(answered))
    told = f"\n  seen {heads}\n  answered {octets_of(answered)[:1000]}\n{dialogue}"
    if set(words) - PASSING:
        return f"{number}: let through: {set(words) - PASSING}{told}"
    asked = sum(not s.upper().startswith(b"BYE") for s in said)
    if asked > len(heads):
        return f"{number}: {len(heads)} commands, {asked} answers{told}"
    tags = [b"".join(m.groups(b"")) for m in map(TAGGED.match, said) if m]
    sent = [tag_of(h) for h, w in zip(heads, words) if w == b"NOOP" and len(h) > 6]
    if collections.Counter(tags) - collections.Counter(sent):
        return f"{number}: NOOP executed, but not seen by the guard: {tags}{told}"
    if reason.startswith(("unasked", "answered", "upstream", "no-memory")):
        return f"{number}: the guard lost the server: {reason}{told}"
    is_over = b"LOGOUT" in words or any(s.upper().startswith(b"BYE") for s in said)
    if status in ("lost", "silent") or (status == "closed" and not is_over):
        return f"{number}: {status} {reason}{told}"
    if status == "clean" and not is_over and asked != len(heads):
        return f"{number}: {len(heads)} commands, only {asked} answers{told}"
    return None


@pytest.fixture(scope="module")
def player(base):
    """sieve_diff, built from the guard's own sources."""
    binary = os.path.join(base, "sieve_diff")
    files = (glob.glob(os.path.join(SOURCE, "proto/sieve/guard*.c")) +
             [os.path.join(SOURCE, "proto/sieve", f"{name}.c")
              for name in ("capability", "command", "response", "text")] +
             [os.path.join(SOURCE, "proto/line/line.c")] +
             [os.path.join(SOURCE, "base", f"{name}.c")
              for name in ("buf", "err", "mem", "utf8", "view")])
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-I", SOURCE,
                    "-fsanitize=address,undefined", "-o", binary,
                    os.path.join(HERE, "sieve_diff.c"), *files, "-lsodium"], check=True)
    return binary


def readable(line):
    return "  " + "\n  ".join(repr(bytes.fromhex(p.lstrip("w"))[:2000]) for p in line.split())


def compare(player, port, wanted):
    """Plays the dialogues and returns the outcomes (status, reason) and what is wrong."""
    credential = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    outcomes, wrong = collections.Counter(), []
    numbers = list(range(SEED, SEED + wanted))
    for first in range(0, wanted, BATCH):
        some = numbers[first:first + BATCH]
        lines = [Maker(n).line() for n in some]
        said = subprocess.run([player, str(port), credential], input="\n".join(lines) + "\n",
                              capture_output=True, text=True, timeout=600, check=False)
        assert said.returncode == 0, said.stderr
        answers = said.stdout.splitlines()
        assert len(answers) == len(some)
        for number, line, answer in zip(some, lines, answers):
            status, reason, refused, heads, answered = answer.split(" ")
            outcomes[status, reason, "refused some" if int(refused) else ""] += 1
            fault = judge(number, readable(line), status, reason, heads, answered)
            if fault:
                wrong.append(fault)
    return outcomes, wrong


def check(player, port):
    outcomes, wrong = compare(player, port, DIALOGUES)
    for (status, reason, refused), n in outcomes.most_common():
        print(f"{n:6} {status:8} {reason} {refused}")
    assert not wrong, f"{len(wrong)} of {DIALOGUES}:\n" + "\n".join(wrong[:10])
    # Dialogues that end at their first line show nothing; enough must have gone on to their end.
    whole = outcomes["clean", "-", ""] + outcomes["clean", "-", "refused some"]
    assert whole > DIALOGUES * 0.3


def test_dovecot_takes_for_commands_what_the_sieve_guard_does(base, authority, player):
    server = Dovecot(os.path.join(base, "ds"), authority, {USER: PASSWORD}, label="sieve-differ",
                     ssl="no", no_plaintext="no", extra=BOUNDS, also=("sieve",))
    server.start()
    try:
        check(player, server.ports["sieve"])
    finally:
        server.stop()


def test_cyrus_takes_for_commands_what_the_sieve_guard_does(base, cache, authority, player):
    server = Cyrus(os.path.join(base, "cs"), cache, authority, {USER: PASSWORD},
                   allow_plaintext="yes")
    try:
        server.start()
        check(player, server.ports["sieve"])
    finally:
        server.stop()
