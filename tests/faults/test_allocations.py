"""The N-th allocation of the supervisor fails: it ends with a sentence, or does without; never damage."""

import concurrent.futures
import os
import signal

import pytest

import faults
from faults import FAILED, LONG, SOME_FAILED

FIRST = 2000  # all of them in the long form; behind them some, to the job's end
BEHIND_HWLOC = 1000
MOST = 15_000
# Libraries that do not look at what malloc gave them; before anything of the job is touched.
BY_LIBRARIES = (-signal.SIGSEGV, -signal.SIGABRT)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return faults.build_allocations(tmp_path_factory.mktemp("allocations"))


# The short form: further and further apart while the program starts, then through the job.
NUMBERS = [*range(1, FIRST + 1), *range(FIRST + 1, MOST, 7)] if LONG else \
    sorted({round(1.5 ** n) for n in range(22)}) + [*range(6001, MOST, 331)]


def run_without(job, library, number, begin=None):
    """Fails that allocation; the job's end must be right all the same.
    (did it fail, exit status, was there anything of the job to go on with)"""
    out = job.new_place()
    if begin:
        begin(out)
    log = out.parent.with_suffix(".log")
    done = job.run(out, env={"LD_PRELOAD": str(library), "CONSORT_SHIM_ALLOCATION": number, "CONSORT_SHIM_LOG": str(log)})
    failed = log.stat().st_size > 0
    log.unlink()
    about = f"allocation {number}: {done.stderr}"
    assert done.returncode in (FAILED, SOME_FAILED, *BY_LIBRARIES), about
    if done.returncode != SOME_FAILED:
        assert failed, about
        assert done.stderr and done.stderr.splitlines()[-1].startswith("consort: "), about
    else:
        assert out.read_bytes() == job.expected, about
    begun = any(out.parent.iterdir())
    assert not begun or begin or done.returncode not in BY_LIBRARIES, about
    if failed and begun:
        job.finish(out)
    job.forget(out)
    return failed, done.returncode, begun


def run_all(job, library, numbers, begin=None):
    """How many failed, ended the supervisor, ended one that had begun."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() if LONG else 1) as pool:
        try:
            ended = list(pool.map(lambda number: run_without(job, library, number, begin), numbers))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    hit = sum(failed for failed, _, _ in ended)
    stopped = sum(status != SOME_FAILED for _, status, _ in ended)
    begun = sum(status != SOME_FAILED and begun for _, status, begun in ended)
    signals = sum(status in BY_LIBRARIES for _, status, _ in ended)
    print(f"\n{hit} failing allocations: {stopped} ended the supervisor, {begun} of them in a job that had begun; "
          f"{signals} by a signal, in a library")
    return hit, stopped, begun


@pytest.mark.parametrize("more", ("", "+"), ids=("once", "for_good"))
def test_an_allocation_that_fails_ends_in_a_sentence_and_costs_nothing(job, library, more):
    # For good only behind hwloc, whose search for the number of CPUs never ends if it never gets anything.
    numbers = [f"{n}{more}" for n in NUMBERS if not more or n > BEHIND_HWLOC]
    hit, stopped, begun = run_all(job, library, numbers)
    assert hit > len(numbers) // 2 and stopped > 0 and begun > 0


def test_nor_does_one_of_a_job_that_goes_on(job, library):
    hit, stopped, begun = run_all(job, library, [str(n) for n in (NUMBERS[::5] if LONG else NUMBERS[::3])], job.begin_and_kill)
    assert hit > 0 and stopped > 0 and begun == stopped


def test_a_supervisor_that_crashes_says_so(job):
    out = job.new_place()
    status, _, told = job.with_fault(out, "write", "signal=SEGV:when=6", only=[out])
    assert status == 128 + signal.SIGSEGV
    assert told.startswith("consort: ended by SIGSEGV, ") and told.count("\n") == 1, told
    job.finish(out)
