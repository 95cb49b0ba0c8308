"""As whom an account may submit mail: its own name and what a file, a directory or a database
adds. A source that is out of service lets nobody in, and nobody as more than they are."""

import os
import smtplib
import sqlite3
import ssl
import time

import pytest

from rig.gateway import WARDEN_UID
from support.postgresql import Postgresql
from support.slapd import Slapd

USER, LOCAL = "user2998@example.org", "user2998"
OTHER = "user2999@example.org"
ALIASES = ["sales@example.org", "Info@Example.org", "@alias.example"]
PERMITTED = [USER, USER.upper(), "sales@example.org", "SALES@example.org", "info@example.org",
             "anyone@alias.example", ""]
FORBIDDEN = [OTHER, "boss@example.org", "sales@example.net", "anyone@sub.alias.example",
             "sales@example.org.example", "alias.example"]
SECRET = "the database's password"
QUERY = "SELECT address FROM aliases WHERE account = $1"


def start(gates, aliases, **changes):
    """A gateway whose accounts send as themselves only; USER has an app password."""
    gate = gates.start(**{"protocols": ("imap", "submission"), "aliases": aliases,
                          "policies": {"default": {"sender": "own"}}, **changes})
    gate.user = gate.enrol(USER)
    gate.other = gate.enrol(OTHER)
    return gate


def client(gate):
    context = ssl.create_default_context(cafile=gate.server.authority.certificate)
    smtp = smtplib.SMTP_SSL("localhost", gate.ports["submissions"], context=context, timeout=30)
    smtp.ehlo()
    return smtp


def login(gate, account=None):
    """The reply to a login: its code."""
    account = account or gate.user
    with client(gate) as smtp:
        try:
            return smtp.login(account.user, account.app_password)[0]
        except smtplib.SMTPAuthenticationError as refused:
            return refused.smtp_code


def senders(gate, tried, account=None):
    """Address to the code that MAIL FROM it is answered with."""
    account = account or gate.user
    said = {}
    with client(gate) as smtp:
        smtp.login(account.user, account.app_password)
        for address in tried:
            said[address] = smtp.docmd(f"MAIL FROM:<{address}>")[0]
            smtp.rset()
    return said


def check_senders(gate):
    assert senders(gate, PERMITTED) == dict.fromkeys(PERMITTED, 250)
    said = senders(gate, FORBIDDEN)
    assert all(code in (501, 553) for code in said.values()), said
    # The other account has none of these.
    assert senders(gate, [OTHER, *ALIASES[:2], USER], gate.other) == {
        OTHER: 250, **dict.fromkeys([*ALIASES[:2], USER], 553)}


def log_count(gate, event):
    return sum(row.get("event") == event for row in gate.log_rows())


def readable(path):
    os.chown(path, WARDEN_UID, WARDEN_UID)
    os.chmod(path, 0o600)


# ---- nothing but the own name --------------------------------------------------------------------

def test_without_a_source(gates):
    gate = start(gates, None)
    assert senders(gate, [USER, ALIASES[0]]) == {USER: 250, ALIASES[0]: 553}
    gate.stop()


def test_printer(gates):
    """An app password for submission only, from one network, as one address."""
    gate = start(gates, None, policies={"default": {"mode": "enforce"}})
    limits = ["--protocols", "submission", "--network", "127.0.0.1/32"]
    gate.user.app_password = gate.add_app_password(
        USER, gate.user.password, *limits, "--sender", "Printer@Example.org",
        label="printer")["app_password"]
    assert senders(gate, ["printer@example.org", USER, OTHER, ""]) == {
        "printer@example.org": 250, USER: 553, OTHER: 553, "": 250}
    assert gate.attempt(USER, gate.user.app_password)[1].startswith(b"NO [AUTHENTICATIONFAILED]")
    row = next(r for r in gate.rows("app-password", "list", USER) if r["label"] == "printer")
    assert (row["protocols"], row["network"], row["sender"]) == (
        "submission", "127.0.0.1/32", "printer@example.org")
    assert "printer@example.org" in gate.command("app-password", "list", USER).stdout
    assert "printer@example.org" in gate.command("account", "show", USER).stdout
    # From elsewhere it is refused, whatever it sends as.
    gate.user.app_password = gate.add_app_password(
        USER, gate.user.password, "--network", "192.0.2.0/24", "--sender", "printer@example.org",
        label="far printer")["app_password"]
    assert login(gate) == 535
    for wrong in (["--sender", "printer"], ["--sender", "@example.org"], ["--sender", "a b@c"]):
        assert gate.command("app-password", "add", USER, "--label", "x", *wrong, stdin="x\n",
                            check=False).returncode == 2
    done = gate.command("app-password", "add", USER, "--label", "x", "--protocols", "imap",
                        "--sender", USER, stdin="x\n", check=False)
    assert done.returncode == 1 and "submission" in done.stderr
    gate.stop()


# ---- file ----------------------------------------------------------------------------------------

