"""./test: installs, builds, runs every suite, and closes with "N passed, N failed".

Exit status: 0 all passed, 1 something failed or nothing ran, 2 wrong usage.
"""

import argparse
import os
import sys
import time

from rig import build
from rig.process import RigError
from suites import fuzz, integration, lint, meson
from suites.report import Report

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# In this order; lint runs beside integration, whose servers and clients mostly wait.
SUITES = {
    "unit": (meson.prepare_release, meson.run_release),
    "sanitizers": (meson.prepare_sanitizers, meson.run_sanitizers),
    "memory": (meson.prepare_memory, meson.run_memory),
    "fuzz": (fuzz.prepare, fuzz.run),
    "lint": (lint.prepare, lint.run),
    "integration": (integration.prepare, integration.run),
}


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="./test", description="Installs what is missing, builds Postern (release, sanitizers, "
        "fuzzers) and runs the suites; the last line is 'N passed, N failed'.")
    parser.add_argument("suite", nargs="*", metavar="SUITE",
                        help=f"only these: {', '.join(SUITES)} (default: all)")
    options = parser.parse_args(arguments)
    unknown = [s for s in options.suite if s not in SUITES]
    if unknown:
        parser.error(f"no such suite: {', '.join(unknown)}")
    return options


def prepared(name, report):
    """Builds what a suite needs; one that cannot be built fails and leaves the others alone."""
    try:
        SUITES[name][0](report, REPOSITORY)
        return True
    except RigError as e:
        report.add(f"{name}: preparation", False, str(e))
        return False


def run_all(names, report):
    if "integration" in names and "lint" in names:
        names = [name for name in names if name not in ("integration", "lint")]
        run_all(names, report)
        integration.run(report, REPOSITORY, beside=lambda: lint.run(report, REPOSITORY))
        return
    for name in names:
        SUITES[name][1](report, REPOSITORY)


def main():
    options = parse(sys.argv[1:])
    os.chdir(REPOSITORY)
    # Whoever calls may have settings of its own for these: none of them count here.
    for name in ("PYTEST_ADDOPTS", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "CC", "CFLAGS"):
        os.environ.pop(name, None)
    began = time.monotonic()
    report = Report()
    chosen = [name for name in SUITES if not options.suite or name in options.suite]
    try:
        build.install("build", "run", "test")
        ready = [name for name in chosen if prepared(name, report)]
        run_all(ready, report)
    except RigError as e:
        report.add("packages", False, str(e))
    except KeyboardInterrupt:
        report.add("interrupted", False, "")
    report.close(time.monotonic() - began)
    return 0 if report.passed and not report.failed else 1


if __name__ == "__main__":
    sys.exit(main())
