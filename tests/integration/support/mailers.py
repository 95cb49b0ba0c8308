"""Real clients that submit mail: each takes a message of octets with CRLF and returns its process.

Exit status 0 means that the server took the message.
"""

import base64
import json
import os
import subprocess

from rig.process import run

from . import node

TIMEOUT_S = 60


def _is_implicit(scheme):
    return scheme == "submissions"


def _bare(octets):
    """As a file on this system holds it."""
    return octets.replace(b"\r\n", b"\n")


def _piped(args, octets):
    return subprocess.run(args, input=octets, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=TIMEOUT_S, check=False)


def curl(door, folder, message, recipient, scheme="submissions", sender=None, secret=None):
    """67: the login was denied; 55: the sender or recipient."""
    path = os.path.join(folder, "message")
    with open(path, "wb") as f:
        f.write(message)
    way = ["smtps"] if _is_implicit(scheme) else ["smtp", "--ssl-reqd"]
    return run(["curl", "-sS", "--max-time", str(TIMEOUT_S), "--cacert", door.ca, *way[1:],
                "-u", f"{door.user}:{secret or door.secret}", "--mail-from", sender or door.user,
                "--mail-rcpt", recipient, "--upload-file", path,
                f"{way[0]}://{door.host}:{door.ports[scheme]}/client.example.org"], check=False)


def msmtp(door, folder, message, recipient, scheme="submissions", sender=None, secret=None):
    config = os.path.join(folder, "msmtprc")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"""\
account default
host {door.host}
port {door.ports[scheme]}
tls on
tls_starttls {"off" if _is_implicit(scheme) else "on"}
tls_trust_file {door.ca}
auth plain
user {door.user}
password "{secret or door.secret}"
from {sender or door.user}
timeout {TIMEOUT_S}
""")
    os.chmod(config, 0o600)
    return _piped(["msmtp", "-C", config, recipient], _bare(message))


def swaks(door, folder, message, recipient, scheme="submissions", sender=None, secret=None,
          auth="LOGIN"):
    path = os.path.join(folder, "message")
    with open(path, "wb") as f:
        f.write(_bare(message)[:-1])  # swaks ends the last line itself
    return run(["swaks", "--server", door.host, "--port", door.ports[scheme],
                "--tls-on-connect" if _is_implicit(scheme) else "--tls", "--tls-verify",
                "--tls-ca-path", door.ca, "--auth", auth, "--auth-user", door.user,
                "--auth-password", secret or door.secret, "--from", sender or door.user,
                "--to", recipient, "--timeout", TIMEOUT_S, "--data", f"@{path}"], check=False)


def nodemailer(door, cache, message, recipient, scheme="submissions", sender=None, secret=None):
    asked = {"host": door.host, "port": door.ports[scheme], "secure": _is_implicit(scheme),
             "user": door.user, "pass": secret or door.secret, "from": sender or door.user,
             "to": recipient, "raw": base64.b64encode(message).decode()}
    return subprocess.run(["node", node.script(cache, "send.mjs")], text=True, check=False,
                          input=json.dumps(asked) + "\n", timeout=TIMEOUT_S,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=dict(os.environ, NODE_EXTRA_CA_CERTS=door.ca))
