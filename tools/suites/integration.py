"""Real servers and real clients through the gate: on the release and on the sanitizer build.

All runs go side by side: most of the time they wait for timers. What measures time (marked
`quiet`) runs afterwards, alone, on the release build.
"""

import glob
import os
import subprocess
import tempfile
import threading
import xml.etree.ElementTree as xml

from .meson import SANITIZER_ENVIRONMENT, compile_in

FOLDER = "tests/integration"
LATE = "test_[t-z]*.py"
PYTEST = ["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", "-rN",
          "--tb=short", "--no-header", "--no-summary", "-W", "ignore"]


def _halves():
    """Two halves of a build's run, of about the same length: a name, and what pytest is told."""
    late = sorted(glob.glob(f"{FOLDER}/{LATE}"))
    return (("attacks", [f"{FOLDER}/attacks", f"{FOLDER}/guard_diff", *late]),
            ("gates", [FOLDER, f"--ignore={FOLDER}/attacks", f"--ignore={FOLDER}/guard_diff",
                       f"--ignore-glob=*/{LATE}"]))


def prepare(report, repository):
    compile_in(report, repository, "build")
    compile_in(report, repository, "build-asan")


class Run:
    """One pytest process and what it counted."""

    def __init__(self, repository, name, part, *options, environment=None):
        self.name, self.part = name, part
        self.results = tempfile.mkstemp(prefix="postern-", suffix=".xml")[1]
        binary = os.path.join(repository, name, "postern")
        self.popen = subprocess.Popen(
            [*PYTEST, f"--junit-xml={self.results}", *options],
            cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            stdin=subprocess.DEVNULL,
            env=dict(os.environ, POSTERN=binary, **(environment or {})))
        self.lines = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.popen.stdout:
            self.lines.append(line)
            print(f"   {self.name}, {self.part}| {line}", end="", flush=True)

    def count(self, report):
        status = self.popen.wait()
        self.reader.join()
        cases = failed = 0
        try:
            for case in xml.parse(self.results).iter("testcase"):
                bad = [e for e in case if e.tag in ("failure", "error")]
                if any(e.tag == "skipped" for e in case):
                    continue
                cases += 1
                failed += bool(bad)
                where = case.get("classname", "").rpartition(".")[2]
                report.add(f"{self.name}: {where}::{case.get('name')}", not bad,
                           "\n".join(e.text or e.get("message", "") for e in bad))
        except (OSError, xml.ParseError):
            pass
        os.unlink(self.results)
        if not cases or (status != 0 and not failed):
            report.add(f"{self.name}: integration, {self.part}", False, "".join(self.lines[-60:]))


def run(report, repository, beside=None):
    """`beside` runs in a thread while the servers wait; it ends before the quiet part."""
    other = threading.Thread(target=beside) if beside else None
    if other:
        other.start()
    try:
        _beside_each_other(report, repository)
    finally:
        if other:
            other.join()
    with report.part("integration that measures time (release, alone)"):
        Run(repository, "build", "quiet", "-m", "quiet", FOLDER).count(report)


def _beside_each_other(report, repository):
    with report.part("integration (release and sanitizers side by side)"):
        runs = []
        for part, options in _halves():
            runs += [Run(repository, "build", part, "-m", "not quiet", *options),
                     Run(repository, "build-asan", part, "-m", "not quiet and not release",
                         *options, environment=SANITIZER_ENVIRONMENT)]
        try:
            for one in runs:
                one.count(report)
        finally:
            for one in runs:
                if one.popen.poll() is None:
                    one.popen.terminate()
