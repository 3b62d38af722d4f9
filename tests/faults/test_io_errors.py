"""The N-th call fails, once or for good: a clean stop with a sentence, then on to the same bytes."""

import pytest

import faults
from faults import FAILED, LONG, SOME_FAILED

ERRORS = {"ENOSPC": "no space left", "EDQUOT": "quota", "EIO": "input/output error"}
CALLS = ("write", "pwrite64", "fdatasync", "fsync", "ftruncate", "rename")
SHORT = [("pwrite64", "ENOSPC"), ("write", "ENOSPC"), ("write", "EDQUOT"), ("fdatasync", "EIO"), ("fsync", "EIO")]


def files(out):
    return [out, f"{out}.job/journal.db", f"{out}.job/journal.db-wal", f"{out}.job/list.new"]


def fails(job, call, fault, words, begin=None):
    count = 0
    for n in faults.numbers(first_few=2, step=61 if call == "pwrite64" else 9):
        out = job.new_place()
        if begin:
            begin(out)
        status, log, told = job.with_fault(out, call, fault.format(n=n), only=files(out))
        if "INJECTED" not in log:
            assert status == SOME_FAILED, told
            return count
        count += 1
        assert status in (FAILED, SOME_FAILED), f"{told}\n{log[-2000:]}"
        if status == FAILED:
            lines = told.splitlines()
            assert len(lines) == 1, told
            # SQLite does not tell what kind of error a sync of its own met.
            assert words in lines[0].lower() or "disk i/o error" in lines[0].lower(), told
            assert "; " in lines[0], f"no cure: {lines[0]}"
        assert faults.synced_after_failure(log) == []
        job.finish(out)
        job.forget(out)


@pytest.mark.parametrize("when", ("{n}", "{n}+"), ids=("once", "for_good"))
@pytest.mark.parametrize("call,error", [(c, e) for c in CALLS for e in ERRORS] if LONG else SHORT)
def test_a_call_that_fails_stops_the_job_and_costs_nothing(job, call, error, when):
    assert fails(job, call, f"error={error}:when={when}", ERRORS[error]) >= (0 if call in ("ftruncate", "rename") else 1)


@pytest.mark.parametrize("call,error", [(c, e) for c in CALLS for e in ERRORS] if LONG else
                         [("ftruncate", "EIO"), ("fsync", "EIO"), ("fdatasync", "ENOSPC")])
def test_a_call_of_a_resume_that_fails_costs_nothing(job, call, error):
    assert fails(job, call, f"error={error}:when={{n}}", ERRORS[error], job.begin_and_kill) >= (
        0 if call == "rename" else 1)


def test_a_journal_that_cannot_be_read_today_is_not_to_be_given_up(job):
    out = job.new_place()
    job.begin_and_kill(out)
    status, log, told = job.with_fault(out, "pread64", "error=EIO:when=1+", only=[f"{out}.job/journal.db-wal"])
    assert "INJECTED" in log
    assert status == FAILED and ("input/output error" in told.lower() or "disk i/o error" in told.lower()), told
    assert "--restart" not in told
    job.finish(out)
    job.forget(out)


@pytest.mark.parametrize("call", ("write", "pwrite64", "ftruncate"))
def test_interrupted_calls_are_made_again(job, call):
    """Every second one is interrupted; nobody hears of it."""
    out = job.new_place()
    job.begin_and_kill(out)
    fault = "error=EINTR:when=1" if call == "ftruncate" else "error=EINTR:when=1+2"
    status, log, told = job.with_fault(out, call, fault, only=files(out))
    assert "INJECTED" in log
    assert status == SOME_FAILED, told
    assert out.read_bytes() == job.expected


def test_short_writes_are_gone_on_with(job, shim):
    out = job.new_place()
    done = job.run(out, slow=True, env={"LD_PRELOAD": str(shim), "CONSORT_SHIM_SHORT": "1"})
    assert done.returncode == SOME_FAILED, done.stderr
    assert out.read_bytes() == job.expected
    job.finish(out)
