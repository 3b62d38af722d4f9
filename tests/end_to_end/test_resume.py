"""A job that was killed, stopped or cut off goes on with the same command: nothing lost, nothing twice.

The oracle is the bytes of an undisturbed run.
"""

import json
import os
import random
import shlex
import signal
import sqlite3
import time

import pytest

import bundles
import processes
from program import DONE, FAILED, SOME_FAILED, by_file, read_results

FAST = {"CONSORT_COMMIT_MS": "20"}
SLOW = FAST | {"CONSORT_NULL_SEGMENT_US": "3000"}


@pytest.fixture(scope="module")
def job(runner, tmp_path_factory, sounds):
    """A bundle, a folder of 200 sounds of their own names, and the bytes of an undisturbed run."""
    folder = tmp_path_factory.mktemp("resume")
    (folder / "sounds").mkdir()
    for n in range(200):
        (folder / f"sounds/{n:03d}.flac").symlink_to(sounds.flacs[n % len(sounds.flacs)])
    bundle = bundles.write_null_bundle(folder / "bundle", segment_seconds=0.25, hop_seconds=0.25)
    run = runner.run("run", "-m", bundle, "-o", folder / "calm.jsonl", folder / "sounds")
    assert run.exit == DONE, run.stderr
    return bundle, folder / "sounds", (folder / "calm.jsonl").read_bytes()


def progress(out):
    """What the journal counts: (files done, segments)."""
    with sqlite3.connect(f"file:{out}.job/journal.db?mode=ro", uri=True) as journal:
        return journal.execute("SELECT files_done, segments FROM job").fetchone() or (0, 0)


def started(out):
    try:
        return progress(out)[1] > 0
    except sqlite3.Error:
        return False


@pytest.mark.parametrize("split", [("1", "1"), ("2", "2")])
def test_kills_of_the_supervisor_change_no_byte(start_consort, tmp_path, job, split):
    bundle, folder, expected = job
    out = tmp_path / "out.jsonl"
    kills = 0
    for n in range(100):
        running = start_consort("run", "-m", bundle, "-o", out, "-p", split[0], "-t", split[1], "--quiet", folder,
                                env=SLOW)
        try:
            running.popen.wait(0.1 + random.uniform(0, 0.3))
        except Exception:
            running.signal(signal.SIGKILL)
            kills += 1
        if running.wait().exit != 137:
            break
    run = running.wait()
    assert run.exit == DONE, run.stderr
    assert kills >= 3
    assert out.read_bytes() == expected


def test_a_stopped_job_says_so_and_goes_on(start_consort, run_consort, tmp_path, job):
    bundle, folder, expected = job
    out = tmp_path / "out.jsonl"
    running = start_consort("run", "-m", bundle, "-o", out, "-p", 2, folder, env=SLOW)
    assert processes.wait_until(lambda: started(out))
    running.signal(signal.SIGTERM)
    stopped = running.wait()
    assert stopped.exit == 143 and "the same command goes on" in stopped.stderr
    before = out.read_bytes()
    assert expected.startswith(before) and before != expected
    run = run_consort("run", "-m", bundle, "-o", out, "-p", 1, "-t", 2, folder)
    assert run.exit == DONE and "going on: " in run.stderr
    assert out.read_bytes() == expected


def test_a_finished_job_is_not_done_again(run_consort, tmp_path, job):
    bundle, folder, expected = job
    out = tmp_path / "out.jsonl"
    words = ("run", "-m", bundle, "-o", out, "--quiet", folder)
    assert run_consort(*words).exit == DONE
    before = {path: path.stat().st_mtime_ns for path in [out, tmp_path / "out.jsonl.job/journal.db"]}
    run = run_consort(*words)
    assert run.exit == DONE
    assert run.stderr.startswith("nothing to do: all 200 files") and len(run.stderr_lines()) == 1
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert out.read_bytes() == expected


