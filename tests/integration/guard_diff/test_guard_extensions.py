"""What works with Dovecot and Cyrus works through the guard: every extension that takes literals,
continuations or a grammar of its own, with literals that wait and with literals that do not."""

import re
import subprocess

import pytest

from guard_servers import PASSWORD, user_of

# A case: a name, the servers (none: both), its commands. <…> stands for a literal, <~…> for a
# literal8, <!…> for a literal that the server refuses: a client that waits sends no octet of it,
# nor the rest of its command. Words in capitals are those of OCTETS. A tag says what the answer
# must be: a1 is OK, n1 NO, b1 BAD.
CASES = r"""
append
    a1 APPEND INBOX (\Seen $x) " 1-Jan-2024 00:00:00 +0000" <MESSAGE>
append to a name in a literal
    a1 APPEND <Box> () <MESSAGE>
append to a quoted name
    a1 APPEND "Box" <MESSAGE>
append where nothing is
    n1 APPEND nowhere <!MESSAGE>
    a1 NOOP
append without rights
    n1 APPEND Locked <!MESSAGE>
    a1 NOOP
append over quota: cyrus
    n1 APPEND Full <MEDIUM>
    n2 APPEND NoRoom <!MEDIUM>
    a1 NOOP
append over quota: dovecot
    n1 APPEND Full <!MEDIUM>
    a1 NOOP
append too big
    n1 APPEND Box <!LARGE>
    a1 NOOP
multiappend
    a1 APPEND INBOX (\Seen) <MESSAGE> <MESSAGE> () <MESSAGE>
    a2 NOOP
multiappend, the last one too big
    n1 APPEND INBOX <MESSAGE> <!LARGE>
    a1 NOOP
catenate
    a1 APPEND INBOX <MESSAGE>
    a2 SELECT INBOX
    a3 APPEND Box CATENATE (URL "/INBOX/;UID=1" TEXT <hello> URL </INBOX/;UID=1> TEXT <bye>)
catenate of URLs only
    a1 APPEND INBOX <MESSAGE>
    a2 SELECT INBOX
    a3 APPEND Box CATENATE (URL "/INBOX/;UID=1" URL /INBOX/;UID=1)
    a4 NOOP
catenate, too big: dovecot
    n1 APPEND Box CATENATE (TEXT <MESSAGE> TEXT <LARGE>)
    a1 NOOP
catenate, too big, refused at once: cyrus
    n1 APPEND Box CATENATE (TEXT <MESSAGE> TEXT <!LARGE>)
    a1 NOOP
catenate of a bad URL
    n1 APPEND Box CATENATE (URL "/nowhere/;UID=1")
    a1 NOOP
multiappend of catenates
    a1 APPEND INBOX <MESSAGE>
    a2 SELECT INBOX
    a3 APPEND Box CATENATE (TEXT <MESSAGE>) (\Seen) CATENATE (URL "/INBOX/;UID=1" TEXT <x>)
binary
    a1 APPEND INBOX <~MESSAGE>
    a2 SELECT INBOX
    a3 FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1])
binary, any octets: dovecot
    a1 APPEND INBOX <~BINARY>
    a2 SELECT INBOX
    a3 FETCH * BODY.PEEK[]
search
    a1 SELECT INBOX
    a2 SEARCH CHARSET UTF-8 SUBJECT <x> OR TEXT <ä> BODY "{5}"
    a3 UID SEARCH RETURN (MIN COUNT) (SUBJECT <x> NOT (TO <y>))
    a4 SEARCH SUBJECT login SINCE 1-Jan-2024
sort and thread
    a1 SELECT INBOX
    a2 SORT (REVERSE DATE) UTF-8 SUBJECT <x>
    a3 THREAD REFERENCES UTF-8 TEXT <x>
    a4 UID SORT RETURN (ALL) (DATE) UTF-8 ALL
search result saved: dovecot
    a1 SELECT INBOX
    a2 SEARCH RETURN (SAVE) ALL
    a3 FETCH $ (FLAGS)
names
    a1 CREATE <a b>
    a2 STATUS <a b> (MESSAGES)
    a3 RENAME <a b> <c d>
    a4 SUBSCRIBE "c d"
    a5 UNSUBSCRIBE <c d>
    a6 DELETE <c d>
fetch
    a1 SELECT INBOX
    a2 FETCH 1 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT <From>)])
    a3 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)
list-extended
    a1 LIST (SUBSCRIBED) "" ("%" <Box>) RETURN (CHILDREN STATUS (MESSAGES))
    a2 LIST "" <Bo%> RETURN (STATUS (MESSAGES UIDNEXT))
    a3 LSUB "" "*"
metadata
    a1 SETMETADATA INBOX (/private/comment <one\r\ntwo>)
    a2 GETMETADATA (MAXSIZE 100) INBOX (/private/comment)
    a3 GETMETADATA <INBOX> /private/comment
    a4 SETMETADATA <INBOX> (/private/comment NIL)
acl
    a1 SETACL Box <ann@example.org> lrs
    a2 GETACL <Box>
    a3 MYRIGHTS Box
    a4 LISTRIGHTS Box ann@example.org
    a5 DELETEACL Box <ann@example.org>
quota
    a1 GETQUOTAROOT <INBOX>
    n2 SETQUOTA "User quota" (STORAGE 512)
    a3 NOOP
idle
    a1 SELECT INBOX
    a2 IDLE
    DONE
    a3 idle
    done
    a4 NOOP
notify: dovecot
    a1 NOTIFY SET STATUS (selected (MessageNew (FLAGS) MessageExpunge)) (mailboxes <Box> NONE)
    a2 APPEND Box <MESSAGE>
    a3 NOTIFY NONE
urlauth
    a1 SELECT INBOX
    a2 RESETKEY INBOX INTERNAL
    a3 RESETKEY
    a4 URLFETCH "imap://differ3@localhost/INBOX/;UID=1;URLAUTH=anonymous:INTERNAL:00"
id
    a1 ID ("name" <x> "version" "1")
    a2 ID NIL
condstore and qresync
    a1 ENABLE CONDSTORE QRESYNC
    a2 SELECT INBOX (QRESYNC (1 1))
    a3 STORE 1 (UNCHANGEDSINCE 1) +FLAGS.SILENT ($x)
move and unselect
    a1 APPEND INBOX <MESSAGE>
    a2 SELECT INBOX
    a3 UID MOVE * Box
    a4 UNSELECT
    a5 SELECT <Box>
    a6 CLOSE
namespace, check, expunge
    a1 NAMESPACE
    a2 SELECT INBOX
    a3 CHECK
    a4 EXPUNGE
annotations of messages: cyrus
    a1 SELECT INBOX
    a2 STORE 1 ANNOTATION (/comment (value.priv <x>))
    a3 FETCH 1 (ANNOTATION (/comment value.priv))
xlist: cyrus
    a1 XLIST "" <Bo%>
unknown words
    b1 XANYTHING x
    b2 XANYTHING <!MESSAGE> y
    a1 NOOP
"""
MESSAGE = b"From: ann@example.org\r\nSubject: x\r\n\r\nhello\r\n"
OCTETS = {b"MESSAGE": MESSAGE, b"MEDIUM": MESSAGE + b"x" * 1500, b"LARGE": MESSAGE + b"x" * 3000,
          b"BINARY": MESSAGE + b"\0\r\n\n\r\xff"}
