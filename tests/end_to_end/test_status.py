"""`consort status`: what a job has done, while it runs and after."""

import json
import os
import signal
import sqlite3
import subprocess

import pytest

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
    assert run_consort("run", "-m", null_bundle(), "-o", out, folder, tmp_path / "x\x1b[1m.wav",
                       tmp_path / "y\udcff\\udcff.wav").exit == SOME_FAILED
    errors = [it for it in map(json.loads, out.read_text().splitlines()) if "error" in it]
    for path in (out, tmp_path / "out.jsonl.job"):
        status = state_of(run_consort, path)
        assert status["state"] == "finished" and "pid" not in status
        assert status["files"] == {"total": 19, "done": 1, "failed": 18}
        assert sum(status["failed"].values()) == 18
        none = {"crashed": 0, "killed": 0}
        assert status["restarts"] == {"workers": none, "templates": none}
        assert [(it["file"], it["code"], it["message"], it.get("at")) for it in status["failures"]] == [
            (it["file"].replace("\udcff", "\ufffd"), it["error"]["code"], it["error"]["message"], it["error"].get("at")) for it in errors]
        assert status["result_bytes"] == out.stat().st_size
    run = run_consort("status", out)
    assert run.exit == DONE
    assert "finished" in run.stdout and "1 done, 18 failed, 0 to do, of 19" in run.stdout
    assert "and 8 more" in run.stdout and "\x1b" not in run.stdout


def test_and_other_commands_wait_for_a_reader_whose_pipe_does_not_block(consort, run_consort, tmp_path, null_bundle, sounds):
    out = tmp_path / "out.jsonl"
    assert run_consort("run", "-m", null_bundle(), "-o", out, sounds.flacs[0]).exit == DONE
    for words in (["status", out], ["doctor", "--json"], ["check", sounds.flacs[0]],
                  ["export", "--job", out, "--format", "csv", "-o", "-"]):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        full = 0
        try:
            while True:
                full += os.write(writer, bytes(4096))
        except BlockingIOError:
            pass
        popen = subprocess.Popen([consort, *words], stdout=writer, stderr=subprocess.PIPE, env=os.environ | {"TMPDIR": str(tmp_path)})
        os.close(writer)
        with pytest.raises(subprocess.TimeoutExpired):
            popen.wait(2)
        with os.fdopen(reader, "rb") as pipe:
            told = pipe.read()[full:]
        assert popen.wait(60) in (DONE, SOME_FAILED) and told.endswith(b"\n"), popen.stderr.read()


def test_names_the_bundle_and_the_choice_of_tags(run_consort, tmp_path, null_bundle, sounds):
    bundle, out = null_bundle(), tmp_path / "out.jsonl"
    (tmp_path / "some").write_text("label 1\nlabel 2\n")
    (tmp_path / "own").write_text("label 5\t0.5\n")
    assert run_consort("run", "-m", bundle.name, "-o", out, sounds.flacs[0], cwd=tmp_path).exit == DONE
    status = state_of(run_consort, out)
    assert status["bundle"] == str(bundle)
    assert status["tags"] == {"top_k": None, "min_score": None, "labels": None, "thresholds": None}
    lines = run_consort("status", out).stdout.splitlines()
    assert f"bundle      {bundle}" in lines and "tags        as the bundle says" in lines
    assert run_consort("run", "-m", bundle, "-o", out, "--restart", "--top-k", 3, "--min-score", 0.25, "--exclude-labels",
                       tmp_path / "some", "--thresholds", tmp_path / "own", sounds.flacs[0]).exit == DONE
    tags = state_of(run_consort, out)["tags"]
    assert (tags["top_k"], tags["min_score"]) == (3, 0.25)
    assert tags["labels"].startswith("6 of 8 labels (") and tags["thresholds"].startswith("1 of 8 labels (")
    text = run_consort("status", out).stdout
    assert f"tags        --top-k 3, --min-score 0.25, {tags['labels']}, --thresholds for {tags['thresholds']}" in text
    with sqlite3.connect(f"{out}.job/journal.db") as journal:
        journal.execute("DELETE FROM identity WHERE key = 'bundle'")
    journal.close()
    assert state_of(run_consort, out)["bundle"] is None, "as of a job that an older consort began"
    run = run_consort("status", out)
    assert run.exit == DONE and "bundle  " not in run.stdout


def test_a_job_that_has_no_bundle_noted_goes_on_and_has_it_then(start_consort, run_consort, tmp_path, null_bundle,
                                                                sounds):
    bundle, out = null_bundle(segment_seconds=0.25, hop_seconds=0.25), tmp_path / "out.jsonl"
    assert run_consort("run", "-m", bundle, "-o", tmp_path / "whole.jsonl", *sounds.flacs).exit == DONE
    job = start_consort("run", "-m", bundle, "-o", out, "-p", 1, *sounds.flacs, env=SLOW)
    assert processes.wait_until(lambda: out.exists() and out.stat().st_size > 10_000)
    job.signal(signal.SIGINT)
    assert job.wait().exit == 130
    with sqlite3.connect(f"{out}.job/journal.db") as journal:
        journal.execute("DELETE FROM identity WHERE key = 'bundle'")
    journal.close()
    assert state_of(run_consort, out)["bundle"] is None
    (tmp_path / "far/place").mkdir(parents=True)
    (tmp_path / "link").symlink_to("far/place")
    bundle.rename(tmp_path / "far/moved")
    run = run_consort("run", "-m", "link/../moved/", "-o", out, *sounds.flacs, cwd=tmp_path)
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert state_of(run_consort, out)["bundle"] == str(tmp_path / "far/moved"), "where it was, by way of the link"


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


def test_of_a_job_at_work_on_another_machine(run_consort, tmp_path, null_bundle, sounds):
    """There the lock of its supervisor is not seen, but the journal is its alone."""
    out, network = tmp_path / "out.jsonl", {"CONSORT_TEST_NETWORK_FS": "1"}
    words = ("run", "-m", null_bundle(), "-o", out, "--quiet", sounds.flacs[0])
    assert run_consort(*words, env=network).exit == DONE
    holder = sqlite3.connect(f"{out}.job/journal.db", isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    assert holder.execute("SELECT begun FROM job").fetchall() == [(1,)]
    status = state_of(run_consort, out, env=network)
    assert status["state"] == "running" and status["files"]["done"] == 1, "as its last commit told"
    os.unlink(f"{out}.job/status.json")
    for refused in (("status", out), (*words, "--restart")):
        run = run_consort(*refused, env=network)
        assert run.exit == FAILED and "is in use by another process" in run.stderr
        assert "--restart" not in run.stderr
    holder.close()
    run = run_consort(*words, env=network)
    assert run.exit == DONE and "nothing to do" in run.stderr


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
