"""Figures of a run (--figures), and measured runs (--measure). No figure of speed is held against a clock."""

import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import audio
import processes
from program import DONE, FAILED, SOME_FAILED, USAGE

SLOW = {"CONSORT_NULL_SEGMENT_US": "10000"}

KEYS = {
    "": "consort figures split split_trials usable_cpus complete exit_status elapsed_s ready_s window segments audio_seconds "
        "latency_ms stages_ms cpu context_switches page_faults memory rate deaths restarts",
    "split": "processes threads intra",
    "split_trials": "start chosen chosen_s tried",
    "window": "from_s to_s seconds",
    "segments": "counted per_second spread",
    "latency_ms": "mean p50 p95 p99 most",
    "stages_ms": "waiting validate read resample features forward post",
    "cpu": "user_s system_s of_usable supervisor_s",
    "context_switches": "voluntary involuntary",
    "page_faults": "minor major",
    "memory": "peak_pss_bytes mean_pss_bytes samples",
    "restarts": "workers templates",
    "restarts.workers": "crashed killed replaced",
    "restarts.templates": "crashed killed",
}


def read_figures(path):
    text = pathlib.Path(path).read_text()
    assert text.count("\n") == 1 and text.endswith("\n")
    figures = json.loads(text)
    for where, keys in KEYS.items():
        part = figures
        for key in filter(None, where.split(".")):
            part = part[key]
        assert list(part) == keys.split(), where or "the whole"
    for death in figures["deaths"]:
        assert list(death) == ["at_s", "worker_slot", "lost_ms", "ready_ms", "next_result_ms"]
    for series in (figures["rate"], figures["memory"]["samples"]):
        times = [at for at, _ in series]
        assert times == sorted(times) and len(times) <= 2000
    assert [n for _, n in figures["rate"]] == sorted(n for _, n in figures["rate"])
    return figures


def run_status(job, output):
    return json.loads(subprocess.run([job.popen.args[0], "status", "--json", output], capture_output=True, check=True).stdout)


@pytest.fixture
def short_segments(null_bundle):
    return null_bundle(segment_seconds=0.2, hop_seconds=0.2)


@pytest.fixture(scope="module")
def long_list(tmp_path_factory):
    """A list that no test comes to the end of: one recording, many times."""
    folder = tmp_path_factory.mktemp("long")
    audio.make(folder / "a.wav", seconds=60)
    (folder / "list.txt").write_text("a.wav\n" * 50_000)
    return folder / "list.txt"


