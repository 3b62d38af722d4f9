"""--merge-detections: formats with a row for a tag of segments that follow each other, against a look at all lines."""

import csv
import io
import json
import os
import pathlib

import pytest

import bundles
import jobs
import processes
from program import DONE, SOME_FAILED, USAGE, by_file, read_results


def merged(lines):
    """(start, end, label, score) of a recording's lines: for each tag that the line before has not, the lines that do."""
    def tags(n):
        if not 0 <= n < len(lines) or "error" in lines[n] or lines[n]["end"] < lines[n]["start"]:
            return {}
        return {it["label"]: it["score"] for it in lines[n]["tags"]}

    found = []
    for n, line in enumerate(lines):
        for label in sorted(set(tags(n)) - set(tags(n - 1)), key=os.fsencode):
            last = n
            while label in tags(last + 1):
                last += 1
            found.append((line["start"], lines[last]["end"], label, max(tags(m)[label] for m in range(n, last + 1))))
    return found


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def detections(text):
    return [(it["file"], float(it["start"]), float(it["end"]), it["label"], float(it["score"])) for it in rows(text)
            if it["label"]]


def wanted(lines):
    return [(name, *it) for name, each in by_file(lines).items() for it in merged(each)]


@pytest.fixture(scope="module")
def words(sounds, tmp_path_factory):
    """A job whose tags stay and go, with a file that fails, and intervals behind a file's end."""
    place = tmp_path_factory.mktemp("merged")
    bundle = bundles.write_null_bundle(place / "bundle", segment_seconds=0.25, hop_seconds=0.3, labels=5, top_k=4, threshold=0.4)
    return "run", "-m", bundle, *sounds.flacs[:6], place / "gone.flac"


def test_a_tag_that_stays_is_one_row(run_consort, tmp_path, words):
    out, plain = tmp_path / "out.jsonl", tmp_path / "plain.jsonl"
    run = run_consort(*words, "-o", out, "--format", "csv,raven", "--merge-detections")
    assert run.exit == SOME_FAILED, run.stderr
    assert run_consort(*words, "-o", plain).exit == SOME_FAILED
    assert out.read_bytes() == plain.read_bytes(), "the results are what they are"
    lines = read_results(out)
    text = (tmp_path / "out.csv").read_text()
    assert detections(text) == wanted(lines)
    assert len(wanted(lines)) < sum(len(it.get("tags", [])) for it in lines)
    assert not any(it["rank"] for it in rows(text))
    # Rows without a label: a segment without any tag, and an error.
    rest = [it for it in rows(text) if not it["label"]]
    silent = [it for it in lines if "error" in it or not it["tags"] or it["end"] < it["start"]]
    assert [it["file"] for it in rest] == [it["file"] for it in silent]
    raven = list(csv.DictReader((tmp_path / "out.raven.txt").open(), delimiter="\t"))
    assert [(it["Begin Path"], float(it["File Offset (s)"]), it["Annotation"], float(it["Score"])) for it in raven] == [
        (name, start, label, score) for name, start, _, label, score in wanted(lines)]
    lasts = [float(it["End Time (s)"]) - float(it["Begin Time (s)"]) for it in raven]
    assert lasts == pytest.approx([end - start for _, start, end, _, _ in wanted(lines)], abs=0.0011)
    run = run_consort("export", "--job", out, "--format", "csv", "--merge-detections", "-o", "-")
    assert run.exit == DONE and run.stdout == text
    assert f"intervals, {len(wanted(lines)):,} merged detections" in run.stderr


def test_another_choice_makes_the_file_anew(run_consort, tmp_path, words):
    out, made = tmp_path / "out.jsonl", tmp_path / "out.csv"
    assert run_consort(*words, "-o", out, "--format", "csv").exit == SOME_FAILED
    every = made.read_bytes()
    run = run_consort(*words, "-o", out, "--format", "csv", "--merge-detections")
    assert run.exit == SOME_FAILED and "nothing to do" in run.stderr and "exported" in run.stderr
    assert made.read_bytes() != every
    run = run_consort(*words, "-o", out, "--format", "csv", "--merge-detections")
    assert "exported" not in run.stderr, "it is as wanted"
    assert run_consort("export", "--job", out, "--format", "csv").exit == DONE
    assert made.read_bytes() == every
    assert run_consort(*words, "-o", out, "--format", "csv").exit == SOME_FAILED
    assert made.read_bytes() == every
    made.write_text("mine")
    run = run_consort("export", "--job", out, "--format", "csv", "--merge-detections")
    assert "exists" in run.stderr and made.read_text() == "mine"


