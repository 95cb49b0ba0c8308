"""TOTP (RFC 6238) as an authenticator computes it, independent of the gateway's library."""

import base64
import hashlib
import hmac
import struct
import time

STEP_S = 30


def totp(secret_base32, offset_steps=0, now=None):
    key = base64.b32decode(secret_base32.upper() + "=" * (-len(secret_base32) % 8))
    step = int((time.time() if now is None else now) // STEP_S) + offset_steps
    mac = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def wait_for_room(seconds=8):
    """Returns at a moment that is followed by at least so many seconds of the same time step."""
    left = STEP_S - time.time() % STEP_S
    if left < seconds:
        time.sleep(left + 0.1)
