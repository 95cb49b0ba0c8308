"""A private Cyrus (IMAP, POP3, ManageSieve) in a mount namespace of its own.

Debian's cyrus-imapd and dovecot-imapd cannot be installed side by side, so the packages are
unpacked, not installed: into a folder that is laid over /usr for Cyrus' eyes only. Its users,
groups and services are private files bound over those of /etc in the same namespace.
"""

import fcntl
import hashlib
import imaplib
import os
import re
import shlex
import shutil
import ssl
import subprocess

from rig.process import Child, RigError, ended_with_us, free_port, is_listening, run

PACKAGES = ["cyrus-imapd", "cyrus-pop3d", "libsasl2-modules", "libsasl2-modules-db", "sasl2-bin"]
# Needed by the packages' scripts only, or by a delivery that no test makes.
NOT_NEEDED = re.compile(r"^(perl|libperl|exim4|gawk|db|libsigsegv|debconf|bsd-mailx|mailutils)")
UID = 61020
PORTS = ("imap", "imaps", "pop3", "pop3s", "sieve")

IMAPD_CONF = """\
configdirectory: {folder}/lib
defaultpartition: default
delete_mode: immediate
partition-default: {folder}/spool
proc_path: {folder}/proc
mboxname_lockpath: {folder}/lock
sievedir: {folder}/sieve
altnamespace: yes
unixhierarchysep: yes
virtdomains: userid
admins: admin
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_mech_list: PLAIN
sasl_sasldb_path: {folder}/sasldb
allowplaintext: {allow_plaintext}
tls_server_cert: {certificate}
tls_server_key: {key}
tls_sessions_db_path: {folder}/tls_sessions.db
lmtpsocket: {folder}/lmtp
idlesocket: {folder}/idle
notifysocket: {folder}/notify
syslog_prefix: cyrus
cyrus_user: cyrus
servername: localhost
conversations: 0
"""

CYRUS_CONF = """\
START {{
  recover cmd="/usr/sbin/cyrus ctl_cyrusdb -C {conf} -r"
}}
SERVICES {{
  imap cmd="imapd -C {conf}" listen="127.0.0.1:{imap}" prefork=1 maxchild=100
  imaps cmd="imapd -C {conf} -s" listen="127.0.0.1:{imaps}" prefork=1 maxchild=100
  pop3 cmd="pop3d -C {conf}" listen="127.0.0.1:{pop3}" prefork=0 maxchild=100
  pop3s cmd="pop3d -C {conf} -s" listen="127.0.0.1:{pop3s}" prefork=0 maxchild=100
  sieve cmd="timsieved -C {conf}" listen="127.0.0.1:{sieve}" prefork=0 maxchild=100
}}
DAEMON {{
  idled cmd="/usr/lib/cyrus/bin/idled -C {conf}"
}}
EVENTS {{
}}
"""

INSIDE = """\
set -e
mount -t overlay overlay -o lowerdir={root}/usr:/usr /usr
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/group /etc/group
exec {command}
"""


def unpacked(cache):
    """Returns the folder with the unpacked packages; fetches them on first use."""
    wanted = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    root = os.path.join(cache, f"cyrus-root-{wanted}")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "cyrus.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(root, "complete")):
            _unpack(cache, root)
    return root


def _unpack(cache, root):
    shutil.rmtree(root, ignore_errors=True)
    fetched = os.path.join(cache, "cyrus-packages")
    os.makedirs(fetched, exist_ok=True)
    said = run(["apt-get", "-s", "install", "--no-install-recommends", *PACKAGES],
               env=dict(os.environ, LC_ALL="C")).stdout
    names = [line.split()[1] for line in said.splitlines() if line.startswith("Inst ")]
    names = [n for n in names if not NOT_NEEDED.match(n)]
    run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names], cwd=fetched)
    for package in sorted(os.listdir(fetched)):
        run(["dpkg-deb", "-x", os.path.join(fetched, package), root])
    # /lib is a link to /usr/lib on Debian 12; the packages still say /lib here and there.
    if os.path.isdir(os.path.join(root, "lib")):
        shutil.copytree(os.path.join(root, "lib"), os.path.join(root, "usr/lib"), symlinks=True,
                        dirs_exist_ok=True)
    shutil.rmtree(fetched)
    with open(os.path.join(root, "complete"), "w", encoding="ascii") as f:
        f.write("\n".join(names) + "\n")


