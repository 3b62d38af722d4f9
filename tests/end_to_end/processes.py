"""Who of a job is alive, and what a job left behind.

Every program that a test starts carries CONSORT_TEST_ID in its environment. Whoever inherited it
belongs to the job, whatever became of its parents.
"""

import dataclasses
import os
import re
import time

MARK = "CONSORT_TEST_ID"


@dataclasses.dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    name: str   # of the main thread
    state: str  # a letter of proc(5): R, S, D, T, …; zombies are never listed


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # it ended meanwhile
        return b""


def all_processes():
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        # The name stands in parentheses and may contain any byte, parentheses too.
        match = re.match(rb"\d+ \((.*)\) (\S) (\d+) ", _read(f"/proc/{entry}/stat"), re.DOTALL)
        if match and match[2] not in b"ZX":
            found[int(entry)] = Process(int(entry), int(match[3]), os.fsdecode(match[1]),
                                        match[2].decode())
    return found


def marked_processes(test_id):
    """All living processes that carry the mark, and descendants of those: orphans too."""
    everyone = all_processes()
    mark = f"{MARK}={test_id}".encode()
    members = {pid for pid in everyone if mark in _read(f"/proc/{pid}/environ").split(b"\0")}
    grown = True
    while grown:
        grown = {pid for pid, it in everyone.items() if it.parent in members} - members
        members |= grown
    return sorted((everyone[pid] for pid in members), key=lambda it: it.pid)


def job_processes(test_id):
    """The same, those whose name begins with consort: not a tool that the test put around it."""
    return [it for it in marked_processes(test_id) if it.name.startswith("consort")]


def wait_until(condition, timeout=30.0, interval=0.01):
    """Polls until `condition()` is true and returns its value; None when the time is over."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            return None
        time.sleep(interval)


class Leftovers:
    """What is new in shared memory since this was made. Each job has a $TMPDIR of its own, where its test looks;
    /tmp is everybody's: a compiler's, another consort's."""

    FOLDER = "/dev/shm"

    def __init__(self):
        self.before = self.entries()

    def entries(self):
        return set(os.listdir(self.FOLDER)) if os.path.isdir(self.FOLDER) else set()

    def __call__(self):
        return sorted(self.entries() - self.before)
