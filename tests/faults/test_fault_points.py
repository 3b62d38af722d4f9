"""Faults at every stage, in the null worker and in the real one; and none in the worker that is shipped."""

import json
import os

import pytest

import faults
from faults import DONE, LONG, SOME_FAILED

STAGES = ("validate", "read", "resample", "features", "forward", "post")
# What CONSORT_FAULT asks for → how it reads in the error line.
KINDS = {"segv": "was ended by SIGSEGV", "abort": "was ended by SIGABRT", "bus": "was ended by SIGBUS",
         "exit": "exited with status 7", "throw": "was ended by SIGABRT"}


def errors_of(results):
    lines = [json.loads(line) for line in results.splitlines()]
    return [line for line in lines if "error" in line]


def is_told(line, kind, stage):
    error = line["error"]
    return error["code"] == "crashed" and KINDS[kind] in error["message"] and f"in stage {stage}" in error["message"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_in_any_stage_of_the_null_worker_is_told_with_its_stage(job, stage):
    out = job.new_place()
    for kind in KINDS if LONG else ("segv",):
        done = job.run(out, "--restart", env={"CONSORT_FAULT": f"{kind}@{stage}:03.flac:0"})
        assert done.returncode == SOME_FAILED, done.stderr
        told = [it for it in errors_of(out.read_bytes()) if it["file"].endswith("03.flac")]
        assert len(told) == 1 and is_told(told[0], kind, stage), told
        assert len(errors_of(out.read_bytes())) == len(errors_of(job.expected)) + 1, "this one, and those of an undisturbed job"


@pytest.mark.parametrize("stage,kind", [*zip(STAGES, ("segv", "abort", "bus", "exit", "throw", "segv"))])
def test_a_fault_in_any_stage_of_the_real_worker_is_told_with_its_stage(job, real_bundle, stage, kind):
    out = job.new_place()
    worker = job.consort.with_name("consort-worker-faults")
    sounds = sorted(map(str, job.sounds.iterdir()))[:6]
    done = job.consort_run("-m", real_bundle, "-o", out, "-p", 2, "--quiet", *sounds,
                           env={"CONSORT_WORKER": str(worker), "CONSORT_FAULT": f"{kind}@{stage}:03.flac"})
    assert done.returncode == SOME_FAILED, done.stderr
    told = errors_of(out.read_bytes())
    assert told and all(it["file"].endswith("03.flac") and is_told(it, kind, stage) for it in told), told


def test_the_shipped_worker_has_no_fault_points(job, real_bundle):
    for name, has in {"consort-worker-faults": True, "consort-worker": False, "consort-worker-glibc": False}.items():
        assert (b"CONSORT_FAULT" in job.consort.with_name(name).read_bytes()) == has
    out = job.new_place()
    sound = os.path.realpath(job.sounds / "03.flac")
    done = job.consort_run("-m", real_bundle, "-o", out, "--quiet", sound, env={"CONSORT_FAULT": "segv@forward:flac"})
    assert done.returncode == DONE, done.stderr
