"""Unit tests, transcripts and replayed fuzz corpora, in the release and in the sanitizer build."""

import json
import os
import subprocess

from rig.process import RigError

SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:halt_on_error=1:strict_string_checks=1:"
                    "detect_stack_use_after_return=1",
    # Without halt_on_error UBSan only mutters.
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}
BUILDS = {
    "build": ["--buildtype=release"],
    "build-asan": ["--buildtype=debugoptimized", "-Db_sanitize=address,undefined",
                   "-Db_lundef=false", "-Dbench=false"],
    "build-fuzz": ["--buildtype=debugoptimized", "-Db_sanitize=address,undefined",
                   "-Db_lundef=false", "-Dbench=false", "-Dtests=false", "-Dfuzz=true"],
    "build-msan": ["--buildtype=debugoptimized", "-Db_sanitize=memory", "-Db_lundef=false",
                   "-Dbench=false"],
}
# MemorySanitizer wants every library instrumented. Under what is pure there is none but libgsasl,
# which tests/msan stands around.
PURE = ["base", "wire", "proto-capability", "proto-imap-guard", "proto-imap-line",
        "proto-imap-login", "proto-proxy", "proto-sasl", "imap", "imap-login", "imap_front",
        "imap_guard", "imap_login", "proxy", "sasl"]


_built = set()


def compile_in(report, repository, name, compiler=None, targets=()):
    """Sets up (once) and builds one build folder; raises with the compiler's words."""
    if name in _built:
        return
    folder = os.path.join(repository, name)
    environment = dict(os.environ, CC=compiler) if compiler else None
    steps = [["ninja", "-C", folder, *targets]]
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        steps.insert(0, ["meson", "setup", *BUILDS[name], folder, repository])
    elif name == "build":
        # ./run leaves the tests out.
        steps.insert(0, ["meson", "configure", folder, "-Dtests=true", "-Dbench=true"])
    with report.part(f"building {name}"):
        for step in steps:
            done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, check=False, env=environment)
            if done.returncode != 0:
                raise RigError(f"{' '.join(step)} failed:\n{done.stdout[-6000:]}")
    _built.add(name)


def prepare_release(report, repository):
    compile_in(report, repository, "build")


def prepare_sanitizers(report, repository):
    compile_in(report, repository, "build-asan")


def prepare_memory(report, repository):
    compile_in(report, repository, "build-msan", compiler="clang",
               targets=("src/proto/libproto.a", "src/wire/libwire.a"))


def run_release(report, repository):
    _test(report, repository, "build", {})


def run_sanitizers(report, repository):
    _test(report, repository, "build-asan", SANITIZER_ENVIRONMENT)


def run_memory(report, repository):
    # Builds what these need, and no more.
    _test(report, repository, "build-msan", {}, PURE)


def _test(report, repository, name, environment, tests=("--no-rebuild",)):
    folder = os.path.join(repository, name)
    log = os.path.join(folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    with report.part(f"unit, transcripts, fuzz replay ({name})"):
        done = subprocess.run(
            ["meson", "test", "-C", folder, "--timeout-multiplier", "4", *tests],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            env=dict(os.environ, **environment))
        rows = _rows(log)
        for row in rows:
            is_passed = row["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
            report.add(f"{name}: {row['name']}", is_passed,
                       row.get("stdout", "") + "\n" + row.get("stderr", ""))
        if not rows or (done.returncode != 0 and all(r["result"] == "OK" for r in rows)):
            report.add(f"{name}: meson test", False, done.stdout)


def _rows(log):
    try:
        with open(log, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.strip()]
    except OSError:
        return []