def test_a_file_for_each_recording(run_consort, tmp_path, words):
    out = tmp_path / "out.jsonl"
    assert run_consort(*words, "-o", out).exit == SOME_FAILED
    run = run_consort("export", "--job", out, "--format", "csv,srt", "--merge-detections", "--per-recording", "-o",
                      tmp_path / "made")
    assert run.exit == DONE, run.stderr
    for name, lines in by_file(read_results(out)).items():
        place = (tmp_path / "made" / name.lstrip("/")).with_suffix("")
        found = detections(place.with_suffix(".csv").read_text())
        assert found == [(name, *it) for it in merged(lines)]
        if any("tags" in it for it in lines):
            assert place.with_suffix(".srt").read_text().count(" --> ") == len(found)


def tagged(file, start, *labels):
    return {"file": file, "start": start, "end": start + 1.0, "tags": [{"label": it, "score": 0.5} for it in labels]}


@pytest.fixture
def job(run_consort, tmp_path, null_bundle, sounds):
    """job(lines) → the path of results that are these."""
    out = tmp_path / "out.jsonl"
    assert run_consort("run", "-m", null_bundle(), "-o", out, sounds.flacs[0]).exit == DONE

    def put(lines):
        jobs.put_results(out, [json.dumps(it, separators=(",", ":")) for it in lines])
        return out

    return put


def test_nothing_goes_over_an_error_or_a_recordings_end(run_consort, job):
    crash = {"file": "a.wav", "error": {"code": "crashed", "message": "m", "at": 1.0}}
    out = job([tagged("a.wav", 0.0, "x"), crash, tagged("a.wav", 2.0, "x"), tagged("a.wav", 3.0, "x"),
               tagged("a.wav", 0.0, "x"), tagged("b.wav", 1.0, "x", "a")])
    run = run_consort("export", "--job", out, "--format", "csv", "--merge-detections", "-o", "-")
    assert run.exit == DONE, run.stderr
    assert [(it["file"], it["start"], it["end"], it["label"] or it["error"]) for it in rows(run.stdout)] == [
        ("a.wav", "0.000", "1.000", "x"), ("a.wav", "1.000", "", "crashed: m"), ("a.wav", "2.000", "4.000", "x"),
        ("a.wav", "0.000", "1.000", "x"), ("b.wav", "1.000", "2.000", "a"), ("b.wav", "1.000", "2.000", "x")]


def test_events_and_words_stay_as_they_are(run_consort, job):
    out = job([{"file": "a.wav", "start": 0.0, "end": 3.0, "events": [{"label": "x", "start": 1.0, "end": 3.0, "score": 0.5}]},
               {"file": "a.wav", "start": 3.0, "end": 6.0, "events": [{"label": "x", "start": 3.0, "end": 4.0, "score": 0.5}]},
               {"file": "b.wav", "start": 0.0, "end": 3.0, "text": "two", "words": []}])
    made = [run_consort("export", "--job", out, "--format", "csv", "-o", "-", *more) for more in ((), ("--merge-detections",))]
    assert made[0].exit == made[1].exit == DONE
    assert made[0].stdout == made[1].stdout and len(rows(made[0].stdout)) == 3


def test_what_it_is_not_for_is_told(run_consort, tmp_path, words):
    out = tmp_path / "out.jsonl"
    run = run_consort(*words, "-o", out, "--merge-detections")
    assert run.exit == USAGE and "name one with --format" in run.stderr and not out.exists()
    run = run_consort("export", "--job", out, "--format", "csv,jsonl", "--merge-detections")
    assert run.exit == USAGE and "--merge-detections and --format jsonl exclude each other" in run.stderr


def test_a_tag_that_never_ends_takes_little_memory(start_consort, job):
    """It holds back what begins behind it, as far as that is bounded."""
    out = job(tagged("a.wav", float(n), "always", "even" if n % 2 == 0 else "odd") for n in range(300_000))
    running = start_consort("export", "--job", out, "--format", "csv", "--merge-detections")
    made = out.parent / "out.csv.consort-new"
    assert processes.wait_until(lambda: made.exists() and made.stat().st_size > 4_000_000, interval=0.001)
    peak = next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{running.pid}/status").read_text().splitlines()
                if line.startswith("VmHWM"))
    assert running.wait().exit == DONE
    assert peak < 40_000, "kB"
    text = (out.parent / "out.csv").read_text()
    assert text.count(",odd,") + text.count(",even,") == 300_000
    assert 2 < text.count(",always,") < 60
