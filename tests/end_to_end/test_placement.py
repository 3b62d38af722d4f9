"""Where engines run, and what `consort doctor` says about it: in real control groups, under real
masks. What this machine does not allow is skipped, with the reason."""

import json
import os
import pathlib
import re
import subprocess

import pytest

import processes
from program import DONE, SOME_FAILED, USAGE


@pytest.fixture
def cpus():
    """The CPUs that the tests may run on."""
    return sorted(os.sched_getaffinity(0))


@pytest.fixture
def doctor(consort):
    """doctor(*words, before=(), env={}) → (exit status, report as JSON, report as text)"""

    def ask(*words, before=(), env=None):
        def call(*more):
            return subprocess.run([*before, consort, "doctor", *words, *more], text=True,
                                  capture_output=True, timeout=60, env=os.environ | (env or {}))
        as_json, as_text = call("--json"), call()
        assert as_json.stderr == "" and as_text.stderr == "", as_json.stderr
        report = json.loads(as_json.stdout)
        report["by_name"] = {it["name"]: it for it in report["findings"]}
        assert as_json.returncode == (SOME_FAILED if report["costs_speed"] else DONE)
        return as_json.returncode, report, as_text.stdout

    return ask


def pinned_cpus(job):
    """CPUs that a thread of a worker is bound to alone."""
    found = set()
    for it in job.workers():
        for status in pathlib.Path(f"/proc/{it.pid}/task").glob("*/status"):
            try:
                text = status.read_text()
            except OSError:  # it ended meanwhile
                continue
            allowed = re.search(r"^Cpus_allowed_list:\s*(\S+)$", text, re.MULTILINE)[1]
            if allowed.isdigit():
                found.add(int(allowed))
    return found


def test_every_engine_has_a_cpu_of_its_own(start_consort, null_bundle, tmp_path, sounds, cpus):
    slow = tmp_path / "a~sleep60000~.wav"
    slow.symlink_to(sounds.wavs[0])
    job = start_consort("run", "-m", null_bundle(), "-o", tmp_path / "o.jsonl", "-t", 1,
                        "-p", len(cpus), slow)
    processes.wait_until(lambda: pinned_cpus(job) == set(cpus))
    assert pinned_cpus(job) == set(cpus)


def test_taskset_leaves_one_worker_on_its_cpu(doctor, cpus):
    last = cpus[-1]
    status, report, text = doctor(before=["taskset", "-c", str(last)])
    assert report["plan"]["workers"] == 1
    assert report["plan"]["nodes"][0]["cpus"] == [last]
    if len(cpus) > 1:
        assert status == SOME_FAILED
        assert report["by_name"]["affinity"]["level"] == "costs"
        assert f"the affinity mask has CPU {last} of" in text
        assert "taskset -c" in report["by_name"]["affinity"]["change"]


def test_a_quota_of_one_and_a_half_cpus_has_two_workers(doctor, in_group, cpus):
    if len(cpus) < 2:
        pytest.skip("one CPU: a quota of 1.5 does not bind")
    enter, group = in_group("cpu", {"cpu.cfs_period_us": 100_000, "cpu.cfs_quota_us": 150_000})
    status, report, text = doctor(before=[enter])
    quota = report["by_name"]["quota"]
    assert quota["level"] == "costs" and status == SOME_FAILED
    assert quota["found"] == f"a quota of 1.5 CPUs ({group}/cpu.cfs_quota_us) for {len(cpus)} CPUs"
    assert quota["change"].startswith(f"echo -1 | sudo tee {group}/cpu.cfs_quota_us")
    assert report["plan"]["workers"] == 2


def test_a_quota_of_one_cpu_has_one_worker_and_the_same_bytes(consort, doctor, in_group, cpus,
                                                              null_bundle, sounds, tmp_path):
    if len(cpus) < 2:
        pytest.skip("one CPU: a quota of 1 does not bind")
    enter, _ = in_group("cpu", {"cpu.cfs_period_us": 100_000, "cpu.cfs_quota_us": 100_000})
    _, report, text = doctor(before=[enter])
    assert report["plan"]["workers"] == 1
    assert "as many as the quota of 1 CPU keeps busy" in text
    bundle, outputs = null_bundle(), []
    for before in ([], [enter]):
        output = tmp_path / f"{len(before)}.jsonl"
        run = subprocess.run([*before, consort, "run", "-m", bundle, "-o", output,
                              *sounds.wavs[:4]], capture_output=True, text=True, timeout=60)
        assert run.returncode == DONE, run.stderr
        assert before == [] or "by 1 worker" in run.stderr
        outputs.append(output.read_bytes())
    assert outputs[0] == outputs[1]


def test_a_memory_limit_has_as_many_workers_as_fit(doctor, in_group, cpus):
    if len(cpus) < 2:
        pytest.skip("one CPU: there is only one worker anyway")
    limit = 260 << 20  # LibTorch's template and one worker, by the estimate
    enter, group = in_group("memory", {"memory.limit_in_bytes": limit})
    status, report, text = doctor(before=[enter])
    assert status == SOME_FAILED
    assert report["plan"]["workers"] == 1
    found = report["by_name"]["memory limit"]
    assert found["found"] == f"a limit of 260 MiB ({group}/memory.limit_in_bytes)"
    assert f"has room for 1 worker instead of {len(cpus)}" in text


def test_run_says_that_memory_reduced_the_split(consort, in_group, cpus, null_bundle, sounds,
                                                tmp_path):
    if len(cpus) < 2:
        pytest.skip("one CPU: there is only one worker anyway")
    enter, group = in_group("memory", {"memory.limit_in_bytes": 41 << 20})
    run = subprocess.run([enter, consort, "run", "-m", null_bundle(), "-o", tmp_path / "o.jsonl",
                          "--quiet", *sounds.wavs[:2]], capture_output=True, text=True, timeout=60)
    assert run.returncode == DONE, run.stderr
    assert (f"warning: the memory limit of 41.0 MiB ({group}/memory.limit_in_bytes) has room for "
            f"1 worker instead of {len(cpus)}") in run.stderr


def test_the_doctor_reads_the_environment(doctor):
    _, report, text = doctor(env={"ONEDNN_MAX_CPU_ISA": "AVX2", "MALLOC_CONF": "narenas:2"})
    assert report["by_name"]["kernels"]["level"] == "costs"
    assert "unset ONEDNN_MAX_CPU_ISA" in text
    assert report["by_name"]["allocator"]["found"].endswith("MALLOC_CONF=narenas:2")


def test_the_doctor_counts_the_bundle(doctor, cnn14_quarter):
    without, with_bundle = doctor()[1], doctor("-m", cnn14_quarter)[1]
    assert with_bundle["plan"]["memory_bytes"] > without["plan"]["memory_bytes"]
    assert "of weights" in with_bundle["by_name"]["bundle"]["found"]


def test_the_doctor_refuses_what_it_does_not_know(run_consort, tmp_path):
    assert run_consort("doctor", "x").exit == USAGE
    run = run_consort("doctor", "-m", tmp_path)
    assert run.exit == 1 and run.stdout == "" and "model.json" in run.stderr
