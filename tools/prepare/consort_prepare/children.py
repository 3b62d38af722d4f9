"""Work in a process of its own: what a compiler prints, leaks or crashes with stays there.

The child is a fork, so it starts at once, with LibTorch loaded. It has a process group of its own,
with the C++ compilers that it starts and the children of its own: the group ends with its parent,
whatever ends that, and a Ctrl-C on the terminal reaches the parent alone.
"""

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import time

from .errors import PrepareError

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.2


class ChildFailed(Exception):
    """The child raised what is no PrepareError, or died. Its text is one line."""


class Child:
    """`with Child(make, log) as child: child.call("method", …)`: methods of what `make()` gives there,
    one at a time. Arguments and results are pickled. `log` takes what it prints. `inner`: of a child,
    in whose group it then is."""

    def __init__(self, make, log_path, inner=False):
        self._make, self._log_path, self._inner = make, log_path, inner

    def __enter__(self):
        self._pipe, theirs = multiprocessing.Pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            self._pipe.close()
            _live(self._make, theirs, self._log_path, parent, self._inner)
        theirs.close()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)  # itself: it may not have its group yet
        with contextlib.suppress(ProcessLookupError):
            if not self._inner:
                os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._pipe.close()

    def call(self, method, *args, tick=lambda seconds: None):
        """`tick` is called now and then while it works."""
        began = time.monotonic()
        try:
            self._pipe.send((method, args))
            while not self._pipe.poll(POLL_SECONDS):
                tick(time.monotonic() - began)
            kind, value = self._pipe.recv()
        except (EOFError, ConnectionError, BrokenPipeError):
            raise ChildFailed(self._cause()) from None
        if kind == "raised":
            raise value
        if kind == "failed":
            raise ChildFailed(value)
        return value

    def _cause(self):
        pid, status = os.waitpid(self._pid, os.WNOHANG) if _wait_a_moment(self._pid) else (0, 0)
        if pid and os.WIFSIGNALED(status):
            killer = signal.Signals(os.WTERMSIG(status)).name
            memory = ": perhaps there is too little memory" if killer == "SIGKILL" else ""
            return f"it was ended by {killer}{memory}"
        return "its process ended"


def _wait_a_moment(pid):
    """Until it can be reaped; it stays to be reaped."""
    for _ in range(50):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        time.sleep(0.01)
    return False


def _live(make, pipe, log_path, parent, inner):
    """The child's whole life."""
    try:
        if not inner:
            os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, fd in ((0, nothing), (1, log), (2, log)):
            os.dup2(fd, number)
        subject = make()
        while True:
            try:
                method, args = pipe.recv()
            except (EOFError, ConnectionError):
                break
            pipe.send(_answer(subject, method, args))
    except BaseException as error:  # nothing may come back into the parent's code
        with contextlib.suppress(Exception):
            pipe.send(("failed", one_line(error)))
    finally:
        os._exit(0)


def _answer(subject, method, args):
    try:
        return "value", getattr(subject, method)(*args)
    except PrepareError as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            return "failed", error.sentence()
        return "raised", error
    except ChildFailed as error:  # of a child of its own
        return "failed", str(error)
    except MemoryError:
        return "failed", "there is too little memory"
    except Exception as error:
        import traceback
        traceback.print_exc()
        return "failed", one_line(error)


def one_line(error):
    """The line of an exception's text that says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    errors = [line for line in lines if " error: " in line]  # a C++ compiler's own words
    line = errors[0] if errors else (lines[0] if lines else type(error).__name__)
    if errors or type(error).__name__ in line:
        return line[:300]
    return f"{type(error).__name__}: {line}"[:300]
