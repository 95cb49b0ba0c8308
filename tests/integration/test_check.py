"""Weak TLS, and settings that contradict each other: refused with file, line, key and the mend, by
`postern check`, at a start, and at a reload, which the running service outlives."""

import json
import os
import re
import subprocess

import pytest

from rig import libconfig
from rig.demo import certificates
from support.weak import Weak, day

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXIT_CONFIG = 3
GOOD_CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256"


@pytest.fixture(scope="module")
def weak(base):
    return Weak(f"{base}/weak")


@pytest.fixture
def check(base, binary, number, authority):
    """Runs `postern check` on what is good but for the changes; returns the finished process. A
    change replaces a top-level setting, as gates.start's do."""
    def run(*options, **changes):
        settings = {
            "domain": "example.org",
            "tls": certificates(authority.issue("gate-ecdsa")),
            "gates": {"imaps": {"protocol": "imap", "listen": "127.0.0.1:993"}},
            "upstreams": {"mail": {"imap": "imaps://localhost"}},
            **changes,
        }
        path = f"{base}/check{number}.conf"
        with open(path, "w", encoding="utf-8") as f:
            f.write(libconfig.text(settings))
        return subprocess.run([binary, "check", "-c", path, *options], capture_output=True,
                              text=True, check=False, timeout=60)
    return run


def refused(done, key, *words):
    """One problem, at the line where `key` stands, in these words and a mend behind the colon."""
    assert done.returncode == EXIT_CONFIG, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    found = re.fullmatch(rf"(/\S+\.conf):(\d+): {re.escape(key)}: (.*): ([^:]+.*)", lines[0])
    assert found, lines[0]
    for word in words:
        assert word in lines[0], lines[0]
    with open(found[1], encoding="utf-8") as f:
        at = f.read().splitlines()[int(found[2]) - 1]
    assert at.strip().startswith(key.rpartition(".")[2]), (lines[0], at)


def test_good_settings_pass(check):
    done = check()
    assert done.returncode == 0 and done.stderr == ""


# ---- versions and ciphers ------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["1.1", "1.0", "ssl3"])
def test_old_version(check, authority, version):
    tls = certificates(authority.issue("gate-ecdsa"))
    refused(check(tls={**tls, "minimum": version}), "tls.minimum",
            f'"{version}" is unknown: write "1.2" or "1.3"')


@pytest.mark.parametrize("cipher, words", [
    ("EXP-RC4-MD5", '"EXP-RC4-MD5" is no cipher that OpenSSL has'),
    ("EXP1024-DES-CBC-SHA", "take it out, or leave this out for the default"),
    ("RC4-SHA", '"RC4-SHA" is no cipher'),
    ("DES-CBC3-SHA", '"DES-CBC3-SHA" is no cipher'),
    ("AES256-GCM-SHA384", 'static RSA key exchange, no forward secrecy: write ":!kRSA"'),
    ("AES128-SHA", "AES128-SHA: static RSA"),
    ("AECDH-AES256-SHA", 'so anybody may stand between: write ":!aNULL"'),
    ("ECDHE-RSA-NULL-SHA", 'no encryption: write ":!eNULL"'),
    ("PSK-AES128-GCM-SHA256", 'pre-shared keys, which a gate has none of: write ":!PSK"'),
    ("@SECLEVEL=0", "lowers OpenSSL's security level"),
])
def test_weak_cipher(check, authority, cipher, words):
    tls = certificates(authority.issue("gate-ecdsa"))
    refused(check(tls={**tls, "ciphers": f"{GOOD_CIPHERS}:{cipher}"}), "tls.ciphers", words)


def test_unknown_suite(check, authority):
    tls = certificates(authority.issue("gate-ecdsa"))
    refused(check(tls={**tls, "ciphersuites": "TLS_AES_128_GCM_SHA256:TLS_RC4_128_SHA"}),
            "tls.ciphersuites", '"TLS_RC4_128_SHA" is no suite', "take it out")


# ---- certificates --------------------------------------------------------------------------------

RSA_1024 = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]
P_192 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-192"]
DSA = ["-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024"]


