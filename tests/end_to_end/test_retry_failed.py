"""--retry-failed: only what failed runs again, and its lines come in the places of the old ones."""

import json
import os
import signal
import subprocess
import time

import pytest

import processes
from program import DONE, FAILED, SOME_FAILED, USAGE, by_file, read_results


@pytest.fixture
def job(run_consort, tmp_path, null_bundle, sounds):
    """A job of 30 files of which four failed, and what undoes that."""
    bundle = null_bundle(segment_seconds=0.25, hop_seconds=0.25)
    entries = [str(tmp_path / f"{n:02d}.flac") for n in range(30)]
    for n, entry in enumerate(entries):
        os.symlink(sounds.flacs[n], entry)
    bad = [entries[n] for n in (0, 13, 14, 29)]
    for entry in bad:
        os.unlink(entry)
    listing = tmp_path / "list"
    listing.write_text("".join(entry + "\n" for entry in entries))
    out = tmp_path / "out.jsonl"
    assert run_consort("run", "-m", bundle, "-o", out, listing).exit == SOME_FAILED

    class Job:
        words = ("run", "-m", bundle, "-o", out, listing)
        results = out

        @staticmethod
        def mend(which=bad):
            for entry in which:
                os.symlink(sounds.flacs[int(entry[-7:-5])], entry)

        @staticmethod
        def calm():
            calm = run_consort("run", "-m", bundle, "-o", tmp_path / "calm.jsonl", "--restart", listing)
            return calm.exit, (tmp_path / "calm.jsonl").read_bytes()
    Job.bad = bad
    return Job


def test_what_failed_is_done_again_in_its_place(run_consort, job):
    job.mend()
    run = run_consort(*job.words, "--retry-failed")
    assert run.exit == DONE, run.stderr
    assert "the 4 files that failed" in run.stderr
    assert job.calm() == (DONE, job.results.read_bytes())
    run = run_consort(*job.words, "--retry-failed")
    assert run.exit == DONE and "nothing to do" in run.stderr


def test_what_fails_again_stays_and_may_be_tried_again(run_consort, job):
    job.mend(job.bad[1:2])
    assert run_consort(*job.words, "--retry-failed").exit == SOME_FAILED
    assert job.calm() == (SOME_FAILED, job.results.read_bytes())
    job.mend([job.bad[0], *job.bad[2:]])
    assert run_consort(*job.words).exit == SOME_FAILED
    assert run_consort(*job.words, "--retry-failed").exit == DONE
    assert job.calm() == (DONE, job.results.read_bytes())


def test_only_what_failed_is_opened(run_consort, job, tmp_path):
    job.mend()
    before = by_file(read_results(job.results))
    for n in range(1, 13):
        (tmp_path / f"{n:02d}.flac").unlink()
    assert run_consort(*job.words, "--retry-failed").exit == DONE
    after = by_file(read_results(job.results))
    assert list(after) == list(before)
    assert all(after[name] == before[name] for name in after if name not in job.bad)
    assert not any("error" in line for lines in after.values() for line in lines)


def test_an_unfinished_job_is_finished_first(run_consort, job, tmp_path, sounds):
    job.mend()
    with open(tmp_path / "list", "a") as listing:
        listing.write(f"{sounds.flacs[40]}\n{tmp_path}/99.flac\n")
    run = run_consort(*job.words, "--retry-failed")
    assert run.exit == SOME_FAILED, run.stderr
    assert job.calm() == (SOME_FAILED, job.results.read_bytes())


def test_a_stop_that_comes_with_the_last_file_in_flight_starts_no_retry(start_consort, run_consort, consort, tmp_path,
                                                                       null_bundle, sounds):
    bundle, out = null_bundle(segment_seconds=60, hop_seconds=60), tmp_path / "out.jsonl"
    last = tmp_path / "b~sleep1500~.flac"
    last.symlink_to(sounds.flacs[1])
    words = ("run", "-m", bundle, "-o", out, "-p", 1, "-t", 1, "--retry-failed", tmp_path / "missing.flac",
             sounds.flacs[0], last)
    running = start_consort(*words, env={"CONSORT_COMMIT_MS": "20"})
    assert processes.wait_until(lambda: out.exists() and out.read_bytes().count(b"\n") == 2)
    time.sleep(0.2)
    running.signal(signal.SIGINT)
    run = running.wait()
    assert run.exit == 130 and "once more:" not in run.stderr, run.stderr
    told = json.loads(subprocess.run([consort, "status", "--json", out], capture_output=True, check=True).stdout)
    assert told["state"] == "finished", "what was in flight was the rest"
    run = run_consort(*words)
    assert run.exit == SOME_FAILED and "once more: the file that failed" in run.stderr


def test_the_totals_are_those_of_the_results_and_its_restarts_count(run_consort, consort, job, tmp_path, sounds):
    longest = sorted(sounds.flacs, key=os.path.getsize)
    with open(tmp_path / "list", "a") as listing:
        for name, sound in (("crash~segv@2~", longest[-1]), ("open~abort@open~", longest[-2]), ("cut", None)):
            path = tmp_path / f"{name}.flac"
            if sound:
                path.symlink_to(sound)
            else:
                path.write_bytes(open(longest[-3], "rb").read()[: os.path.getsize(longest[-3]) // 2])
            listing.write(f"{path}\n")

    def status():
        text = subprocess.run([consort, "status", "--json", job.results], capture_output=True, check=True).stdout
        return json.loads(text)

    def expect_totals():
        scored = [line for line in read_results(job.results) if "tags" in line]
        assert status()["segments"] == len(scored)
        # Printed times have three decimals.
        seconds = sum(line["end"] - line["start"] for line in scored)
        assert status()["audio_seconds"] == pytest.approx(seconds, abs=0.001 * len(scored))

    reading = {"CONSORT_NULL_READ": "1"}  # or nobody sees that a file is cut
    assert run_consort(*job.words, env=reading).exit == SOME_FAILED
    expect_totals()
    before = status()
    assert before["restarts"]["workers"]["crashed"] >= 6, "two files, three attempts each"
    assert before["failed"].items() >= {"crashed": 2, "not_found": 4}.items() and before["files"]["failed"] == 7
    job.mend(job.bad[1:3])
    assert run_consort(*job.words, "--retry-failed", env=reading).exit == SOME_FAILED
    expect_totals()
    after = status()
    assert after["segments"] > before["segments"]
    assert after["restarts"]["workers"]["crashed"] >= before["restarts"]["workers"]["crashed"] + 6


def test_a_job_with_nothing_failed_has_nothing_to_do(run_consort, tmp_path, null_bundle, sounds):
    words = ("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--retry-failed", sounds.flacs[0])
    assert run_consort(*words).exit == DONE
    assert "nothing to do" in run_consort(*words).stderr


def test_it_goes_with_neither_restart_nor_standard_output(run_consort, null_bundle, sounds):
    bundle = null_bundle()
    assert run_consort("run", "-m", bundle, "--retry-failed", "--restart", sounds.flacs[0]).exit == USAGE
    assert run_consort("run", "-m", bundle, "--retry-failed", "-o", "-", sounds.flacs[0]).exit == FAILED


def test_a_link_to_the_results_stays_a_link(run_consort, job, tmp_path):
    real = tmp_path / "real.jsonl"
    job.results.rename(real)
    job.results.symlink_to(real)
    job.mend()
    assert run_consort(*job.words, "--retry-failed").exit == DONE
    assert job.results.is_symlink()
    assert job.calm() == (DONE, real.read_bytes())
