"""sieve-connect, a real ManageSieve client."""

import subprocess

TIMEOUT_S = 60


def sieve_connect(door, *options, secret=None):
    """One action (--list; --upload --localsieve FILE --remotesieve NAME); returns the process."""
    return subprocess.run(
        ["sieve-connect", "--server", door.host, "--port", str(door.ports["sieve"]),
         "--user", door.user, "--tlscafile", door.ca, "--authmech", "PLAIN", "--passwordfd", "0",
         *options], input=(secret or door.secret) + "\n", text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S)
