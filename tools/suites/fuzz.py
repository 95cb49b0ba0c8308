"""A short run of each libFuzzer target from its corpus; a crash fails and its input is shown."""

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from .meson import SANITIZER_ENVIRONMENT, compile_in

SECONDS = 6
CORES = 2


def prepare(report, repository):
    compile_in(report, repository, "build-fuzz", compiler="clang")


def targets(repository):
    """name → path of each built fuzz target."""
    found = {}
    for folder, _, files in os.walk(os.path.join(repository, "build-fuzz")):
        for name in files:
            path = os.path.join(folder, name)
            if name.startswith("fuzz_") and "." not in name and os.access(path, os.X_OK):
                found[name] = path
    return found


def _fuzz(repository, name, path):
    seeds = os.path.join(repository, "tests", "fuzz", "corpus", name.removeprefix("fuzz_"))
    words = os.path.join(repository, "tests", "fuzz", f"{name}.dict")
    scratch = tempfile.mkdtemp(prefix="postern-fuzz-")
    grown = os.path.join(scratch, "corpus")
    os.mkdir(grown)
    try:
        done = subprocess.run(
            [path, f"-max_total_time={SECONDS}", "-timeout=5", "-rss_limit_mb=2048",
             f"-artifact_prefix={scratch}/", "-print_final_stats=1",
             *([f"-dict={words}"] if os.path.exists(words) else []), grown,
             *([seeds] if os.path.isdir(seeds) else [])],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            env=dict(os.environ, **SANITIZER_ENVIRONMENT), timeout=SECONDS * 10)
        output = done.stdout.decode("utf-8", "replace")
        for artifact in sorted(os.listdir(scratch)):
            if os.path.isfile(os.path.join(scratch, artifact)):
                with open(os.path.join(scratch, artifact), "rb") as f:
                    output += f"\n{artifact}: {f.read(4096).hex()}"
        return done.returncode == 0, output
    except subprocess.TimeoutExpired:
        return False, f"did not end after {SECONDS * 10} s"
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def run(report, repository):
    found = targets(repository)
    with report.part(f"fuzzing {len(found)} targets for {SECONDS} s each"):
        if not found:
            report.add("fuzz: targets", False, "no fuzz target was built")
        with ThreadPoolExecutor(CORES) as pool:
            results = pool.map(lambda item: (item[0], *_fuzz(repository, *item)), found.items())
            for name, is_passed, output in results:
                report.add(f"fuzz: {name}", is_passed, output)
