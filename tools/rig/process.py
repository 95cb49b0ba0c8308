"""Child processes: start, watch, end by their own id."""

import ctypes
import os
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1


class RigError(Exception):
    """Something of the rig could not be started; the text says what to look at."""


def run(args, check=True, **kwargs):
    """Runs a command to its end and returns its text output; fails with what it said."""
    done = subprocess.run(
        [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs
    )
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise RigError(f"{os.path.basename(str(args[0]))}: exit {done.returncode}: {said}")
    return done


def _die_with_parent():
    # A killed test run or a killed ./run must not leave servers behind.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def ended_with_us(args):
    """args of a server that changes its user: the kernel then no longer tells it of our death.

    (prctl(2), PR_SET_PDEATHSIG.) A shell is told instead, and ends it.
    """
    return ["sh", "-c", '"$@" & trap "kill $!" TERM; wait $!; wait $!', "sh",
            *[str(a) for a in args]]


class Child:
    """A server that runs in the foreground of its own session, its output in a file."""

    def __init__(self, name, args, log, **kwargs):
        self.name = name
        self.log = log
        with open(log, "ab") as out:
            self.log_start = out.tell()
            self.popen = subprocess.Popen(
                [str(a) for a in args],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                **kwargs,
            )

    @property
    def pid(self):
        return self.popen.pid

    def is_running(self):
        return self.popen.poll() is None

    def output(self):
        """What it wrote since this start."""
        with open(self.log, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode("utf-8", "replace")

    def fail(self, what):
        tail = "\n".join(self.output().splitlines()[-30:])
        raise RigError(f"{self.name}: {what} (log: {self.log})\n{tail}")

    def wait_until(self, is_ready, timeout_s=15.0, what="did not become ready"):
        """Polls until is_ready() is true; fails at once when the child has ended."""
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if not self.is_running():
                self.fail(f"ended with status {self.popen.returncode}")
            if time.monotonic() > deadline:
                self.fail(what)
            time.sleep(0.02)

    def signal(self, number):
        self.popen.send_signal(number)

    def stop(self, timeout_s=10.0):
        """SIGTERM, then SIGKILL to whatever of its session is left; returns the exit status."""
        if self.is_running():
            self.popen.terminate()
            try:
                self.popen.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.popen.returncode


def is_listening(port, host="127.0.0.1"):
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def is_free(port, host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def loopback():
    """The addresses of "localhost": some clients try ::1 and nothing else."""
    return [host for host in ("127.0.0.1", "::1") if is_free(0, host)]


_given = set()  # nobody listens there yet, but somebody will


def free_port(preferred=0):
    """The preferred port when nobody has it on loopback, else one that is free there and that was
    not given before: who asks for several may listen on them late."""
    hosts = loopback()
    port = preferred
    while not port or port in _given - {preferred} or not all(is_free(port, h) for h in hosts):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    _given.add(port)
    return port
