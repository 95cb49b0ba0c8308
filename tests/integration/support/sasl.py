"""The SASL PLAIN message (RFC 4616) in base64."""

import base64


def plain(user, secret, authorization=""):
    return base64.b64encode(f"{authorization}\0{user}\0{secret}".encode())
