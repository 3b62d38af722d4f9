"""Workers that leak, segments that take memory without end, and bounds for all of them together.

The oracle is the bytes of an undisturbed run. The null worker leaks what a file's name says.
"""

import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import numpy
import pytest

import audio
import processes
from program import DONE, FAILED, SOME_FAILED, by_file, read_results

SLOW = {"CONSORT_NULL_SEGMENT_US": "10000"}
NEWLINE = b"\n"


@pytest.fixture
def folder_of(tmp_path, sounds):
    """folder_of(words, name="sounds") → a folder of 30 links, the n-th with words[n] in its name."""
    longest = sorted(sounds.flacs, key=os.path.getsize)[-30:]

    def make(words, name="sounds"):
        folder = tmp_path / name
        folder.mkdir()
        for n in range(30):
            (folder / f"{n:02d}{words.get(n, '')}.flac").symlink_to(longest[n])
        return folder

    return make


@pytest.fixture
def short_segments(null_bundle):
    return null_bundle(segment_seconds=0.2, hop_seconds=0.2)


def restarts(run):
    """What the summary tells of workers: {"crashed": 0, "killed": 0, "replaced for memory": 2}"""
    line = next(it for it in run.stderr_lines() if it.startswith("restarts"))
    found = {words.strip(): int(count) for count, words in
             re.findall(r"(\d+) (crashed|killed|replaced for memory)", line.split("templates")[0].rpartition(",")[0])}
    return {"crashed": 0, "killed": 0, "replaced for memory": 0} | found


def status_of(consort, output):
    return json.loads(subprocess.run([consort, "status", "--json", output], capture_output=True, check=True).stdout)


def quarantined(output):
    return [json.loads(line) for line in pathlib.Path(f"{output}.job/quarantine.jsonl").read_text().splitlines()]


def anonymous_bytes(pid):
    try:
        _, resident, shared, *_ = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0  # it is gone
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGESIZE")


def without(files, name):
    return {key: lines for key, lines in files.items() if key != name}


def test_a_worker_above_its_limit_is_replaced_and_no_line_is_lost_or_doubled(run_consort, consort, tmp_path, folder_of,
                                                                             short_segments):
    folder = folder_of({n: "~leak1~" for n in range(30)})
    assert run_consort("run", "-m", short_segments, "-o", tmp_path / "calm.jsonl", "-p", 3, folder).exit == DONE
    calm = (tmp_path / "calm.jsonl").read_bytes()
    # So many MiB that both workers pass them when most is done and tasks are short: what they hold
    # then adds less than half.
    limit = f"{round(0.35 * calm.count(NEWLINE))}M"
    run = run_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "-p", 2, "-v",
                      "--worker-memory-limit", limit, folder, env=SLOW)
    assert run.exit == DONE, run.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == calm
    found = restarts(run)
    assert found["replaced for memory"] >= 1 and found["crashed"] == found["killed"] == 0, run.stderr
    assert f"of private memory, more than --worker-memory-limit {limit}; it is replaced" in run.stderr
    assert status_of(consort, tmp_path / "out.jsonl")["workers_replaced_for_memory"] == found["replaced for memory"]


@pytest.mark.parametrize("split", [("1", "1"), ("2", "2")])
def test_a_segment_that_takes_memory_without_end_costs_its_own_line_alone(run_consort, tmp_path, folder_of,
                                                                          short_segments, split):
    folder, clean = folder_of({7: "~hog@3~"}), folder_of({}, "clean")
    run = run_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "-p", split[0], "-t", split[1],
                      "--worker-memory-limit", "200M", "--attempts", 2, folder)
    assert run.exit == SOME_FAILED, run.stderr
    files = by_file(read_results(tmp_path / "out.jsonl"))
    hog = f"{folder}/07~hog@3~.flac"
    assert [n for n, line in enumerate(files[hog]) if "error" in line] == [3], "the file goes on behind it"
    error = files[hog][3]["error"]
    assert error["code"] == "crashed"
    assert error["message"] == "the worker used too much memory, 2 times while this segment was alone in it"
    kept = quarantined(tmp_path / "out.jsonl")
    assert [it["file"] for it in kept] == [hog]
    assert re.search(r"used \d.* of private memory, more than --worker-memory-limit 200M, in stage forward, 2 times",
                     kept[0]["message"]), kept
    assert restarts(run)["replaced for memory"] == 0, "it is no worker that could be replaced in good time"
    # The names are part of the made-up tags.
    assert run_consort("run", "-m", short_segments, "-o", tmp_path / "calm.jsonl", clean).exit == DONE
    calm = by_file(read_results(tmp_path / "calm.jsonl"))
    of = lambda name, all_: [{**line, "file": ""} for line in all_[name]]
    for name in without(files, hog):
        assert of(name, files) == of(name.replace(str(folder), str(clean)), calm)


