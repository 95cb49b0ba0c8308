"""A private Postfix for submission on loopback: own configuration, queue, data and log.

It asks a Dovecot of the rig who may log in and gives it the mail for example.org; nothing else is
delivered anywhere, and no name is ever looked up. Its master wants root, so there is none without.
"""

import os
import pwd
import re
import time

from . import reach
from .process import Child, RigError, ended_with_us, free_port, is_listening, loopback, run

DAEMONS = "/usr/lib/postfix/sbin"
DOMAIN = "example.org"
PORTS = ("submissions", "submission", "submissions_proxied", "submission_proxied")
# Folders of the queue and the mode of each (postfix-files(5) says the same).
QUEUE = {"active": 0o700, "bounce": 0o700, "corrupt": 0o700, "defer": 0o700, "deferred": 0o700,
         "flush": 0o700, "hold": 0o700, "incoming": 0o700, "private": 0o700, "maildrop": 0o730,
         "public": 0o710, "saved": 0o700, "trace": 0o700}

MAIN = """\
# Written by the rig; rewritten at each start.
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = {addresses}
inet_protocols = {families}
myhostname = mail.{domain}
myorigin = {domain}
mydestination =
mynetworks =
local_recipient_maps =
alias_maps =
alias_database =
local_transport = error:no local users
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
virtual_mailbox_domains = {domain}
virtual_transport = lmtp:unix:{lmtp}
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_tls_auth_only = yes
smtpd_client_restrictions =
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_client_connection_count_limit = 0
smtpd_delay_reject = yes
smtpd_error_sleep_time = 0
message_size_limit = 52428800
mailbox_size_limit = 0
default_process_limit = 200
in_flow_delay = 0
biff = no
"""

SERVICE = """\
{address}:{port} inet n - n - - smtpd
  -o syslog_name=postfix/{name}
"""
IMPLICIT = "  -o smtpd_tls_wrappermode=yes\n"
PROXIED = "  -o smtpd_upstream_proxy_protocol=haproxy\n"

MASTER = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """One Postfix below `folder` before `dovecot`, which must serve "delivery".

    options: settings of main.cf beside ours or in their place (postconf(5)).
    """

    def __init__(self, folder, authority, dovecot, label="postfix", ports=None, certificate=None,
                 options=None):
        if os.geteuid() != 0:
            raise RigError("Postfix wants root")
        self.folder = os.path.abspath(folder)
        self.authority = authority
        self.dovecot = dovecot
        self.users = dovecot.users
        self.label = label
        self.options = dict(options or {})
        self.certificate, self.key = certificate or authority.issue(f"postfix-{label}")
        wanted = ports or {}
        self.ports = {name: free_port(wanted.get(name, 0)) for name in PORTS}
        self.host = "localhost"
        self.log = os.path.join(self.folder, "postfix.log")
        self.child = None

    def _make_folders(self):
        owner, drop = pwd.getpwnam("postfix"), run(["getent", "group", "postdrop"]).stdout
        drop = int(drop.split(":")[2])
        for name in ("", "queue", "queue/pid"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
            os.chmod(os.path.join(self.folder, name), 0o755)
        for name, mode in {"data": 0o700, **{f"queue/{n}": m for n, m in QUEUE.items()}}.items():
            path = os.path.join(self.folder, name)
            os.makedirs(path, exist_ok=True)
            os.chown(path, owner.pw_uid, drop if mode & 0o070 else -1)
            os.chmod(path, mode)

    def _services(self):
        rows = []
        for name, port in self.ports.items():
            for address in loopback():
                rows.append(SERVICE.format(name=name, port=port,
                                           address=f"[{address}]" if ":" in address else address))
                rows += [IMPLICIT] if name.startswith("submissions") else []
                rows += [PROXIED] if name.endswith("_proxied") else []
        return "".join(rows)

    def _settings(self, ours):
        """Ours, with the options in their place: each daemon warns of every setting that is there
        twice, and postlogd hangs for ever when more is logged before it reads than a queue holds.
        """
        rows = [row for row in ours.splitlines() if row.split("=")[0].strip() not in self.options]
        return "\n".join([*rows, *(f"{n} = {v}" for n, v in self.options.items()), ""])

    def write_config(self):
        self._make_folders()
        addresses = loopback()
        families = ["ipv6" if ":" in address else "ipv4" for address in addresses]
        with open(os.path.join(self.folder, "main.cf"), "w", encoding="utf-8") as f:
            f.write(self._settings(MAIN.format(
                folder=self.folder, domain=DOMAIN, lmtp=self.dovecot.lmtp, auth=self.dovecot.auth,
                addresses=", ".join(addresses), families=", ".join(families),
                certificate=self.certificate, key=self.key)))
        with open(os.path.join(self.folder, "master.cf"), "w", encoding="utf-8") as f:
            f.write(self._services() + MASTER)
        # Postfix waits until what it reads is two seconds old, lest somebody were still writing.
        for name in ("main.cf", "master.cf"):
            os.utime(os.path.join(self.folder, name), (time.time(), time.time() - 60))

    def start(self):
        self.write_config()
        # "-s" stays in the foreground; MAIL_CONFIG of the caller must not count.
        args = reach.command(self.folder, [f"{DAEMONS}/master", "-s", "-c", self.folder],
                             also=[self.authority.folder, self.dovecot.folder])
        self.child = Child(f"postfix ({self.label})", ended_with_us(args),
                           os.path.join(self.folder, "postfix.out"),
                           env={k: v for k, v in os.environ.items() if not k.startswith("MAIL_")})
        try:
            self.child.wait_until(lambda: all(is_listening(p) for p in self.ports.values()))
        except RigError as e:
            raise RigError(f"{e}\n{self.log_tail()}") from None
        return self

    def stop(self):
        if self.child:
            self.child.stop()
            self.child = None

    def log_tail(self, lines=30):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except OSError:
            return ""

    def log_rows(self, word):
        """The lines of the log with this word in them."""
        return [row for row in self.log_tail(1_000_000).splitlines() if word in row]

    def logins(self):
        """Who was logged in when a message came: (account, client's address) of each, in turn."""
        return re.findall(r"client=\S*\[([^]]*)\].*sasl_username=(\S+)", self.log_tail(1_000_000))

    def queued(self):
        """What postqueue(1) shows of the messages that are still in the queue, a JSON line each."""
        return run(["postqueue", "-c", self.folder, "-j"]).stdout.splitlines()

    def wait_until_delivered(self, timeout_s=10):
        deadline = time.monotonic() + timeout_s
        while self.queued():
            if time.monotonic() > deadline:
                raise RigError(f"postfix: mail stays in the queue\n{self.log_tail()}")
            time.sleep(0.05)
