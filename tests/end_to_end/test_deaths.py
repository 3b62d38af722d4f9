"""Workers, templates and the supervisor die at any moment: nothing is lost, nothing is left.

The oracle is the bytes of an undisturbed run.
"""

import os
import random
import re
import signal
import time

import pytest

import audio
import processes
from program import DONE, SOME_FAILED, by_file, read_results


@pytest.fixture(scope="module")
def small_files(tmp_path_factory, sounds):
    """300 links to real sounds, each of its own name, so that each has its own tags."""
    folder = tmp_path_factory.mktemp("sounds")
    real = sounds.wavs + sounds.flacs
    for n in range(300):
        source = real[n % len(real)]
        (folder / f"{n:03d}{os.path.splitext(source)[1]}").symlink_to(source)
    return folder


def kill_someone(job, number, who=None):
    """Sends the signal to a random worker or template; False if there is none at this moment."""
    alive = [it for it in job.workers() if who is None or it.name == who]
    if not alive:
        return False
    try:
        os.kill(random.choice(alive).pid, number)
    except ProcessLookupError:
        return False
    return True


def disturb(job, signals, times, pause, who=None):
    """`times` signals to random workers and templates, `pause` seconds between them."""
    sent = 0
    while sent < times and job.popen.poll() is None:
        sent += kill_someone(job, random.choice(signals), who)
        time.sleep(random.uniform(0, 2 * pause))
    return sent


@pytest.fixture(scope="module")
def undisturbed(runner, tmp_path_factory, small_files, request):
    folder = tmp_path_factory.mktemp("undisturbed")
    import bundles
    bundle = bundles.write_null_bundle(folder / "bundle", segment_seconds=0.25, hop_seconds=0.25)
    run = runner.run("run", "-m", bundle, "-o", folder / "out.jsonl", small_files)
    assert run.exit == DONE, run.stderr
    return bundle, (folder / "out.jsonl").read_bytes()


@pytest.mark.parametrize("split", [("1", "1"), ("2", "1"), ("2", "2")])
def test_fifty_kills_of_workers_and_templates_change_no_byte(start_consort, tmp_path, small_files,
                                                             undisturbed, split):
    bundle, expected = undisturbed
    out = tmp_path / "out.jsonl"
    job = start_consort("run", "-m", bundle, "-o", out, "-p", split[0], "-t", split[1], small_files,
                        env={"CONSORT_NULL_SEGMENT_US": "3000"})
    sent = disturb(job, [signal.SIGKILL], times=50, pause=0.03)
    run = job.wait()
    assert sent == 50, f"the job ended after {sent} kills: make it slower"
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == expected


def test_crashes_from_outside_change_no_byte(start_consort, tmp_path, small_files, undisturbed):
    """SEGV, ABRT and BUS make suspects; none of them is guilty, since each lives when alone."""
    bundle, expected = undisturbed
    out = tmp_path / "out.jsonl"
    job = start_consort("run", "-m", bundle, "-o", out, "-p", 2, "-t", 2, "--attempts", 20,
                        small_files, env={"CONSORT_NULL_SEGMENT_US": "3000"})
    sent = disturb(job, [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS], times=20, pause=0.05,
                   who="consort-worker")
    run = job.wait()
    assert sent == 20
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == expected


def test_kills_with_no_template_change_no_byte(start_consort, tmp_path, small_files, undisturbed):
    bundle, expected = undisturbed
    out = tmp_path / "out.jsonl"
    job = start_consort("run", "-m", bundle, "-o", out, "-p", 2, "--no-template", small_files,
                        env={"CONSORT_NULL_SEGMENT_US": "3000"})
    sent = disturb(job, [signal.SIGKILL], times=20, pause=0.05)
    run = job.wait()
    assert sent == 20
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == expected


def test_kills_under_a_real_model_change_no_byte(start_consort, run_consort, tmp_path, small_files,
                                                 cnn14_quarter):
    listed = [small_files] * 3  # more work than the kills take, on a fast machine too
    assert run_consort("run", "-m", cnn14_quarter, "-o", tmp_path / "calm.jsonl", *listed).exit == DONE
    job = start_consort("run", "-m", cnn14_quarter, "-o", tmp_path / "kills.jsonl", "-p", 2, *listed)
    processes.wait_until(lambda: any(it.name == "consort-worker" for it in job.workers()))
    sent = disturb(job, [signal.SIGKILL], times=8, pause=0.05)
    run = job.wait(timeout=180)
    assert sent >= 3
    assert run.exit == DONE, run.stderr
    assert (tmp_path / "kills.jsonl").read_bytes() == (tmp_path / "calm.jsonl").read_bytes()


