"""What hangs is ended, costs itself alone, and keeps nobody waiting.

The oracle is the bytes of the same list without the file that hangs.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import processes
from program import DONE, SOME_FAILED, by_file, read_results

TIMEOUT = ("--segment-timeout", "1")
HUNG = re.compile(r"hung for \d+ s")  # a busy machine takes its time


@pytest.fixture
def folder_of(tmp_path, sounds):
    """folder_of(name…, count=40) → a folder of links to so many sounds, and one to a long sound under each name."""
    def make(*names, count=40):
        folder = tmp_path / "sounds"
        folder.mkdir(exist_ok=True)
        for n in range(count):
            source = sounds.flacs[n % len(sounds.flacs)]
            (folder / f"{n:03d}.flac").symlink_to(source)
        for name in names:
            (folder / name).symlink_to(max(sounds.flacs, key=os.path.getsize))
        return folder

    return make


def calm_bytes(run_consort, tmp_path, bundle, folder, without=()):
    """The results of the same list, but for the files `without`."""
    names = sorted(name for name in os.listdir(folder) if name not in without)
    run = run_consort("run", "-m", bundle, "-o", tmp_path / "calm.jsonl", *[folder / name for name in names])
    assert run.exit == DONE, run.stderr
    return (tmp_path / "calm.jsonl").read_bytes()


def quarantined(output):
    return [json.loads(line) for line in pathlib.Path(f"{output}.job/quarantine.jsonl").read_text().splitlines()]


def without_file(path, name):
    """The results' bytes but for the lines of a file."""
    key = b'{"file":' + json.dumps(str(name)).encode() + b","
    return b"".join(line for line in path.read_bytes().splitlines(True) if not line.startswith(key))


@pytest.mark.parametrize("word", ["spin", "stop"])
@pytest.mark.parametrize("split", [("1", "1"), ("2", "1"), ("2", "2")])
def test_a_segment_that_hangs_costs_its_own_line_alone(run_consort, tmp_path, null_bundle, folder_of, word, split):
    name = f"020~{word}@1~.flac"
    folder = folder_of(name)
    bundle = null_bundle(segment_seconds=1.0, hop_seconds=1.0)
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-v", "-m", bundle, "-o", out, "-p", split[0], "-t", split[1], "--attempts", 2, *TIMEOUT,
                      folder)
    assert run.exit == SOME_FAILED, run.stderr
    guilty = by_file(read_results(out))[f"{folder}/{name}"]
    assert len(guilty) > 3, "the file goes on behind the segment"
    assert [n for n, line in enumerate(guilty) if "error" in line] == [1]
    assert guilty[1]["error"]["code"] == "crashed" and guilty[1]["error"]["at"] == 1.0
    # For how long is measured, and so for people alone.
    assert guilty[1]["error"]["message"] == \
        "the worker hung in stage forward, 2 times while this segment was alone in it"
    told = quarantined(out)[0]["message"]
    assert re.search(r"hung for \d+ s.* in stage forward, 2 times", told)
    assert ("stopped by a signal" in told) == (word == "stop")
    assert without_file(out, folder / name) == calm_bytes(run_consort, tmp_path, bundle, folder, [name])
    if word == "spin":
        assert "restarts    3 workers (3 crashed" in run.stderr, "only the segment that hung was suspected"


def test_the_stack_of_what_hangs_is_told(run_consort, tmp_path, null_bundle, folder_of):
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "-t", 2, *TIMEOUT, "--attempts", 1,
                      folder_of("020~spin@0~.flac"))
    assert run.exit == SOME_FAILED, run.stderr
    told = run.stderr.split("hangs in stage forward; its stack:")
    assert len(told) == 3, "once a death"
    assert "consort6Engine7RunItem" in told[1]


def test_a_worker_that_is_stopped_gives_no_stack(run_consort, tmp_path, null_bundle, folder_of):
    run = run_consort("run", "-v", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", *TIMEOUT, "--attempts", 1,
                      folder_of("020~stop@0~.flac"))
    assert run.exit == SOME_FAILED, run.stderr
    assert "gave no stack: it is stopped" in run.stderr