def test_a_limit_below_what_a_worker_needs_ends_the_job_before_all_is_given_up(run_consort, tmp_path, folder_of,
                                                                               null_bundle):
    """Whatever it is given, the worker takes more: no segment is ever done."""
    folder = folder_of({n: "~hog@0~" for n in range(30)})
    limited = ["run", "-m", null_bundle(segment_seconds=600.0, hop_seconds=600.0), "-o", tmp_path / "out.jsonl", "-p", 2,
               "--attempts", 1, folder]
    run = run_consort(*limited, "--worker-memory-limit", "20M")
    assert run.exit == FAILED
    assert re.search(r"worker after worker used .* of private memory, more than --worker-memory-limit 20M, and none of "
                     r"them finished a segment", run.stderr_lines()[-1]), run.stderr
    assert len(by_file(read_results(tmp_path / "out.jsonl"))) < 20


def test_a_worker_that_creeps_is_replaced_without_any_limit(run_consort, tmp_path, folder_of, short_segments):
    folder = folder_of({n: "~leak1~" for n in range(30)})
    run = run_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "-p", 1, "-v", folder, env=SLOW)
    assert run.exit == DONE, run.stderr
    assert restarts(run)["replaced for memory"] >= 1, run.stderr
    assert re.search(r"has grown from .* to .* of private memory; it is replaced", run.stderr)


def test_a_worker_above_its_limit_first_ends_the_file_that_its_models_state_stands_in(run_consort, tmp_path, null_bundle):
    """Another one would have to hear all of the file up to there, at which its memory may grow just so."""
    sound = audio.write(tmp_path / "long~leak1~.wav", numpy.zeros(240 * 200), 1000)
    # Above the limit in the 10 s of the first task, below 1.5 times it at the end of the second.
    run = run_consort("run", "-m", null_bundle(segment_seconds=0.2, hop_seconds=0.2, sample_rate=1000, stateful=True),
                      "-o", tmp_path / "out.jsonl", "-p", 1, "-t", 1, "-v", "--worker-memory-limit", "170M", sound,
                      env={"CONSORT_NULL_SEGMENT_US": "50000"})
    assert run.exit == DONE, run.stderr
    assert "more than --worker-memory-limit 170M; it is replaced once it has finished its files" in run.stderr
    assert set(restarts(run).values()) == {0}, run.stderr
    assert len(read_results(tmp_path / "out.jsonl")) == 240


def test_a_limit_of_all_together_lowers_the_number_of_workers_down_to_one(run_consort, tmp_path, folder_of, null_bundle):
    folder = folder_of({n: "~sleep300~" for n in range(30)})
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "-p", 3, "--memory-limit", "3M", folder)
    assert run.exit == DONE, run.stderr
    told = [it.partition("more than --memory-limit 3M: ")[2] for it in run.stderr_lines() if "more than" in it]
    assert told == ["from now on 2 workers", "from now on 1 worker", "one worker is left, and it goes on"], run.stderr
    assert restarts(run) == {"crashed": 0, "killed": 0, "replaced for memory": 3}
    assert len(by_file(read_results(tmp_path / "out.jsonl"))) == 30


def test_a_segment_that_takes_all_that_all_may_have_is_found(run_consort, tmp_path, folder_of, short_segments):
    folder = folder_of({7: "~hog@3~"})
    run = run_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "-p", 2, "--attempts", 1,
                      "--memory-limit", "300M", folder, env=SLOW)
    assert run.exit == SOME_FAILED, run.stderr
    errors = [line for line in read_results(tmp_path / "out.jsonl") if "error" in line]
    assert len(errors) == 1 and errors[0]["file"].endswith("07~hog@3~.flac"), errors
    assert errors[0]["error"]["message"].startswith("the worker used too much memory, once")
    kept = quarantined(tmp_path / "out.jsonl")
    assert len(kept) == 1
    assert re.search(r"the worker used .* of memory, with which all processes together had more than --memory-limit 300M, "
                     r"in stage forward, once", kept[0]["message"]), kept


