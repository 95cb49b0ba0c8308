"""Where passwords are checked: upstream, passwd-file, LDAP, PAM. Out of service means later."""

import os
import shutil

import pytest

from rig.dovecot import Dovecot
from rig.gateway import WARDEN_UID
from rig.process import run
from support.slapd import Slapd

USER, PASSWORD = "sam@example.org", "right password"
REFUSED, LATER = b"NO [AUTHENTICATIONFAILED]", b"NO [UNAVAILABLE]"
LEASE = ["--network", "127.0.0.0/8", "--for", "1h"]


@pytest.fixture(scope="module")
def upstream(base, authority):
    """Sam's mailbox; reached with a master user, so that the source alone judges passwords."""
    server = Dovecot(os.path.join(base, "sources"), authority, {USER: PASSWORD},
                     label="sources", masters={"m": "master password"}).start()
    yield server
    server.stop()


def start(gates, upstream, password, wrap=None):
    gate = gates.make(server=upstream, password=password, upstreams={"mail": gates.upstream(
        upstream, login="master", master_user="m", master_password="master password")},
        policies={"default": {"require": "mfa"}})
    gate.wrap = wrap or []
    gate.start()
    gate.add_account(USER)
    gate.command("lease", "add", USER, *LEASE)
    return gate


def judged(gate, secret):
    return gate.attempt(USER, secret)[1]


def own_by_warden(path):
    os.chown(path, WARDEN_UID, WARDEN_UID)
    os.chmod(path, 0o600)


def hashed(method):
    """A crypt(3) hash of the right password by another implementation than the gateway's."""
    if method == "argon2id":
        done = run(["argon2", "saltsaltsalt", "-id", "-e", "-m", "14", "-t", "2"], input=PASSWORD)
    else:
        done = run(["mkpasswd", "-m", method, PASSWORD])
    return done.stdout.strip()


@pytest.mark.parametrize("method", ["yescrypt", "bcrypt", "argon2id"])
def test_passwd_file(gates, upstream, base, method):
    path = os.path.join(base, f"passwd-{method}")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"other@example.org:!\n{USER}:{hashed(method)}\n")
    own_by_warden(path)
    gate = start(gates, upstream, {"source": "file", "file": path})
    assert judged(gate, PASSWORD).startswith(b"OK")
    assert judged(gate, "wrong").startswith(REFUSED)
    assert gate.attempt("other@example.org", "!")[1].startswith(REFUSED)
    gate.stop()


def test_passwd_file_that_is_gone_is_later(gates, upstream, base):
    path = os.path.join(base, "passwd-gone")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"{USER}:{hashed('bcrypt')}\n")
    own_by_warden(path)
    gate = start(gates, upstream, {"source": "file", "file": path})
    os.unlink(path)
    assert judged(gate, PASSWORD).startswith(LATER)
    gate.stop()


@pytest.fixture(scope="module")
def slapd(base, authority):
    server = Slapd(os.path.join(base, "slapd"), authority, {"sam": PASSWORD}).start()
    yield server
    server.stop()


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_ldap(gates, upstream, slapd, scheme):
    gate = start(gates, upstream, {"source": "ldap", "ldap": {
        "url": f"{scheme}://127.0.0.1:{slapd.ports[scheme]}",
        "bind_dn": "uid={local},ou=people,dc=example,dc=org",
        "ca": slapd.authority.certificate}})
    assert judged(gate, PASSWORD).startswith(b"OK")
    assert judged(gate, "wrong").startswith(REFUSED)
    assert judged(gate, "").startswith((REFUSED, b"BAD")), "an empty password binds anonymously"
    slapd.stop()
    assert judged(gate, PASSWORD).startswith(LATER)
    slapd.start()
    assert judged(gate, PASSWORD).startswith(b"OK")
    gate.stop()


def test_ldap_name_is_escaped(gates, upstream, slapd):
    gate = start(gates, upstream, {"source": "ldap", "ldap": {
        "url": f"ldaps://127.0.0.1:{slapd.ports['ldaps']}",
        "bind_dn": "uid={local},ou=people,dc=example,dc=org",
        "ca": slapd.authority.certificate}})
    odd = "sam,ou=people,dc=example,dc=org"
    assert gate.attempt(f"{odd}@example.org", PASSWORD)[1].startswith((REFUSED, b"BAD"))
    gate.stop()


def test_pam(gates, upstream, base):
    folder = os.path.join(base, "pam.d")
    shutil.copytree("/etc/pam.d", folder)
    users = os.path.join(folder, "postern-test-users")
    with open(users, "w", encoding="ascii") as f:
        f.write(f"sam:{hashed('bcrypt')}\n")  # names of our own domain come without it
    own_by_warden(users)
    with open(os.path.join(folder, "postern-test"), "w", encoding="ascii") as f:
        f.write("auth required pam_pwdfile.so pwdfile=/etc/pam.d/postern-test-users\n"
                "account required pam_permit.so\n")
    # Both files are seen by this gateway alone: nothing is written below /etc.
    wrap = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            f'mount --bind {folder} /etc/pam.d && exec "$@"', "sh"]
    gate = start(gates, upstream, {"source": "pam", "pam": {"service": "postern-test"}}, wrap)
    assert judged(gate, PASSWORD).startswith(b"OK")
    assert judged(gate, "wrong").startswith(REFUSED)
    os.unlink(users)
    assert judged(gate, PASSWORD).startswith(LATER)
    gate.stop()


def test_upstream_as_source_out_of_service_is_later(gates, base, authority):
    server = Dovecot(os.path.join(base, "sometimes"), authority, {USER: PASSWORD},
                     label="sometimes").start()
    gate = gates.start(server=server, upstreams={"mail": gates.upstream(server)})
    gate.add_account(USER)
    gate.command("lease", "add", USER, *LEASE)
    assert judged(gate, PASSWORD).startswith(b"OK")
    server.stop()
    assert judged(gate, PASSWORD).startswith(LATER)
    server.start()
    assert judged(gate, PASSWORD).startswith(b"OK")
    gate.stop()
    server.stop()