def check_known(figures):
    """What must be known of any run that has done something for a while."""
    assert figures["figures"] == 1 and re.fullmatch(r"\d+\.\d+\.\d+", figures["consort"])
    assert figures["usable_cpus"] >= 1
    window, segments = figures["window"], figures["segments"]
    assert 0 < figures["ready_s"] <= figures["elapsed_s"]  # the first worker's result may come before the last is ready
    assert 0 < window["from_s"] < window["to_s"] <= figures["elapsed_s"]
    assert window["seconds"] == pytest.approx(window["to_s"] - window["from_s"], abs=1e-5)
    assert segments["counted"] > 0 and segments["per_second"] > 0
    latency = figures["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["most"]
    assert all(ms >= 0 for ms in figures["stages_ms"].values()) and figures["stages_ms"]["forward"] > 0
    cpu = figures["cpu"]
    assert min(cpu["user_s"], cpu["system_s"], cpu["supervisor_s"]) >= 0
    assert cpu["of_usable"] == pytest.approx((cpu["user_s"] + cpu["system_s"]) / window["seconds"]
                                             / figures["usable_cpus"], abs=1e-4)
    assert figures["context_switches"]["voluntary"] > 0
    assert figures["rate"][-1][1] >= segments["counted"]


def test_figures_of_a_whole_job_are_those_of_its_results(run_consort, tmp_path, short_segments, sounds):
    out, plain, file = tmp_path / "out.jsonl", tmp_path / "plain.jsonl", tmp_path / "figures.json"
    files = sorted(sounds.flacs, key=os.path.getsize)[-40:]
    assert run_consort("run", "-m", short_segments, "-o", plain, "-p", 2, *files).exit == DONE
    run = run_consort("run", "-m", short_segments, "-o", out, "-p", 2, "--figures", file, *files, env=SLOW)
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == plain.read_bytes()
    figures = read_figures(file)
    check_known(figures)
    assert figures["complete"] is True and figures["exit_status"] == DONE
    assert figures["split"] == {"processes": 2, "threads": 1, "intra": 1}
    lines = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert figures["segments"]["counted"] == len(lines) == figures["rate"][-1][1]
    assert figures["audio_seconds"] == pytest.approx(sum(it["end"] - it["start"] for it in lines), abs=0.002 * len(lines))
    # Two engines, each a little over 10 ms a segment by itself; a plain count is off by one an engine.
    plain_count = len(lines) / figures["window"]["seconds"]
    assert figures["segments"]["per_second"] == pytest.approx(plain_count, rel=0.5)  # exactly: the unit tests
    assert figures["latency_ms"]["p50"] >= 10 and figures["stages_ms"]["forward"] >= 10
    assert figures["memory"]["peak_pss_bytes"] >= figures["memory"]["mean_pss_bytes"] > 0
    assert sorted(path.name for path in tmp_path.iterdir() if "new" in path.name) == []


def test_a_measured_run_ends_by_itself_and_leaves_nobody(start_consort, tmp_path, short_segments, long_list):
    file = tmp_path / "figures.json"
    job = start_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "-p", 1, "-t", 2, "--measure", "1",
                        "--figures", file, "--quiet", long_list, env=SLOW)
    run = job.wait()
    assert run.exit == DONE, run.stderr
    assert [line for line in run.stderr_lines() if "warning: " not in line] == []
    assert processes.job_processes(job.test_id) == []
    figures = read_figures(file)
    check_known(figures)
    assert figures["complete"] is True
    assert figures["window"]["seconds"] >= 1
    assert figures["rate"][-1][1] > figures["segments"]["counted"], "what came before the window"
    plain_count = figures["segments"]["counted"] / figures["window"]["seconds"]
    assert figures["segments"]["per_second"] == pytest.approx(plain_count, rel=0.5)
    # It was a real job: the same command goes on.
    status = run_status(job, tmp_path / "out.jsonl")
    assert status["state"] == "stopped" and status["segments"] >= figures["segments"]["counted"]


def test_a_measured_run_tells_that_it_may_go_on(run_consort, tmp_path, short_segments, long_list):
    run = run_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "--measure", "0.2", "--figures",
                      tmp_path / "f", long_list, env=SLOW)
    assert run.exit == DONE
    assert "as far as it came; the same command goes on" in run.stderr


def test_a_list_that_ends_before_the_window_gives_what_was_counted(run_consort, tmp_path, short_segments, sounds):
    file = tmp_path / "figures.json"
    files = sorted(sounds.flacs, key=os.path.getsize)[-30:]
    run = run_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "-p", 1, "--measure", 1000, "--figures",
                      file, *files, env=SLOW)
    assert run.exit == DONE, run.stderr
    figures = read_figures(file)
    check_known(figures)
    assert figures["complete"] is False
    lines = (tmp_path / "out.jsonl").read_bytes().count(b"\n")
    assert 0 < figures["segments"]["counted"] < lines == figures["rate"][-1][1]


def test_an_engine_that_never_publishes_begins_no_window(run_consort, tmp_path, null_bundle, sounds):
    file = tmp_path / "figures.json"
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "-p", 4, "--measure", 1, "--figures", file,
                      sounds.wavs[0])
    assert run.exit == DONE, run.stderr
    figures = read_figures(file)
    assert figures["complete"] is False and figures["segments"]["counted"] == 0
    assert figures["window"] == {"from_s": None, "to_s": None, "seconds": None}
    assert figures["segments"]["per_second"] is None and figures["rate"][-1][1] == 1


@pytest.mark.parametrize("measure", [[], ["--measure", "1000"]])
@pytest.mark.parametrize("times, exit", [(1, 130), (2, 130)])
def test_a_stopped_run_has_figures(start_consort, tmp_path, short_segments, long_list, times, exit, measure):
    file = tmp_path / "figures.json"
    job = start_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "-p", 2, "--figures", file, *measure,
                        long_list, env=SLOW)
    assert processes.wait_until(lambda: (tmp_path / "out.jsonl").exists() and (tmp_path / "out.jsonl").stat().st_size > 9999)
    for _ in range(times):
        job.signal(signal.SIGINT)
    run = job.wait()
    assert run.exit == exit, run.stderr
    figures = read_figures(file)
    check_known(figures)
    assert figures["complete"] is False and figures["exit_status"] == exit


