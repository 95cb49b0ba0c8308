"""Postern itself: writes its configuration, runs `postern serve`, drives its command line."""

import datetime
import json
import os
import re
import signal
import subprocess
import time

from . import libconfig, reach
from .process import Child, RigError, is_listening

EDGE_UID = 61001
WARDEN_UID = 61002
# The rig's Dovecot refuses at once; before a real one the default is longer than its delay.
REFUSAL_DELAY = "500ms"
SANITIZER = re.compile(r"ERROR: (Address|Leak|Undefined)\w*Sanitizer|runtime error:|"
                       r"SUMMARY: \w+Sanitizer")


# Our gates and the URLs of upstreams by the names that everybody gives their ports: protocol, TLS.
SCHEMES = {
    "imaps": ("imap", "implicit"), "imap": ("imap", "starttls"),
    "pop3s": ("pop3", "implicit"), "pop3": ("pop3", "starttls"),
    "submissions": ("submission", "implicit"), "submission": ("submission", "starttls"),
    "sieve": ("sieve", "starttls"),
}
PROTOCOLS = tuple(dict.fromkeys(protocol for protocol, _ in SCHEMES.values()))


class CommandFailed(RigError):
    """A `postern` command returned another status than 0."""

    def __init__(self, args, done):
        self.status = done.returncode
        self.output = done.stdout
        self.error = done.stderr
        super().__init__(f"postern {' '.join(args)}: exit {self.status}: {done.stderr.strip()}")


def seconds(moment):
    """Seconds since 1970 of a time as --json writes it."""
    return datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def schemes(*protocols):
    """The names of the gates of these protocols."""
    return [name for name, (protocol, _) in SCHEMES.items() if protocol in protocols]


def port_of(listen):
    first = listen if isinstance(listen, str) else listen[0]
    return int(first.rsplit(":", 1)[1])


class Gateway:
    """One `postern serve` below `folder`; `settings` becomes its configuration file."""

    def __init__(self, binary, folder, settings, readable=()):
        self.binary = os.path.abspath(binary)
        self.folder = os.path.abspath(folder)
        self.readable = list(readable)
        self.config = os.path.join(self.folder, "postern.conf")
        self.control = os.path.join(self.folder, "control")
        self.state = os.path.join(self.folder, "state")
        self.settings = {"state": self.state, "control": self.control, **settings}
        self.settings["session"] = {"refusal_delay": REFUSAL_DELAY, **settings.get("session", {})}
        if os.geteuid() == 0:
            self.settings["users"] = {"edge": str(EDGE_UID), "warden": str(WARDEN_UID)}
        self.child = None
        self.environment = None
        self.wrap = []  # what runs the gateway: a mount namespace of the caller's, say
        self.inherited = ()  # descriptors that it gets

    # ---- the service -------------------------------------------------------------------------

    @property
    def ports(self):
        return {n: port_of(g["listen"]) for n, g in self.settings["gates"].items()}

    def write_config(self):
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.state, WARDEN_UID, WARDEN_UID)
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("# Written by the rig; rewritten at each start.\n"
                    + libconfig.text(self.settings))
        return self.config

    def start(self, timeout_s=20):
        self.write_config()
        args = [*self.wrap, self.binary, "serve", "-c", self.config]
        self.child = Child("postern", reach.command(self.folder, args, also=self.readable),
                           os.path.join(self.folder, "postern.log"), env=self.environment,
                           pass_fds=self.inherited)
        self.child.wait_until(self.is_up, timeout_s)
        return self

    def is_up(self):
        """All children are behind their sandbox, the gates listen and the warden answers."""
        if not any(row.get("event") == "serving" for row in self.log_rows()):
            return False
        if not all(is_listening(p) for p in self.ports.values()):
            return False
        return self.command("status", check=False).returncode == 0

    def stop(self, timeout_s=15):
        if self.child:
            self.child.stop(timeout_s)

    def reload(self):
        self.write_config()
        self.child.signal(signal.SIGHUP)

    def log(self):
        return self.child.output() if self.child else ""

    def log_rows(self):
        """The log's JSON lines (it is no terminal), without what is not JSON."""
        rows = []
        for line in self.log().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                pass
        return rows

    def sanitizer_reports(self):
        return [line for line in self.log().splitlines() if SANITIZER.search(line)]

    def children(self):
        """Process id and command line of each living child of the supervisor."""
        found = {}
        for task in os.listdir(f"/proc/{self.child.pid}/task"):
            with open(f"/proc/{self.child.pid}/task/{task}/children", encoding="ascii") as f:
                for pid in f.read().split():
                    try:
                        with open(f"/proc/{pid}/cmdline", "rb") as c:
                            found[int(pid)] = c.read().decode().replace("\0", " ").strip()
                    except OSError:
                        continue
        return found

    def role(self, name):
        """Process ids of the children of this role ("edge", "warden")."""
        return sorted(pid for pid, line in self.children().items() if name in line)

    # ---- the command line --------------------------------------------------------------------

    def command(self, *args, stdin="", timeout_s=30, check=True):
        """Runs `postern ARGS -c CONFIG`; returns the finished process."""
        done = subprocess.run(
            [self.binary, *args, "-c", self.config], input=stdin, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout_s, check=False)
        if check and done.returncode != 0:
            raise CommandFailed(args, done)
        return done

    def rows(self, *args, stdin=""):
        """The same with --json: one object a line."""
        done = self.command(*args, "--json", stdin=stdin)
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]

    def row(self, *args, stdin=""):
        rows = self.rows(*args, stdin=stdin)
        if len(rows) != 1:
            raise RigError(f"postern {' '.join(args)}: one row expected, got {rows}")
        return rows[0]

    def add_account(self, user):
        return self.command("account", "add", user)

    def add_app_password(self, user, mailbox_password, *options, label="test device"):
        """Returns the row with `id` and `app_password`."""
        return self.row("app-password", "add", user, "--label", label, *options,
                        stdin=mailbox_password + "\n")

    def sessions(self, user=None):
        return self.rows("session", "list", *([user] if user else []))

    def events(self, user=None):
        return self.rows("events", *([user] if user else []))

    def wait_for(self, is_so, timeout_s=10, what="nothing happened"):
        deadline = time.monotonic() + timeout_s
        while True:
            found = is_so()
            if found:
                return found
            if time.monotonic() > deadline:
                raise RigError(f"postern: {what} within {timeout_s} s\n{self.log()[-3000:]}")
            time.sleep(0.05)