class Cyrus:
    """One Cyrus below `folder` with mailboxes for `users` (name to password)."""

    def __init__(self, folder, cache, authority, users, allow_plaintext="no"):
        self.folder = os.path.abspath(folder)
        self.root = unpacked(cache)
        self.users = dict(users)
        self.authority = authority
        self.certificate, self.key = authority.issue("cyrus")
        self.allow_plaintext = allow_plaintext
        self.ports = {name: free_port() for name in PORTS}
        self.host = "localhost"
        self.child = None

    def _inside(self, command):
        """The command line that runs `command` in a namespace where Cyrus is installed."""
        script = INSIDE.format(root=shlex.quote(self.root), folder=shlex.quote(self.folder),
                               command=shlex.join([str(c) for c in command]))
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]

    def _write_identity(self):
        for name, line in (("passwd", f"cyrus:x:{UID}:{UID}::{self.folder}:/bin/sh\n"),
                           ("group", f"mail:x:{UID}:\ncyrus:x:{UID}:\n")):
            with open(f"/etc/{name}", encoding="utf-8") as f:
                kept = "".join(row for row in f if not row.startswith(("cyrus:", "mail:")))
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
                f.write(kept + line)

    def _write(self):
        os.makedirs(self.folder, exist_ok=True)
        self._write_identity()
        for name in ("lib", "spool", "proc", "lock", "sieve", "lib/socket", "lib/db", "lib/proc",
                     "lib/log", "lib/msg", "lib/ptclient"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        self.conf = os.path.join(self.folder, "imapd.conf")
        key = os.path.join(self.folder, "key.pem")
        shutil.copy(self.key, key)
        with open(self.conf, "w", encoding="ascii") as f:
            f.write(IMAPD_CONF.format(folder=self.folder, certificate=self.certificate, key=key,
                                      allow_plaintext=self.allow_plaintext))
        self.cyrus_conf = os.path.join(self.folder, "cyrus.conf")
        with open(self.cyrus_conf, "w", encoding="ascii") as f:
            f.write(CYRUS_CONF.format(conf=self.conf, **self.ports))
        for user, password in {**self.users, "admin": "admin"}.items():
            name, _, domain = user.partition("@")
            done = subprocess.run(
                self._inside(["saslpasswd2", "-p", "-c", "-f", f"{self.folder}/sasldb",
                              "-u", domain or "localhost", name]),
                input=password, text=True, capture_output=True, check=False)
            if done.returncode != 0:
                raise RigError(f"saslpasswd2: {done.stderr}")
        run(["chown", "-R", f"{UID}:{UID}", self.folder])

    def start(self):
        self._write()
        self.child = Child("cyrus", ended_with_us(self._inside(
            ["/usr/sbin/cyrmaster", "-D", "-C", self.conf, "-M", self.cyrus_conf,
             "-p", f"{self.folder}/master.pid"])), os.path.join(self.folder, "cyrus.out"))
        self.child.wait_until(lambda: all(is_listening(p) for p in self.ports.values()), 30)
        self._make_mailboxes()
        return self

    def _make_mailboxes(self):
        admin = imaplib.IMAP4_SSL(self.host, self.ports["imaps"], ssl_context=self.tls())
        admin.login("admin", "admin")
        for user in self.users:
            status, said = admin.create(f'"user/{user}"')
            if status != "OK":
                raise RigError(f"cyrus: create {user}: {said}")
        admin.logout()

    def tls(self):
        return ssl.create_default_context(cafile=self.authority.certificate)

    def client(self, user, timeout_s=20):
        client = imaplib.IMAP4_SSL(self.host, self.ports["imaps"], ssl_context=self.tls(),
                                   timeout=timeout_s)
        client.login(user, self.users[user])
        return client

    def stop(self):
        if self.child:
            self.child.stop()
            self.child = None
