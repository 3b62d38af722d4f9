"""`consort run` tries other numbers of workers while it works: on machines that hwloc makes up, and with the null worker,
whose segments are mostly sleep, so that twice as many workers do twice as much.

What is better on a real machine, and how sure that is, is left to the unit tests.
"""

import json
import os
import random
import re
import signal

import pytest

import bundles
import processes
from program import DONE, read_results

# What it takes for the machine. Engines that cannot be pinned run where the kernel puts them.
TWO_CORES_WITH_SIBLINGS = {"HWLOC_SYNTHETIC": "core:2 pu:2"}
FOUR_CORES = {"HWLOC_SYNTHETIC": "core:4 pu:1"}
TWO_CORES = {"HWLOC_SYNTHETIC": "core:2 pu:1"}
SLOW = {"CONSORT_NULL_SEGMENT_US": "20000"}
# What is to be tried at all is tried within a second or so.
SOON = {"CONSORT_TRIAL_MS": "300"}


@pytest.fixture(scope="module")
def files(tmp_path_factory, sounds):
    """Links to real sounds, each of its own name, so that each has its own tags."""
    folder = tmp_path_factory.mktemp("trials")
    for n in range(600):
        source = sounds.flacs[n % len(sounds.flacs)]
        (folder / f"{n:03d}.flac").symlink_to(source)
    return folder


@pytest.fixture(scope="module")
def alone(runner, tmp_path_factory, files):
    """A bundle, and what one worker with one engine makes of the files."""
    folder = tmp_path_factory.mktemp("alone")
    bundle = bundles.write_null_bundle(folder / "bundle", segment_seconds=0.25, hop_seconds=0.25)
    run = runner.run("run", "-m", bundle, "-o", folder / "out.jsonl", "-p", 1, "-t", 1, files)
    assert run.exit == DONE, run.stderr
    assert len(read_results(folder / "out.jsonl")) > 5000, "enough for trials"
    return bundle, (folder / "out.jsonl").read_bytes()


@pytest.fixture(autouse=True, scope="module")
def no_limits(runner):
    """A quota or a memory limit of our own counts on made-up machines, too."""
    report = json.loads(runner.run("doctor", "--json", env=TWO_CORES_WITH_SIBLINGS).stdout)
    found = {it["name"]: it["found"] for it in report["findings"]}
    if found["quota"] != "no CPU quota" or report["plan"]["workers"] != 2:
        pytest.skip("a quota or a memory limit leaves nothing to try")


@pytest.fixture
def start_job(start_consort, alone, files, tmp_path):
    def start(*words, env=None, output="out.jsonl"):
        return start_consort("run", "-m", alone[0], "-o", tmp_path / output, *words, files, env=SLOW | (env or {}))
    return start


def told(job):
    return job._text("stderr")


def wait_for(job, words):
    assert processes.wait_until(lambda: re.search(words, told(job)) or job.popen.poll() is not None, 60)
    assert re.search(words, told(job)), told(job)


def names(job):
    return sorted(it.name for it in job.workers())


def finish(run_consort, alone, files, output):
    """The same command goes on, without all that made it slow. Its Run."""
    run = run_consort("run", "-m", alone[0], "-o", output, "-p", 2, files)
    assert run.exit == DONE, run.stderr
    assert output.read_bytes() == alone[1]
    return run


