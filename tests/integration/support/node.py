"""The clients written for Node.js: packages pinned by a lock file, fetched on first use."""

import fcntl
import hashlib
import os
import shutil

from rig.process import run

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "javascript")
NAMES = ("package.json", "package-lock.json")


def home(cache):
    """The folder with node_modules."""
    with open(os.path.join(HERE, "package-lock.json"), "rb") as f:
        folder = os.path.join(cache, "node-" + hashlib.sha256(f.read()).hexdigest()[:12])
    os.makedirs(folder, exist_ok=True)
    complete = os.path.join(folder, "complete")
    # Two test runs may stand here at once.
    with open(os.path.join(cache, "node.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(complete):
            for name in NAMES:
                shutil.copy(os.path.join(HERE, name), folder)
            run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder)
            os.close(os.open(complete, os.O_CREAT | os.O_WRONLY))
        for name in os.listdir(HERE):
            if name not in NAMES:
                shutil.copy(os.path.join(HERE, name), folder)
    return folder


def script(cache, name):
    """The path of one of our scripts, beside the packages that it imports."""
    return os.path.join(home(cache), name)