@pytest.mark.parametrize("label, options, words", [
    ("expired", {"ends": -1}, [f"expired on {day(-1)}: renew it"]),
    ("future", {"begins": 2}, [f"not valid before {day(2)}: set the clock"]),
    ("sha1", {"digest": "sha1"}, ["signed with SHA1", "have it issued anew with SHA-256"]),
    ("rsa1024", {"key": RSA_1024}, ["an RSA key of 1024 bits: make one of at least 2048"]),
    ("p192", {"key": P_192}, ["an EC key of 192 bits: make one of at least 256"]),
    ("dsa", {"key": DSA}, ["a DSA key", "make one of ECDSA with P-256"]),
    ("nameless", {"names": None}, ["no DNS name in its subjectAltName", "have it issued"]),
])
def test_weak_certificate(check, weak, label, options, words):
    certificate, key = weak.make(label, **options)
    refused(check(tls=certificates((certificate, key))), "tls.certificate", certificate, *words)


def test_wrong_name(check, weak):
    pair = weak.make("elsewhere", names="DNS:imap.example.net")
    refused(check(tls=certificates(pair), host="mail.example.org"), "tls.certificate",
            'is for imap.example.net, not for "mail.example.org", the setting host: have it issued '
            "for that name")
    assert check(tls=certificates(pair), host="imap.example.net").returncode == 0


def test_without_its_key(check, weak, authority):
    certificate, _ = weak.make("lonely")
    refused(check(tls=certificates((certificate, authority.issue("gate-ecdsa")[1]))), "tls.key",
            f"not the key of {certificate}: list keys in the order")
    refused(check(tls=certificates((certificate, f"{certificate}.nowhere"))), "tls.key",
            "No such file or directory: write the path of a PEM file")
    refused(check(tls=certificates((certificate, certificate))), "tls.key", "no private key")


def test_chain_in_the_wrong_order(check, base, authority, weak):
    leaf, key = authority.issue("gate-ecdsa")
    stranger, _ = weak.make("stranger")
    chain = f"{base}/chain.pem"

    def write(*parts):
        with open(chain, "w", encoding="ascii") as out:
            for part in parts:
                with open(part, encoding="ascii") as f:
                    out.write(f.read())

    write(leaf, authority.certificate)
    assert check(tls=certificates((chain, key))).returncode == 0
    write(leaf, stranger)
    refused(check(tls=certificates((chain, key))), "tls.certificate",
            f"{chain}, certificate 2: did not issue the one before it: write the certificate first")


def test_what_expires_soon_is_noted(check, weak):
    done = check(tls=certificates(weak.make("soon", ends=7)))
    assert done.returncode == 0
    assert re.fullmatch(rf"note: \S+:\d+: tls\.certificate: \S+: expires on {day(7)}: renew it\n",
                        done.stderr), done.stderr


# ---- settings that need each other ---------------------------------------------------------------

@pytest.mark.parametrize("protocol, mend", [
    ("pop3", 'write upstreams.mail.pop3 = "pop3s://host"'),
    ("submission", 'write upstreams.mail.submission = "submissions://host"'),
    ("sieve", 'write upstreams.mail.sieve = "sieve://host"'),
])
def test_gate_that_no_upstream_serves(check, protocol, mend):
    gates = {"door": {"protocol": protocol, "listen": "127.0.0.1:995"}}
    refused(check(gates=gates), "gates.door.protocol",
            f"gate door speaks {protocol}, but no upstream has {protocol} URLs: {mend}")
    assert check(gates=gates, upstreams={"mail": {protocol: f"{protocol}://h"}}).returncode == 0


OWN = {"default": {"sender": "own"}}


@pytest.mark.parametrize("changes, key, words", [
    ({"host": "127.0.0.1"}, "host", "is no host name: write the one that clients use"),
    ({"aliases": {"source": "file"}, "policies": OWN}, "aliases.file", "missing"),
    ({"aliases": {"source": "sql", "sql": {"url": "sqlite:relative"}}, "policies": OWN},
     "aliases.sql.url", "no database: write postgresql://"),
    ({"aliases": {"source": "ldap", "ldap": {"url": "ldaps://h", "base": "dc=org",
                                             "filter": "(mail={user}"}}, "policies": OWN},
     "aliases.ldap.filter", "is no filter of RFC 4515: write one pair of ( )"),
    ({"aliases": {"source": "file", "file": "/etc/hosts"}}, "aliases.source",
     'of no use unless a policy says sender = "own": write that'),
    ({"gates": {"a": {"protocol": "imap", "listen": "*:993", "bare_newline": "normalise"}}},
     "gates.a.bare_newline", 'of no use unless protocol = "submission": write that'),
    ({"policies": {"default": {"legacy": ["imap", "smtp"]}}}, "policies.default.legacy",
     '"smtp" is not spoken: write "imap", "pop3", "submission" or "sieve"'),
])
def test_settings_that_need_each_other(check, changes, key, words):
    done = check(**changes)
    assert done.returncode == EXIT_CONFIG
    assert re.search(rf"^/\S+\.conf:\d+: {re.escape(key)}: .*{re.escape(words)}", done.stderr,
                     re.MULTILINE), done.stderr