def test_failed_files_and_failed_jobs_have_figures(run_consort, tmp_path, short_segments, sounds):
    file = tmp_path / "figures.json"
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    run = run_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "--figures", file, tmp_path / "bad.wav",
                      *sounds.flacs[:5])
    assert run.exit == SOME_FAILED
    figures = read_figures(file)
    assert figures["complete"] is True and figures["exit_status"] == SOME_FAILED
    run = run_consort("run", "-m", tmp_path / "none", "-o", tmp_path / "o", "--figures", file, sounds.flacs[0])
    assert run.exit == FAILED
    figures = read_figures(file)
    assert figures["complete"] is False and figures["exit_status"] == FAILED
    assert figures["split"] == {"processes": None, "threads": None, "intra": None}


def test_where_there_is_nothing_to_do_figures_stay_as_they_are(run_consort, tmp_path, short_segments, sounds):
    file, other = tmp_path / "figures.json", tmp_path / "other.json"
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    words = ("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", tmp_path / "bad.wav", *sounds.flacs[:5])
    assert run_consort(*words, "--figures", file).exit == SOME_FAILED
    before = file.read_text()
    assert read_figures(file)["segments"]["counted"] > 0
    run = run_consort(*words, "--figures", file)
    assert run.exit == SOME_FAILED and "nothing to do" in run.stderr
    assert run.stderr_lines()[-1] == f'the figures in "{file}" are left as they are: this run has none'
    assert file.read_text() == before
    # Whoever asks for a file has one.
    run = run_consort(*words, "--figures", other)
    assert run.exit == SOME_FAILED and "left as they are" not in run.stderr
    figures = read_figures(other)
    assert figures["segments"]["counted"] == 0 and figures["exit_status"] == SOME_FAILED and figures["complete"] is True


def test_a_job_that_goes_on_has_figures_of_the_new_run_alone(start_consort, run_consort, tmp_path, short_segments, sounds):
    out, file = tmp_path / "out.jsonl", tmp_path / "figures.json"
    files = sorted(sounds.flacs, key=os.path.getsize)[-40:]
    job = start_consort("run", "-m", short_segments, "-o", out, "-p", 1, "--figures", file, *files, env=SLOW)
    assert processes.wait_until(lambda: out.exists() and out.stat().st_size > 9999)
    job.signal(signal.SIGINT)
    assert job.wait().exit == 130
    before = read_figures(file)
    assert 0 < before["segments"]["counted"] == run_status(job, out)["segments"]
    assert run_consort("run", "-m", short_segments, "-o", out, "-p", 1, "--figures", file, *files).exit == DONE
    after = read_figures(file)
    lines = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert after["segments"]["counted"] == len(lines) - before["segments"]["counted"] > 0
    assert after["audio_seconds"] + before["audio_seconds"] == pytest.approx(
        sum(it["end"] - it["start"] for it in lines), abs=0.002 * len(lines))


def test_deaths_are_told_with_what_they_cost(start_consort, tmp_path, short_segments, long_list):
    file = tmp_path / "figures.json"
    job = start_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "-p", 2, "--figures", file, long_list,
                        env={"CONSORT_NULL_SEGMENT_US": "50000"})
    assert processes.wait_until(lambda: (tmp_path / "out.jsonl").exists() and (tmp_path / "out.jsonl").stat().st_size > 2000)
    victim = next(it for it in job.processes() if it.name == "consort-worker")
    os.kill(victim.pid, signal.SIGKILL)
    size = (tmp_path / "out.jsonl").stat().st_size
    assert processes.wait_until(lambda: (tmp_path / "out.jsonl").stat().st_size > size + 4000)
    job.signal(signal.SIGINT)
    job.wait()
    figures = read_figures(file)
    assert figures["restarts"] == {"workers": {"crashed": 0, "killed": 1, "replaced": 0}, "templates": {"crashed": 0, "killed": 0}}
    death, = figures["deaths"]
    assert death["worker_slot"] in (0, 1) and death["lost_ms"] >= 0
    assert 0 < death["ready_ms"] < death["next_result_ms"]
    assert figures["window"]["from_s"] < death["at_s"] < figures["window"]["to_s"]


# ---- where figures go ----