def test_a_job_of_one_file_speaks_of_one(run_consort, tmp_path, null_bundle, sounds):
    words = ("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl")
    for sound, status, told in ((sounds.flacs[0], DONE, ""), (tmp_path / "missing.wav", SOME_FAILED, ", as failed (--retry-failed tries it again)")):
        assert run_consort(*words, "--restart", sound).exit == status
        run = run_consort(*words, sound)
        assert run.exit == status
        assert run.stderr_lines() == [f'nothing to do: the one file is in "{tmp_path}/out.jsonl"{told}; --restart begins anew']


def test_a_finished_job_with_failures_exits_as_before(run_consort, tmp_path, null_bundle, sounds):
    bundle, out = null_bundle(), tmp_path / "out.jsonl"
    for _ in range(2):
        run = run_consort("run", "-m", bundle, "-o", out, sounds.flacs[0], tmp_path / "missing.wav")
        assert run.exit == SOME_FAILED
    assert "nothing to do" in run.stderr and "--retry-failed" in run.stderr


def test_a_long_file_goes_on_at_its_segment(start_consort, run_consort, tmp_path, null_bundle, sounds):
    bundle = null_bundle(segment_seconds=0.02, hop_seconds=0.02)
    sound = tmp_path / "one.flac"
    sound.symlink_to(max(sounds.flacs, key=os.path.getsize))
    assert run_consort("run", "-m", bundle, "-o", tmp_path / "calm.jsonl", sound).exit == DONE
    out = tmp_path / "out.jsonl"
    running = start_consort("run", "-m", bundle, "-o", out, "-p", 2, sound, env=SLOW)
    assert processes.wait_until(lambda: started(out))
    running.signal(signal.SIGKILL)
    running.wait()
    done = progress(out)[1]
    assert done > 0
    # What is counted is not done again: the rest would take too long at this pace.
    run = run_consort("run", "-m", bundle, "-o", out, "-vv", sound)
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == (tmp_path / "calm.jsonl").read_bytes()


def test_what_ran_ahead_of_a_slow_head_is_not_done_again(start_consort, run_consort, tmp_path, null_bundle, sounds):
    """The first file sleeps; the others are done, but not in the results, when the kill comes."""
    bundle = null_bundle()
    folder = tmp_path / "sounds"
    folder.mkdir()
    (folder / "000~sleep3000~.flac").symlink_to(sounds.flacs[0])
    for n in range(1, 60):
        (folder / f"{n:03d}.flac").symlink_to(sounds.flacs[n])
    out = tmp_path / "out.jsonl"
    running = start_consort("run", "-m", bundle, "-o", out, "-p", 2, folder, env=FAST)
    assert processes.wait_until(lambda: started(out) and progress(out)[0] >= 50, 20)
    running.signal(signal.SIGKILL)
    running.wait()
    assert out.read_bytes() == b""
    for n in range(1, 50):  # were they opened again, they would fail
        (folder / f"{n:03d}.flac").unlink()
        (folder / f"{n:03d}.flac").symlink_to("/nowhere")
    done = progress(out)[0]
    run = run_consort("run", "-m", bundle, "-o", out, folder)
    # Links that lead nowhere are no files of a folder any more: the list is another one.
    assert run.exit == FAILED and "the files are other ones" in run.stderr
    assert "that list, with --retry-failed; for other files another -o; or begin anew" in run.stderr
    for n in range(1, 50):
        (folder / f"{n:03d}.flac").unlink()
        (folder / f"{n:03d}.flac").write_bytes(b"")
    run = run_consort("run", "-m", bundle, "-o", out, folder)
    errors = [it for it in read_results(out) if "error" in it]
    assert len(by_file(read_results(out))) == 60
    assert len(errors) <= 60 - done, "what was counted is not opened again"


