"""Certificates of an upstream that must not be believed."""

import os

from rig.pki import Authority
from rig.process import run

KINDS = ["another authority", "another name", "expired", "self-signed"]


def certificate(authority, base, what):
    """(certificate, key) of one of the kinds; `authority` is the one that the gate believes."""
    if what == "another authority":
        return Authority(os.path.join(base, "stranger"), "A stranger").issue("faulty")
    if what == "another name":
        return authority.issue("elsewhere", names=["elsewhere.example.org"])
    if what == "expired":
        return authority.issue("expired", days=-1)
    made = [os.path.join(base, f"self-signed.{kind}") for kind in ("pem", "key")]
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-noenc", "-keyout", made[1], "-out", made[0], "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"])
    return made
