"""A private OpenLDAP server on loopback: TLS by our CA, one entry per user, simple binds.

Addresses of a user are values of proxyAddresses, as Active Directory has them, and are shown to
who has bound only.
"""

import os
import pwd

from rig.process import Child, ended_with_us, free_port, is_listening, run

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
attributetype ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 2.25.1 NAME 'mailRecipient' SUP top AUXILIARY MAY proxyAddresses )
pidfile {folder}/slapd.pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
TLSCACertificateFile {ca}
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
directory {folder}/db
access to attrs=userPassword by anonymous auth by * none
access to attrs=proxyAddresses by users read by * none
access to * by * read
"""

ROOT = """\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

"""

PERSON = """\
dn: uid={uid},ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: mailRecipient
uid: {uid}
cn: {uid}
sn: {uid}
userPassword: {password}
{more}
"""


class Slapd:
    """One slapd below `folder` for `users` (local part to password) and their `addresses`."""

    def __init__(self, folder, authority, users, addresses=None):
        self.folder = os.path.abspath(folder)
        self.authority = authority
        self.users = dict(users)
        self.addresses = addresses or {}
        self.ports = {"ldap": free_port(), "ldaps": free_port()}
        self.child = None

    def _write(self):
        os.makedirs(os.path.join(self.folder, "db"), exist_ok=True)
        certificate, key = self.authority.issue("slapd")
        own_key = os.path.join(self.folder, "key.pem")
        with open(key, "rb") as source, open(own_key, "wb") as copy:
            copy.write(source.read())
        config = os.path.join(self.folder, "slapd.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write(CONFIG.format(folder=self.folder, certificate=certificate, key=own_key,
                                  ca=self.authority.certificate))
        entries = os.path.join(self.folder, "entries.ldif")
        with open(entries, "w", encoding="ascii") as f:
            f.write(ROOT + "".join(self._person(u, p) for u, p in self.users.items()))
        run(["slapadd", "-f", config, "-l", entries])
        owner = pwd.getpwnam("openldap")
        run(["chown", "-R", f"{owner.pw_uid}:{owner.pw_gid}", self.folder])
        return config

    def _person(self, uid, password):
        more = "".join(f"proxyAddresses: {a}\n" for a in self.addresses.get(uid, ()))
        return PERSON.format(uid=uid, password=password, more=more)

    def start(self):
        config = self._write() if self.child is None else os.path.join(self.folder, "slapd.conf")
        urls = " ".join(f"{scheme}://127.0.0.1:{port}" for scheme, port in self.ports.items())
        self.child = Child("slapd", ended_with_us(
            ["/usr/sbin/slapd", "-h", urls, "-f", config, "-d", "0", "-u", "openldap",
             "-g", "openldap"]), os.path.join(self.folder, "slapd.out"))
        self.child.wait_until(lambda: all(is_listening(p) for p in self.ports.values()))
        return self

    def stop(self):
        if self.child:
            self.child.stop()