def test_more_workers_are_found_to_be_faster_and_stay(start_job, run_consort, alone, files, tmp_path):
    job = start_job("-v", "--figures", tmp_path / "figures.json",
                    env=TWO_CORES_WITH_SIBLINGS | {"CONSORT_TRIAL_MS": "500"})
    wait_for(job, "using 4 workers")
    assert processes.wait_until(lambda: names(job).count("consort-worker") == 4)
    job.signal(signal.SIGTERM)
    run = job.wait()
    assert run.exit == 128 + signal.SIGTERM, run.stderr
    line = re.search(r'^using 4 workers instead of 2: (\d+) % more segments/s here; "consort tune" finds the best split and '
                     r"keeps it$", run.stderr, re.MULTILINE)
    assert line and int(line[1]) > 20, run.stderr
    assert "by 4 workers with 1 engine each" in run.stderr
    assert "trying 4 workers instead of 2" in run.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["split"] == {"processes": 4, "threads": 1, "intra": 1}
    trials = figures["split_trials"]
    assert list(trials) == ["start", "chosen", "chosen_s", "tried"]
    assert (trials["start"], trials["chosen"]) == (2, 4) and 0 < trials["chosen_s"] < figures["elapsed_s"]
    (tried,) = trials["tried"]
    assert list(tried) == ["workers", "windows", "gain", "error"] and tried["workers"] == 4
    assert tried["gain"] > 0.2 and tried["windows"] >= 1
    assert figures["restarts"]["workers"] == {"crashed": 0, "killed": 0, "replaced": 0}
    assert figures["deaths"] == []
    finish(run_consort, alone, files, tmp_path / "out.jsonl")


def test_fewer_workers_are_found_to_be_slower_and_all_come_back(start_job, run_consort, alone, files, tmp_path):
    job = start_job("-v", "--figures", tmp_path / "figures.json", env=FOUR_CORES | {"CONSORT_TRIAL_MS": "1000"})
    wait_for(job, "trying 3 workers instead of 4")
    assert processes.wait_until(lambda: names(job).count("consort-worker") == 3), names(job)
    wait_for(job, r"3 workers instead of 4: \d+ % fewer segments/s")
    assert processes.wait_until(lambda: names(job).count("consort-worker") == 4), names(job)
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    assert "using" not in told(job), "what stays as it was is not worth a line"
    run = finish(run_consort, alone, files, tmp_path / "out.jsonl")
    assert re.search(r"^restarts +0 workers", run.stderr, re.MULTILINE), "who was let go is no restart"