def test_a_file_that_was_changed_ends_in_its_place(start_consort, run_consort, tmp_path, null_bundle, sounds):
    bundle = null_bundle(segment_seconds=0.02, hop_seconds=0.02)
    sound = tmp_path / "one.flac"
    sound.write_bytes(open(max(sounds.flacs, key=os.path.getsize), "rb").read())
    out = tmp_path / "out.jsonl"
    running = start_consort("run", "-m", bundle, "-o", out, "-p", 1, sound, env=SLOW)
    assert processes.wait_until(lambda: started(out))
    running.signal(signal.SIGTERM)
    running.wait()
    before = out.read_bytes()
    os.utime(sound, (1, 1))
    run = run_consort("run", "-m", bundle, "-o", out, sound)
    assert run.exit == SOME_FAILED, run.stderr
    assert out.read_bytes().startswith(before)
    last = read_results(out)[-1]
    assert last["error"]["code"] == "changed"
    assert last["error"]["at"] == pytest.approx(0.02 * before.count(b"\n"))


# ---- lists ----

def write_list(path, entries):
    path.write_text("".join(f"{entry}\n" for entry in entries))
    return path


@pytest.mark.parametrize("finished", [True, False])
def test_a_list_that_grew_is_gone_on_with(start_consort, run_consort, tmp_path, null_bundle, sounds, finished):
    bundle, out = null_bundle(segment_seconds=0.25, hop_seconds=0.25), tmp_path / "out.jsonl"
    listing = write_list(tmp_path / "list", sounds.flacs[:100])
    running = start_consort("run", "-m", bundle, "-o", out, "-p", 2, listing, env=FAST if finished else SLOW)
    if not finished:
        assert processes.wait_until(lambda: started(out))
        running.signal(signal.SIGKILL)
    running.wait()
    write_list(listing, sounds.flacs[:120])
    run = run_consort("run", "-m", bundle, "-o", out, listing)
    assert run.exit == DONE, run.stderr
    assert run_consort("run", "-m", bundle, "-o", tmp_path / "calm.jsonl", listing).exit == DONE
    assert out.read_bytes() == (tmp_path / "calm.jsonl").read_bytes()
    assert "nothing to do" in run_consort("run", "-m", bundle, "-o", out, listing).stderr


def test_a_list_that_changed_is_refused_with_the_difference(run_consort, tmp_path, null_bundle, sounds):
    bundle, out = null_bundle(), tmp_path / "out.jsonl"
    listing = write_list(tmp_path / "list", sounds.flacs[:30])
    assert run_consort("run", "-m", bundle, "-o", out, listing).exit == DONE
    before = out.read_bytes()

    def refused(*more):
        run = run_consort("run", "-m", bundle, "-o", out, "--quiet", *more)
        assert run.exit == FAILED
        [line] = run.stderr_lines()
        assert "--restart" in line
        assert out.read_bytes() == before
        return line

    write_list(listing, sounds.flacs[:16] + [sounds.flacs[50]] + sounds.flacs[17:30])
    assert f'entry 17 was "{sounds.flacs[16]}" and is "{sounds.flacs[50]}" now' in refused(listing)
    write_list(listing, sounds.flacs[:25])
    assert "it had 30 entries and has 25 now" in refused(listing)
    write_list(listing, sounds.flacs[:30])
    assert "nothing to do" in run_consort("run", "-m", bundle, "-o", out, listing).stderr


def test_the_same_names_in_another_folder_are_other_files(run_consort, tmp_path, null_bundle, sounds):
    bundle, out = null_bundle(), tmp_path / "out.jsonl"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.flac").symlink_to(sounds.flacs[0])
    assert run_consort("run", "-m", bundle, "-o", out, "a.flac", cwd=tmp_path / "one").exit == DONE
    run = run_consort("run", "-m", bundle, "-o", out, "a.flac", cwd=tmp_path / "two")
    assert run.exit == FAILED and 'entry 1, "a.flac", was ' in run.stderr
    run = run_consort("run", "-m", bundle, "-o", out, "./a.flac", cwd=tmp_path / "one")
    assert run.exit == FAILED, "its name in the results would be another"


