"""Runs inside the private mount namespace that reach.command() made; see there.

usage: reach_mount.py --closed DIR... --keep DIR... -- PROGRAM ARGUMENT...
"""

import argparse
import os
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--closed", action="append", default=[])
    parser.add_argument("--keep", action="append", default=[])
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()

    # Descriptors hold what the empty folders are about to hide.
    program = options.program[0]
    hidden_program = any(program.startswith(c + "/") for c in options.closed)
    keep = [*options.keep, os.path.dirname(program)] if hidden_program else options.keep
    held = [(path, os.open(path, os.O_PATH | os.O_DIRECTORY)) for path in dict.fromkeys(keep)]
    for closed in options.closed:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755,size=64k", "none", closed],
                       check=True)
    for path, fd in sorted(held):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "--no-canonicalize", "--bind", f"/proc/self/fd/{fd}", path],
                       check=True, pass_fds=[fd])
        os.close(fd)
    os.chdir("/")
    os.execv(program, options.program)


if __name__ == "__main__":
    sys.exit(main())
