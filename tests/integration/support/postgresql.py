"""A private PostgreSQL: a cluster of its own, run by its unprivileged user, on loopback and a
Unix socket in its folder; TLS by our CA. Its superuser is reached by the socket only."""

import glob
import os
import pwd
import shutil
import signal

from rig.process import Child, RigError, free_port, run

SUPERUSER = "postgres"

SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 20
ssl = on
ssl_cert_file = '{folder}/server.pem'
ssl_key_file = '{folder}/server.key'
ssl_min_protocol_version = 'TLSv1.2'
fsync = off
log_line_prefix = '%u@%d %r '
log_connections = on
log_statement = all
"""

ACCESS = """\
local   all all                 trust
hostssl all all 127.0.0.1/32    scram-sha-256
hostnossl all all 127.0.0.1/32  scram-sha-256
"""


def binaries():
    """The folder of the newest server that is installed; Debian puts it on no PATH."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"),
                   key=lambda path: int(path.split("/")[4]))
    if not found:
        raise RigError("PostgreSQL is missing: tools/install-packages test")
    return os.path.dirname(found[-1])


class Postgresql:
    """One server below `folder`."""

    def __init__(self, folder, authority):
        self.folder = os.path.abspath(folder)
        self.authority = authority
        self.port = free_port()
        self.bin = binaries()
        self.data = os.path.join(self.folder, "data")
        self.owner = pwd.getpwnam("postgres")
        self.child = None

    def _as_owner(self):
        """A server refuses to be root; who is not root already runs it as themselves."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}

    def _own(self, path):
        if os.geteuid() == 0:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid)

    def _make(self):
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self._own(self.folder)
        for source, name in zip(self.authority.issue("postgresql"), ("server.pem", "server.key")):
            copy = os.path.join(self.folder, name)
            shutil.copyfile(source, copy)
            os.chmod(copy, 0o600)
            self._own(copy)
        run([f"{self.bin}/initdb", "-D", self.data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync"], cwd=self.folder, **self._as_owner())
        for name, text in (("postgresql.auto.conf", SETTINGS), ("pg_hba.conf", ACCESS)):
            with open(os.path.join(self.data, name), "w", encoding="ascii") as f:
                f.write(text.format(folder=self.folder, port=self.port))

    def start(self):
        if not os.path.exists(os.path.join(self.data, "PG_VERSION")):
            self._make()
        self.child = Child("postgresql", [f"{self.bin}/postgres", "-D", self.data],
                           os.path.join(self.folder, "postgresql.out"), cwd=self.folder,
                           **self._as_owner())
        self.child.wait_until(self.is_up, timeout_s=30)
        return self

    def is_up(self):
        return self.sql("SELECT 1", check=False).returncode == 0

    def stop(self):
        """At once: SIGTERM would wait for the clients."""
        if self.child and self.child.is_running():
            self.child.signal(signal.SIGINT)
            self.child.popen.wait(15)
        if self.child:
            self.child.stop()

    def sql(self, text, database="postgres", check=True):
        return run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder,
                    "-p", self.port, "-U", SUPERUSER, "-d", database, "-c", text], check=check)

    def log(self):
        return self.child.output() if self.child else ""
