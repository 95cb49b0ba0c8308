"""Makes a folder reachable for processes that drop root.

A repository below /root (or any folder that others may not enter) cannot be opened by a process
once it has dropped its privileges. Opening that folder's mode would touch what is not ours, so
the server runs in a mount namespace of its own: there the closed folder is an empty one that all
may enter, in which nothing but the named folders is found again, under the same paths.
"""

import os
import shutil
import sys

from .process import RigError


def closed_ancestor(path):
    """The topmost folder on the way to path that others may not enter, or None."""
    path = os.path.realpath(path)
    parts = path.split("/")[1:-1]
    at = ""
    for part in parts:
        at += "/" + part
        if not os.stat(at).st_mode & 0o001:
            return at
    return None


def command(folder, args, also=()):
    """args, or what runs args so that folder and the folders of `also` can be reached."""
    if os.geteuid() != 0:
        return args
    folders = [os.path.realpath(f) for f in (folder, *also)]
    closed = {c for c in map(closed_ancestor, folders) if c}
    if not closed:
        return args
    if not shutil.which("unshare"):
        raise RigError(f"{closed.pop()} is closed to others; name another folder with --state")
    plan = [a for c in sorted(closed) for a in ("--closed", c)]
    plan += [a for f in folders if closed_ancestor(f) for a in ("--keep", f)]
    program = args[0] if "/" in args[0] else shutil.which(args[0])
    return ["unshare", "--mount", "--propagation", "private", sys.executable,
            os.path.abspath(__file__.replace("reach.py", "reach_mount.py")), *plan, "--",
            program, *args[1:]]
