"""measure.py: what a set of processes costs: processor time and memory.

Each gateway runs in a control group of its own, so that every process it ever starts is counted
to the nanosecond, also those that have ended (cgroup v1 cpuacct, or v2 cpu.stat). Where no group
can be made, the living process tree and its reaped children are added up from /proc instead
(whole clock ticks).
"""

import os
import signal
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def _cgroup_roots():
    """(directory, file with the processor time, reader of that file in seconds)"""
    with open("/proc/mounts", encoding="ascii", errors="replace") as mounts:
        for line in mounts:
            _, where, kind, options = line.split()[:4]
            if kind == "cgroup" and "cpuacct" in options.split(","):
                yield where, "cpuacct.usage", lambda text: int(text) / 1e9
            elif kind == "cgroup2":
                yield where, "cpu.stat", lambda text: int(text.split()[1]) / 1e6


class Group:
    """The processes of one gateway."""

    def __init__(self, name):
        self.directory = None
        self.children = []
        for where, file, read in sorted(_cgroup_roots(), key=lambda root: root[1], reverse=True):
            directory = os.path.join(where, f"bench-{os.getpid()}-{name}")
            try:
                os.mkdir(directory)
            except OSError:
                continue
            if os.path.exists(os.path.join(directory, file)):
                self.directory, self._file, self._read = directory, file, read
                break
            os.rmdir(directory)

    def method(self):
        return self._file if self.directory else "/proc/PID/stat"

    def start(self, command, **options):
        """Starts a process as a member; everything it starts is a member too."""

        def join():
            if self.directory:
                with open(os.path.join(self.directory, "cgroup.procs"), "w", encoding="ascii") as f:
                    f.write("0")

        child = subprocess.Popen(command, preexec_fn=join, stdin=subprocess.DEVNULL, **options)
        self.children.append(child)
        return child

    def pids(self):
        if self.directory:
            with open(os.path.join(self.directory, "cgroup.procs"), encoding="ascii") as f:
                return sorted(int(line) for line in f)
        return sorted(_tree([child.pid for child in self.children]))

    def cpu_seconds(self):
        if self.directory:
            with open(os.path.join(self.directory, self._file), encoding="ascii") as f:
                return self._read(f.read())
        return sum(_stat_seconds(pid) for pid in self.pids())

    def pss_octets(self):
        return sum(_pss(pid) for pid in self.pids())

    def stop(self):
        """SIGTERM to what we started, then SIGKILL to whatever member is left."""
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                pass
        deadline = time.monotonic() + 5
        while self.pids() and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for child in self.children:
            child.wait()
        if self.directory:
            self._remove_directory()

    def _remove_directory(self):
        for _ in range(100):
            try:
                os.rmdir(self.directory)
                return
            except OSError:
                time.sleep(0.05)


def _stat_fields(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        return f.read().rpartition(")")[2].split()


def _tree(roots):
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents.setdefault(int(_stat_fields(name)[1]), []).append(int(name))
            except OSError:
                continue
    found, todo = set(), [pid for pid in roots if os.path.exists(f"/proc/{pid}")]
    while todo:
        pid = todo.pop()
        found.add(pid)
        todo.extend(parents.get(pid, []))
    return found


def _stat_seconds(pid):
    try:
        return sum(int(ticks) for ticks in _stat_fields(pid)[11:15]) / TICKS
    except OSError:
        return 0.0


def _pss(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
