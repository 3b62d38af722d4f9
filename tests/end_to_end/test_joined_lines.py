"""Lines in which things go on from one segment to the next: nothing that a job goes through changes them.

Frames are the null worker's: they depend on a file's name alone.
"""

import json
import os
import random
import signal
import sqlite3
import time

import pytest

import bundles
import processes
from program import DONE, SOME_FAILED, by_file, read_results

FAST = {"CONSORT_COMMIT_MS": "20"}
SLOW = FAST | {"CONSORT_NULL_SEGMENT_US": "3000"}
KINDS = {
    # Words of several letters, over several segments.
    "ctc": (["<pad>", "|", "a", "b", "c", "d"], {"kind": "ctc", "frame_seconds": 0.02}),
    "frames": (["b", "a"], {"kind": "frames", "frame_seconds": 0.02, "threshold": 0.7, "threshold_off": 0.4,
                            "min_gap_seconds": 0.3, "pad_seconds": 0.1}),
    # One event a file for each label: all lines of a file wait for its end.
    "held": (["a", "b"], {"kind": "frames", "frame_seconds": 0.02, "threshold": 0.0}),
}


def write_bundle(folder, kind, hop_seconds=0.2):
    labels, output = KINDS[kind]
    return bundles.write_null_bundle(folder, segment_seconds=0.4, hop_seconds=hop_seconds, labels=labels, output=output)


def things(lines):
    return [thing for line in lines for thing in line.get("words", line.get("events", []))]


@pytest.fixture(scope="module", params=KINDS)
def job(request, runner, tmp_path_factory, sounds):
    """A bundle, a folder of 60 sounds of their own names, and the bytes of an undisturbed run of one engine."""
    folder = tmp_path_factory.mktemp("joined")
    (folder / "sounds").mkdir()
    for n in range(60):
        (folder / f"sounds/{n:03d}.flac").symlink_to(sounds.flacs[n % len(sounds.flacs)])
    bundle = write_bundle(folder / "bundle", request.param)
    run = runner.run("run", "-m", bundle, "-o", folder / "calm.jsonl", "-p", 1, "-t", 1, folder / "sounds")
    assert run.exit == DONE, run.stderr
    return bundle, folder / "sounds", (folder / "calm.jsonl").read_bytes()


def test_things_do_not_depend_on_the_hop(run_consort, tmp_path, job):
    bundle, folder, expected = job
    wanted = [json.loads(line) for line in expected.splitlines()]
    for n, hop in enumerate((0.1, 0.28, 0.4)):
        other = bundles.copy(bundle, tmp_path / f"bundle-{n}")
        manifest = bundles.read_manifest(other)
        manifest["audio"]["hop_seconds"] = hop
        bundles.write_manifest(other, manifest)
        out = tmp_path / f"{n}.jsonl"
        assert run_consort("run", "-m", other, "-o", out, "--quiet", folder).exit == DONE
        found = by_file(read_results(out))
        for name, lines in by_file(wanted).items():
            assert sorted(map(json.dumps, things(found[name]))) == sorted(map(json.dumps, things(lines)))
    assert len(things(wanted)) > 60


def counted(out):
    """Segments that the journal counts."""
    try:
        with sqlite3.connect(f"file:{out}.job/journal.db?mode=ro", uri=True) as journal:
            return (journal.execute("SELECT segments FROM job").fetchone() or (0,))[0]
    except sqlite3.Error:
        return 0


def kill_again_and_again(start_consort, out, words, number, env):
    """Six times, each once the journal has got on; then to the end."""
    kills = 0
    for _ in range(6):
        before = counted(out)
        running = start_consort(*words, env=env)
        processes.wait_until(lambda: counted(out) > before or running.popen.poll() is not None)
        time.sleep(random.uniform(0, 0.1))
        if running.popen.poll() is None:
            running.signal(number)
            kills += 1
        if running.wait().exit == DONE:
            break
    assert kills >= 2
    run = start_consort(*words).wait()
    assert run.exit == DONE, run.stderr


