"""`consort status`: what a job has done, while it runs and after."""

import json
import os
import signal

import processes
from program import DONE, FAILED, SOME_FAILED, USAGE

SLOW = {"CONSORT_COMMIT_MS": "20", "CONSORT_NULL_SEGMENT_US": "3000"}


def state_of(run_consort, path, env=None):
    run = run_consort("status", "--json", path, env=env)
    assert run.exit == DONE, run.stderr
    return json.loads(run.stdout)


def test_of_a_finished_job_tells_what_failed_and_why(run_consort, tmp_path, null_bundle, sounds):
    out = tmp_path / "out.jsonl"
    folder = tmp_path / "s"
    folder.mkdir()
    for n in range(15):
        (folder / f"{n:02d}.wav").write_bytes(b"")
    (folder / "a~throw@0~.flac").symlink_to(sounds.flacs[0])
    (folder / "b.flac").symlink_to(sounds.flacs[1])
    assert run_consort("run", "-m", null_bundle(), "-o", out, folder, tmp_path / "x\x1b[1m.wav").exit == SOME_FAILED
    errors = [it for it in map(json.loads, out.read_text().splitlines()) if "error" in it]
    for path in (out, tmp_path / "out.jsonl.job"):
        status = state_of(run_consort, path)
        assert status["state"] == "finished" and "pid" not in status
        assert status["files"] == {"total": 18, "done": 1, "failed": 17}
        assert sum(status["failed"].values()) == 17
        none = {"crashed": 0, "killed": 0}
        assert status["restarts"] == {"workers": none, "templates": none}
        assert [(it["file"], it["code"], it["message"], it.get("at")) for it in status["failures"]] == [
            (it["file"], it["error"]["code"], it["error"]["message"], it["error"].get("at")) for it in errors]
        assert status["result_bytes"] == out.stat().st_size
    run = run_consort("status", out)
    assert run.exit == DONE
    assert "finished" in run.stdout and "1 done, 17 failed, 0 to do, of 18" in run.stdout
    assert "and 7 more" in run.stdout and "\x1b" not in run.stdout


def test_of_a_job_at_work_and_of_one_that_was_stopped(start_consort, run_consort, tmp_path, null_bundle, sounds):
    out = tmp_path / "out.jsonl"
    for network in ({}, {"CONSORT_TEST_NETWORK_FS": "1"}):
        job = start_consort("run", "-m", null_bundle(segment_seconds=0.25, hop_seconds=0.25), "-o", out, "-p", 2,
                            "--restart", *sounds.flacs, env=SLOW | network)

        def at_work():
            if not os.path.exists(f"{out}.job/{'status.json' if network else 'journal.db'}"):
                return None
            run = run_consort("status", "--json", out, env=network)
            status = json.loads(run.stdout) if run.exit == DONE else {"segments": 0}
            return status if status["segments"] > 0 else None

        status = processes.wait_until(at_work)
        assert status["state"] == "running" and status["pid"] == job.pid
        assert status["files"]["total"] == len(sounds.flacs)
        assert run_consort("status", out, env=network).exit == DONE
        job.signal(signal.SIGKILL)
        job.wait()
        status = state_of(run_consort, out, env=network)
        assert status["state"] == "stopped" and status["segments"] > 0
    assert run_consort("run", "-m", tmp_path / "null-bundle-1", "-o", out, *sounds.flacs).exit == DONE
    assert state_of(run_consort, out)["state"] == "finished"


def test_of_nothing_says_so(run_consort, tmp_path):
    run = run_consort("status", tmp_path)
    assert run.exit == FAILED and "there is no job" in run.stderr
    assert run_consort("status").exit == USAGE
    assert run_consort("status", "a", "b").exit == USAGE
    assert run_consort("status", "--json=x", "a").exit == USAGE
    assert "usage: consort status" in run_consort("status", "--help").stdout


def test_leaves_the_job_as_it_is(run_consort, tmp_path, null_bundle, sounds):
    out = tmp_path / "out.jsonl"
    words = ("run", "-m", null_bundle(), "-o", out, sounds.flacs[0])
    assert run_consort(*words).exit == DONE
    before = sorted(os.listdir(f"{out}.job"))
    assert state_of(run_consort, out)["files"]["done"] == 1
    assert "nothing to do" in run_consort(*words).stderr
    assert sorted(os.listdir(f"{out}.job")) == before