def test_figures_never_take_the_place_of_something_else(run_consort, tmp_path, short_segments, sounds):
    recording = tmp_path / "mine.wav"
    recording.write_bytes(pathlib.Path(sounds.wavs[0]).read_bytes())
    run = run_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "--figures", recording, sounds.flacs[0])
    assert run.exit == FAILED and "has no figures of a run in it" in run.stderr
    assert recording.read_bytes() == pathlib.Path(sounds.wavs[0]).read_bytes()
    assert not (tmp_path / "out.jsonl").exists()
    run = run_consort("run", "-m", short_segments, "-o", "out.jsonl", "--figures", tmp_path / "out.jsonl", sounds.flacs[0],
                      cwd=tmp_path)
    assert run.exit == FAILED and "name the same file" in run.stderr and not (tmp_path / "out.jsonl").exists()
    run = run_consort("run", "-m", short_segments, "-o", tmp_path / "out.jsonl", "--figures", tmp_path / "no/f.json",
                      sounds.flacs[0])
    assert run.exit == FAILED and "no such file" in run.stderr.lower() and not (tmp_path / "out.jsonl").exists()


def test_a_dash_is_a_file(run_consort, tmp_path, short_segments, sounds):
    run = run_consort("run", "-m", short_segments, "-o", "-", "--figures", "-", sounds.flacs[0], cwd=tmp_path)
    assert run.exit == DONE
    figures = read_figures(tmp_path / "-")
    assert figures["segments"]["counted"] == run.stdout.count("\n")


@pytest.mark.parametrize("words, told", [
    (["--measure", "1"], "--figures"),
    (["--figures", "f", "--measure", "0"], "--measure takes seconds, more than 0"),
    (["--figures", "f", "--measure", "x"], "--measure takes seconds"),
    (["--figures", ""], "--figures needs the name of a file"),
    (["--figures", "f", "--measure", "1", "--retry-failed"], "--measure and --retry-failed exclude each other"),
    (["--intra", "auto"], 'or "default"'),
])
def test_what_makes_no_sense_is_refused(run_consort, tmp_path, short_segments, sounds, words, told):
    run = run_consort("run", "-m", short_segments, *words, sounds.flacs[0], cwd=tmp_path)
    assert run.exit == USAGE and told in run.stderr


def test_measure_is_not_in_the_help_and_figures_are(run_consort):
    text = run_consort("run", "--help").stdout
    assert "--figures FILE" in text and "--measure" not in text


# ---- a real model ----

@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A recording of 90 s: 30 segments."""
    return audio.make(tmp_path_factory.mktemp("music") / "music.flac", seconds=90)


@pytest.fixture(scope="module")
def usual(runner, cnn14_quarter, music, tmp_path_factory):
    """The bytes that a plain run makes of it."""
    out = tmp_path_factory.mktemp("usual") / "out.jsonl"
    assert runner.run("run", "-m", cnn14_quarter, "-o", out, "-p", 1, music).exit == DONE
    return out.read_bytes()


def test_figures_of_a_real_model(run_consort, tmp_path, cnn14_quarter, music, usual):
    out, file = tmp_path / "out.jsonl", tmp_path / "figures.json"
    run = run_consort("run", "-m", cnn14_quarter, "-o", out, "-p", 2, "--figures", file, music)
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == usual
    figures = read_figures(file)
    check_known(figures)
    assert figures["segments"]["counted"] == 30 and figures["audio_seconds"] == pytest.approx(90)
    assert figures["cpu"]["user_s"] > 0


def test_a_measured_run_of_a_real_model(run_consort, tmp_path, cnn14_quarter, long_list):
    file = tmp_path / "figures.json"
    run = run_consort("run", "-m", cnn14_quarter, "-o", tmp_path / "out.jsonl", "-p", 1, "-t", 2, "--measure", 1.5, "--figures",
                      file, "--quiet", long_list)
    assert run.exit == DONE, run.stderr
    figures = read_figures(file)
    check_known(figures)
    assert figures["complete"] is True
    counted, seconds = figures["segments"]["counted"], figures["window"]["seconds"]
    assert counted > 0 and seconds >= 1.5 and figures["segments"]["per_second"] > 0
    assert figures["memory"]["peak_pss_bytes"] > 20 << 20


# ---- settings for comparison ----

def weights_of(pid):
    """Of a process: bytes of the shared arena that it uses, and its largest read-only private memory that is no file's."""
    arena, largest, rights, name = 0, 0, "", ""
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"[0-9a-f]+-[0-9a-f]+ (\S+) \S+ \S+ \d+ *(.*)", line)
        if head:
            rights, name = head.groups()
        elif line.startswith("Rss:") and "consort-weights" in name:
            arena += int(line.split()[1]) << 10
        elif line.startswith("Private_Dirty:") and rights == "r--p" and not name:
            largest = max(largest, int(line.split()[1]) << 10)
    return arena, largest