@pytest.mark.parametrize("word", ["segv", "abort", "bus", "fpe", "exit"])
def test_a_guilty_segment_costs_its_own_line_alone(run_consort, tmp_path, null_bundle, sounds, word):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n in range(40):
        (folder / f"{n:02d}.flac").symlink_to(sounds.flacs[n])
    (folder / f"20~{word}@1~.flac").symlink_to(max(sounds.flacs, key=os.path.getsize))
    bundle = null_bundle(segment_seconds=1.0, hop_seconds=1.0)
    run = run_consort("run", "-m", bundle, "-o", tmp_path / "out.jsonl", "-p", 2, "-t", 2, folder)
    assert run.exit == SOME_FAILED, run.stderr
    files = by_file(read_results(tmp_path / "out.jsonl"))
    assert len(files) == 41
    guilty = files.pop(f"{folder}/20~{word}@1~.flac")
    assert len(guilty) > 3, "the file goes on behind the segment"
    assert [n for n, line in enumerate(guilty) if "error" in line] == [1]
    assert guilty[1]["error"]["code"] == "crashed" and guilty[1]["error"]["at"] == 1.0
    how = "exited with status 7" if word == "exit" else \
        f"SIG{ {'segv': 'SEGV', 'abort': 'ABRT', 'bus': 'BUS', 'fpe': 'FPE'}[word] }"
    assert how in guilty[1]["error"]["message"] and "forward" in guilty[1]["error"]["message"]
    assert not any("error" in line for lines in files.values() for line in lines)


def test_a_file_that_crashes_the_decoder_costs_itself_alone(run_consort, tmp_path, null_bundle, sounds):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n in range(10):
        (folder / f"{n}.flac").symlink_to(sounds.flacs[n])
    (folder / "5~segv@open~.flac").symlink_to(sounds.flacs[5])
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--attempts", 2, folder)
    assert run.exit == SOME_FAILED, run.stderr
    files = by_file(read_results(tmp_path / "out.jsonl"))
    guilty = files.pop(f"{folder}/5~segv@open~.flac")
    assert len(guilty) == 1 and guilty[0]["error"]["code"] == "crashed"
    assert "2 times" in guilty[0]["error"]["message"] and "validate" in guilty[0]["error"]["message"]
    assert len(files) == 10 and not any("error" in line for it in files.values() for line in it)


def test_a_worker_that_lies_is_replaced(run_consort, tmp_path, null_bundle, sounds):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n in range(10):
        (folder / f"{n}.flac").symlink_to(sounds.flacs[n])
    (folder / "5~lie@0~.flac").symlink_to(sounds.flacs[5])
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", folder)
    assert run.exit == SOME_FAILED, run.stderr
    files = by_file(read_results(tmp_path / "out.jsonl"))
    guilty = files.pop(f"{folder}/5~lie@0~.flac")
    assert [line["error"]["code"] for line in guilty if "error" in line] == ["crashed"]
    assert "broke the protocol" in guilty[0]["error"]["message"]
    assert len(files) == 10 and not any("error" in line for it in files.values() for line in it)