@pytest.mark.parametrize("machine", [TWO_CORES_WITH_SIBLINGS, FOUR_CORES], ids=["more", "fewer"])
def test_deaths_while_it_tries_change_no_byte(start_job, run_consort, alone, files, tmp_path, machine):
    """Workers, a template and the supervisor, while numbers of workers come and go several times a second."""
    env = machine | SOON
    for _ in range(3):
        job = start_job("-v", env=env)
        wait_for(job, "trying")
        for _ in range(8):
            alive = [it for it in job.workers() if random.random() < 0.9 or it.name == "consort-tmpl"]
            if alive:
                try:
                    os.kill(random.choice(alive).pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            processes.wait_until(lambda: job.popen.poll() is not None, random.uniform(0, 0.2))
        job.signal(signal.SIGKILL)
        job.wait()
    finish(run_consort, alone, files, tmp_path / "out.jsonl")


def test_a_node_that_lost_its_only_worker_to_a_trial_gets_it_back(start_job, run_consort, alone, files, tmp_path):
    job = start_job("-v", env={"HWLOC_SYNTHETIC": "node:4 core:1 pu:1", "CONSORT_TRIAL_MS": "1000"})
    wait_for(job, "trying 3 workers instead of 4")
    assert processes.wait_until(lambda: names(job) == ["consort-tmpl"] * 3 + ["consort-worker"] * 3), names(job)
    wait_for(job, r"3 workers instead of 4: \d+ % fewer segments/s")
    assert processes.wait_until(lambda: names(job) == ["consort-tmpl"] * 4 + ["consort-worker"] * 4), names(job)
    job.signal(signal.SIGTERM)
    assert job.wait().exit == 128 + signal.SIGTERM
    run = finish(run_consort, alone, files, tmp_path / "out.jsonl")
    assert re.search(r"^restarts +0 workers, 0 templates", run.stderr, re.MULTILINE), run.stderr


# ---- when it keeps its hands off ----

@pytest.fixture
def tries(start_job, tmp_path):
    """tries(*words, env={}, seconds=30) → whether something else than the start was tried within that time."""
    def ask(*words, env=None, seconds=30):
        file = tmp_path / "figures.json"
        job = start_job("-v", "--restart", "--figures", file, *words, env=SOON | (env or TWO_CORES_WITH_SIBLINGS))
        processes.wait_until(lambda: "trying" in told(job) or job.popen.poll() is not None, seconds)
        while job.popen.poll() is None:  # the second one ends it at once
            job.signal(signal.SIGTERM)
            processes.wait_until(lambda: job.popen.poll() is not None, 0.1)
        trials = json.loads(file.read_text())["split_trials"]
        assert (trials["start"] is not None) == ("trying" in told(job)), told(job)
        return "trying" in told(job)
    return ask


@pytest.mark.parametrize("machine", [TWO_CORES_WITH_SIBLINGS, FOUR_CORES], ids=["more", "fewer"])
def test_it_tries_what_differs_from_the_start(tries, machine):
    assert tries(env=machine)


@pytest.mark.parametrize("words", [["-p", 2], ["-t", 1], ["--measure", 1], ["--no-template"], ["--memory-limit", "50M"]],
                         ids=lambda it: it[0])
def test_it_tries_nothing_else_if_that_was_chosen(tries, words):
    """Of memory: by the estimate 44 MiB for two null workers, 52 for four."""
    assert not tries(*words, seconds=2)


def test_it_tries_nothing_else_where_there_is_nothing(tries):
    assert not tries(env=TWO_CORES, seconds=2)


def test_it_tries_more_where_memory_has_room_for_them(tries):
    assert tries("--memory-limit", "60M")


def test_it_tries_nothing_else_with_a_profile(tries, run_consort, alone, sounds, tmp_path):
    config = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    machine = TWO_CORES_WITH_SIBLINGS | config
    run = run_consort("tune", "-m", alone[0], "--seconds", 8, *sounds.flacs[:20], env=machine | {"CONSORT_NULL_SEGMENT_US": "2000"})
    assert run.exit == DONE, run.stderr
    assert not tries(env=machine, seconds=2)


def test_a_short_list_runs_as_it_began(run_consort, alone, tmp_path, sounds):
    run = run_consort("run", "-m", alone[0], "-o", tmp_path / "out.jsonl", "-v", *sounds.flacs[:20],
                      env=SLOW | TWO_CORES_WITH_SIBLINGS)
    assert run.exit == DONE, run.stderr
    assert "trying" not in run.stderr and "by 2 workers" in run.stderr


def test_workers_beyond_the_start_are_the_first_to_go_for_memory(start_consort, run_consort, null_bundle, files, tmp_path):
    """By the estimate there is room for four workers, in fact for two."""
    large = null_bundle(segment_seconds=70.0, hop_seconds=70.0, sample_rate=44100)  # 12 MB, read whole
    out, calm = tmp_path / "large.jsonl", tmp_path / "calm.jsonl"
    listed = [files / f"{n:03d}.flac" for n in range(200)]
    job = start_consort("run", "-m", large, "-o", out, "-v", "--memory-limit", "53M", *listed,
                        env=TWO_CORES_WITH_SIBLINGS | {"CONSORT_TRIAL_MS": "600", "CONSORT_NULL_READ": "1",
                                                       "CONSORT_NULL_SEGMENT_US": "120000"})
    wait_for(job, "trying 4 workers instead of 2")
    wait_for(job, "more than --memory-limit 53M: back to 2 workers")
    assert processes.wait_until(lambda: names(job).count("consort-worker") == 2), names(job)
    job.signal(signal.SIGTERM)
    run = job.wait()
    assert "from now on" not in run.stderr, "no worker of the start is one too many"
    assert re.search(r"^restarts +0 workers", run.stderr, re.MULTILINE), "and nobody is taken for the cause"
    assert "by 2 workers" in run.stderr and "using" not in run.stderr
    for output in (out, calm):
        run = run_consort("run", "-m", large, "-o", output, "-p", 2, *listed, env={"CONSORT_NULL_READ": "1"})
        assert run.exit == DONE, run.stderr
    assert out.read_bytes() == calm.read_bytes()
