"""What a mailbox holds, so that a copy can be compared with the original octet for octet."""

import hashlib
import os
import re
from collections import Counter

from rig.mail import quote

KEPT_FLAGS = {"\\Seen": "S", "\\Answered": "R", "\\Flagged": "F", "\\Draft": "D"}


def digest(octets):
    """A message without what a Maildir changes: line ends, and mbsync's own X-TUID header."""
    text = octets.replace(b"\r\n", b"\n")
    text = re.sub(rb"(?m)^X-TUID: .*\n", b"", text, count=1)
    return hashlib.sha256(text).hexdigest()


def of_server(client):
    """folder → Counter of (digest, flags) through a logged-in imaplib client."""
    held = {}
    for row in client.list()[1]:
        name = re.match(rb'\([^)]*\) "?[^" ]+"? (.*)$', row).group(1).decode().strip('"')
        client.select(quote(name), readonly=True)
        counted = Counter()
        numbers = client.search(None, "ALL")[1][0].split()
        for start in range(0, len(numbers), 25):
            part = b",".join(numbers[start : start + 25]).decode()
            for item in client.fetch(part, "(FLAGS BODY.PEEK[])")[1]:
                if isinstance(item, tuple):
                    flags = "".join(sorted(letter for flag, letter in KEPT_FLAGS.items()
                                           if flag.encode() in item[0]))
                    counted[digest(item[1]), flags] += 1
        held[name] = counted
    return held


def of_maildir(root, separator="/"):
    """The same for the Maildirs that mbsync made below root."""
    held = {}
    for folder, names, _ in os.walk(root):
        if "cur" not in names:
            continue
        counted = Counter()
        for part in ("cur", "new"):
            for name in os.listdir(os.path.join(folder, part)):
                with open(os.path.join(folder, part, name), "rb") as f:
                    octets = f.read()
                flags = name.partition(":2,")[2]
                counted[digest(octets), "".join(sorted(c for c in flags if c in "SRFD"))] += 1
        held[os.path.relpath(folder, root).replace("/", separator)] = counted
    return held
