"""consort check: which files can be read, and how much sound they are, without a model."""

import json
import os
import shutil
import signal
import struct
import subprocess

import pytest

import audio
import processes
from program import DONE, FAILED, SOME_FAILED, USAGE, by_file, read_results


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Good files of several kinds and bad ones, and a list of them in a folder of its own."""
    root = tmp_path_factory.mktemp("check")
    audio.make(root / "one.wav", seconds=4.0, rate=32000)
    audio.make(root / "two.wav", seconds=2.0, rate=48000, channels=2)
    audio.make(root / "three.flac", seconds=7.0, rate=32000)
    audio.make(root / "four.mp3", seconds=3.0, rate=44100)
    audio.cut(audio.make(root / "cut.wav", seconds=10.0, rate=32000), 0.5)
    audio.cut(audio.make(root / "cut.flac", seconds=10.0, rate=32000), 0.5)
    audio.cut(audio.make(root / "cut.ogg", seconds=10.0, rate=32000), 0.5)
    (root / "text.wav").write_text("no audio\n" * 50)
    (root / "empty.wav").write_bytes(b"")
    names = ["one.wav", "cut.wav", "text.wav", "two.wav", "missing.wav", "three.flac", "cut.flac", "four.mp3", "cut.ogg",
             "empty.wav", "one.wav"]
    (root / "list.txt").write_text("".join(name + "\n" for name in names))
    return root, names


def test_it_says_of_every_file_what_a_run_says(run_consort, folder, null_bundle, tmp_path):
    root, names = folder
    check = run_consort("check", "--json", tmp_path / "all.json", "--failed", tmp_path / "failed.txt", root / "list.txt")
    assert check.exit == SOME_FAILED, check.stderr
    said = json.loads((tmp_path / "all.json").read_text())
    assert [it["file"] for it in said["files"]] == names and said["complete"]
    run = run_consort("run", "-m", null_bundle(segment_seconds=1, hop_seconds=1), "-o", tmp_path / "out.jsonl",
                      root / "list.txt", env={"CONSORT_NULL_READ": "1"})
    assert run.exit == SOME_FAILED
    ran = {name: lines[-1].get("error") for name, lines in by_file(_once(read_results(tmp_path / "out.jsonl"))).items()}
    for it in said["files"]:
        error = ran[it["file"]]
        assert ("error" in it) == (error is not None), it
        if error:
            assert it["error"] == error
    good = {it["file"]: it for it in said["files"] if "error" not in it}
    assert good["two.wav"] == {"file": "two.wav", "container": "wav", "sample_rate": 48000, "channels": 2, "samples": 96000,
                               "seconds": 2.0, "unfinished": False}
    assert {it["container"] for it in good.values()} == {"wav", "flac", "mp3"}
    failed = (tmp_path / "failed.txt").read_text().splitlines()
    assert failed == [str(root / it["file"]) for it in said["files"] if "error" in it]
    again = run_consort("check", tmp_path / "failed.txt")
    assert again.exit == SOME_FAILED and f"{len(failed)} files: 0 fine" in again.stdout


def _once(lines):
    """Of one.wav, which is listed twice, the lines of the first time."""
    last = max(n for n, line in enumerate(lines) if line["file"] != "one.wav")
    return lines[:last + 1]


def test_its_report_counts_and_shows_the_first(run_consort, folder):
    root, _ = folder
    run = run_consort("check", "list.txt", cwd=root)
    assert run.exit == SOME_FAILED, run.stderr
    report = run.stdout.splitlines()
    assert report[0] == "files       11 files: 5 fine, 6 would fail"
    assert "sound       0:00:20 hours" in report
    assert 'shortest    2.000 s   "two.wav"' in report and 'longest     7.000 s   "three.flac"' in report
    assert "containers  wav: 3   flac: 1   mp3: 1" in report
    assert "rates       32,000 Hz: 3   44,100 Hz: 1   48,000 Hz: 1" in report
    assert "channels    1: 4   2: 1" in report
    assert "not_found   1 file" in report and '  "missing.wav": not_found: no such file' in report
    assert not any(line.startswith("segments") for line in report)


def test_its_report_says_where_all_are(run_consort, tmp_path):
    for n in range(5):
        (tmp_path / f"{n}.wav").write_bytes(b"")
    run = run_consort("check", tmp_path)
    assert run.exit == SOME_FAILED and '"consort check --failed FILE" lists them' in run.stdout
    run = run_consort("check", "--failed", tmp_path / "failed.txt", tmp_path)
    assert f'in the list "{tmp_path / "failed.txt"}"' in run.stdout
    assert len((tmp_path / "failed.txt").read_text().splitlines()) == 5


def test_with_a_bundle_it_counts_segments(run_consort, folder, null_bundle, tmp_path):
    root, _ = folder
    bundle = null_bundle(segment_seconds=3, hop_seconds=1.5, sample_rate=32000)
    good = [root / name for name in ("one.wav", "two.wav", "three.flac", "four.mp3")]
    run = run_consort("check", "-m", bundle, "--json", "-", *good)
    assert run.exit == DONE, run.stderr
    total = json.loads(run.stdout)["total"]
    done = run_consort("run", "-m", bundle, "-o", tmp_path / "out.jsonl", *good)
    assert done.exit == DONE
    assert total["segments"] == len(read_results(tmp_path / "out.jsonl"))
    report = run_consort("check", "-m", bundle, *good).stdout
    assert f"segments    {total['segments']} of 3 s, one every 1.5 s" in report
    assert '"consort tune" would tell how long it takes' in report


def test_nothing_to_find_fault_with(run_consort, sounds, tmp_path):
    run = run_consort("check", "--quiet", "--failed", tmp_path / "failed.txt", *sounds.wavs[:3])
    assert run.exit == DONE and run.stderr == ""
    assert (tmp_path / "failed.txt").read_text() == ""
    empty = run_consort("check", "-", stdin=b"")
    assert empty.exit == DONE and "0 files" in empty.stdout
    assert "warning: the list on standard input has no entries" in empty.stderr and "nothing to do" in empty.stderr


def test_a_header_that_ends_too_early_is_told(run_consort, tmp_path):
    path = audio.make(tmp_path / "a.wav", seconds=4.0, rate=16000)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 40, 32000)
    path.write_bytes(content)
    run = run_consort("check", path)
    assert run.exit == DONE and "unfinished  1 file with a header" in run.stdout
    assert "0:00:04 hours" in run.stdout and "warning" not in run.stderr


def test_workers_that_die_cost_one_file(start_consort, folder, tmp_path):
    """The supervisor opens nothing: what ends a worker is replaced, and all is told the same."""
    root, names = folder
    (tmp_path / "many.txt").write_text("".join(str(root / name) + "\n" for name in names * 400))
    job = start_consort("check", "--json", "-", "-p", 2, tmp_path / "many.txt")
    kills = 0
    for _ in range(5):
        workers = processes.wait_until(lambda: [it for it in job.workers() if it.name == "consort-worker"] or job.popen.poll() is not None)
        if workers is True:
            break  # it has ended
        for it in workers[:1]:
            try:
                os.kill(it.pid, signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass
        processes.wait_until(lambda: False, 0.1)
    run = job.wait()
    assert run.exit == SOME_FAILED and kills > 0
    said = json.loads(run.stdout)
    assert said["total"]["files"] == len(names) * 400 and said["total"]["fine"] == 5 * 400


def test_stopped_it_tells_what_it_saw(start_consort, tmp_path):
    """A FLAC without a length takes long to open: it is decoded to its end."""
    audio.make(tmp_path / "long.flac", seconds=300, rate=48000, channels=2)
    content = bytearray((tmp_path / "long.flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = b"\0\0\0\0"  # of STREAMINFO: the number of samples
    (tmp_path / "long.flac").write_bytes(content)
    audio.make(tmp_path / "a.wav", seconds=1)
    names = ["a.wav", "long.flac"] * 100  # what is known of a file is kept for the next one, if it is the same
    (tmp_path / "list").write_text("".join(name + "\n" for name in names))
    job = start_consort("check", "-p", 1, "--json", tmp_path / "all.json", tmp_path / "list")
    assert processes.wait_until(lambda: any(it.name == "consort-worker" for it in job.workers()))
    processes.wait_until(lambda: False, 0.5)
    job.signal(signal.SIGINT)
    run = job.wait()
    assert run.exit == 130
    assert f"of {len(names)} files, as far as it came" in run.stdout
    said = json.loads((tmp_path / "all.json").read_text())
    assert not said["complete"] and len(said["files"]) < len(names)


@pytest.mark.parametrize("words,status,told", [
    (("--failed", "rec.wav", "rec.wav"), FAILED, "is named like a recording"),
    (("--json", "list", "list"), FAILED, "is to be read"),
    (("--json", "none/all.json", "list"), FAILED, "another with --json"),
    (("-m", "none", "list"), FAILED, "bundle"),
    (("missing",), FAILED, "missing"),
    ((), USAGE, "no audio"),
    (("--faild", "x", "list"), USAGE, "--failed"),
])
def test_mistakes_are_told(run_consort, tmp_path, words, status, told):
    (tmp_path / "list").write_text("rec.wav\n")
    audio.make(tmp_path / "rec.wav", seconds=0.1)
    before = sorted(tmp_path.iterdir())
    run = run_consort("check", *words, cwd=tmp_path)
    assert run.exit == status and told in run.stderr and len(run.stderr_lines()) <= 2
    assert sorted(tmp_path.iterdir()) == before and run.stdout == ""


def test_its_worker_is_none_of_the_test_builds(run_consort, consort, tmp_path):
    """Those have faults that an environment variable asks for; and a worker that is missing is named."""
    audio.make(tmp_path / "a.wav", seconds=1.0, rate=16000)
    run = run_consort("check", tmp_path / "a.wav", env={"CONSORT_FAULT": "segv@validate:a.wav"})
    assert run.exit == DONE, run.stderr
    alone = shutil.copy(consort, tmp_path / "consort")
    ended = subprocess.run([alone, "check", tmp_path / "a.wav"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == FAILED and "consort-worker-check belongs beside consort" in ended.stderr
