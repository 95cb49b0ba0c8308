"""The house rules and the analysers: layers, style, layout, cppcheck, clang-tidy, Python.

What clang-tidy looks for stands in .clang-tidy, what cppcheck must be told in tools/cppcheck.cfg.
"""

import glob
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from .meson import compile_in

CPPCHECK = ["cppcheck", "--quiet", "-j2", "--std=c11", "--enable=warning,performance",
            "--inline-suppr", "--error-exitcode=1", "--library=posix",
            "--library=tools/cppcheck.cfg",
            # Version 2.10 does not see what a do loop has set, and forbids -1 as a descriptor,
            # which mmap wants and close answers.
            "--suppress=uninitvar", "--suppress=invalidFunctionArg",
            # Attributes in front of function pointers are a syntax error to it.
            "-D__attribute__(x)=", "-Isrc"]


def prepare(report, repository):
    # clang-tidy reads the flags of the clang build: gcc's own are unknown to it.
    compile_in(report, repository, "build-fuzz", compiler="clang")
    compile_in(report, repository, "build")


def sources(repository, *endings):
    found = []
    for top in ("src", "tests", "bench"):
        for ending in endings:
            found += glob.glob(os.path.join(repository, top, "**", f"*{ending}"), recursive=True)
    return sorted(found)


def _check(report, name, command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    report.add(f"lint: {name}", done.returncode == 0, done.stdout)


def _tidy(report, repository):
    files = [f for f in sources(repository, ".c") if f.startswith(os.path.join(repository, "src"))]

    def one(path):
        return path, subprocess.run(
            ["nice", "clang-tidy", "--quiet", "-p", os.path.join(repository, "build-fuzz"), path],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        bad = [done.stdout for _, done in pool.map(one, files) if done.returncode != 0]
    report.add("lint: clang-tidy", not bad, "\n".join(bad))


def run(report, repository):
    build = os.path.join(repository, "build")
    with report.part("lint"):
        _check(report, "layers", [os.path.join(repository, "tools", "check-layers"), build])
        _check(report, "style", [os.path.join(repository, "tools", "check-style")])
        _check(report, "clang-format", ["clang-format", "--dry-run", "-Werror",
                                        *sources(repository, ".c", ".h")])
        _check(report, "cppcheck", [*CPPCHECK, "src"])
        _tidy(report, repository)
        python = [f for top in ("tools", "tests", "bench") for f in
                  glob.glob(os.path.join(repository, top, "**", "*.py"), recursive=True)
                  if "node_modules" not in f]
        _check(report, "python", ["/usr/bin/python3", "-m", "pyflakes", *python])