@pytest.mark.parametrize("split,limit", [((2, 4), "200M"), ((4, 1), "100M"), ((1, 2), "64M")], ids=str)
def test_segments_that_all_take_memory_without_end_are_found_and_cost_their_own_lines_alone(
        start_consort, run_consort, tmp_path, folder_of, short_segments, split, limit):
    """None of their workers stands out. Without a bound they would have the machine's memory in seconds."""
    hogs = range(0, 30, 5)
    folder = folder_of({n: "~hog@0~" for n in hogs})
    job = start_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "-p", split[0], "-t", split[1],
                        "--attempts", 2, "--memory-limit", limit, folder)
    peak = 0
    while job.popen.poll() is None:
        peak = max(peak, sum(anonymous_bytes(it.pid) for it in job.workers()))
        time.sleep(0.02)
    run = job.wait()
    assert run.exit == SOME_FAILED, run.stderr
    assert peak < 4 << 30, "far from what so many of them would take"
    files = by_file(read_results(tmp_path / "out.jsonl"))
    assert len(files) == 30
    errors = {name: [line["error"] for line in lines if "error" in line] for name, lines in files.items()}
    assert {name for name, found in errors.items() if found} == {f"{folder}/{n:02d}~hog@0~.flac" for n in hogs}
    assert all(len(found) <= 1 for found in errors.values())
    kept = quarantined(tmp_path / "out.jsonl")
    assert len(kept) == len(hogs)
    for it in kept:
        assert re.search(rf"used .* of memory, with which all processes together had more than --memory-limit {limit}, ",
                         it["message"]), it
    assert run_consort("run", "-m", short_segments, "-o", tmp_path / "calm.jsonl",
                       folder_of({}, "clean")).exit == DONE
    calm = {name: len(lines) for name, lines in by_file(read_results(tmp_path / "calm.jsonl")).items()}
    assert sorted(len(lines) for lines in files.values()) == sorted(calm.values()), "files go on behind it"
    assert "from now on" not in run.stderr, "no worker is one too many"


def test_a_job_of_which_every_segment_takes_memory_without_end_ends(run_consort, tmp_path, folder_of, null_bundle):
    """It may be the model: what tells is that no segment was ever done."""
    folder = folder_of({n: "~hog@0~" for n in range(30)})
    run = run_consort("run", "-m", null_bundle(segment_seconds=600.0, hop_seconds=600.0), "-o", tmp_path / "out.jsonl",
                      "-p", 2, "--attempts", 2, "--memory-limit", "300M", folder)
    assert run.exit == FAILED, run.stderr
    assert re.search(r"worker after worker used .* of memory, with which all processes together had more than "
                     r"--memory-limit 300M, and none of them finished a segment", run.stderr_lines()[-1]), run.stderr


def test_without_a_template_no_process_counts_twice(run_consort, tmp_path, folder_of, null_bundle):
    """200 MiB in all, held for seconds: within a limit of 300, which twice as much is not."""
    whole_files = null_bundle(segment_seconds=600.0, hop_seconds=600.0)
    words = {0: "~leak100~", 1: "~leak100~"} | {n: "~sleep2000~" for n in range(26, 30)}
    run = run_consort("run", "-m", whole_files, "-o", tmp_path / "out.jsonl", "-p", 2, "--no-template", "-v",
                      "--memory-limit", "300M", folder_of(words))
    assert run.exit == DONE, run.stderr
    assert "more than --memory-limit" not in run.stderr
    assert restarts(run) == {"crashed": 0, "killed": 0, "replaced for memory": 0}
    peak = re.search(r"^memory +([\d.]+) MiB at the peak", run.stderr, re.MULTILINE)
    assert peak and 200 < float(peak[1]) < 300, run.stderr


def test_a_node_that_is_given_up_keeps_no_template(start_consort, consort, tmp_path, folder_of, null_bundle):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU: there is only one worker anyway")
    out = tmp_path / "out.jsonl"
    job = start_consort("run", "-m", null_bundle(), "-o", out, "-p", 2, "--memory-limit", "3M",
                        folder_of({n: "~sleep500~" for n in range(30)}),
                        env={"HWLOC_SYNTHETIC": "node:2 core:1 pu:1", "HWLOC_THISSYSTEM": "1"})
    names = lambda: sorted(it.name for it in job.workers())
    assert processes.wait_until(lambda: names() == ["consort-tmpl"] * 2 + ["consort-worker"] * 2), names()
    assert processes.wait_until(lambda: names() == ["consort-tmpl", "consort-worker"]), names()
    assert job.popen.poll() is None, "it ended before that could be seen"
    run = job.wait()
    assert run.exit == DONE, run.stderr
    assert status_of(consort, out)["restarts"]["templates"] == {"crashed": 0, "killed": 0}


def test_a_limit_has_as_many_workers_as_fit(run_consort, tmp_path, null_bundle, sounds):
    cpus = len(os.sched_getaffinity(0))
    if cpus < 2:
        pytest.skip("one CPU: there is only one worker anyway")
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--memory-limit", "41M", sounds.wavs[0])
    assert run.exit == DONE, run.stderr
    assert (f"warning: the memory limit of 41.0 MiB (--memory-limit) has room for 1 worker instead of {cpus}: "
            "consort and its template take about 36.0 MiB, which leaves 5.00 MiB for workers of about 4.00 MiB" in run.stderr)


