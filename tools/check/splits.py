"""Runs one job in many splits of processes × threads and compares the bytes of the results."""

import collections
import dataclasses
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time
import uuid

from . import common

import processes  # tests/end_to_end, by way of common

SPLITS = ((1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4), (3, 2))


@dataclasses.dataclass
class Outcome:
    split: tuple
    sha256: str
    seconds: float
    lines: int
    errors: collections.Counter
    kills: int
    content: bytes


def run(bundle, files, split, kills=0, every_seconds=0.0):
    """One run over `files` (lists, sounds or folders). With `kills`, so many times a random worker or
    template of it gets SIGKILL, every_seconds apart on average."""
    common.KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=common.KEPT) as folder:
        out, told = pathlib.Path(folder, "out.jsonl"), pathlib.Path(folder, "stderr")
        test_id = uuid.uuid4().hex
        began = time.monotonic()
        with open(told, "wb") as stderr:
            job = subprocess.Popen([common.CONSORT, "run", "--quiet", "-m", bundle, "-o", out, "-p", str(split[0]),
                                    "-t", str(split[1]), *files], stdin=subprocess.DEVNULL, stderr=stderr,
                                   env=os.environ | {processes.MARK: test_id})
        try:
            killed = _kill(job, test_id, kills, every_seconds)
            status = job.wait()
        except BaseException:
            job.kill()  # its workers die with it
            job.wait()
            raise
        seconds = time.monotonic() - began
        if status not in (0, 3):
            raise common.CannotCheck(f"consort -p {split[0]} -t {split[1]} ended with {status}: "
                                     f"{told.read_text(errors='replace').strip()[-1000:]}")
        content = out.read_bytes()
    lines = content.splitlines()
    errors = collections.Counter(line.split(b'"code":"')[1].split(b'"')[0].decode()
                                 for line in lines if b'"error":{' in line)
    return Outcome(split, hashlib.sha256(content).hexdigest(), seconds, len(lines), errors, killed, content)


def _kill(job, test_id, kills, every_seconds):
    sent = 0
    while sent < kills:
        try:
            job.wait(random.uniform(0, 2 * every_seconds))
            break
        except subprocess.TimeoutExpired:
            pass
        alive = [it for it in processes.job_processes(test_id) if it.pid != job.pid]
        if alive:
            try:
                os.kill(random.choice(alive).pid, signal.SIGKILL)
                sent += 1
            except ProcessLookupError:  # it ended meanwhile
                pass
    return sent


def first_difference(a, b):
    """In words: the first line in which two results differ."""
    ours, theirs = a.content.splitlines(), b.content.splitlines()
    for n, (one, other) in enumerate(zip(ours, theirs)):
        if one != other:
            return (f"line {n + 1}: -p {a.split[0]} -t {a.split[1]} has {one.decode(errors='replace')[:300]}; "
                    f"-p {b.split[0]} -t {b.split[1]} has {other.decode(errors='replace')[:300]}")
    return f"{len(ours)} lines and {len(theirs)}"
