"""The power fails at any moment: what counted is there, and the same command gives the same bytes."""

import os
import random
import sqlite3
import time

import faults
import power
from faults import LONG, SOME_FAILED

STATES = int(os.environ.get("CONSORT_STATES", 2000 if LONG else 50))
RUNS = 20 if LONG else 2


def counted_in(place):
    """Bytes that the journal counts, once SQLite has recovered it."""
    path = place / "out.jsonl.job/journal.db"
    if not path.exists():
        return 0
    with sqlite3.connect(path) as journal:
        try:
            return (journal.execute("SELECT bytes FROM job WHERE begun").fetchone() or [0])[0]
        except sqlite3.OperationalError:  # no tables yet
            return 0


def certain_bytes(log):
    """For each place in the log, how many bytes of the results certainly count by then: those that were
    synced before the journal's own log was written to and synced."""
    written = synced = certain = 0
    told, dirty = [], False
    for kind, name, offset, size, data in log:
        if name == "out.jsonl":
            if kind in (power.WRITE, power.CUT):
                written = offset + size
            elif kind == power.SYNC:
                synced = written
        elif name.endswith("-wal"):
            dirty = dirty or kind == power.WRITE
            if kind == power.SYNC and dirty:
                certain, dirty = synced, False
        told.append(certain)
    return told


def content_of(place):
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*")
            if path.is_file() and not path.name.endswith("-shm") and path.name != "strace.log"}


def rebuild(log, root, start, moment, chance, place):
    disk = power.Disk(start)
    for entry in log[:moment]:
        disk.play(root, entry)
    for name, content in disk.cut(chance).items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(content)


def logged_run(job, shim, resume):
    """(log, its root, what was there before)"""
    out = job.new_place()
    if resume:
        job.begin_and_kill(out)
    start = content_of(out.parent)
    log_path = job.folder / "power.log"
    done = job.run(out, slow=True, env={"LD_PRELOAD": str(shim), "CONSORT_SHIM_LOG": str(log_path)})
    assert done.returncode == SOME_FAILED, done.stderr
    log = power.read_log(log_path, out.parent)
    assert len(log) > 100
    job.forget(out)
    return log, out.parent, start


def test_whatever_the_power_leaves_the_job_goes_on_to_the_same_bytes(job, shim):
    seed = int(os.environ.get("CONSORT_SEED", time.time()))
    print("seed", seed)
    chance = random.Random(seed)
    for run in range(RUNS):
        resume = run % 2 == 1
        log, root, start = logged_run(job, shim, resume)
        certain = certain_bytes(log)
        for _ in range(STATES // RUNS):
            moment = chance.randrange(1, len(log))
            out = job.new_place()
            rebuild(log, root, start, moment, chance, out.parent)
            if not resume:
                assert counted_in(out.parent) >= certain[moment - 1], f"moment {moment}: what counted is lost"
            job.finish(out)
            job.forget(out)


def test_results_that_were_not_synced_would_be_found_out(job, shim):
    """The same with a supervisor that forgot to sync the results, to see that the test can fail."""
    log, root, start = logged_run(job, shim, resume=False)
    log = [entry for entry in log if entry[:2] != (power.SYNC, "out.jsonl")]
    chance = random.Random(1)
    wrong = 0
    for _ in range(12):
        out = job.new_place()
        rebuild(log, root, start, chance.randrange(len(log) // 2, len(log)), chance, out.parent)
        wrong += job.run(out).returncode != SOME_FAILED or out.read_bytes() != job.expected
        job.forget(out)
    assert wrong > 0
