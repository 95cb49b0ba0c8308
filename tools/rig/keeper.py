"""Keeps what was started running until somebody ends it, in the foreground or the background."""

import os
import signal
import sys
import time

from .process import RigError


class Ended(BaseException):
    """Somebody asked us to end (BaseException: no handler of failures may swallow it)."""


def _end(_number, _frame):
    # A second Ctrl-C must not break the ending that the first began.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Ended


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _tell(text):
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Who reads only the first lines has not asked us to end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def keep(plan, ready=None, is_background=False):
    """Starts plan, tells where it is, and keeps it until SIGINT, SIGTERM or the end of a part."""
    if not is_background:
        return _serve(plan, ready, lambda: None)
    told, telling = os.pipe()
    keeper = os.fork()
    if keeper:
        os.close(telling)
        try:
            with os.fdopen(told, "rb") as pipe:
                return 0 if pipe.read() == b"up" else 1
        except KeyboardInterrupt:
            os.kill(keeper, signal.SIGTERM)
            return 1
    os.close(told)
    os.setsid()

    def is_up():
        os.write(telling, b"up")
        os.close(telling)
        _leave_terminal(os.path.join(plan.state, "run.log"))

    status = _serve(plan, ready, is_up)
    sys.stdout.flush()
    os._exit(status)


def _leave_terminal(log):
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)


def _serve(plan, ready, is_up):
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    has_told = False
    try:
        plan.start(_say)
        if ready:
            plan.write_ready(ready)
            has_told = True
        _tell(plan.report())
        is_up()
        return _watch(plan)
    except Ended:
        _say("ending …")
        return 0
    except (RigError, OSError) as e:
        _say(f"./run: {e}")
        return 1
    finally:
        plan.stop()
        if has_told and os.path.isfile(ready):
            os.unlink(ready)


def _watch(plan):
    while True:
        for child in plan.children():
            if not child.is_running():
                status = child.popen.returncode
                if status == 0:
                    _say(f"{child.name} ended")
                    return 0
                _say(f"./run: {child.name} ended with status {status}; see {child.log}")
                return 1
        time.sleep(0.2)
