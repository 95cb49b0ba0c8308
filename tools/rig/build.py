"""Installing packages and building: the same for ./run and ./test."""

import os
import subprocess
import sys

from .process import RigError

TOOLS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def install(*purposes):
    done = subprocess.run([os.path.join(TOOLS, "install-packages"), *purposes], check=False,
                          stdout=sys.stderr, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RigError("packages are missing; see above")


def compile_release(repository, **options):
    """Builds build/postern optimised and returns its path. Only ninja runs the second time."""
    folder = os.path.join(repository, "build")
    options = options or {"tests": "false", "bench": "false"}
    chosen = [f"-D{name}={value}" for name, value in options.items()]
    steps = [["ninja", "-C", folder]]
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        steps.insert(0, ["meson", "setup", "--buildtype=release", *chosen, folder, repository])
    print("building Postern (release) in build/ …", file=sys.stderr, flush=True)
    for step in steps:
        done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            raise RigError(f"{' '.join(step)} failed:\n{done.stdout[-4000:]}")
    return os.path.join(folder, "postern")
