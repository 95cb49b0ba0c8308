"""Generated mail: the same messages for the same seed, with what real mailboxes have in them."""

import base64
import random
import time

FIRST_DAY = 1_704_067_200  # 2024-01-01 UTC
FOLDERS = ["INBOX", "Sent", "Drafts", "Archive", "Archive/2024", "Entw&APw-rfe",
           "Lists with spaces"]
SUBJECTS = ["Minutes of Monday", "Invoice", "Holiday plans", "Re: the bridge", "Server report",
            "A question", "Re: Re: the tender", "Tickets", "Your parcel", "Choir practice"]
WORDS = ("the gate was open when we came back from town and nobody knew who had left it so "
         "please tell the others that it closes at ten and that the key is with the warden").split()
PEOPLE = ["carol@example.net", "dave@example.com", "erin@example.org", "frank@example.net"]


class Message:
    """One message with its folder, flags and date."""

    def __init__(self, folder, octets, flags, date):
        self.folder = folder
        self.octets = octets
        self.flags = flags
        self.date = date


def _paragraph(rng, words):
    chosen = [rng.choice(WORDS) for _ in range(words)]
    return "\r\n".join(" ".join(chosen[i : i + 12]) for i in range(0, words, 12)) + "\r\n"


def _header(rng, number, user, when, subject):
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(when))
    return (
        f"From: {rng.choice(PEOPLE)}\r\nTo: {user}\r\nSubject: {subject}\r\nDate: {date}\r\n"
        f"Message-ID: <demo.{number}.{when}@example.net>\r\nMIME-Version: 1.0\r\n"
    )


def _plain(rng, head):
    return (head + "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
            + _paragraph(rng, rng.randint(20, 300))).encode("ascii")


def _eight_bit(rng, head):
    body = "Grüße aus Köln, señor Łukasz, 日本語 — \N{LOVE LETTER}\r\n" * rng.randint(1, 8)
    return (head + "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n\r\n" + body).encode("utf-8")


def _with_attachment(rng, head, size_octets):
    mark = f"=_part_{rng.getrandbits(64):016x}"
    data = base64.encodebytes(rng.randbytes(size_octets)).replace(b"\n", b"\r\n")
    return (
        head.encode("ascii")
        + f'Content-Type: multipart/mixed; boundary="{mark}"\r\n\r\n--{mark}\r\n'.encode("ascii")
        + b"Content-Type: text/plain\r\n\r\n" + _paragraph(rng, 40).encode("ascii")
        + f"--{mark}\r\nContent-Type: application/octet-stream\r\n".encode("ascii")
        + b"Content-Transfer-Encoding: base64\r\n\r\n" + data
        + f"--{mark}--\r\n".encode("ascii")
    )


def _flags(rng, folder):
    flags = []
    if rng.random() < 0.7:
        flags.append(r"\Seen")
    if rng.random() < 0.2:
        flags.append(r"\Flagged")
    if rng.random() < 0.2:
        flags.append(r"\Answered")
    if folder == "Drafts":
        flags.append(r"\Draft")
    return tuple(flags)


def generate(user, count, seed=1, large_octets=(1_500_000, 4_000_000)):
    """Yields count messages spread over FOLDERS; some are 8-bit, some large."""
    rng = random.Random(f"{user}/{seed}")
    large_at = {count // 3: large_octets[0], 2 * count // 3: large_octets[1]} if count > 8 else {}
    for number in range(count):
        folder = FOLDERS[0] if rng.random() < 0.5 else rng.choice(FOLDERS)
        when = FIRST_DAY + number * 7200 + rng.randint(0, 3600)
        head = _header(rng, number, user, when, rng.choice(SUBJECTS))
        if number in large_at:
            octets = _with_attachment(rng, head, large_at[number])
        elif rng.random() < 0.2:
            octets = _eight_bit(rng, head)
        elif rng.random() < 0.15:
            octets = _with_attachment(rng, head, rng.randint(2_000, 60_000))
        else:
            octets = _plain(rng, head)
        yield Message(folder, octets, _flags(rng, folder), when)


def quote(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def fill(client, messages, separator="/"):
    """Appends the messages through a logged-in imaplib client; makes the folders first."""
    made = {"INBOX"}
    count = 0
    for message in messages:
        folder = message.folder.replace("/", separator)
        if folder not in made:
            client.create(quote(folder))
            client.subscribe(quote(folder))
            made.add(folder)
        status, said = client.append(
            quote(folder), "(" + " ".join(message.flags) + ")",
            time.strftime('"%d-%b-%Y %H:%M:%S +0000"', time.gmtime(message.date)), message.octets,
        )
        if status != "OK":
            raise RuntimeError(f"APPEND to {folder}: {said}")
        count += 1
    return count
