"""Fixtures of the comparison: the player and the two servers."""

import glob
import os
import subprocess

import pytest

import guard_servers

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "..", "..", "src")


@pytest.fixture(scope="session")
def player(base):
    """guard_diff, built from the guard's own sources."""
    binary = os.path.join(base, "guard_diff")
    files = (glob.glob(os.path.join(SOURCE, "proto/imap/guard*.c")) +
             [os.path.join(SOURCE, "proto/imap/capability.c")] +
             [os.path.join(SOURCE, "base", f"{name}.c") for name in ("buf", "view", "mem", "err")])
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-I", SOURCE,
                    "-fsanitize=address,undefined", "-o", binary,
                    os.path.join(HERE, "guard_diff.c"), *files, "-lsodium"], check=True)
    return binary


@pytest.fixture(scope="session")
def differ_dovecot(base, authority):
    server = guard_servers.dovecot(os.path.join(base, "dd"), authority)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def differ_cyrus(base, cache, authority):
    server = guard_servers.cyrus(os.path.join(base, "dc"), cache, authority)
    yield server
    server.stop()