# ---- identity ----

def test_another_model_or_option_is_refused_in_words(run_consort, tmp_path, null_bundle, sounds):
    bundle, other, out = null_bundle(), null_bundle(labels=9), tmp_path / "out.jsonl"
    assert run_consort("run", "-m", bundle, "-o", out, sounds.flacs[0]).exit == DONE
    before = out.read_bytes()
    run = run_consort("run", "-m", other, "-o", out, "--quiet", sounds.flacs[0])
    assert run.exit == FAILED and "the model was" in run.stderr and "--restart" in run.stderr
    run = run_consort("run", "-m", bundle, "-o", out, "--quiet", "--intra", 2, sounds.flacs[0])
    assert run.exit == FAILED
    assert "--intra was 1 and is 2 now" in run.stderr and "--mixed" in run.stderr
    assert run_consort("run", "-m", bundle, "-o", out, "--intra", 2, "--mixed", sounds.flacs[0]).exit == DONE
    run = run_consort("run", "-m", bundle, "-o", tmp_path / "b.jsonl", "--job", tmp_path / "out.jsonl.job", sounds.flacs[0])
    assert run.exit == FAILED and "../out.jsonl" in run.stderr and "../b.jsonl" in run.stderr
    assert out.read_bytes() == before
    assert run_consort("run", "-m", bundle, "-o", out, "-p", 2, "--attempts", 1, sounds.flacs[0]).exit == DONE


def test_a_job_may_be_moved_with_its_results(run_consort, tmp_path, null_bundle, sounds):
    bundle = null_bundle()
    (tmp_path / "here").mkdir()
    assert run_consort("run", "-m", bundle, "-o", tmp_path / "here/out.jsonl", sounds.flacs[0]).exit == DONE
    (tmp_path / "here").rename(tmp_path / "there")
    run = run_consort("run", "-m", bundle, "-o", tmp_path / "there/out.jsonl", sounds.flacs[0])
    assert run.exit == DONE and "nothing to do" in run.stderr


def test_results_that_were_altered_are_refused(start_consort, run_consort, tmp_path, job):
    bundle, folder, expected = job
    out = tmp_path / "out.jsonl"
    running = start_consort("run", "-m", bundle, "-o", out, "-p", 2, folder, env=SLOW)
    assert processes.wait_until(lambda: started(out) and os.path.getsize(out) > 1000)
    running.signal(signal.SIGTERM)
    running.wait()
    whole = out.read_bytes()
    out.write_bytes(whole[:100])
    run = run_consort("run", "-m", bundle, "-o", out, "--quiet", folder)
    assert run.exit == FAILED and "was altered" in run.stderr and "--restart" in run.stderr
    out.unlink()
    run = run_consort("run", "-m", bundle, "-o", out, "--quiet", folder)
    assert run.exit == FAILED and "is gone" in run.stderr
    out.write_bytes(whole + b'{"file":"half a li')
    assert run_consort("run", "-m", bundle, "-o", out, "--quiet", folder).exit == DONE
    assert out.read_bytes() == expected


def test_results_that_were_made_longer_are_not_cut_because_the_list_grew(run_consort, tmp_path, null_bundle, sounds):
    bundle, out = null_bundle(), tmp_path / "out.jsonl"
    listing = write_list(tmp_path / "list", sounds.flacs[:2])
    words = ("run", "-m", bundle, "-o", out, "--quiet", listing)
    assert run_consort(*words).exit == DONE
    whole = out.read_bytes()
    mine = whole + b'{"file":"a line of somebody\'s own"}\n'
    out.write_bytes(mine)
    write_list(listing, sounds.flacs[:3])
    run = run_consort(*words)
    assert run.exit == FAILED and "were altered" in run.stderr
    assert out.read_bytes() == mine
    out.write_bytes(whole)
    assert run_consort(*words).exit == DONE
    assert len(by_file(read_results(out))) == 3


