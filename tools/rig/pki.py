"""A private certificate authority and server certificates, made with openssl."""

import os

from .process import run

DAYS = 825
NAMES = ["localhost", "mail.example.org", "IP:127.0.0.1", "IP:::1"]
KEY_TYPES = {
    "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
}


def _key(path, kind):
    old = os.umask(0o077)
    try:
        run(["openssl", "genpkey", *KEY_TYPES[kind], "-out", path])
    finally:
        os.umask(old)


class Authority:
    """A CA in a folder; what is there already is used again."""

    def __init__(self, folder, name="Postern demonstration CA"):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.certificate = os.path.join(self.folder, "ca.pem")
        self.key = os.path.join(self.folder, "ca.key")
        if not os.path.exists(self.certificate):
            self._make(name)

    def _make(self, name):
        _key(self.key, "ecdsa")
        run([
            "openssl", "req", "-x509", "-new", "-key", self.key, "-out", self.certificate,
            "-days", DAYS, "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        ])

    def issue(self, label, kind="ecdsa", names=None, renew=False, days=DAYS):
        """Returns (certificate, key), paths below the folder; made when not there or renew."""
        certificate = os.path.join(self.folder, f"{label}.pem")
        key = os.path.join(self.folder, f"{label}.key")
        if os.path.exists(certificate) and os.path.exists(key) and not renew:
            return certificate, key
        names = names or NAMES
        _key(key, kind)
        request = os.path.join(self.folder, f"{label}.csr")
        extensions = os.path.join(self.folder, f"{label}.ext")
        with open(extensions, "w", encoding="ascii") as f:
            listed = ",".join(n if ":" in n else f"DNS:{n}" for n in names)
            f.write(f"subjectAltName={listed}\nextendedKeyUsage=serverAuth\n")
            f.write("keyUsage=critical,digitalSignature,keyEncipherment\n" if kind == "rsa"
                    else "keyUsage=critical,digitalSignature\n")
            f.write("basicConstraints=critical,CA:FALSE\n")
        run(["openssl", "req", "-new", "-key", key, "-subj", f"/CN={names[0]}", "-out", request])
        run([
            "openssl", "x509", "-req", "-in", request, "-CA", self.certificate,
            "-CAkey", self.key, "-CAcreateserial", "-days", days, "-extfile", extensions,
            "-out", certificate,
        ])
        os.unlink(request)
        os.unlink(extensions)
        return certificate, key
