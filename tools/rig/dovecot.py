"""A private Dovecot on loopback: own configuration, base folder, users and mail.

IMAP is always on; `also` names what else it serves: "pop3", "sieve" (ManageSieve) and "delivery",
which is what a Postfix of the rig needs (rig/postfix.py): an LMTP and an authentication socket.
"""

import grp
import imaplib
import os
import pwd
import signal
import ssl
import time

from . import reach
from .process import Child, RigError, free_port, is_listening, loopback

MAIL_UID = 61010
# base_dir/login/ssl-params and the like: what Dovecot appends to its base folder.
LONGEST_SOCKET = len("/imap-urlauth-worker-x/y")
UNIX_PATH_OCTETS = 107

CONFIG = """\
# Written by the rig; rewritten at each start.
base_dir = {run}
state_dir = {run}
instance_name = postern-{label}
log_path = {folder}/dovecot.log
protocols = {protocols}
listen = {listen}
default_login_user = {login_user}
default_internal_user = {internal_user}
default_internal_group = {internal_group}
default_process_limit = 400
default_client_limit = 4000
ssl = {ssl}
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = {no_plaintext}
auth_mechanisms = plain login
auth_cache_size = 0
auth_failure_delay = {failure_delay}
mail_location = maildir:~/Maildir
mail_uid = {uid}
mail_gid = {uid}
first_valid_uid = 1
maildir_very_dirty_syncs = no
# Made-up mail need not outlive the machine's power.
mail_fsync = never
mail_max_userip_connections = 2000
haproxy_trusted_networks = 127.0.0.0/8
login_trusted_networks = {trusted}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {users}
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={folder}/mail/%u
}}
{master}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
{no_chroot}  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
  inet_listener imap_proxied {{
    port = {imap_proxied}
    haproxy = yes
  }}
  inet_listener imaps_proxied {{
    port = {imaps_proxied}
    ssl = yes
    haproxy = yes
  }}
}}
service anvil {{
{no_chroot}  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{parts}
{services}
{extra}
"""

POP3 = """\
service pop3-login {{
{no_chroot}  service_count = 0
  process_min_avail = 1
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
  inet_listener pop3_proxied {{
    port = {pop3_proxied}
    haproxy = yes
  }}
  inet_listener pop3s_proxied {{
    port = {pop3s_proxied}
    ssl = yes
    haproxy = yes
  }}
}}
"""

SIEVE = """\
service managesieve-login {{
{no_chroot}  service_count = 0
  process_min_avail = 1
  inet_listener sieve {{
    port = {sieve}
  }}
  inet_listener sieve_proxied {{
    port = {sieve_proxied}
    haproxy = yes
  }}
}}
plugin {{
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
protocol lmtp {{
  mail_plugins = sieve
}}
"""

# The sockets belong to whom Postfix runs as; others on this machine cannot log in or deliver here.
DELIVERY = """\
service lmtp {{
  process_min_avail = 1
  unix_listener lmtp {{
    mode = 0600
    user = {postfix_user}
  }}
}}
service auth {{
  unix_listener auth-postfix {{
    mode = 0600
    user = {postfix_user}
  }}
}}
postmaster_address = postmaster@example.org
"""

# What each part adds: to `protocols`, to the configuration, and its ports.
PARTS = {
    "imap": ("imap", "", ("imap", "imaps", "imap_proxied", "imaps_proxied")),
    "pop3": ("pop3", POP3, ("pop3", "pop3s", "pop3_proxied", "pop3s_proxied")),
    "sieve": ("sieve", SIEVE, ("sieve", "sieve_proxied")),
    "delivery": ("lmtp", DELIVERY, ()),
}

MASTER = """\
auth_master_user_separator = *
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {masters}
  master = yes
  pass = yes
}}
"""