ANSWERS = {b"a": b"OK", b"n": b"NO", b"b": b"BAD"}
REPLY = re.compile(rb"^([anb]\d) (OK|NO|BAD)", re.M)


def cases(server):
    """Name → commands, for this server."""
    found, script = {}, []
    for line in CASES.strip().splitlines():
        if line.startswith(" "):
            script.append(line.strip().replace("\\r\\n", "\r\n").encode())
            continue
        script = []
        name, _, only = line.partition(": ")
        if only in ("", server):
            found[name] = script
    return found


def literal(octets, form, marker=b""):
    return marker + b"{%d%s}\r\n" % (len(octets), form) + octets


def dialogue(script, form):
    """In guard_diff's words: a client that waits at each line, with literals of this form."""
    octets = b""
    for command in script:
        if form == b"":
            refused = re.match(rb"(.*?)<!(\w+)>", command)
            command = refused[1] + b"{%d}" % len(OCTETS[refused[2]]) if refused else command
        octets += re.sub(rb"<(~?)!?([^>]+)>",
                         lambda m: literal(OCTETS.get(m[2], m[2]), form, m[1]), command) + b"\r\n"
    cuts = [m.end() for m in re.finditer(rb"\n", octets)]
    return " ".join("w" + octets[a:b].hex() for a, b in zip([0] + cuts, cuts))


@pytest.mark.parametrize("form", [b"", b"+"], ids=["waiting", "at once"])
@pytest.mark.parametrize("name", ["dovecot", "cyrus"])
def test_works(player, request, name, form):
    server = request.getfixturevalue(f"differ_{name}")
    scripts = cases(name)
    said = subprocess.run([player, str(server.ports["imap"]), user_of(3), PASSWORD],
                          input="".join(dialogue(s, form) + "\n" for s in scripts.values()),
                          capture_output=True, text=True, timeout=120, check=True)
    wrong = []
    for (case, script), line in zip(scripts.items(), said.stdout.splitlines(), strict=True):
        status, reason, _, answered = line.split(" ")
        octets = b"" if answered == "-" else bytes.fromhex(answered)
        tags = [c.split(b" ")[0] for c in script if b" " in c]
        wanted = [(t, ANSWERS[t[:1]]) for t in tags]
        if (status, reason) != ("clean", "-") or REPLY.findall(octets) != wanted:
            wrong.append(f"{case}: {status} {reason} {REPLY.findall(octets)}\n  {octets!r}")
    assert not wrong, "\n".join(wrong)
