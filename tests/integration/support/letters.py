"""Messages that a protocol could spoil: stuffing, empty lines, eight bits, length."""

from collections import Counter

from . import compare

HEAD = ("From: {sender}\r\nTo: {recipient}\r\nSubject: {name}\r\n"
        "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{name}.{number}@example.org>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n")
BODIES = {
    "plain": "Good morning,\r\n\r\nall is well.\r\n",
    "dots": ".\r\n..\r\n.hidden\r\n...\r\n. \r\nQUIT\r\n.\r\n\r\nthe end\r\n",
    "last-dot": "the end is a full stop\r\n.\r\n",
    "empty": "",
    "mixed": "\r\n\r\nGrüße aus Köln\r\n.\r\n..\r\n.hidden\r\n\r\n\r\nQUIT\r\nthe end\r\n",
    "lines": "\r\n\r\n\r\nin between\r\n\r\n\r\n",
    "eight-bit": "Grüße aus Köln, 日本語\r\n" * 40,
    "long-lines": ("x" * 980 + "\r\n") * 30,
    "commands": "MAIL FROM:<a@example.org>\r\nDATA\r\nSTLS\r\nAUTH PLAIN AA==\r\n{5+}\r\nOK\r\n",
    "large": ("The key is with the warden, and the gate closes at ten." + "\r\n") * 60_000,
}


def letter(name, sender, recipient, number=0):
    """The octets of one of BODIES as a message with everything that servers would add."""
    head = HEAD.format(sender=sender, recipient=recipient, name=name, number=number)
    return (head + BODIES[name]).encode()


def all_letters(sender, recipient):
    return [letter(name, sender, recipient) for name in BODIES]


def digests(messages):
    """Of messages that were stored or fetched, whatever the ends of their lines are."""
    return Counter(compare.digest(octets) for octets in messages)


def in_mailbox(client, folder="INBOX"):
    """The octets of all messages through a logged-in imaplib client."""
    client.select(f'"{folder}"', readonly=True)
    numbers = client.search(None, "ALL")[1][0].split()
    return [client.fetch(n.decode(), "(BODY.PEEK[])")[1][0][1] for n in numbers]
