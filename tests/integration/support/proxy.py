"""PROXY protocol headers, written from the specification (versions 1 and 2)."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def v1(source, port=40000, destination="198.51.100.1", to_port=993):
    family = "TCP6" if ":" in source else "TCP4"
    if family == "TCP6":
        destination = "2001:db8::1"
    return f"PROXY {family} {source} {destination} {port} {to_port}\r\n".encode()


def v2(source, port=40000, destination="198.51.100.1", to_port=993, tlv=b"", command=1):
    address = ipaddress.ip_address(source)
    if address.version == 6:
        destination = "2001:db8::1"
    body = (address.packed + ipaddress.ip_address(destination).packed
            + struct.pack(">HH", port, to_port) + tlv)
    family = 0x11 if address.version == 4 else 0x21
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(body)) + body


def v2_local():
    """A connection that the proxy makes for itself, such as a health check."""
    return SIGNATURE + bytes([0x20, 0x00]) + struct.pack(">H", 0)
