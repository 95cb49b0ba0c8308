"""Certificates that nobody should serve, made with openssl: expired, weak, for another name."""

import datetime
import os

from rig.process import run

CA = """[ca]
default_ca = one
[one]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
"""
EC = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]


def moment(days):
    """Midnight, in days from now, as openssl and certificates write it."""
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return then.strftime("%Y%m%d000000Z")


def day(days):
    """The same as messages write it."""
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return then.strftime("%Y-%m-%d")


class Weak:
    """A folder of them; each is signed by itself."""

    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.settings = self.path("ca.cnf")
        with open(self.settings, "w", encoding="ascii") as f:
            f.write(CA.format(folder=self.folder))
        open(self.path("index.txt"), "w", encoding="ascii").close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def _key(self, path, kind):
        if "DSA" in kind:
            run(["openssl", "genpkey", "-genparam", *kind, "-out", f"{path}.parameters"])
            kind = ["-paramfile", f"{path}.parameters"]
        run(["openssl", "genpkey", *kind, "-out", path])

    def make(self, label, key=None, names="DNS:localhost,DNS:mail.example.org", begins=-10,
             ends=90, digest="sha256"):
        """Returns (certificate, key); `names` is the subjectAltName or None."""
        certificate, key_path = self.path(f"{label}.pem"), self.path(f"{label}.key")
        request, extensions = self.path(f"{label}.csr"), self.path(f"{label}.ext")
        self._key(key_path, key or EC)
        run(["openssl", "req", "-new", "-key", key_path, "-subj", "/CN=localhost",
             "-out", request])
        with open(extensions, "w", encoding="ascii") as f:
            f.write(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        run(["openssl", "ca", "-batch", "-notext", "-config", self.settings, "-selfsign",
             "-keyfile", key_path, "-in", request, "-startdate", moment(begins),
             "-enddate", moment(ends), "-md", digest, "-extfile", extensions,
             "-out", certificate])
        return certificate, key_path