def test_file(gates, base):
    path = os.path.join(base, "aliases")
    lines = [f"{a} {USER}" for a in ALIASES]

    def write(text):
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        readable(path + ".new")
        os.rename(path + ".new", path)

    write("# who sends as whom\n" + "\n".join(lines) + "\n")
    gate = start(gates, {"source": "file", "file": path})
    check_senders(gate)
    write(f"new@example.org {LOCAL}, other\n")  # a bare name is of our domain
    assert senders(gate, ["new@example.org", ALIASES[0]]) == {
        "new@example.org": 250, ALIASES[0]: 553}
    write(f"new@example.org other\n  {USER}\n")  # goes on: refused as a whole
    assert login(gate) == 454
    os.unlink(path)
    assert login(gate) == 454
    assert gate.attempt(USER, gate.user.app_password)[1].startswith(b"OK")  # by IMAP
    write("")
    assert senders(gate, [USER, "new@example.org"]) == {USER: 250, "new@example.org": 553}
    assert log_count(gate, "alias-source-failed") == 1
    assert log_count(gate, "alias-source-back") == 1
    assert any(r["reason"] == "alias-source-unavailable" for r in gate.events(USER))
    gate.stop()


# ---- LDAP ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def slapd(base, authority):
    server = Slapd(os.path.join(base, "slapd-aliases"), authority,
                   {"gate": SECRET, LOCAL: "x", "user2999": "x"},
                   {LOCAL: [f"SMTP:{USER}", "smtp:sales@example.org", "Info@Example.org",
                            "smtp:@alias.example", "X500:/o=boss@example.org",
                            "sip:boss@example.org", "not an address"]}).start()
    yield server
    server.stop()


def directory(slapd, scheme="ldaps", **changes):
    return {"source": "ldap", "ldap": {
        "url": f"{scheme}://127.0.0.1:{slapd.ports[scheme]}",
        "bind_dn": "uid=gate,ou=people,dc=example,dc=org", "bind_password": SECRET,
        "base": "ou=people,dc=example,dc=org", "filter": "(uid={local})",
        "attribute": "proxyAddresses", "ca": slapd.authority.certificate, "timeout": "3s",
        **changes}}


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_ldap(gates, slapd, scheme):
    gate = start(gates, directory(slapd, scheme))
    check_senders(gate)
    slapd.stop()
    assert login(gate) == 454
    assert gate.attempt(USER, gate.user.app_password)[1].startswith(b"OK")
    slapd.start()
    check_senders(gate)
    assert log_count(gate, "alias-values-skipped") == 1
    assert SECRET not in gate.log()
    gate.stop()


@pytest.mark.parametrize("change", [
    {"bind_password": "wrong"}, {"base": "ou=nowhere,dc=example,dc=org"},
    {"filter": "(&(uid={local})(=x))"}, {"ca": "/etc/ssl/certs/ca-certificates.crt"},
], ids=["password", "base", "filter", "authority"])
def test_ldap_that_cannot_be_asked(gates, slapd, change):
    gate = start(gates, directory(slapd, **change))
    assert login(gate) == 454
    assert log_count(gate, "alias-source-failed") == 1
    gate.stop()


def test_ldap_hides_what_is_not_for_everybody(gates, slapd):
    """Bound as nobody the directory shows no addresses: fewer senders, never more."""
    gate = start(gates, directory(slapd, bind_dn=None, bind_password=None))
    assert senders(gate, [USER, ALIASES[0]]) == {USER: 250, ALIASES[0]: 553}
    gate.stop()


# ---- PostgreSQL ----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def postgresql(base, authority):
    server = Postgresql(os.path.join(base, "postgresql"), authority).start()
    server.sql("CREATE ROLE gate LOGIN PASSWORD '" + SECRET.replace("'", "''") + "'")
    server.sql("CREATE DATABASE mail")
    server.sql("CREATE TABLE aliases (account varchar(254), address text);"
               "GRANT SELECT ON aliases TO gate", "mail")
    for address in [*ALIASES, "not an address", None]:
        value = "NULL" if address is None else f"'{address}'"
        server.sql(f"INSERT INTO aliases VALUES ('{USER}', {value})", "mail")
    server.sql(f"INSERT INTO aliases VALUES ('{OTHER}', 'unheard@example.org')", "mail")
    yield server
    server.stop()


def database(server, options=None, password="the%20database%27s%20password", query=QUERY,
             host=None, timeout="3s"):
    options = options or f"sslrootcert={server.authority.certificate}"
    host = host or f"localhost:{server.port}"
    return {"source": "sql", "sql": {"url": f"postgresql://gate:{password}@{host}/mail?{options}",
                                     "query": query, "timeout": timeout}}