@pytest.mark.parametrize("copied", [False, True])
def test_weights_can_be_copied_to_each_process(start_consort, tmp_path, cnn14_quarter, music, usual, copied):
    weights = (cnn14_quarter / "weights.bin").stat().st_size
    out = tmp_path / "out.jsonl"
    job = start_consort("run", "-m", cnn14_quarter, "-o", out, "-p", 2, "--no-template", *[music] * 8,
                        env={"CONSORT_COPY_WEIGHTS": "1"} if copied else {"CONSORT_COPY_WEIGHTS": "0"})
    # Each has its own, or the shared ones, and nobody has both. Used is what was read: not every byte of it.
    def wanted(arena, own):
        return (arena == 0 and own >= weights) if copied else (arena > weights / 2 and own < weights)
    assert processes.wait_until(lambda: out.exists() and out.stat().st_size > 0)
    assert processes.wait_until(lambda: all(wanted(*weights_of(it.pid)) for it in job.workers())), \
        [weights_of(it.pid) for it in job.workers()]
    assert len(job.workers()) == 2
    assert job.wait(120).exit == DONE
    assert out.read_bytes() == usual * 8


def affinities(job):
    """How many CPUs each engine's thread may run on."""
    counts = []
    for worker in job.workers():
        for task in pathlib.Path(f"/proc/{worker.pid}/task").iterdir():
            if (task / "comm").read_text().startswith("engine-"):
                counts.append(len(os.sched_getaffinity(int(task.name))))
    return counts


@pytest.mark.parametrize("words, env, pinned", [([], {}, True), ([], {"CONSORT_PIN": "0"}, False), ([], {"CONSORT_PIN": "1"}, True),
                                                (["--intra", "default"], {}, False)])
def test_engines_are_pinned_unless_asked_not_to_be(start_consort, tmp_path, short_segments, long_list, words, env, pinned):
    cpus = len(os.sched_getaffinity(0))
    if cpus < 2:
        pytest.skip("one CPU: everything is pinned to it")
    out = tmp_path / "out.jsonl"
    job = start_consort("run", "-m", short_segments, "-o", out, "-p", 2, *words, long_list, env=SLOW | env)
    assert processes.wait_until(lambda: out.exists() and out.stat().st_size > 0)
    assert affinities(job) == [1 if pinned else cpus] * 2


def test_intra_default_leaves_threads_to_libtorch(start_consort, run_consort, tmp_path, cnn14_quarter, music, usual):
    out, file = tmp_path / "out.jsonl", tmp_path / "figures.json"
    words = ["run", "-m", cnn14_quarter, "-o", out, "-p", 1, "-t", 1, "--figures", file, *[music] * 5]
    job = start_consort(*words, "--intra", "default", env={"OMP_NUM_THREADS": "3"})
    assert processes.wait_until(lambda: out.exists() and out.stat().st_size > 0)
    worker = next(it for it in job.processes() if it.name == "consort-worker")
    environment = pathlib.Path(f"/proc/{worker.pid}/environ").read_bytes().split(b"\0")
    assert b"OMP_NUM_THREADS=3" in environment and b"MKL_NUM_THREADS=1" not in environment
    # LibTorch takes OpenMP's word. An engine's helpers have its name.
    names = [(task / "comm").read_text().strip() for task in pathlib.Path(f"/proc/{worker.pid}/task").iterdir()]
    assert names.count("engine-0") >= 2, names
    job.signal(signal.SIGINT)
    assert job.wait().exit == 130
    assert read_figures(file)["split"]["intra"] == 0
    run = run_consort(*words, "--intra", 1)
    assert run.exit == FAILED and "--intra was default and is 1 now" in run.stderr and "--mixed" in run.stderr
    assert run_consort(*words, "--intra", 1, "--mixed", timeout=120).exit == DONE
    assert out.read_bytes().count(b"\n") == 5 * usual.count(b"\n")