@pytest.mark.parametrize("split", [("1", "1"), ("2", "2")])
def test_kills_of_the_supervisor_change_no_byte(start_consort, tmp_path, job, split):
    bundle, folder, expected = job
    out = tmp_path / "out.jsonl"
    words = ("run", "-m", bundle, "-o", out, "-p", split[0], "-t", split[1], "--quiet", folder)
    kill_again_and_again(start_consort, out, words, signal.SIGKILL, SLOW)
    assert out.read_bytes() == expected


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_long_file_goes_on_in_the_middle_of_things(start_consort, run_consort, tmp_path, job, sounds, number):
    bundle, _, _ = job
    sound = tmp_path / "long.flac"
    sound.symlink_to(max(sounds.flacs, key=os.path.getsize))
    assert run_consort("run", "-m", bundle, "-o", tmp_path / "calm.jsonl", sound).exit == DONE
    out = tmp_path / "out.jsonl"
    words = ("run", "-m", bundle, "-o", out, "-p", 1, "-t", 1, "--quiet", sound)
    kill_again_and_again(start_consort, out, words, number, FAST | {"CONSORT_NULL_SEGMENT_US": "20000"})
    assert out.read_bytes() == (tmp_path / "calm.jsonl").read_bytes()


def test_a_head_that_is_held_back_holds_up_no_other(run_consort, tmp_path, job):
    """The first file takes long: what is done meanwhile is written behind it, in order."""
    bundle, folder, expected = job
    slow = tmp_path / "slow~sleep20~.flac"
    slow.symlink_to(sorted(folder.iterdir())[0])
    out = tmp_path / "out.jsonl"
    assert run_consort("run", "-m", bundle, "-o", out, "-p", 2, "-t", 1, "--quiet", slow, folder).exit == DONE
    assert out.read_bytes().endswith(expected)
    assert out.read_bytes() != expected


def test_a_segment_that_crashes_has_its_line_in_its_place(run_consort, tmp_path, job, sounds):
    bundle, _, _ = job
    sound = tmp_path / "bad~segv@5~.flac"
    sound.symlink_to(max(sounds.flacs, key=os.path.getsize))
    results = set()
    for n, (workers, engines) in enumerate([(1, 1), (2, 2)]):
        out = tmp_path / f"{n}.jsonl"
        assert run_consort("run", "-m", bundle, "-o", out, "-p", workers, "-t", engines, "--attempts", 1, "--quiet",
                           sound).exit == SOME_FAILED
        results.add(out.read_bytes())
        lines = read_results(out)
        assert [k for k, line in enumerate(lines) if "error" in line] == [5]
        assert lines[5]["error"]["code"] == "crashed"
        starts = [line["start"] for line in lines if "start" in line]
        assert starts == sorted(starts) and len(starts) == len(lines) - 1
        # Half of the segments' frames on either side of it are nobody's.
        assert all(thing["end"] <= 1.1 + 1e-6 for thing in things(lines[:5]))
        assert all(thing["start"] >= 1.1 for thing in things(lines[6:]))
        assert things(lines[:5]) and things(lines[6:])
    assert len(results) == 1


def test_what_failed_is_done_again_in_its_place(run_consort, tmp_path, job, sounds):
    bundle, _, _ = job
    entries = [tmp_path / f"{n}.flac" for n in range(8)]
    listing = tmp_path / "list"
    listing.write_text("".join(f"{entry}\n" for entry in entries))
    for n, entry in enumerate(entries):
        if n not in (0, 3, 7):
            entry.symlink_to(sounds.flacs[n])
    out = tmp_path / "out.jsonl"
    assert run_consort("run", "-m", bundle, "-o", out, listing).exit == SOME_FAILED
    for n in (0, 3, 7):
        entries[n].symlink_to(sounds.flacs[n])
    assert run_consort("run", "-m", bundle, "-o", out, "--retry-failed", listing).exit == DONE
    assert run_consort("run", "-m", bundle, "-o", tmp_path / "calm.jsonl", listing).exit == DONE
    assert out.read_bytes() == (tmp_path / "calm.jsonl").read_bytes()


def test_every_format_takes_them(run_consort, tmp_path, job):
    bundle, folder, expected = job
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", bundle, "-o", out, "--format", "csv,raven,audacity,rttm,ctm,srt,vtt", folder)
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == expected
    lines = [json.loads(line) for line in expected.splitlines()]
    count = len(things(lines))
    assert len((tmp_path / "out.ctm").read_text().splitlines()) == count
    captions = count if "events" in lines[0] else sum(line["text"] != "" for line in lines)
    assert len((tmp_path / "out.rttm").read_text().splitlines()) == captions
    assert (tmp_path / "out.srt").read_text().count(" --> ") == captions
    run = run_consort("export", "--job", out, "--format", "jsonl", "-o", tmp_path / "again.jsonl")
    assert run.exit == DONE and (tmp_path / "again.jsonl").read_bytes() == expected


def test_to_a_pipe(run_consort, job):
    bundle, folder, expected = job
    run = run_consort("run", "-m", bundle, "-o", "-", "-p", 2, "-t", 2, "--quiet", folder)
    assert run.exit == DONE and run.stdout.encode() == expected