def test_postgresql(gates, postgresql):
    gate = start(gates, database(postgresql))
    check_senders(gate)
    check_senders(gate)
    said = postgresql.log()
    assert said.count("connection authorized: user=gate") == 1, "the connection is kept"
    assert "SSL enabled" in said
    assert f"parameters: $1 = '{USER}'" in said
    postgresql.stop()
    assert login(gate) == 454
    assert gate.attempt(USER, gate.user.app_password)[1].startswith(b"OK")
    postgresql.start()
    check_senders(gate)
    assert log_count(gate, "alias-source-failed") == 1
    assert log_count(gate, "alias-source-back") == 1
    assert log_count(gate, "alias-values-skipped") == 1
    for secret in (SECRET, "the%20database"):
        assert secret not in gate.log()
        assert secret not in gate.command("check").stdout
    gate.stop()


def test_postgresql_that_was_restarted_unseen(gates, postgresql):
    """The kept connection is dead; that is the first lookup's business, not its user's."""
    gate = start(gates, database(postgresql))
    assert login(gate) == 235
    postgresql.stop()
    postgresql.start()
    assert login(gate) == 235
    assert log_count(gate, "alias-source-failed") == 0
    gate.stop()


def test_postgresql_by_its_unix_socket(gates, postgresql):
    gate = start(gates, {"source": "sql", "sql": {
        "url": f"postgresql://gate@/mail?host={postgresql.folder}&port={postgresql.port}",
        "query": QUERY}})
    check_senders(gate)
    gate.stop()


@pytest.mark.parametrize("change, why", [
    ({"password": "wrong"}, "login"),
    ({"options": "sslmode=verify-full"}, "TLS"),      # the system's authorities know ours not
    ({"options": "sslmode=require&sslrootcert=/nowhere.pem", "host": "127.0.0.1:1"}, "reached"),
    ({"options": "nonsense=1"}, "URL"),
    ({"query": "SELECT address FROM nowhere WHERE account = $1"}, "42P01"),
    ({"query": "SELECT address FROM aliases WHERE account = $1 OR account = $2"}, ""),
    ({"query": "SELECT address FROM aliases WHERE account = $1; DROP TABLE aliases"}, "42601"),
    ({"query": "DELETE FROM aliases WHERE account = $1 RETURNING address"}, "25006"),
], ids=["password", "authority", "port", "url", "table", "parameters", "statements", "writing"])
def test_postgresql_that_cannot_be_asked(gates, postgresql, change, why):
    gate = start(gates, database(postgresql, **change))
    assert login(gate) == 454
    row = next(r for r in gate.log_rows() if r.get("event") == "alias-source-failed")
    assert why in row["why"], row
    assert SECRET not in gate.log() and "wrong" not in row["why"]
    gate.stop()


def test_postgresql_that_takes_its_time(gates, postgresql):
    """A query that hangs costs its own user the time limit, and IMAP nothing."""
    gate = start(gates, database(postgresql, timeout="2s", query=(
        f"SELECT address FROM aliases, pg_sleep(CASE WHEN $1 = '{USER}' THEN 60 ELSE 0 END)"
        " WHERE account = $1")))
    began = time.monotonic()
    assert login(gate) == 454
    assert time.monotonic() - began < 6
    assert gate.attempt(USER, gate.user.app_password)[1].startswith(b"OK")
    assert login(gate, gate.other) == 235
    assert any("in time" in r.get("why", "") for r in gate.log_rows())
    postgresql.sql("SELECT 1")
    gate.wait_for(lambda: postgresql.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active'"
        " AND pid <> pg_backend_pid()").stdout.strip() == "0", 5, "the server goes on with it")
    gate.stop()


def test_too_many_addresses(gates, postgresql):
    """More than can be told to an edge: nobody is let in with a part of them."""
    gate = start(gates, database(postgresql, query=(
        "SELECT 'alias' || n || '@example.org' FROM generate_series(1, 1000000) AS n"
        " WHERE $1 <> 'nobody'")))
    assert login(gate) == 454
    assert any(r["reason"] == "more-aliases-than-can-be-held" for r in gate.events(USER))
    gate.stop()


# ---- SQLite --------------------------------------------------------------------------------------

@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_sqlite(gates, base, journal):
    """Read while its owner writes to it; the warden may not write there, not even a lock file."""
    folder = os.path.join(base, f"sqlite-{journal}")
    path = os.path.join(folder, "mail.db")
    os.mkdir(folder)
    owner = sqlite3.connect(path, isolation_level=None)
    owner.execute(f"PRAGMA journal_mode = {journal}")
    owner.execute("CREATE TABLE aliases (account TEXT, address TEXT)")
    owner.executemany("INSERT INTO aliases VALUES (?, ?)", [(USER, a) for a in ALIASES])
    for name in os.listdir(folder):
        os.chmod(os.path.join(folder, name), 0o644)
    before = sorted(os.listdir(folder))
    gate = start(gates, {"source": "sql", "sql": {"url": f"sqlite:{path}", "query": QUERY}})
    check_senders(gate)
    owner.execute("UPDATE aliases SET address = 'new@example.org'")
    assert senders(gate, ["new@example.org", ALIASES[0]]) == {
        "new@example.org": 250, ALIASES[0]: 553}
    assert sorted(os.listdir(folder)) == before
    owner.close()
    os.rename(path, path + ".old")
    assert login(gate) == 454
    gate.stop()