# A model's library that starts a thread while it is loaded: after main() has begun, before the worker's own threads.
THREAD = r'''
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *sleep_for_ever(void *ignored) {
  for (;;) pause();
  return ignored;
}

int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  static int begun;
  pthread_t thread;
  if (option == 15 /* PR_SET_NAME */ && __sync_bool_compare_and_swap(&begun, 0, 1)) {
    pthread_create(&thread, 0, sleep_for_ever, 0);
  }
  return (int)syscall(SYS_prctl, option, a, b, c, d);
}
'''


def test_a_thread_of_the_model_does_not_take_the_request_for_a_stack(run_consort, tmp_path, null_bundle, folder_of):
    (tmp_path / "thread.c").write_text(THREAD)
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", tmp_path / "thread.so", tmp_path / "thread.c", "-lpthread"],
                   check=True)
    run = run_consort("run", "-v", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "-p", 1, "-t", 1, "--no-template",
                      *TIMEOUT, "--attempts", 1, folder_of("020~spin@0~.flac"),
                      env={"LD_PRELOAD": str(tmp_path / "thread.so")})
    assert run.exit == SOME_FAILED, run.stderr
    assert run.stderr.count("hangs in stage forward; its stack:") == 2, "once a death"
    assert "hung" in run.stderr


def test_an_opening_that_hangs_costs_its_file_alone(run_consort, tmp_path, null_bundle, folder_of):
    name = "020~spin@open~.flac"
    folder = folder_of(name)
    bundle = null_bundle()
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", bundle, "-o", out, "-p", 2, "-t", 2, *TIMEOUT, "--attempts", 2, folder)
    assert run.exit == SOME_FAILED, run.stderr
    guilty = by_file(read_results(out))[f"{folder}/{name}"]
    assert len(guilty) == 1 and guilty[0]["error"]["code"] == "crashed"
    assert "the worker hung in stage validate, 2 times" in guilty[0]["error"]["message"]
    assert without_file(out, folder / name) == calm_bytes(run_consort, tmp_path, bundle, folder, [name])


def test_two_that_hang_in_one_worker_are_both_found(run_consort, tmp_path, null_bundle, folder_of):
    names = ["000~spin@0~.flac", "000~spin@open~.flac"]
    folder = folder_of(*names)
    bundle = null_bundle()
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", bundle, "-o", out, "-p", 1, "-t", 4, *TIMEOUT, "--attempts", 1, folder)
    assert run.exit == SOME_FAILED, run.stderr
    failed = [name for name, lines in by_file(read_results(out)).items() if any("error" in line for line in lines)]
    assert sorted(failed) == [f"{folder}/{name}" for name in sorted(names)]


def test_a_hang_that_happens_once_costs_nothing(start_consort, run_consort, tmp_path, null_bundle, folder_of):
    """A worker that somebody stops is replaced; what it was at lives when it is tried alone."""
    folder = folder_of(count=200)
    bundle = null_bundle(segment_seconds=0.25, hop_seconds=0.25)
    expected = calm_bytes(run_consort, tmp_path, bundle, folder)
    out = tmp_path / "out.jsonl"
    job = start_consort("run", "-v", "-m", bundle, "-o", out, "-p", 2, "-t", 2, *TIMEOUT, folder,
                        env={"CONSORT_NULL_SEGMENT_US": "3000"})
    assert processes.wait_until(lambda: len(job.workers()) == 3)
    time.sleep(0.3)
    os.kill(next(it.pid for it in job.workers() if it.name == "consort-worker"), signal.SIGSTOP)
    run = job.wait()
    assert run.exit == DONE, run.stderr
    assert "s (stopped by a signal)" in run.stderr
    assert out.read_bytes() == expected


def test_a_machine_that_was_stopped_kills_nobody(start_consort, tmp_path, null_bundle, folder_of):
    """Everyone stops for longer than the timeout, while segments are at work that take a while by themselves."""
    job = start_consort("run", "-v", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "-p", 2,
                        "--segment-timeout", "3", folder_of(), env={"CONSORT_NULL_SEGMENT_US": "200000"})
    assert processes.wait_until(lambda: len(job.workers()) == 3)
    time.sleep(0.5)
    everyone = [it.pid for it in job.processes()]
    for pid in sorted(everyone, key=lambda pid: pid != job.pid):  # the supervisor first
        os.kill(pid, signal.SIGSTOP)
    time.sleep(5)
    for pid in everyone:
        os.kill(pid, signal.SIGCONT)
    run = job.wait()
    assert run.exit == DONE, run.stderr
    assert "hung" not in run.stderr


