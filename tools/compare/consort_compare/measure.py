"""One point, measured: a real `consort run`, in a folder of its own that is gone afterwards."""

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from .errors import CompareError, PointFailed

# Whatever the caller set of these would be measured in place of the defaults of LibTorch,
# OpenMP, jemalloc and glibc.
CLEARED = re.compile(r"(OMP|GOMP|KMP|MKL)_.*|CONSORT_(WORKER|PIN|COPY_WEIGHTS|FAULT)|LD_PRELOAD|MALLOC_.*|GLIBC_TUNABLES")
DONE, SOME_FAILED = 0, 3  # consort's exit statuses; files that failed are not counted, the others are
HANG_SECONDS = 120.0  # beyond what a run should take: then it is ended
KILL_AT = 0.4         # of the measured time
_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def environment(setting, consort):
    """The run's environment, and what of it is said in the report."""
    found = {key: value for key, value in os.environ.items() if not CLEARED.fullmatch(key)}
    if setting.glibc:
        found["CONSORT_WORKER"] = os.path.join(os.path.dirname(consort), "consort-worker-glibc")
    if setting.copied:
        found["CONSORT_COPY_WEIGHTS"] = "1"
    if not setting.pinned:
        found["CONSORT_PIN"] = "0"
    return found


def words(setting, bundle_path):
    """The options of `consort run` that make this point."""
    found = ["-m", bundle_path, "-p", str(setting.processes), "-t", str(setting.threads), "--intra", str(setting.intra or "default")]
    return found if setting.template else [*found, "--no-template"]


def command_words(setting, bundle_path):
    """As a person would type it, for the report."""
    before = [f"{key}={value}" for key, value in (("CONSORT_WORKER", "consort-worker-glibc" if setting.glibc else ""),
                                                  ("CONSORT_COPY_WEIGHTS", "1" if setting.copied else ""),
                                                  ("CONSORT_PIN", "" if setting.pinned else "0")) if value]
    return " ".join([*before, "consort run", *words(setting, bundle_path)])


def _end_with(parent):
    """For the child, before exec: the supervisor's end ends its workers, so nothing is left even if we are killed."""
    def prepare():
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # killed before that was asked for
            os._exit(1)
    return prepare


class Measurer:
    """Runs consort. Not for several threads. `folder`: where its scratch goes. `held()`: no signal raises inside it."""

    def __init__(self, consort, audio, folder, held=contextlib.nullcontext):
        self.consort = consort
        self.audio = audio
        self.folder = folder
        self._held = held
        self._child = None

    def __call__(self, setting, bundle_path, seconds, expected):
        """(figures, wall seconds of the run that succeeded). `expected`: what it should take beyond `seconds`.

        Raises PointFailed.
        """
        while True:
            began = time.monotonic()
            figures, failed = self._run(setting, bundle_path, seconds, expected)
            if failed:  # the same again would give the same
                raise PointFailed(failed)
            # If it is not complete, the audio came to its end before the time did.
            if figures["complete"] or not self.audio.more():
                if not figures["segments"]["counted"]:
                    raise PointFailed("not one segment could be done; name longer audio, or give more --minutes")
                return figures, time.monotonic() - began

    def end(self):
        """Ends what runs, at once. The supervisor's death is its workers'."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()

    def _run(self, setting, bundle_path, seconds, expected):
        place = os.path.join(self.folder, "run")
        os.mkdir(place)
        try:
            figures_path, results_path = os.path.join(place, "figures.json"), os.path.join(place, "out.jsonl")
            command = [self.consort, "run", *words(setting, bundle_path), "--measure", f"{seconds:.3f}", "--figures", figures_path,
                       "-o", results_path, "--job", os.path.join(place, "job"), "--progress", "none",
                       "-vv" if setting.kill else "--quiet", "--", *self.audio.arguments()]
            with open(os.path.join(place, "told"), "w+b") as told:
                # A group of its own: Ctrl-C reaches us alone.
                with self._held():  # a child that end() does not know would go on
                    self._child = subprocess.Popen(
                        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=told,
                        env=environment(setting, self.consort), process_group=0, preexec_fn=_end_with(os.getpid()))
                killer = Killer(told.name, setting, KILL_AT * seconds) if setting.kill else None
                try:
                    status = self._child.wait(seconds + expected * 10 + HANG_SECONDS)
                except subprocess.TimeoutExpired:
                    raise PointFailed("it did not end") from None
                finally:
                    self.end()
                    if killer is not None:
                        killer.stop()
                told.seek(0)
                said = told.read().decode(errors="replace")
            if status not in (DONE, SOME_FAILED):
                raise PointFailed(_reason(said, status))
            with open(figures_path, encoding="utf-8") as file:
                figures = json.load(file)
            return figures, None if figures["segments"]["counted"] else _no_result(results_path, figures["complete"])
        except (OSError, ValueError) as error:
            raise PointFailed(str(error)) from None
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _no_result(path, complete):
    """Why not one file gave a result: a clause; None where one did, or there was no time for one."""
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            first = json.loads(line)
            if "error" in first:  # of one file that failed: all others follow, unless one did not
                if all('"error":' in it and "error" in json.loads(it) for it in file):
                    error = first["error"]
                    return (f'no file gives a result; the first: "{first["file"]}": {error["code"]}, {error["message"]}; '
                            'name audio that "consort run" can read')
            return None
    return None if complete else "there is nothing to listen to: the list or folder is empty; name some audio"


def _reason(said, status):
    lines = [line for line in said.splitlines() if line.startswith("consort: ")]
    if status < 0:
        return f"consort was ended by {signal.Signals(-status).name}"
    return lines[-1].removeprefix("consort: ") if lines else f"consort ended with {status}"


class Killer(threading.Thread):
    """Kills one worker once all have had a result and some time has passed. Reads consort's own words (-vv)."""

    READY = re.compile(rb"slot (\d+): worker (\d+) (ready|first result) at ")
    LOOK_SECONDS = 0.02

    def __init__(self, path, setting, delay):
        super().__init__(daemon=True)
        self._path = path
        self._wanted = setting.processes
        self._delay = delay
        self._stop_asked = threading.Event()
        self.start()

    def stop(self):
        self._stop_asked.set()
        self.join()

    def run(self):
        while not self._stop_asked.wait(self.LOOK_SECONDS):
            with open(self._path, "rb") as file:
                told = self.READY.findall(file.read())
            pids = {int(slot): int(pid) for slot, pid, what in told if what == b"first result"}
            if len(pids) == self._wanted:
                break
        if not self._stop_asked.wait(self._delay):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[max(pids)], signal.SIGKILL)


def check(consort):
    if not os.access(consort, os.X_OK):
        raise CompareError(f'could not find the program "{consort}"', "consort belongs beside consort-compare")
