"""Where storage is slow, engines read ahead; no byte of the results depends on it."""

import os
import pathlib
import resource
import shutil
import subprocess

import pytest

import processes
from program import SOME_FAILED

SHIM = pathlib.Path(__file__).resolve().parents[2] / "tools/benchmarks/slow_storage.c"


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    path = tmp_path_factory.mktemp("shim") / "slow_storage.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", path, SHIM, "-ldl", "-lpthread"], check=True)
    return path


def test_a_worker_of_many_engines_may_open_what_all_of_them_read_ahead(start_consort, tmp_path, null_bundle, sounds):
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, usual[1]), usual[1]))
    try:
        job = start_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "-p", 1, "-t", 120,
                            *sounds.flacs[:5], env={"CONSORT_NULL_SEGMENT_US": "1000000"})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    assert processes.wait_until(lambda: any(it.name == "consort-worker" for it in job.workers()))
    worker = next(it.pid for it in job.workers() if it.name == "consort-worker")
    soft, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    assert soft >= min(hard, 120 * (1 + 8) + 64)


def threads_of(job):
    names = []
    for it in job.workers():
        for task in pathlib.Path(f"/proc/{it.pid}/task").glob("*/comm"):
            try:
                names.append(task.read_text().strip())
            except OSError:  # it ended meanwhile
                pass
    return names


def run_watched(start_consort, *words, env):
    """The Run, and whether a thread that reads ahead was seen."""
    job, seen = start_consort(*words, env=env), False
    while job.popen.poll() is None:
        seen = seen or "read-ahead" in threads_of(job)
    return job.wait(), seen


def test_what_is_read_ahead_changes_no_byte(start_consort, tmp_path, sounds, cnn14_quarter, shim):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n, sound in enumerate(sounds.flacs[:30]):
        shutil.copy(sound, folder / f"{n:02d}.flac")
    (folder / "empty.wav").touch()
    os.mkfifo(folder / "fifo.wav")
    names = sorted(os.listdir(folder))
    listing = tmp_path / "list"
    listing.write_text("".join(f"sounds/{name}\nsounds/gone-{name}\n" for name in names))
    slow = {"LD_PRELOAD": str(shim), "CONSORT_SLOW_UNDER": str(folder), "CONSORT_SLOW_MS": "20"}
    seen, results = {}, {}
    for way, env in (("quick", {}), ("slow", slow), ("off", slow | {"CONSORT_READ_AHEAD": "0"})):
        out = tmp_path / f"{way}.jsonl"
        run, seen[way] = run_watched(start_consort, "run", "-m", cnn14_quarter, "-o", out, "-p", 2, listing, env=env)
        assert run.exit == SOME_FAILED, run.stderr
        results[way] = out.read_bytes()
    assert seen["slow"] and not seen["off"]
    assert results["slow"] == results["quick"] == results["off"]