class Dovecot:
    """One Dovecot below `folder`; passwords are in the clear so that a test can look them up."""

    def __init__(self, folder, authority, users, label="mail", masters=None, ports=None,
                 certificate=None, ssl="yes", no_plaintext="yes", failure_delay="0",
                 trusted="", extra="", also=()):
        self.folder = os.path.abspath(folder)
        self.label = label
        self.users = dict(users)
        self.masters = dict(masters or {})
        self.authority = authority
        self.certificate, self.key = certificate or authority.issue(f"dovecot-{label}")
        self.options = {"ssl": ssl, "no_plaintext": no_plaintext, "trusted": trusted,
                        "failure_delay": failure_delay, "extra": extra}
        self.parts = ["imap", *also]
        wanted = ports or {}
        self.ports = {name: free_port(wanted.get(name, 0))
                      for part in self.parts for name in PARTS[part][2]}
        self.child = None
        self.changes = 0
        self.host = "localhost"
        self.run = os.path.join(self.folder, "run")
        self.lmtp = os.path.join(self.run, "lmtp")
        self.auth = os.path.join(self.run, "auth-postfix")
        if len(self.run) + LONGEST_SOCKET > UNIX_PATH_OCTETS:
            raise RigError(f"{self.run}: too long for Unix sockets; name a shorter state folder")

    def _identity(self):
        """Who the login and mail processes are: never root, and no user is created for them."""
        if os.geteuid() != 0:
            me = pwd.getpwuid(os.geteuid()).pw_name
            group = grp.getgrgid(os.getegid()).gr_name
            off = "".join(f"service {s} {{\n  chroot =\n}}\n"
                          for s in ("stats", "imap-urlauth-login", "ipc", "old-stats",
                                    "director", "dns_client"))
            return {"login_user": me, "internal_user": me, "internal_group": group,
                    "postfix_user": me, "uid": os.geteuid(), "no_chroot": "  chroot =\n",
                    "services": off}
        return {"login_user": "dovenull", "internal_user": "dovecot", "internal_group": "dovecot",
                "postfix_user": "postfix", "uid": MAIL_UID, "no_chroot": "", "services": ""}

    def _write_secret(self, name, rows, owner):
        """Replaces the file at once: Dovecot must never read half of it."""
        path = os.path.join(self.folder, name)
        fresh = path + ".new"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            for user, password in rows.items():
                f.write(f"{user}:{{PLAIN}}{password}\n")
            if os.geteuid() == 0:
                os.fchown(f.fileno(), owner.pw_uid, owner.pw_gid)
        # Dovecot compares whole seconds: a second change within one must show as well.
        self.changes += 1
        os.utime(fresh, (time.time(), time.time() + self.changes))
        os.replace(fresh, path)
        return path

    def write_users(self):
        """Writes the password files; Dovecot reads them again by itself when they change."""
        owner = pwd.getpwnam(self._identity()["internal_user"])
        return (self._write_secret("users", self.users, owner),
                self._write_secret("masters", self.masters, owner))

    def write_config(self):
        identity = self._identity()
        os.makedirs(os.path.join(self.folder, "mail"), exist_ok=True)
        os.makedirs(self.run, exist_ok=True)
        os.chmod(self.folder, 0o755)
        os.chmod(self.run, 0o755)
        if os.geteuid() == 0:
            os.chown(os.path.join(self.folder, "mail"), MAIL_UID, MAIL_UID)
        users, masters = self.write_users()
        values = {**self.ports, **identity}
        path = os.path.join(self.folder, "dovecot.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(
                folder=self.folder, run=self.run, listen=", ".join(loopback()), label=self.label,
                users=users,
                certificate=self.certificate, key=self.key,
                master=MASTER.format(masters=masters) if self.masters else "",
                protocols=" ".join(PARTS[part][0] for part in self.parts),
                parts="".join(PARTS[part][1].format(**values) for part in self.parts),
                **values, **self.options))
        return path

    def start(self):
        config = self.write_config()
        self.child = Child(f"dovecot ({self.label})",
                           reach.command(self.folder, ["dovecot", "-F", "-c", config],
                                         also=[self.authority.folder]),
                           os.path.join(self.folder, "dovecot.out"))
        ports = [self.ports["imap"]] if self.options["ssl"] == "no" else self.ports.values()
        try:
            self.child.wait_until(lambda: all(is_listening(p) for p in ports))
        except RigError as e:
            raise RigError(f"{e}\n{self.log_tail()}") from None
        return self

    def log_tail(self, lines=20):
        try:
            with open(os.path.join(self.folder, "dovecot.log"), encoding="utf-8") as f:
                return "".join(f.readlines()[-lines:])
        except OSError:
            return ""

    def stop(self):
        if self.child:
            self.child.stop()
            self.child = None

    def pause(self, is_paused=True):
        """Freezes or thaws every process: an upstream that accepts and then says nothing."""
        os.killpg(self.child.pid, signal.SIGSTOP if is_paused else signal.SIGCONT)

    def set_password(self, user, password):
        """Changes or adds a password; Dovecot looks at the file again once a second."""
        self.users[user] = password
        self.write_users()
        time.sleep(1.1)

    def tls(self):
        return ssl.create_default_context(cafile=self.authority.certificate)

    def client(self, user, timeout_s=20):
        """A logged-in imaplib client straight to this server, past any gate."""
        client = imaplib.IMAP4_SSL(self.host, self.ports["imaps"], ssl_context=self.tls(),
                                   timeout=timeout_s)
        client.login(user, self.users[user])
        return client
