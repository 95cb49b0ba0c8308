"""Dialogues that hide commands in and around everything that a command can hold.

Each hidden command has a tag of its own, so that the server's answer tells what it took for one.
Half of the dialogues are well formed: they go deep. The others are mutated.
"""

import random
import re

SIMPLE = [
    b"NOOP", b"CAPABILITY", b"SELECT INBOX", b"LIST \"\" *", b"STATUS INBOX (MESSAGES)",
    b"ID NIL", b"FETCH 1 (FLAGS BODY[])", b"UID SEARCH 1:3", b"CREATE \"x{5}\"",
    b"DELETE \"a\\\"{3+}\\\\\"", b"NAMESPACE", b"CHECK", b"EXAMINE INBOX", b"ENABLE CONDSTORE",
    b"CREATE foo}", b"LSUB \"\" \"%\"", b"BOGUS x y", b"STORE 1 +FLAGS (\\Seen)",
    b"SETMETADATA INBOX (/private/x \"y\" /private/z NIL)", b"SELECT \"Box\"", b"UNSELECT",
    b"GETQUOTAROOT INBOX", b"NOTIFY NONE", b"ENABLE UTF8=ACCEPT", b"FETCH 1 BINARY.PEEK[1]",
    b"NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge FlagChange))", b"RESETKEY",
    b"NOTIFY SET STATUS (personal (MessageNew MessageExpunge)) (selected (MessageNew))",
    b"LIST (SUBSCRIBED) \"\" (\"%\" Box) RETURN (CHILDREN STATUS (MESSAGES))", b"X-FOO bar",
    b"SEARCH RETURN (MIN COUNT) NOT (SUBJECT \"a\" DELETED)", b"GENURLAUTH", b"LANGUAGE",
    b"COMPARATOR \"i;ascii-casemap\"", b"GETMETADATA (DEPTH infinity) \"\" (/shared /private)",
]
ODD = [
    b"FETCH (", b"SEARCH SUBJECT \"{4}\" TEXT \"\\\\\"", b"XFOO {x", b"SEARCH (", b"UID",
    b"CREATE a{5+}b", b"APPEND INBOX )", b"APPEND INBOX CATENATE (x)", b"CREATE \xffx", b"STORE 1",
    b"ID (\"a\"", b"NOTIFY SET (", b"URLFETCH", b"CREATE \"abc\\\"", b"APPEND Box CATENATE ()",
    b"APPEND Box (\\Bogus) {5}", b"APPEND Box \"no date\" {5+}", b"XAUTHENTICATE", b"REPLACE 1",
]
HIDDEN = [
    b"NOOP", b"UNAUTHENTICATE", b"LOGIN a b", b"AUTHENTICATE PLAIN AGEAYg==", b"STARTTLS",
    b"COMPRESS DEFLATE", b"IDLE", b"unauthenticate", b"SELECT INBOX",
    b"LOGIN {1+}\r\na {1+}\r\nb", b"ID (\"X-Originating-IP\" \"192.0.2.66\")",
]
# What a line can hide: not refused by its word, since it must arrive to be seen.
INLINE = [b"NOOP", b"NOOP", b"NOOP", b"CHECK", b"COMPRESS DEFLATE", b"CAPABILITY", b"ID NIL"]
# "@" stands for a string in one of its forms, "&" for the octets of a message or of a value.
HOLDERS = [
    b"CREATE @", b"SELECT @", b"EXAMINE @ (CONDSTORE)", b"SUBSCRIBE @", b"STATUS @ (MESSAGES)",
    b"STATUS @", b"RENAME nowhere @", b"COPY 1 @", b"UID MOVE 9999 @", b"LIST @ @", b"LSUB \"\" @",
    b"LIST (SUBSCRIBED) \"\" (@ @) RETURN (CHILDREN)", b"LIST \"\" @ RETURN (STATUS (MESSAGES))",
    b"XLIST \"\" @", b"SEARCH SUBJECT @", b"SEARCH CHARSET UTF-8 SUBJECT @ OR TEXT @ BODY @",
    b"SEARCH CHARSET @ (FROM @)", b"SEARCH RETURN (MAX) OR SUBJECT @ NOT (TO @ CC @)",
    b"UID SEARCH HEADER @ @", b"SORT (REVERSE DATE) UTF-8 SUBJECT @",
    b"THREAD REFERENCES UTF-8 TEXT @", b"FETCH 1 @", b"FETCH 1 BODY[HEADER.FIELDS (@ @)]",
    b"UID FETCH 1 (FLAGS BODY.PEEK[HEADER.FIELDS.NOT (@)]<0.5>)", b"FETCH ( @", b"BOGUS @ @",
    b"STORE 1 FLAGS @", b"STORE 1 ANNOTATION (@ (@ @))", b"NOOP @", b"LOGOUT @", b"IDLE @",
    b"UID @", b"ENABLE @", b"CREATE x@", b"CREATE \"open @", b"CREATE \"a\\\" @",
    b"SETACL @ @ @", b"GETACL @", b"DELETEACL @ @", b"LISTRIGHTS @ @", b"MYRIGHTS @",
    b"GETQUOTA @", b"GETQUOTAROOT @", b"SETQUOTA @ (STORAGE 5)", b"SETMETADATA @ (@ &)",
    b"SETMETADATA INBOX (/private/comment &)", b"SETMETADATA INBOX (/private/x \"y\" /private/z &)",
    b"SETMETADATA INBOX (/private/x & /private/z @)", b"GETMETADATA @ /private/comment",
    b"GETMETADATA (MAXSIZE 10) INBOX (@ @)", b"SETANNOTATION @ @ (@ @)", b"GETANNOTATION @ @ @",
    b"GENURLAUTH @ INTERNAL", b"URLFETCH @ @", b"URLFETCH (@ BODY)", b"RESETKEY @ INTERNAL",
    b"NOTIFY SET STATUS (mailboxes @ (MessageNew MessageExpunge))",
    b"NOTIFY SET (mailboxes (@ @) (MessageNew (FLAGS) MessageExpunge))", b"COMPARATOR @",
    b"LANGUAGE @", b"XAPPLEPUSHSERVICE aps-version 2 aps-account-id @ aps-device-token @",
    b"X-FOO (@ &)", b"LOCALAPPEND @ \"\" &", b"REPLACE 1 @ &", b"UID REPLACE 1 Box (\\Seen) &",
    b"LOGIN @ @", b"LOGIN a @", b"AUTHENTICATE PLAIN @", b"UNAUTHENTICATE @", b"COMPRESS @",
    b"XCONVSORT @", b"DUMP @", b"XWARMUP @", b"SYNCAPPLY @", b"XFER @ @", b"ID @",
]
NAMES = [
    b"INBOX", b"Box", b"Full", b"NoRoom", b"Locked", b"nowhere/at/all", b"a b", b"q\"uote",
    b"b\\slash", b"{5}", b"{3+}", b"~{2}", b"", b"/private/comment", b"UTF-8", b"Subject", b"NIL",
    b"\xc3\xa4", b"imap://differ@localhost/INBOX/;UID=1", b"/INBOX/;UID=1/;SECTION=1", b"lrs",
]
FIELDS = [
    b"name", b"version", b"OS", b"vendor", b"x-originating-ip", b"X-Session-Id", b"x-forward-user",
    b"x-connected-port", b"x-proxy-ttl",
]
MARKERS = [b"{%d}"] * 6 + [b"{%d+}"] * 8 + [b"~{%d}"] * 2 + [b"~{%d+}"] * 3
ODD_MARKERS = MARKERS + [
    b"{0%d+}", b"{0000%d}", b"{-%d+}", b"{%d +}", b"{ %d}", b"{+%d}", b"{%d-}", b"{%d++}",
    b"{%d} ", b"{%d}\r", b"\"{%d}", b"\"{%d}\"", b"\\{%d+}", b"{{%d}", b"{%d+}}", b"({%d+}",
    b"~~{%d}", b"{429496729%d+}", b"(~{%d}",
]
ODD_ENDS = [b"\r\n"] * 24 + [b"\n", b"\r\r\n", b"\r", b" \r\n", b"\0\r\n"]
ODD_DONES = [b"DONE\r\n"] * 6 + [b"done\r\n", b"DONE \r\n", b"\r\nDONE\r\n", b""]
SPECIAL = [
    b"\r", b"\n", b"\r\n", b"\0", b"\t", b" ", b"\"", b"\\", b"{", b"}", b"+", b"(", b")", b"~",
    b"0", b"\x0b", b"\xff", b"{5}", b"{3+}\r\n", b"\"\"", b"* ", b"+ ", b"DONE\r\n",
]
SIZES = [0] * 16 + [1, -1, 2, -2, 7, 4294967296, 2147483648, 30000]


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

    # ---- strings ----

    def marked(self, octets):
        """A literal; its size may be wrong."""
        r = self.random
        size = len(octets) + (r.choice(SIZES) if r.random() < 0.3 else 0)
        marker = r.choice(self.markers)
        if b"429496729%d" in marker:
            size %= 10
        return marker % max(0, size) + r.choice(self.ends) + octets

    def text(self):
        """A message, or a value."""
        r = self.random
        inner = b"".join(self.hidden() for _ in range(r.randint(0, 2)))
        if r.random() < 0.6:
            inner = b"From: a@example.org\r\nSubject: x\r\n\r\n" + inner
        if r.random() < 0.05:
            inner += b"x" * 3000
        return self.marked(inner)

    def string(self):
        r = self.random
        if r.random() < 0.3:
            inner = b"".join(self.hidden() for _ in range(r.randint(1, 2)))
            # A line end within a name ends the session.
            return self.marked(inner if self.is_odd else re.sub(rb"[\r\n]", b"_", inner))
        name = r.choice(NAMES)
        form = r.random()
        if form < 0.4 and re.fullmatch(rb"[\w/.-]+", name):
            return name
        if form < 0.7:
            return b"\"" + name.replace(b"\\", b"\\\\").replace(b"\"", b"\\\"") + b"\""
        return self.marked(name)

    def filled(self, template):
        parts = re.split(rb"([@&])", template)
        return b"".join(self.string() if p == b"@" else self.text() if p == b"&" else p
                        for p in parts)

    def careless(self, said):
        """Puts a command into the middle of a line: where a server gives up on a command without
        reading its line to the end, the rest of the line is a new one."""
        r = self.random
        places = [m.end() for m in re.finditer(rb"[ ()\"]", said)]
        at = r.choice(places or [len(said)])
        hidden = self.tag() + b" " + r.choice(INLINE)
        rest = said[at:] if r.random() < 0.4 else re.sub(rb"^[^\r\n]*", b"", said[at:])
        return said[:at] + r.choice([b"", b"", b" "]) + hidden + rest

    # ---- commands with a grammar of their own ----

    def part(self):
        r = self.random
        kind = r.random()
        if kind < 0.25:
            return b"URL " + self.string()
        if kind < 0.35:
            return b"UTF8 (" + self.text() + b")"
        return b"TEXT " + self.text()

    def message(self):
        r = self.random
        flags = r.choice([b"", b"", b" (\\Seen)", b" ()", b" ($a b \\Draft)"])
        date = r.choice([b"", b"", b"", b" \" 1-Jan-2024 00:00:00 +0000\""])
        kind = r.random()
        if kind < 0.6:
            body = self.text()
        elif kind < 0.7:
            body = b"UTF8 (" + self.text() + b")"
        else:
            body = b"CATENATE (" + b" ".join(self.part() for _ in range(r.randint(1, 3))) + b")"
        return flags + date + b" " + body

    def append(self):
        r = self.random
        verb = r.choice([b"APPEND "] * 6 + [b"REPLACE 1 ", b"UID REPLACE 1 "])
        box = r.choice([b"Box"] * 5 + [b"INBOX", b"\"Full\"", b"NoRoom", b"Locked", b"nowhere",
                                       self.string()])
        return verb + box + b"".join(self.message() for _ in range(r.choice([1, 1, 1, 2, 3])))

    def identity(self):
        r = self.random
        pairs = []
        for _ in range(r.randint(0, 4)):
            field = r.choice(FIELDS)
            quoted = field.replace(b"-", b"\\-") if r.random() < 0.1 else field
            name = self.marked(field) if r.random() < 0.1 else b"\"" + quoted + b"\""
            pairs.append(name + b" " + r.choice([b"\"192.0.2.66\"", b"NIL", b"\"a\\\"b\"",
                                                 self.string()]))
        return b"ID (" + b" ".join(pairs) + b")"

    def command(self):
        r = self.random
        kind = r.random()
        if kind < 0.22:
            return self.tag() + b" " + r.choice(self.simple) + r.choice(self.ends)
        if kind < 0.32:
            return self.hidden()
        if kind < 0.4:
            done = r.choice(self.dones) or self.hidden()
            return self.tag() + b" IDLE" + r.choice(self.ends) + done
        if kind < 0.65:
            said = self.append()
        elif kind < 0.72:
            said = self.identity()
        else:
            said = self.filled(r.choice(HOLDERS))
        if r.random() < 0.2:
            said = self.careless(said)
        close = b""
        if self.is_odd and r.random() < 0.3:
            close = r.choice([b")", b" x", b"\"", b" \"NIL\")", b" " + self.text()])
        return self.tag() + b" " + said + close + r.choice(self.ends)

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

    # ---- the whole ----

    def line(self):
        """The dialogue in guard_diff's words."""
        r = self.random
        octets = self.mutate(b"".join(self.command() for _ in range(r.randint(1, 4))))
        how = r.random()
        if how < 0.35:     # a client that waits at each line, or at each literal, as honest ones do
            cuts = [m.end() for m in re.finditer(rb"\}\r\n" if how < 0.15 else rb"\n", octets)]
        else:
            cuts = sorted(r.randrange(len(octets) + 1) for _ in range(r.choice([0, 0, 1, 2, 5])))
        waits = ["w"] if how < 0.25 else ["w", ""]
        pieces = [octets[a:b] for a, b in zip([0] + cuts, cuts + [len(octets)]) if a != b]
        return " ".join(r.choice(waits) + p.hex() for p in pieces)


def readable(line):
    return "  " + "\n  ".join(repr(bytes.fromhex(p.lstrip("w"))) for p in line.split())
