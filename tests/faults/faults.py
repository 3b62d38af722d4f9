"""One harness for all faults: a short job, run with a fault somewhere, then run again to its end."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import bundles
import audio

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONG = os.environ.get("CONSORT_LONG", "") not in ("", "0")
DONE, FAILED, SOME_FAILED = 0, 1, 3
KILLED = 137

# Every call that changes a file, and those that make or remove one.
KILLING_CALLS = ("write", "pwrite64", "fdatasync", "fsync", "ftruncate", "rename", "unlink", "mkdir", "openat")


class Job:
    FILES = 40

    def __init__(self, folder):
        self.consort = pathlib.Path(os.environ.get("CONSORT_BIN", ROOT / "build/release/bin/consort")).resolve()
        self.folder = folder
        self.bundle = bundles.write_null_bundle(folder / "bundle", segment_seconds=0.25, hop_seconds=0.25)
        self.sounds = folder / "sounds"
        self.sounds.mkdir()
        flacs = audio.installed_sounds().flacs
        for n in range(self.FILES):
            (self.sounds / f"{n:02d}.flac").symlink_to(flacs[n])
        (self.sounds / "20~throw@1~.flac").symlink_to(max(flacs, key=os.path.getsize))  # one that fails
        (self.sounds / "25~segv@0~.flac").symlink_to(max(flacs, key=os.path.getsize))  # and one that crashes
        done = self.run(folder / "calm.jsonl")
        assert done.returncode == SOME_FAILED, done.stderr
        self.expected = (folder / "calm.jsonl").read_bytes()
        assert self.expected.count(b"\n") > 2 * self.FILES
        self.places = 0

    def new_place(self):
        """A folder of its own for the results."""
        self.places += 1
        place = self.folder / f"place{self.places}"
        place.mkdir()
        return place / "out.jsonl"

    def words(self, out, *more):
        return [str(self.consort), "run", "-m", str(self.bundle), "-o", str(out), "-p", "2", "--quiet", *more,
                str(self.sounds)]

    def run(self, out, *more, env=None, before=(), slow=False, timeout=60):
        around = {"CONSORT_COMMIT_MS": "10"} | ({"CONSORT_NULL_SEGMENT_US": "700"} if slow else {})
        return subprocess.run([*before, *self.words(out, *more)], env=os.environ | around | (env or {}),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)

    def consort_run(self, *args, env=None, timeout=120):
        """`consort run` with these arguments alone."""
        return subprocess.run([self.consort, "run", *map(str, args)], env=os.environ | (env or {}),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)

    def with_fault(self, out, call, fault, *more, only=()):
        """Runs under strace, the supervisor alone, with `fault` at its `call`s (of the files `only`).
        (exit status, log, what was told)"""
        log = out.parent / "strace.log"
        paths = [word for path in only for word in ("-P", str(path))]
        done = self.run(out, *more, slow=True,
                        before=["strace", "-y", "-qq", "-o", str(log), *paths, "-e", f"trace={call},fsync,fdatasync",
                                "-e", f"inject={call}:{fault}"])
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return status, log.read_text(errors="replace"), done.stderr

    def finish(self, out, *more):
        """The same command to its end; the bytes must be those of an undisturbed run."""
        done = self.run(out, *more)
        assert done.returncode == SOME_FAILED, done.stderr
        assert out.read_bytes() == self.expected
        told = (out.parent / "out.jsonl.job/quarantine.jsonl").read_text()
        assert [json.loads(line)["segment"] for line in told.splitlines()] == [0]
        again = self.run(out)
        assert again.returncode == SOME_FAILED and "nothing to do" in again.stderr

    def begin_and_kill(self, out):
        """A job that is cut off in its middle, with bytes that do not count."""
        status, _, told = self.with_fault(out, "write", "signal=KILL:when=6", only=[out])
        assert status == KILLED, told
        assert 0 < out.stat().st_size < len(self.expected)
        with open(out, "ab") as file:
            file.write(b'{"file":"written but not counted')

    def forget(self, out):
        shutil.rmtree(out.parent)


def numbers(first_few, step):
    """1, 2, 3, …: every one in the long form, else `first_few` and then every `step`th."""
    n = 0
    while True:
        n += 1 if LONG or n < first_few else step
        yield n


def synced_after_failure(log):
    """Calls that sync a file of which a sync has failed. Not while an empty journal is made: nothing
    counts yet, and SQLite, rolling back to the empty file, syncs that."""
    failed, again = set(), []
    if "journal.db-wal" not in log:
        return again
    for line in log.splitlines():
        match = re.match(r"(?:\d+ +)?(fsync|fdatasync)\(\d+<(.*?)>\) += (-?\d+)", line)
        if not match:
            continue
        if match[2] in failed:
            again.append(line)
        if match[3] == "-1":
            failed.add(match[2])
    return again


def build_shim(folder):
    """Stands between the supervisor and its files."""
    return build_preloaded(folder, "shim.c", "gcc")


def build_allocations(folder):
    """Stands between the supervisor and its memory."""
    return build_preloaded(folder, "allocations.cc", "g++", "-std=c++20")


def build_preloaded(folder, source, *compiler):
    library = folder / pathlib.Path(source).with_suffix(".so")
    subprocess.run([*compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", library,
                    pathlib.Path(__file__).with_name(source), "-ldl"], check=True)
    return library
