"""peers.py: the gateways that are compared, each a private process with a private directory.

All get the same certificate, two worker processes or threads, the same backend, and verify its
certificate by CA and name where they speak TLS to it. What differs is named in `note`.
"""

import json
import os
import subprocess

EDGES = 2
IDLE_TIMEOUT = "3600"
EDGE_UID, WARDEN_UID = 61001, 61002  # of nobody


def _write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def _output(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(errors="replace").strip()


class Peer:
    """One configuration of one gateway. `start` runs it in `group` before the backend."""

    name = label = note = ""
    packages = ()
    protocols = ("imap", "pop3", "submission")
    is_upstream_tls = True
    descriptors_per_process = 1  # processes that share the sessions

    def version(self):
        raise NotImplementedError

    def start(self, rig, group):
        raise NotImplementedError

    def accounts(self, rig):
        """The file with what clients log in with."""
        return rig.accounts_file


class Direct(Peer):
    name, label = "direct", "no gateway"
    note = "the load generator straight at the backend: what is left is the test's own cost"

    def version(self):
        return "-"

    def start(self, rig, group):
        pass


class Dovecot(Peer):
    name, label = "dovecot", "Dovecot proxy"
    packages = ("dovecot-imapd", "dovecot-pop3d", "dovecot-submissiond")
    note = "imap-login in high-performance mode, static passdb with proxy=y, logs each login"
    descriptors_per_process = EDGES

    def version(self):
        return "Dovecot " + _output(["dovecot", "--version"])

    def start(self, rig, group):
        # ssl_ca is what its login processes verify the backend with: they run chrooted, and leave
        # ssl_client_ca_file alone.
        state = rig.directory("dovecot")
        listener = {"imap": "imaps", "pop3": "pop3s", "submission": "submissions"}[rig.protocol]
        conf = _write(f"{state}/dovecot.conf", f"""
base_dir = {state}/run
state_dir = {state}/state
log_path = {state}/log
protocols = {rig.protocol}
hostname = localhost
listen = 127.0.0.1
ssl = required
ssl_cert = <{rig.certificate}
ssl_key = <{rig.key}
ssl_ca = <{rig.ca}
ssl_require_crl = no
ssl_min_protocol = TLSv1.2
auth_mechanisms = plain login
default_client_limit = {rig.per_process}
default_vsz_limit = 2 G
passdb {{
  driver = static
  args = nopassword=y proxy=y host=localhost hostip=127.0.0.1 port={rig.backend_tls} ssl=yes
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={state}
}}
service {rig.protocol}-login {{
  service_count = 0
  process_min_avail = {EDGES}
  process_limit = {EDGES}
  client_limit = {rig.per_process}
  inet_listener {rig.protocol} {{
    port = 0
  }}
  inet_listener {listener} {{
    port = {rig.port}
    ssl = yes
  }}
}}
service anvil {{
  client_limit = {rig.per_process}
}}
service auth {{
  client_limit = {rig.per_process}
}}
""")
        group.start(["dovecot", "-F", "-c", conf], stderr=rig.log("dovecot"))


class Haproxy(Peer):
    name, label = "haproxy", "HAProxy"
    packages = ("haproxy",)
    note = "mode tcp, TLS on both sides, authenticates nobody, no log"
    server_option = ""

    def version(self):
        return _output(["haproxy", "-v"]).splitlines()[0].replace(" version", "").split(" - ")[0]

    def start(self, rig, group):
        state = rig.directory(self.name)
        with open(rig.certificate, encoding="ascii") as c, open(rig.key, encoding="ascii") as k:
            pem = _write(f"{state}/both.pem", c.read() + k.read())
        conf = _write(f"{state}/haproxy.cfg", f"""
global
    nbthread {EDGES}
    maxconn {(rig.descriptors - 100) // 2}
    user haproxy
    group haproxy
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode tcp
    timeout connect 10s
    timeout client {IDLE_TIMEOUT}s
    timeout server {IDLE_TIMEOUT}s
listen mail
    bind 127.0.0.1:{rig.port} ssl crt {pem}
    server backend 127.0.0.1:{rig.backend_tls} ssl verify required ca-file {rig.ca} \
verifyhost localhost sni str(localhost){self.server_option}
""")
        group.start(["haproxy", "-db", "-f", conf], stdout=rig.log(self.name),
                    stderr=subprocess.STDOUT)


class HaproxyFull(Haproxy):
    name, label = "haproxy-full", "HAProxy, full handshakes"
    protocols = ("imap",)
    note = "as HAProxy, with no-ssl-reuse: full handshakes on both legs"
    server_option = " no-ssl-reuse"


class Nginx(Peer):
    name, label = "nginx", "nginx mail proxy"
    packages = ("nginx", "libnginx-mod-mail")
    is_upstream_tls = False
    note = "plain upstream (it knows no other), our auth_http responder counted with it, "\
           "logs warnings only"
    descriptors_per_process = EDGES

    def version(self):
        return _output(["nginx", "-v"]).rpartition("version: ")[2].replace("/", " ")

    def start(self, rig, group):
        state = rig.directory("nginx")
        words = {"imap": ("imap", " login"), "pop3": ("pop3", ""),
                 "submission": ("smtp", " login;\n    xclient off;\n    proxy_smtp_auth on")}
        words = words[rig.protocol]
        conf = _write(f"{state}/nginx.conf", f"""
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
user www-data;
worker_processes {EDGES};
worker_rlimit_nofile {rig.descriptors};
pid {state}/pid;
error_log {state}/error.log warn;
events {{
    worker_connections {rig.descriptors * 6 // 10};
    accept_mutex on;
}}
mail {{
    auth_http 127.0.0.1:{rig.auth};
    {words[0]}_auth plain{words[1]};
    proxy on;
    proxy_timeout {IDLE_TIMEOUT}s;
    server {{
        listen 127.0.0.1:{rig.port} ssl backlog=4096;
        protocol {words[0]};
        ssl_certificate {rig.certificate};
        ssl_certificate_key {rig.key};
        ssl_protocols TLSv1.2 TLSv1.3;
    }}
}}
""")
        group.start([rig.program("auth"), f"127.0.0.1:{rig.auth}",
                     f"127.0.0.1:{rig.backend_plain}"])
        group.start(["nginx", "-p", state, "-c", conf], stderr=rig.log("nginx"))


class Postern(Peer):
    name, label = "postern", "Postern"
    note = "app passwords, sealed upstream login, uids dropped, sandbox on, logs each login"
    descriptors_per_process = EDGES
    binary = "postern"  # set by bench/run

    def version(self):
        return _output([self.binary, "version"]).splitlines()[0]

    def upstream(self, rig):
        scheme = {"imap": "imaps", "pop3": "pop3s", "submission": "submissions"}[rig.protocol]
        return f'{rig.protocol} = "{scheme}://127.0.0.1:{rig.backend_tls}"; ca = "{rig.ca}"; ' \
               'server_name = "localhost";'

    def start(self, rig, group):
        home = rig.directory(self.name)
        os.mkdir(f"{home}/state", mode=0o700)
        os.chown(f"{home}/state", WARDEN_UID, WARDEN_UID)
        self.conf = _write(f"{home}/postern.conf", f"""
state = "{home}/state";
control = "{home}/control";
domain = "bench.example";
users: {{ edge = "{EDGE_UID}"; warden = "{WARDEN_UID}"; }};
tls: {{ certificate = "{rig.certificate}"; key = "{rig.key}"; }};
edges: {{ count = {EDGES}; }};
session: {{ per_account = 20000; drain_timeout = "2s"; }};
gates: {{
    mail: {{ protocol = "{rig.protocol}"; listen = "127.0.0.1:{rig.port}"; tls = "implicit"; }};
}};
upstreams: {{
    mail: {{ {self.upstream(rig)} login = "sealed"; }};
}};
""")
        group.start(rig.wrap + [self.binary, "serve", "-c", self.conf], stdout=rig.log(self.name),
                    stderr=subprocess.STDOUT)

    def _command(self, *arguments, given=""):
        done = subprocess.run([self.binary, *arguments, "-c", self.conf], input=given.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"postern {' '.join(arguments)}: "
                               f"{(done.stderr + done.stdout).decode(errors='replace').strip()}")
        return done.stdout.decode()

    def accounts(self, rig):
        lines = []
        for user, password in rig.users:
            self._command("account", "add", user)
            made = json.loads(self._command("app-password", "add", user, "--label", "bench",
                                            "--json", given=password + "\n"))
            lines.append(f"{user} {made['app_password']}\n")
        return _write(f"{rig.directory(self.name)}/accounts", "".join(lines))


class PosternPlain(Postern):
    name, label = "postern-plain", "Postern, plain upstream"
    is_upstream_tls = False
    note = "as Postern, +clear:// towards the backend on loopback"

    def upstream(self, rig):
        return f'{rig.protocol} = "{rig.protocol}+clear://127.0.0.1:{rig.backend_plain}";'


ALL = (Direct, Postern, Dovecot, Haproxy, HaproxyFull, PosternPlain, Nginx)


def default_users(count):
    return [(f"user{i:04}@bench.example", f"mailbox-{i:04}") for i in range(count)]