@pytest.mark.parametrize("split", [("1", "1"), ("2", "2")])
def test_a_drain_waits_for_a_hang_no_longer_than_its_timeout(start_consort, run_consort, tmp_path, null_bundle,
                                                             folder_of, split):
    name = "000~spin@0~.flac"
    folder = folder_of(name)
    bundle = null_bundle()
    out = tmp_path / "out.jsonl"
    words = ["run", "-m", bundle, "-o", out, "-p", split[0], "-t", split[1], *TIMEOUT, "--attempts", 2, folder]
    job = start_consort(*words)
    assert processes.wait_until(lambda: len(job.workers()) >= 2)
    time.sleep(0.2)
    job.signal(signal.SIGINT)
    assert job.wait().exit == 130
    run = run_consort(*words)
    assert run.exit == SOME_FAILED, run.stderr
    assert without_file(out, folder / name) == calm_bytes(run_consort, tmp_path, bundle, folder, [name])
    assert "the worker hung in stage" in by_file(read_results(out))[f"{folder}/{name}"][0]["error"]["message"]


def test_a_kill_of_the_supervisor_forgets_no_trial(start_consort, run_consort, tmp_path, null_bundle, folder_of):
    name = "000~spin@0~.flac"
    folder = folder_of(name)
    bundle = null_bundle()
    out = tmp_path / "out.jsonl"
    words = ["run", "-v", "-m", bundle, "-o", out, *TIMEOUT, "--attempts", 2, folder]
    job = start_consort(*words, env={"CONSORT_COMMIT_MS": "10"})
    told = pathlib.Path(job._files["stderr"])
    assert processes.wait_until(lambda: len(HUNG.findall(told.read_text())) >= 2)
    time.sleep(0.1)
    job.signal(signal.SIGKILL)
    job.wait()
    run = run_consort(*words)
    assert run.exit == SOME_FAILED, run.stderr
    assert len(HUNG.findall(run.stderr)) == 1, "the first trial counts"
    assert without_file(out, folder / name) == calm_bytes(run_consort, tmp_path, bundle, folder, [name])


@pytest.mark.parametrize("word", ["spin", "stop"])
def test_a_first_file_that_hangs_idles_nobody_and_fills_no_memory(start_consort, run_consort, consort, tmp_path,
                                                                  null_bundle, folder_of, word):
    name = f"+~{word}@0~.flac"  # sorts before digits
    folder = folder_of(name, count=300)
    bundle = null_bundle(segment_seconds=0.02, hop_seconds=0.01, labels=50, top_k=50)
    out = tmp_path / "out.jsonl"
    words = ["run", "-m", bundle, "-o", out, "-p", 2, "-t", 1, "--attempts", 1]
    job = start_consort(*words, "--segment-timeout", 0, folder)

    def done():
        told = run_consort("status", "--json", out).stdout
        return json.loads(told)["files"]["done"] if told.startswith("{") else 0

    # But for the few that the hanging engine holds.
    assert processes.wait_until(lambda: done() >= 280, timeout=60, interval=0.2), f"{done()}: the others wait for it"
    assert job.popen.poll() is None and out.read_bytes() == b"", "the first file hangs"
    status = pathlib.Path(f"/proc/{job.pid}/status").read_text()
    peak_kib = int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])
    job.signal(signal.SIGKILL)
    job.wait()
    run = run_consort(*words, "--segment-timeout", 1, folder)
    assert run.exit == SOME_FAILED, run.stderr
    assert out.stat().st_size > 60_000_000
    assert peak_kib * 1024 < out.stat().st_size / 1.5, "what runs ahead lies in memory"
    assert without_file(out, folder / name) == calm_bytes(run_consort, tmp_path, bundle, folder, [name])