@pytest.mark.parametrize("more", [(), ("--restart",)], ids=("going_on", "restart"))
def test_nul_bytes_that_a_power_cut_left_are_no_obstacle(start_consort, run_consort, tmp_path, job, more):
    bundle, folder, expected = job
    out = tmp_path / "out.jsonl"
    running = start_consort("run", "-m", bundle, "-o", out, "-p", 2, folder,
                            env=SLOW | {"CONSORT_COMMIT_MS": "60000"})
    assert processes.wait_until(lambda: out.exists() and out.stat().st_size > 0)
    running.signal(signal.SIGKILL)
    running.wait()
    assert progress(out) == (0, 0)
    out.write_bytes(bytes(out.stat().st_size))
    raw = tmp_path / "silence.pcm"
    raw.write_bytes(bytes(1000))
    run = run_consort("run", "-m", bundle, "-o", raw, "--job", f"{out}.job", "--restart", "--quiet", folder)
    assert run.exit == FAILED and "does not look like results" in run.stderr
    assert raw.read_bytes() == bytes(1000), "this job's journal knows nothing of it"
    run = run_consort("run", "-m", bundle, "-o", out, *more, folder)
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == expected


# ---- --restart, folders, locks ----

def test_restart_begins_anew(start_consort, run_consort, tmp_path, job):
    bundle, folder, expected = job
    out = tmp_path / "out.jsonl"
    running = start_consort("run", "-m", bundle, "-o", out, "-p", 2, folder, env=SLOW)
    assert processes.wait_until(lambda: started(out))
    running.signal(signal.SIGKILL)
    running.wait()
    few = sorted(folder.iterdir())[:5]
    assert run_consort("run", "-m", bundle, "-o", out, "--restart", *few).exit == DONE
    assert len(by_file(read_results(out))) == 5
    assert run_consort("run", "-m", bundle, "-o", out, "--restart", folder).exit == DONE
    assert out.read_bytes() == expected


def test_restart_replaces_a_journal_that_cannot_be_read(run_consort, tmp_path, null_bundle, sounds):
    bundle, out = null_bundle(), tmp_path / "out.jsonl"
    assert run_consort("run", "-m", bundle, "-o", out, sounds.flacs[0]).exit == DONE
    (tmp_path / "out.jsonl.job/journal.db").write_bytes(b"no database at all" * 1000)
    run = run_consort("run", "-m", bundle, "-o", out, "--quiet", sounds.flacs[0])
    assert run.exit == FAILED and "--restart" in run.stderr_lines()[-1]
    assert run_consort("run", "-m", bundle, "-o", out, "--restart", sounds.flacs[0]).exit == DONE
    assert "nothing to do" in run_consort("run", "-m", bundle, "-o", out, sounds.flacs[0]).stderr


def test_a_folder_of_something_else_is_refused(run_consort, tmp_path, null_bundle, sounds):
    (tmp_path / "music").mkdir()
    (tmp_path / "music/a.txt").write_text("mine")
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--job", tmp_path / "music",
                      "--quiet", sounds.flacs[0])
    assert run.exit == FAILED
    assert "is not the folder of a job" in run.stderr and "a.txt" in run.stderr
    assert os.listdir(tmp_path / "music") == ["a.txt"] and not (tmp_path / "out.jsonl").exists()


def test_a_job_in_a_named_folder(run_consort, tmp_path, null_bundle, sounds):
    words = ("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--job", tmp_path / "job", sounds.flacs[0])
    assert run_consort(*words).exit == DONE
    assert sorted(os.listdir(tmp_path / "job")) == ["journal.db", "list", "lock"]
    assert "nothing to do" in run_consort(*words).stderr


def test_somebodys_list_in_the_named_folder_is_left_alone(run_consort, tmp_path, null_bundle, sounds):
    (tmp_path / "job").mkdir()
    listing = write_list(tmp_path / "job/list", sounds.flacs[:2])
    before = listing.read_bytes()
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--job", tmp_path / "job", "--quiet",
                      listing)
    assert run.exit == FAILED and 'is not the folder of a job: it holds "list"' in run.stderr
    assert listing.read_bytes() == before and os.listdir(tmp_path / "job") == ["list"]


