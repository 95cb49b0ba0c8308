"""Counts what passed and what failed, shows progress as it comes and the failures at the end."""

import sys
import threading
import time
from contextlib import contextmanager

TAIL_LINES = 60


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.failures = []
        self.lock = threading.Lock()
        self.here = threading.local()  # what the part of this thread has counted

    def _count(self, is_passed):
        with self.lock:
            self.passed += is_passed
            self.failed += not is_passed
        passed, failed = getattr(self.here, "counted", (0, 0))
        self.here.counted = (passed + is_passed, failed + (not is_passed))

    def say(self, text):
        print(text, flush=True)

    def add(self, name, is_passed, output=""):
        """One test; the output of a failed one is kept for the end."""
        self._count(is_passed)
        if is_passed:
            return
        self.failures.append((name, output))
        self.say(f"   FAILED {name}")

    @contextmanager
    def part(self, name):
        """Shows a part of a suite with its time and what it counted."""
        self.say(f"-- {name} …")
        began = time.monotonic()
        self.here.counted = (0, 0)
        yield
        passed, failed = self.here.counted
        self.say(f"   {name}: {passed} passed, {failed} failed in {time.monotonic() - began:.0f} s")

    def close(self, took_s):
        for name, output in self.failures:
            lines = output.strip().splitlines()
            cut = [f"… {len(lines) - TAIL_LINES} lines above"] if len(lines) > TAIL_LINES else []
            self.say("\n".join([f"\n== FAILED {name}", *cut, *lines[-TAIL_LINES:]]))
        self.say(f"\nall suites in {took_s:.0f} s; failed: "
                 + (", ".join(name for name, _ in self.failures) or "none"))
        sys.stderr.flush()
        self.say(f"{self.passed} passed, {self.failed} failed")