@pytest.mark.parametrize("before", ("", "~sleep300"), ids=("while_results_come", "after_a_silence"))
def test_a_worker_that_scribbles_over_its_ring_is_replaced(run_consort, tmp_path, null_bundle, sounds, before):
    """How soon is told, not judged: at once where results come, else by the net that catches lost wake-ups."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n in range(10):
        (folder / f"{n}.flac").symlink_to(sounds.flacs[n])
    bundle = null_bundle()
    calm = run_consort("run", "-m", bundle, "-o", tmp_path / "calm.jsonl", folder)
    assert calm.exit == DONE, calm.stderr
    (folder / f"5{before}~scribble@0~.flac").symlink_to(sounds.flacs[5])
    run = run_consort("run", "-m", bundle, "-o", tmp_path / "out.jsonl", "-p", 2, "-t", 2, folder)
    assert run.exit == SOME_FAILED, run.stderr
    files = by_file(read_results(tmp_path / "out.jsonl"))
    guilty = files.pop(f"{folder}/5{before}~scribble@0~.flac")
    assert [line["error"]["code"] for line in guilty if "error" in line] == ["crashed"]
    assert "broke the protocol" in guilty[0]["error"]["message"]
    assert files == by_file(read_results(tmp_path / "calm.jsonl"))
    told = (tmp_path / "out.jsonl.job/log").read_text()
    lives = [float(ms) for ms in re.findall(r"scribbling for ([\d.]+) ms", told)]
    ends = [ms for ms, then in zip(lives, [*lives[1:], 0.0]) if then <= ms]
    assert ends
    print(f"\nworkers that scribbled were ended {ends} ms and a little after they began")


def leave_nothing(job, leftovers, within=1.0):
    gone = processes.wait_until(lambda: not job.processes(), within)
    assert gone is not None, f"alive after {within} s: {job.processes()}"
    assert leftovers() == []
    assert os.listdir(job.tmp) == []


@pytest.mark.parametrize("trouble", ["", "~stop@0~", "~spin@0~"])
def test_when_the_supervisor_is_killed_no_process_and_nothing_but_the_job_is_left(
        start_consort, tmp_path, null_bundle, sounds, leftovers, trouble):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n in range(100):
        (folder / f"{n:02d}~sleep30~.flac").symlink_to(sounds.flacs[n])
    if trouble:
        (folder / f"00{trouble}.flac").symlink_to(sounds.flacs[0])
    job = start_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "-p", 3, folder)
    assert processes.wait_until(lambda: len(job.workers()) == 4)
    time.sleep(0.2)
    job.signal(signal.SIGKILL)
    leave_nothing(job, leftovers)
    assert set(os.listdir(tmp_path / "out.jsonl.job")) <= {
        "journal.db", "journal.db-wal", "journal.db-shm", "list", "lock"}


def test_when_the_supervisor_is_killed_while_the_model_loads_nothing_is_left(
        start_consort, tmp_path, cnn14_quarter, sounds, leftovers):
    job = start_consort("run", "-m", cnn14_quarter, "-o", tmp_path / "out.jsonl", *sounds.flacs)
    assert processes.wait_until(lambda: job.workers())
    job.signal(signal.SIGKILL)
    leave_nothing(job, leftovers)


def test_stopped_processes_delay_but_lose_nothing(start_consort, tmp_path, small_files, undisturbed):
    """A template that is stopped is killed once it owes an answer; a worker goes on at SIGCONT."""
    bundle, expected = undisturbed
    out = tmp_path / "out.jsonl"
    job = start_consort("run", "-m", bundle, "-o", out, "-p", 2, small_files,
                        env={"CONSORT_NULL_SEGMENT_US": "3000"})
    assert processes.wait_until(lambda: len(job.workers()) == 3)
    template = next(it for it in job.workers() if it.name == "consort-tmpl")
    os.kill(template.pid, signal.SIGSTOP)
    assert kill_someone(job, signal.SIGKILL, who="consort-worker")
    run = job.wait()
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_the_second_stops(start_consort, tmp_path, null_bundle, sounds, leftovers, number):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n in range(160):
        (folder / f"{n:03d}~sleep20~.flac").symlink_to(sounds.flacs[n])
    bundle = null_bundle()
    job = start_consort("run", "-m", bundle, "-o", tmp_path / "out.jsonl", "-p", 2, folder)
    assert processes.wait_until(lambda: os.path.exists(tmp_path / "out.jsonl") and
                                os.path.getsize(tmp_path / "out.jsonl") > 0)
    job.signal(number)
    run = job.wait(timeout=15)
    assert run.exit == 128 + number
    lines = read_results(tmp_path / "out.jsonl")
    names = list(by_file(lines))
    assert 0 < len(names) < 160
    assert names == sorted(names), "what is there is the beginning of the whole"
    leave_nothing(job, leftovers)


def test_two_signals_end_at_once_though_a_worker_loops(start_consort, tmp_path, null_bundle, sounds, leftovers):
    file = tmp_path / "a~spin@0~.flac"
    file.symlink_to(sounds.flacs[0])
    job = start_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", file)
    assert processes.wait_until(lambda: len(job.workers()) >= 2)
    job.signal(signal.SIGINT)
    time.sleep(0.3)
    assert job.popen.poll() is None, "the first one waits for what is in flight"
    job.signal(signal.SIGINT)
    assert job.wait(timeout=5).exit == 130
    leave_nothing(job, leftovers)


def test_a_model_that_cannot_start_ends_the_job_with_a_reason(run_consort, tmp_path, null_bundle, sounds):
    worker = tmp_path / "worker"
    worker.write_text("#!/bin/sh\nexit 9\n")
    worker.chmod(0o755)
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", sounds.flacs[0],
                      env={"CONSORT_WORKER": str(worker)})
    assert run.exit == 1
    assert "exited with status 9" in run.stderr_lines()[-1]


def test_a_reader_that_does_not_read_delays_no_signal(consort, tmp_path, null_bundle, sounds):
    """The results go to a pipe that nobody empties: the job waits, but a signal still reaches it."""
    import subprocess
    bundle = null_bundle(segment_seconds=0.01, hop_seconds=0.001, labels=50)
    job = subprocess.Popen([consort, "run", "-m", bundle, "-o", "-", "-p", "2", *sounds.flacs],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    assert job.poll() is None, "a full pipe makes the job wait"
    job.send_signal(signal.SIGINT)
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=5) in (130, 143)
    job.stdout.close()


def test_a_slow_reader_gets_all_the_lines(consort, tmp_path, null_bundle, sounds):
    import subprocess
    bundle = null_bundle(segment_seconds=0.01, hop_seconds=0.001, labels=50)
    head = audio.make(tmp_path / "head~sleep4000~.wav", seconds=0.01, rate=16000)  # behind it all others pile up
    subprocess.run([consort, "run", "--quiet", "-m", bundle, "-o", tmp_path / "file.jsonl", head, *sounds.flacs[:40]],
                   check=True)
    job = subprocess.Popen([consort, "run", "--quiet", "-m", bundle, "-o", "-", head, *sounds.flacs[:40]],
                           stdout=subprocess.PIPE)
    got = b""
    while piece := job.stdout.read(1_000_000):
        got += piece
        time.sleep(0.01)
    assert job.wait(timeout=10) == 0
    assert got == (tmp_path / "file.jsonl").read_bytes()
    assert len(got) > 8 << 20, "more than is kept in memory"


def test_a_reader_that_goes_away_ends_the_job_quietly(consort, tmp_path, null_bundle, sounds):
    import subprocess
    bundle = null_bundle(segment_seconds=0.01, hop_seconds=0.001, labels=50)
    job = subprocess.Popen([consort, "run", "--quiet", "-m", bundle, "-o", "-", *sounds.flacs],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert job.stdout.readline().startswith(b'{"file":')
    job.stdout.close()
    assert job.wait(timeout=10) == 128 + signal.SIGPIPE
    assert job.stderr.read() == b""


def test_three_hundred_workers_start(run_consort, tmp_path, null_bundle, sounds):
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "-p", 300, *sounds.flacs)
    assert run.exit == DONE, run.stderr
    assert "300" in run.stderr_lines()[0], "a warning tells that it is too many"


def test_an_ignored_sigchld_hides_no_death(consort, tmp_path, sounds, null_bundle):
    import subprocess
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n in range(20):
        (folder / f"{n:02d}.flac").symlink_to(sounds.flacs[n])
    (folder / "10~segv@0~.flac").symlink_to(sounds.flacs[0])
    job = subprocess.run([consort, "run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", folder], timeout=30,
                         stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert job.returncode == SOME_FAILED, job.stderr
    assert len(by_file(read_results(tmp_path / "out.jsonl"))) == 21


def test_what_nohup_ignores_stays_ignored(consort, tmp_path, sounds, null_bundle):
    import subprocess
    job = subprocess.Popen([consort, "run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", *sounds.flacs[:100]],
                           env=os.environ | {"CONSORT_NULL_SEGMENT_US": "10000"}, stderr=subprocess.DEVNULL,
                           preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    time.sleep(0.3)
    job.send_signal(signal.SIGHUP)
    assert job.wait(timeout=30) == DONE
    assert len(by_file(read_results(tmp_path / "out.jsonl"))) == 100


def test_what_a_model_prints_is_no_result(consort, tmp_path, sounds, null_bundle):
    import subprocess
    file = tmp_path / "a~print@0~.flac"
    file.symlink_to(sounds.flacs[0])
    job = subprocess.run([consort, "run", "--quiet", "-m", null_bundle(), "-o", "-", file], capture_output=True,
                         timeout=30)
    assert job.returncode == DONE
    assert b"printed" in job.stderr and b"printed" not in job.stdout


def test_a_signal_while_the_list_is_read_is_told_by_the_exit_status(consort, tmp_path, null_bundle):
    import subprocess
    job = subprocess.Popen([consort, "run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "-"],
                           stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    job.send_signal(signal.SIGINT)
    assert job.wait(timeout=5) == 130
    assert not (tmp_path / "out.jsonl").exists()
    job.stdin.close()
