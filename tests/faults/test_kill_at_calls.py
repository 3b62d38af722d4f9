"""The supervisor is killed at each of its system calls in turn, until one run is through."""

import pytest

import faults
from faults import KILLED, LONG, SOME_FAILED


def kills(job, call, begin=None, more=()):
    """For N = 1, 2, …: a kill at the N-th call, then the same command to the end. Returns how many."""
    count = 0
    for n in faults.numbers(first_few=4, step=31 if call in ("pwrite64", "openat") else 5):
        out = job.new_place()
        if begin:
            begin(out)
        status, log, told = job.with_fault(out, call, f"signal=KILL:when={n}", *more)
        if status != KILLED:
            assert status == SOME_FAILED, told
            assert out.read_bytes() == job.expected
            return count
        count += 1
        job.finish(out)
        job.forget(out)


@pytest.mark.parametrize("call", faults.KILLING_CALLS)
def test_killed_at_any_call_it_goes_on_to_the_same_bytes(job, call):
    assert kills(job, call) >= (0 if call in ("ftruncate", "mkdir") else 1)


@pytest.mark.parametrize("call", faults.KILLING_CALLS if LONG else ("pwrite64", "fdatasync", "fsync", "ftruncate"))
def test_killed_at_any_call_of_a_resume_it_goes_on_to_the_same_bytes(job, call):
    assert kills(job, call, job.begin_and_kill) >= (0 if call in ("rename", "mkdir") else 1)


@pytest.mark.parametrize("call", ("write", "pwrite64", "rename", "openat", "unlink") if LONG else ("rename", "fsync"))
def test_killed_at_any_call_of_a_restart_the_old_job_or_a_new_one_goes_on(job, call):
    def begin(out):
        assert job.run(out).returncode == SOME_FAILED

    assert kills(job, call, begin, more=("--restart",)) >= 1
