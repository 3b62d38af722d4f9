"""However a job ends, at whatever moment: no process, no zombie, nothing in /dev/shm and in its $TMPDIR."""

import contextlib
import ctypes
import os
import random
import signal
import time

import pytest

import audio
import bundles
import processes
from faults import DONE, FAILED, LONG, SOME_FAILED

ENDS = 100 if LONG else 10
PR_SET_CHILD_SUBREAPER = 36
JOB_FILES = {"journal.db", "journal.db-wal", "journal.db-shm", "list", "lock", "status.json", "log", "log.1",
             "quarantine.jsonl"}


@pytest.fixture(scope="module")
def orphans_are_ours():
    """Who is left without a parent becomes our child: so that we see it, and none of it is init's to reap."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def adopted():
    """{pid: is it a zombie} of our children that consort left, the supervisor itself not among them."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                name, _, rest = file.read().partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            if int(parent) == os.getpid() and name.startswith("consort"):
                found[int(entry)] = state == "Z"
    return found


class Ground:
    """What the endings need: a bundle, sounds, and a place for each job."""

    def __init__(self, runner, folder):
        self.runner, self.folder, self.places = runner, folder, 0
        self.bundle = bundles.write_null_bundle(folder / "bundle", segment_seconds=0.25, hop_seconds=0.25)
        self.sounds = folder / "sounds"
        self.sounds.mkdir()
        for n, source in enumerate(sorted(audio.installed_sounds().flacs, key=os.path.getsize)[:60]):
            (self.sounds / f"{n:02d}.flac").symlink_to(source)

    def start(self, *more, to=None, bundle=None, segment_us=5000, env=None, **options):
        self.places += 1
        self.out = self.folder / f"out{self.places}.jsonl"
        return self.runner.start("run", "-m", bundle or self.bundle, "-o", to or self.out, "-p", 2, "-t", 2, *more, self.sounds,
                                 env={"CONSORT_NULL_SEGMENT_US": str(segment_us), **(env or {})}, **options)

    def program(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return {"CONSORT_WORKER": str(path)}


def some_time(chance):
    time.sleep(chance.uniform(0, 0.6))


def kill(job, *names, number=signal.SIGKILL):
    for it in job.workers():
        if it.name in names:
            with contextlib.suppress(ProcessLookupError):
                os.kill(it.pid, number)


# Each ends a job and returns it with the exit statuses that may be: (job, statuses).

def finished(ground, chance):
    return ground.start(segment_us=0), (DONE,)


def finished_with_a_failed_file(ground, chance):
    return ground.start(ground.folder / "missing.wav", segment_us=0), (SOME_FAILED,)


def one_signal(ground, chance):
    job, number = ground.start(), chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    some_time(chance)
    job.signal(number)
    return job, (128 + number, DONE)


def two_signals(ground, chance):
    job, number = ground.start(), chance.choice((signal.SIGINT, signal.SIGTERM))
    some_time(chance)
    for _ in range(2):
        with contextlib.suppress(ProcessLookupError):
            job.signal(number)
        time.sleep(chance.choice((0, 0.02)))
    return job, (128 + number, DONE)


def supervisor_killed(ground, chance):
    job = ground.start()
    some_time(chance)
    job.signal(signal.SIGKILL)
    return job, (137, DONE)


def supervisor_killed_with_its_template(ground, chance):
    job = ground.start()
    some_time(chance)
    kill(job, "consort-tmpl")
    job.signal(signal.SIGKILL)
    return job, (137, DONE)


def supervisor_killed_while_all_others_are_stopped(ground, chance):
    job = ground.start()
    some_time(chance)
    kill(job, "consort-tmpl", "consort-worker", number=signal.SIGSTOP)
    job.signal(signal.SIGKILL)
    return job, (137, DONE)


def supervisor_killed_while_a_template_is_replaced(ground, chance):
    job = ground.start()
    some_time(chance)
    kill(job, "consort-tmpl")
    time.sleep(chance.uniform(0, 0.02))
    job.signal(signal.SIGKILL)
    return job, (137, DONE)


def finished_after_deaths(ground, chance):
    job = ground.start(segment_us=1000)
    for _ in range(3):
        some_time(chance)
        kill(job, chance.choice(("consort-tmpl", "consort-worker")))
    return job, (DONE,)


def something_in(reader):
    try:
        return os.read(reader, 1000)
    except BlockingIOError:  # opened, and nothing in it yet
        return b""


def reader_gone(ground, chance):
    pipe = ground.folder / f"pipe{ground.places}"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        job = ground.start(to=pipe, segment_us=2000)
        assert processes.wait_until(lambda: something_in(reader)), "no line came"
        some_time(chance)
    finally:
        os.close(reader)
    return job, (128 + signal.SIGPIPE, DONE)


def disk_full(ground, chance):
    return ground.start(to="/dev/full", segment_us=0), (FAILED,)


def model_that_cannot_start(ground, chance):
    return ground.start(env=ground.program("broken", "#!/bin/sh\nexit 9\n")), (FAILED,)


def model_that_never_starts(ground, chance):
    job = ground.start(env=ground.program("hangs", "#!/bin/sh\nexec sleep 1000\n"))
    some_time(chance)
    job.signal(signal.SIGTERM)
    job.signal(signal.SIGTERM)
    return job, (143,)


def bundle_that_cannot_be_read(ground, chance):
    return ground.start(bundle=ground.folder), (FAILED, 2)


ENDINGS = (finished, supervisor_killed, one_signal, supervisor_killed_with_its_template, reader_gone, two_signals,
           supervisor_killed_while_all_others_are_stopped, disk_full, model_that_cannot_start, finished_after_deaths,
           finished_with_a_failed_file, model_that_never_starts, supervisor_killed_while_a_template_is_replaced,
           bundle_that_cannot_be_read)


def ends_and_leaves_nothing(ground, ending, chance):
    before = processes.Leftovers()
    job, statuses = ending(ground, chance)
    run = job.wait(timeout=60)
    orderly = run.exit != 137
    if orderly:  # it has waited for all of its processes, whose parent it was
        assert adopted() == {}, f"{ending.__name__}: left to others by an orderly end"
        assert processes.marked_processes(job.test_id) == []
    gone = processes.wait_until(lambda: not processes.marked_processes(job.test_id), 1.0)
    assert gone is not None, f"{ending.__name__}: alive after a second: {processes.marked_processes(job.test_id)}"
    for pid, dead in adopted().items():
        assert dead, f"{ending.__name__}: {pid} lives, and is nobody's"
        os.waitpid(pid, 0)
    assert run.exit in statuses, f"{ending.__name__}: {run.exit}\n{run.stderr[-2000:]}"
    assert os.listdir(job.tmp) == [], ending.__name__
    assert before() == [], ending.__name__
    folder = f"{ground.out}.job"
    if os.path.isdir(folder):
        assert set(os.listdir(folder)) <= JOB_FILES, ending.__name__


def test_an_end_leaves_nothing(runner, tmp_path, orphans_are_ours):
    seed = int(os.environ.get("CONSORT_SEED", time.time()))
    print("seed", seed)
    chance = random.Random(seed)
    ground = Ground(runner, tmp_path)
    # Every kind in turn; the short form takes some of them, other ones each time.
    kinds = list(ENDINGS) * (ENDS // len(ENDINGS) + 1)
    for ending in kinds[:ENDS] if LONG else chance.sample(ENDINGS, ENDS):
        ends_and_leaves_nothing(ground, ending, chance)
    print(f"{ENDS} ends of {len(ENDINGS)} kinds left nothing")