def test_what_failed_is_told_by_the_named_folder(run_consort, tmp_path, null_bundle):
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--job", tmp_path / "one's job",
                      tmp_path / "missing.wav")
    assert run.exit == SOME_FAILED
    [hint] = [line for line in run.stderr_lines() if "tells which and why" in line]
    program, *words = shlex.split(hint.split('"')[1])
    assert program == "consort"
    told = run_consort(*words)
    assert told.exit == DONE and "missing.wav: not_found" in told.stdout


def test_a_second_supervisor_waits_and_then_gives_up(start_consort, run_consort, tmp_path, null_bundle, sounds):
    bundle, out = null_bundle(), tmp_path / "out.jsonl"
    sound = tmp_path / "a~sleep60000~.flac"
    sound.symlink_to(sounds.flacs[0])
    first = start_consort("run", "-m", bundle, "-o", out, sound)
    assert processes.wait_until(lambda: len(first.workers()) >= 2)
    began = time.monotonic()
    run = run_consort("run", "-m", bundle, "-o", out, "--quiet", sound)
    assert run.exit == FAILED
    assert f"process {first.pid}" in run.stderr and time.monotonic() - began > 4.5
    # The lock dies with the supervisor, whoever of the others still lives.
    first.signal(signal.SIGKILL)
    third = start_consort("run", "-m", bundle, "-o", out, sound)
    assert processes.wait_until(lambda: len(third.workers()) >= 2, 4)


def test_results_that_go_nowhere_are_not_resumable_and_leave_nothing(run_consort, tmp_path, null_bundle, sounds):
    bundle = null_bundle()
    (tmp_path / "here").mkdir()
    run = run_consort("run", "-m", bundle, "-o", "-", sounds.flacs[0], cwd=tmp_path / "here")
    assert run.exit == DONE and "results on standard output cannot be resumed" in run.stderr
    assert run_consort("run", "-m", bundle, "-o", "-", "--quiet", sounds.flacs[0], cwd=tmp_path / "here").stderr == ""
    assert os.listdir(tmp_path / "here") == []
    assert run_consort("run", "-m", bundle, "-o", "/dev/null", sounds.flacs[0]).exit == DONE
    assert not os.path.exists("/dev/null.job")


def test_an_empty_list_is_a_finished_job_that_may_grow(run_consort, tmp_path, null_bundle, sounds):
    bundle, out, listing = null_bundle(), tmp_path / "out.jsonl", tmp_path / "list"
    listing.write_text("")
    assert run_consort("run", "-m", bundle, "-o", out, listing).exit == DONE
    assert run_consort("run", "-m", bundle, "-o", out, listing).exit == DONE
    assert out.read_bytes() == b""
    listing.write_text(f"{sounds.flacs[0]}\n")
    assert run_consort("run", "-m", bundle, "-o", out, listing).exit == DONE
    assert json.loads(out.read_text().splitlines()[0])["file"] == sounds.flacs[0]


def test_on_a_network_file_system_the_journal_needs_no_shared_memory(start_consort, run_consort, tmp_path, job):
    bundle, folder, expected = job
    out = tmp_path / "out.jsonl"
    network = SLOW | {"CONSORT_TEST_NETWORK_FS": "1"}
    running = start_consort("run", "-m", bundle, "-o", out, "-p", 2, folder, env=network)
    assert processes.wait_until(lambda: os.path.exists(out) and os.path.getsize(out) > 1000)
    assert not os.path.exists(f"{out}.job/journal.db-shm")
    running.signal(signal.SIGKILL)
    running.wait()
    assert run_consort("run", "-m", bundle, "-o", out, folder, env=network).exit == DONE
    assert out.read_bytes() == expected
