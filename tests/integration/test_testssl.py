"""testssl.sh finds nothing at any gate that is worse than informational.

By hand: docs/operator.md. The gates are asked beside each other, once for all tests here.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.gateway import PROTOCOLS, SCHEMES
from support.scanner import Scan

TIMEOUT_S = 300  # of one scan; most of it is processor time, and ./test runs much beside it
BESIDE = 3       # more of them only make the kernel busy

# (id without the number of a certificate, finding): why that is not a fault of the gate.
EXPLAINED = {
    # The rig's authority has no list of what it revoked, like many a private one. HIGH.
    ("cert_revocation", "Neither CRL nor OCSP URI provided"),
    # It knows IMAP, POP3 and SMTP by names of products that no greeting of ours has, and leaves out
    # what it would ask a web server. DEBUG.
    ("service", "Couldn't determine service, skipping all HTTP checks"),
    # Its client closes after the handshake without waiting for the ticket, and on a busy machine
    # sees none (test_tls.py has seen that they are good). WARN.
    ("sessionresumption_ticket", "check failed because of connect problem"),
}
# Each of these was asked, so that a run that broke off does not pass.
ASKED = {"SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "cipher_order", "heartbleed",
         "CCS", "ROBOT", "secure_renego", "secure_client_renego", "CRIME_TLS", "POODLE_SSL",
         "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4"}
CIPHERS = {"cipherlist_NULL", "cipherlist_aNULL", "cipherlist_EXPORT", "cipherlist_LOW",
           "cipherlist_3DES_IDEA", "cipherlist_AVERAGE", "cipherlist_STRONG"}
ASKED_ONCE = {"imaps": CIPHERS | {"PFS", "DH_groups"}, "submission": CIPHERS,
              "pop3s": {"TLS_session_ticket", "cert_numbers"}}

pytestmark = pytest.mark.release  # about settings: one build is as good as the other


@pytest.fixture(scope="module")
def scans(gates, authority, base):
    """gate → what was found there."""
    gateway = gates.start(protocols=PROTOCOLS)

    def found_at(gate):
        scan = Scan(os.path.join(base, f"testssl-{gate}"), gate, gateway.ports[gate],
                    authority.certificate)
        try:
            return scan.wait(TIMEOUT_S)
        finally:
            scan.stop()

    began = time.monotonic()
    longest_first = sorted(SCHEMES, key=lambda gate: gate not in ASKED_ONCE)
    with ThreadPoolExecutor(BESIDE) as pool:
        found = dict(zip(longest_first, pool.map(found_at, longest_first)))
    print(f"\ntestssl.sh at {len(found)} gates: {time.monotonic() - began:.0f} s")
    return found


@pytest.mark.parametrize("gate", SCHEMES)
def test_nothing_is_worse_than_informational(scans, gate):
    found = scans[gate]
    missing = (ASKED | ASKED_ONCE.get(gate, set())) - {row["id"] for row in found}
    assert not missing, found
    worse = [row for row in found if row["severity"] not in ("OK", "INFO")
             and (row["id"].partition(" ")[0], row["finding"]) not in EXPLAINED]
    assert not worse, worse


@pytest.mark.parametrize("gate", SCHEMES)
def test_gate_was_reached(scans, gate):
    """A scanner before a closed door finds no fault either."""
    offered = {row["id"]: row["finding"] for row in scans[gate]}
    assert offered["TLS1_2"] == "offered" and offered["TLS1_3"].startswith("offered")
    assert offered["cipher_order"] == "server"
