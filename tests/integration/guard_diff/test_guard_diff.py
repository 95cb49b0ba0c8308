"""The guard and real servers read the same mutated dialogues and must agree on what is a command.

A dialogue (guard_dialogues.py) goes through the guard to the server. The test fails when the server
answers a tag that the guard has not seen as a command, when a forbidden command or a forged ID was
let through, or when the server is not at the beginning of a command although the guard says so.
GUARD_DIFF_DIALOGUES says how many to play at each server, GUARD_DIFF_SEED which: the number of a
failing dialogue, which is printed, is its seed.
"""

import collections
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from guard_dialogues import Maker, readable
from guard_servers import LANES, PASSWORD, user_of

DIALOGUES = int(os.environ.get("GUARD_DIFF_DIALOGUES", "1400"))
SEED = int(os.environ.get("GUARD_DIFF_SEED", "1"))
FORBIDDEN = {b"UNAUTHENTICATE", b"LOGIN", b"AUTHENTICATE", b"STARTTLS", b"COMPRESS"}
FORGED = re.compile(rb"\"x-", re.I)
STATUS = re.compile(rb"\* (OK|NO|BAD|BYE|PREAUTH)\b", re.I)
LITERAL = re.compile(rb"\{(\d+)\}$")


def is_trusting(number):
    """Every other lane plays with a guard before a server that believes in ID."""
    return number % LANES % 2 == 1


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


def judge(number, dialogue, outcome, odd_after):
    """Returns what is wrong, or None."""
    status, reason, seen, answered = outcome
    seen = [line.split(b" ") for line in octets_of(seen).split(b"\r\n") if line]
    let_through = [line for line in seen if line[1].upper() in FORBIDDEN]
    replies = collections.Counter(t for t in tags(octets_of(answered))
                                  if not t.startswith((b"last", b"in")))
    more = replies - collections.Counter(line[0] for line in seen)
    if let_through:
        return f"{number}: forbidden command let through: {let_through}\n{dialogue}"
    if is_trusting(number) and any(line[1].upper() == b"ID" and FORGED.search(b" ".join(line))
                                   for line in seen):
        return f"{number}: forged ID let through: {seen}\n{dialogue}"
    if more:
        return f"{number}: answered, but not seen by the guard: {dict(more)}\n{dialogue}"
    # The guard knows that it cannot know where the server is; the session is over.
    is_known = status != "lost" and any(odd_after.search(b" ".join(line)) for line in seen)
    if reason.startswith(("unasked", "reply-inside", "upstream")) and not is_known:
        return (f"{number}: the guard lost the server: {reason}, {octets_of(answered)}\n"
                f"{dialogue}")
    # So is it when Dovecot finds a literal too long, by the time that its word arrives.
    is_over = (reason == "refused-inside-list" or b"* BYE" in octets_of(answered) or is_known or
               (reason != "-" and b" Too long argument" in octets_of(answered)))
    if status in ("lost", "deaf", "silent") and not is_over:
        return (f"{number}: {status} {reason}; seen {seen}, answered {octets_of(answered)}\n"
                f"{dialogue}")
    return None


# ---- the play -----------------------------------------------------------------------------------

def play(player, port, numbers):
    """Plays the dialogues of one lane on one connection; yields number, dialogue, outcome."""
    lines = [Maker(n).line() for n in numbers]
    said = subprocess.run([player, str(port), user_of(numbers[0]), PASSWORD,
                           *(["trusting"] if is_trusting(numbers[0]) else [])],
                          input="\n".join(lines) + "\n", capture_output=True, text=True,
                          timeout=3600, check=False)
    assert said.returncode == 0, said.stderr
    answers = said.stdout.splitlines()
    assert len(answers) == len(numbers)
    return [(n, readable(line), answer.split(" "))
            for n, line, answer in zip(numbers, lines, answers)]


def check(player, port, odd_after):
    outcomes, wrong = collections.Counter(), []
    numbers = range(SEED, SEED + DIALOGUES)
    lanes = [[n for n in numbers if n % LANES == lane] for lane in range(LANES)]
    with ThreadPoolExecutor(LANES) as pool:
        for played in pool.map(lambda lane: play(player, port, lane), filter(None, lanes)):
            for number, dialogue, outcome in played:
                outcomes[tuple(outcome[:2])] += 1
                fault = judge(number, dialogue, outcome, odd_after)
                if fault:
                    wrong.append(fault)
    for (status, reason), n in outcomes.most_common():
        print(f"{n:6} {status:8} {reason}")
    assert not wrong, f"{len(wrong)} of {DIALOGUES}:\n" + "\n".join(wrong[:10])
    # Dialogues that end at their first line show nothing; enough must have gone on to their end.
    assert outcomes["clean", "-"] > DIALOGUES * 0.2


def test_dovecot_takes_for_commands_what_the_guard_does(player, differ_dovecot):
    check(player, differ_dovecot.ports["imap"], re.compile(rb"^$"))


def test_cyrus_takes_for_commands_what_the_guard_does(player, differ_cyrus):
    # Cyrus 3.6 throws away the line behind a malformed GETMETADATA, or does not answer it, nor
    # a malformed LIST, sends an empty line at a malformed ENABLE, and ends at a LIST of "{5}".
    odd = re.compile(rb" (GETMETADATA|ENABLE|LIST \"\" \(|(X?LIST|LSUB) .*\{)")
    check(player, differ_cyrus.ports["imap"], odd)
