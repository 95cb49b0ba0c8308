"""The servers that the guard is compared with, and who plays at them: several lanes at once, each
with a user and a connection of its own. What they refuse is refused in several ways: a mailbox that
is not there, rights, quota, size."""

import imaplib

from rig.dovecot import Dovecot
from support.cyrus import Cyrus

LANES = 4
PASSWORD = "differ"
MAILBOXES = ("Box", "Full", "NoRoom", "Locked")
# What makes the forbidden COMPRESS a real danger, and SETMETADATA, URLAUTH and quota do something.
PLUGINS = """
mail_plugins = quota acl
mail_attribute_dict = file:%h/attributes
imap_urlauth_host = localhost
protocol imap {
  mail_plugins = quota acl zlib imap_zlib imap_quota imap_acl
  imap_metadata = yes
}
plugin {
  acl = vfile
  quota = maildir:User quota
  quota_rule = *:storage=10485760k
  quota_rule2 = Full:storage=-10485759k
  quota_max_mail_size = 2500
}
"""
TOO_BIG = "maxmessagesize: 2500\nannotation_allow_undefined: yes\n"


def user_of(number):
    """The user of the lane that plays this dialogue."""
    return f"differ{number % LANES}@example.org"


USERS = {user_of(n): PASSWORD for n in range(LANES)}


class RefusingCyrus(Cyrus):
    """A Cyrus that takes no large messages."""

    def _write(self):
        super()._write()
        with open(self.conf, "a", encoding="ascii") as f:
            f.write(TOO_BIG)


def _expect(said):
    assert said[0] == "OK", said


def _mailboxes(port):
    for user in USERS:
        client = imaplib.IMAP4("127.0.0.1", port)
        client.login(user, PASSWORD)
        for name in MAILBOXES:
            _expect(client.create(name))
        client.logout()


def dovecot(folder, authority):
    server = Dovecot(folder, authority, USERS, label="differ", ssl="no", no_plaintext="no",
                     extra=PLUGINS)
    server.start()
    _mailboxes(server.ports["imap"])
    for user in USERS:
        client = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
        client.login(user, PASSWORD)
        _expect(client.setacl("Locked", user, "lrsa"))
        client.logout()
    return server


def cyrus(folder, cache, authority):
    server = RefusingCyrus(folder, cache, authority, USERS, allow_plaintext="yes")
    server.start()
    _mailboxes(server.ports["imap"])
    admin = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
    admin.login("admin", "admin")
    for user in USERS:
        name, _, domain = user.partition("@")
        _expect(admin.setquota(f"user/{name}/Full@{domain}", "(STORAGE 0)"))
        _expect(admin.setquota(f"user/{name}/NoRoom@{domain}", "(MESSAGE 0)"))
        _expect(admin.setacl(f"user/{name}/Locked@{domain}", user, "lrs"))
    admin.logout()
    return server