def test_json_names_each_problem(check, weak):
    done = check("--json", tls={**certificates(weak.make("old-json", ends=-3)), "ciphers": "NULL"})
    assert done.returncode == EXIT_CONFIG
    said = json.loads(done.stdout)["errors"]
    assert [e for e in said if "expired on" in e] and [e for e in said if "tls.ciphers" in e]


# ---- the service ---------------------------------------------------------------------------------

def test_start_with_an_expired_certificate_is_refused(gates, weak):
    gate = gates.make(tls=certificates(weak.make("old-start", ends=-1)))
    gate.write_config()
    done = gate.command("serve", check=False, timeout_s=20)
    assert done.returncode == EXIT_CONFIG
    assert re.search(r"postern\.conf:\d+: tls\.certificate: \S+: expired on .*: renew it",
                     done.stderr), done.stderr


def test_reload_with_weak_tls_is_refused_and_the_service_goes_on(gates, weak):
    gate = gates.start()
    account = gate.account()
    wire = gate.opened(account)
    good = gate.settings
    shown = [
        ({"tls": certificates(weak.make("old-reload", ends=-1))}, "expired on"),
        ({"tls": certificates(weak.make("sha1-reload", digest="sha1"))}, "signed with SHA1"),
        ({"tls": {**good["tls"], "ciphers": "HIGH"}}, "static RSA key exchange"),
        ({"host": "elsewhere.example.net"}, 'for \\"elsewhere.example.net\\"'),
        ({"gates": {**good["gates"], "pops": {"protocol": "pop3", "listen": "127.0.0.1:1"}}},
         "gate pops speaks pop3, but no upstream"),
    ]
    for n, (change, words) in enumerate(shown, 1):
        gate.settings = {**good, **change}
        gate.reload()
        gate.wait_for(lambda: words in gate.log(), 10, f"the log does not say: {words}")
        gate.wait_for(lambda: gate.log().count('"reload-refused"') == n, 10, "it was not refused")
        assert wire.command("NOOP")[1].startswith(b"OK"), words
        gate.settings = good
        assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK"), words
    gate.reload()
    gate.wait_for(lambda: '"reloaded"' in gate.log(), 20, "a good one is refused, too")
    assert gate.attempt(account.user, account.app_password)[1].startswith(b"OK")
    gate.stop()


# ---- what the documentation shows ----------------------------------------------------------------

SHOWN = ["packaging/postern.conf", "docs/operator.md", "docs/configuration.md", "README.md"]


def examples(path):
    """Whole configurations of a page, or the file itself."""
    with open(os.path.join(REPOSITORY, path), encoding="utf-8") as f:
        text = f.read()
    fences = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    blocks = fences.findall(text) if path.endswith(".md") else [text]
    return [b for b in blocks if "gates:" in b and "upstreams:" in b]


@pytest.mark.parametrize("path", SHOWN)
def test_shown_configuration_is_right(base, binary, number, authority, path):
    """But for the files and users that it names."""
    certificate, key = authority.issue("gate-ecdsa")
    places = {"certificate": certificate, "key": key, "ca": authority.certificate,
              "file": "/dev/null"}
    assert examples(path)
    for text in examples(path):
        text = re.sub(r"(?m)^users: .*$", "", text)
        for name, place in places.items():
            text = re.sub(rf'\b{name} = "[^"]*"', f'{name} = "{place}"', text)
        with open(f"{base}/shown{number}.conf", "w", encoding="utf-8") as f:
            f.write(text)
        done = subprocess.run([binary, "check", "-c", f.name], capture_output=True, text=True,
                              check=False, timeout=60)
        assert done.returncode == 0, f"{done.stderr}\nin:\n{text}"