def test_the_kernel_ends_a_worker_for_memory_and_the_segment_is_found(consort, in_group, tmp_path, folder_of,
                                                                      short_segments):
    """A real end by the kernel, in a control group. The supervisor, which would be faster, is stopped meanwhile."""
    folder = folder_of({7: "~hog@3~"})
    enter, group = in_group("memory", {"memory.limit_in_bytes": 200 << 20})
    output = tmp_path / "out.jsonl"
    kernel_ended = lambda: int(re.search(r"^oom_kill (\d+)", (group / "memory.oom_control").read_text(), re.MULTILINE)[1])
    hogging = lambda: any(anonymous_bytes(int(pid)) > 30 << 20 for pid in (group / "cgroup.procs").read_text().split())
    job = subprocess.Popen([enter, consort, "run", "-m", short_segments, "-o", output, "-p", "1", "-v", "--attempts", "2",
                            folder], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        while job.poll() is None and not kernel_ended():
            if hogging():
                job.send_signal(signal.SIGSTOP)
                processes.wait_until(lambda: kernel_ended() or not hogging(), 30)
                job.send_signal(signal.SIGCONT)
            time.sleep(0.002)
        _, told = job.communicate(timeout=120)
    finally:
        job.kill()
    assert job.returncode == SOME_FAILED, told
    if not kernel_ended():
        pytest.fail(f"the kernel ended nobody:\n{told}")
    assert re.search(r"worker \d+ was ended by the kernel for memory", told), told
    files = by_file(read_results(output))
    errors = [line for lines in files.values() for line in lines if "error" in line]
    assert len(errors) == 1 and errors[0]["file"].endswith("07~hog@3~.flac"), errors
    assert errors[0]["error"]["message"] == ("the worker used too much memory, 2 times while this segment was alone "
                                             "in it")
    assert len(files) == 30


def test_a_segment_that_always_ends_in_a_sigkill_is_given_up(run_consort, tmp_path, folder_of, short_segments):
    """As under a program that ends whatever grows large: nobody tells who sent it."""
    folder = folder_of({7: "~kill@3~"})
    run = run_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "-p", 2, "--attempts", 2, folder)
    assert run.exit == SOME_FAILED, run.stderr
    errors = [line for line in read_results(tmp_path / "out.jsonl") if "error" in line]
    assert len(errors) == 1 and errors[0]["file"].endswith("07~kill@3~.flac")
    assert "was ended by SIGKILL in stage forward" in errors[0]["error"]["message"]


@pytest.mark.parametrize("wanted", [False, True])
def test_the_kernel_is_to_take_workers_first_and_they_leave_no_core(start_consort, tmp_path, null_bundle, sounds, wanted):
    slow = tmp_path / "a~sleep60000~.wav"
    slow.symlink_to(sounds.wavs[0])
    before = resource.getrlimit(resource.RLIMIT_CORE)
    if before[1] == 0:
        pytest.skip("core files cannot be allowed here")
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        job = start_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "-p", 2, slow,
                            env={"CONSORT_CORE": "1"} if wanted else {})
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    names = ["consort-tmpl", "consort-worker", "consort-worker"]
    assert processes.wait_until(lambda: sorted(it.name for it in job.workers()) == names)
    score = lambda pid: int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text())
    own = score(job.pid)
    assert own == score(os.getpid())
    more = {"consort-tmpl": 300, "consort-worker": 500}
    # A worker has its name a moment before its score.
    processes.wait_until(lambda: all(score(it.pid) == min(1000, own + more[it.name]) for it in job.workers()), 5)
    for it in job.workers():
        assert score(it.pid) == min(1000, own + more[it.name]), it
        soft, hard = resource.prlimit(it.pid, resource.RLIMIT_CORE)
        assert hard == before[1]
        assert soft == (before[1] if wanted else 1)


@pytest.mark.parametrize("words", [("run", "null"), ("run", "real"), ("check",)])
def test_an_allocator_that_is_told_to_start_a_thread_starts_none_in_a_template(run_consort, tmp_path, sounds, null_bundle, cnn14_quarter, words):
    if words[0] == "run":
        bundle = cnn14_quarter if words[1] == "real" else null_bundle()
        words = ("run", "-m", bundle, "-o", tmp_path / "out.jsonl", "-p", 1)
    run = run_consort(*words, sounds.wavs[0], env={"MALLOC_CONF": "background_thread:true"})
    assert run.exit == DONE, run.stderr
