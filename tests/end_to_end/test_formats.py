"""What is exported is read back by readers that others wrote, and says the same as the results."""

import csv
import html
import json
import os

import meeteval.io
import pandas
import pyannote.database.util
import pysrt
import pytest
import soundfile
import webvtt

import audio
import bundles
import jobs
from program import DONE, SOME_FAILED, read_results

TOGETHER = ("csv", "raven", "audacity", "rttm", "ctm", "srt", "vtt")
LABELS = ["speech", 'say "yes, no"', "two words", "R&B <b> --> é", "tab", "NA", "six"]
DAY = 86_400


def seconds(number):
    return f"{number:.3f}"


def word(text):
    """As formats have it whose fields are separated by blanks."""
    return "".join("_" if c.isspace() or c == '"' else c for c in text)


def intervals(lines):
    """(name, line) of those that have something to say; what lies behind the file's end has not."""
    return [(it["file"], it) for it in lines if "error" not in it and it["end"] >= it["start"]]


def captions(lines):
    """(name, start, end, text, score): the best label, the transcript, as long as its words, or each event."""
    found = []
    for name, it in intervals(lines):
        if it.get("tags"):
            found.append((name, it["start"], it["end"], it["tags"][0]["label"], it["tags"][0]["score"]))
        elif it.get("text", "").strip():
            start, end = (it["words"][0]["start"], it["words"][-1]["end"]) if it.get("words") else (it["start"], it["end"])
            found.append((name, start, end, it["text"].replace("\n", " "), None))
        found += [(name, e["start"], e["end"], e["label"], e["score"]) for e in it.get("events", [])]
    return found


@pytest.fixture(scope="module")
def tags(runner, sounds, tmp_path_factory):
    """Results with tags, errors, and an interval behind a file's end, in all formats."""
    place = tmp_path_factory.mktemp("tags")
    bundle = bundles.write_null_bundle(place / "bundle", segment_seconds=0.25, hop_seconds=0.3, labels=LABELS, top_k=3,
                                       threshold=0.4)
    folder = place / 'a "b" é'
    folder.mkdir()
    for n, sound in enumerate(sounds.flacs[:8]):
        (folder / f"{n} x.flac").symlink_to(sound)
    audio.make(folder / "3 behind.flac", seconds=0.86, rate=8000)
    (folder / "empty.flac").write_bytes(b"")
    out = place / "out.jsonl"
    run = runner.run("run", "-m", bundle, "-o", out, "--format", ",".join(TOGETHER), folder, place / "gone.flac")
    assert run.exit == SOME_FAILED, run.stderr
    assert any(it["end"] < it["start"] for it in read_results(out) if "error" not in it)
    return out


@pytest.fixture(scope="module")
def transcripts(runner, sounds, tmp_path_factory):
    """The same with transcripts, of more than a day."""
    place = tmp_path_factory.mktemp("transcripts")
    bundle = bundles.write_null_bundle(place / "bundle")
    out = place / "out.jsonl"
    assert runner.run("run", "-m", bundle, "-o", out, sounds.flacs[0]).exit == DONE
    said = [{"file": "b.flac", "start": 0.0, "end": 2.48, "text": "two seven",
             "words": [{"word": "two", "start": 0.42, "end": 0.7}, {"word": "seven", "start": 0.8, "end": 1.125}]},
            {"file": "b.flac", "start": 3.0, "end": 4.0, "text": "", "words": []},
            {"file": "b.flac", "start": DAY + 7.042, "end": DAY + 9.5, "text": 'é, "so"\nit & <goes>',
             "words": [{"word": 'é,', "start": DAY + 7.1, "end": DAY + 7.2, "score": 0.75},
                       {"word": '"so"', "start": DAY + 7.2, "end": DAY + 7.3, "score": 0.5}]},
            {"file": "b.flac", "start": 4 * DAY + 36_000.001, "end": 4 * DAY + 36_001.0, "text": "no words"},
            {"file": "c.flac", "start": 0.5, "end": 1.5, "text": "other file"}]
    jobs.put_results(out, [json.dumps(it, ensure_ascii=False) for it in said])
    for name in TOGETHER:
        run = runner.run("export", "--job", out, "--format", name)
        assert run.exit == DONE, run.stderr
    return out


@pytest.fixture(scope="module")
def events(runner, sounds, tmp_path_factory):
    """The same with events: some at once, one behind its segment, one as short as can be."""
    place = tmp_path_factory.mktemp("events")
    bundle = bundles.write_null_bundle(place / "bundle")
    out = place / "out.jsonl"
    assert runner.run("run", "-m", bundle, "-o", out, sounds.flacs[0]).exit == DONE
    said = [{"file": "b.flac", "start": 0.0, "end": 3.0,
             "events": [{"label": "speech", "start": 0.42, "end": 4.7, "score": 0.9312},
                        {"label": 'say "yes, no"', "start": 1.0, "end": 1.0, "score": 0.5}]},
            {"file": "b.flac", "start": 3.0, "end": 6.0, "events": []},
            {"file": "c d.flac", "start": 0.0, "end": 1.5, "events": [{"label": "NA", "start": 0.02, "end": 1.5, "score": 1.0}]}]
    jobs.put_results(out, [json.dumps(it, ensure_ascii=False) for it in said])
    for name in TOGETHER:
        run = runner.run("export", "--job", out, "--format", name)
        assert run.exit == DONE, run.stderr
    return out


@pytest.fixture(params=["tags", "transcripts", "events"])
def out(request):
    return request.getfixturevalue(request.param)


def beside(out, extension):
    return out.parent / ("out" + extension)


def recording_ms(name, lines):
    """How long it is: one that is there by its own word; one that was made up by its last interval."""
    if not os.path.exists(name):
        return round(1000 * max(it["end"] for it in lines if it["file"] == name))
    sound = soundfile.info(name)
    return (2000 * sound.frames + sound.samplerate) // (2 * sound.samplerate)


def rows(frame):
    return [tuple(row) for row in frame.itertuples(index=False)]


def expected_csv(lines):
    for it in lines:
        if "error" in it:
            at = seconds(it["error"]["at"]) if "at" in it["error"] else ""
            yield it["file"], at, "", "", "", "", "", f'{it["error"]["code"]}: {it["error"]["message"]}', ""
        elif "text" in it:
            yield it["file"], seconds(it["start"]), seconds(it["end"]), "", "", "", it["text"], "", ""
        elif it.get("events"):
            for event in it["events"]:
                yield (it["file"], seconds(event["start"]), seconds(event["end"]), "", event["label"], f'{event["score"]:.4f}', "", "", "")
        else:
            for n, tag in enumerate(it.get("tags", [])):
                yield (it["file"], seconds(it["start"]), seconds(it["end"]), str(n + 1), tag["label"],
                       f'{tag["score"]:.4f}', "", "", "")
            if not it.get("tags"):
                yield it["file"], seconds(it["start"]), seconds(it["end"]), "", "", "", "", "", ""


def test_csv_by_pandas_and_by_python(out):
    lines = read_results(out)
    wanted = list(expected_csv(lines))
    assert rows(pandas.read_csv(beside(out, ".csv"), dtype=str, keep_default_na=False)) == wanted
    with open(beside(out, ".csv"), newline="", encoding="utf-8") as file:
        header, *records = csv.reader(file, strict=True)
    assert [tuple(it) for it in records] == wanted
    assert header == ["file", "start", "end", "rank", "label", "score", "text", "error", "channel"]
    numbers = pandas.read_csv(beside(out, ".csv"))
    assert numbers["start"].dtype == float and numbers["score"].dtype == float


def test_raven_by_pandas(out):
    """crowsetta's reader of Raven's tables is pandas.read_csv(path, sep="\\t"), too."""
    table = pandas.read_csv(beside(out, ".raven.txt"), sep="\t", dtype=str, keep_default_na=False)
    assert list(table.columns[:7]) == ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)",
                                       "Low Freq (Hz)", "High Freq (Hz)"]
    lines = [it for it in read_results(out) if "error" not in it]
    wanted, before, after, last = [], 0.0, 0, None
    for it in lines:
        if it["file"] != last:
            before, last = after / 1000, it["file"]
            after += recording_ms(last, lines)
        said = [(it["start"], it["end"], t["label"], f'{t["score"]:.4f}', str(n + 1)) for n, t in enumerate(it.get("tags", []))]
        if "tags" not in it:
            said = [(start, end, text, "" if score is None else f"{score:.4f}", "") for _, start, end, text, score in captions([it])]
        if it["end"] >= it["start"]:
            wanted += [(seconds(before + start), seconds(before + end), os.path.basename(last), last, seconds(start), *more)
                       for start, end, *more in said]
    assert rows(table.iloc[:, [3, 4, 7, 8, 9, 10, 11, 12]]) == wanted
    assert list(table["Selection"]) == [str(n + 1) for n in range(len(wanted))]


def test_audacity_by_pandas(out):
    table = pandas.read_csv(beside(out, ".audacity.txt"), sep="\t", header=None, keep_default_na=False, quoting=3)
    assert rows(table) == [(start, end, text) for _, start, end, text, _ in captions(read_results(out))]


def test_rttm_by_pyannote_and_by_meeteval(out):
    wanted = [(word(name), seconds(start), seconds(max(end - start, 0.001)), word(text))
              for name, start, end, text, _ in captions(read_results(out))]
    read = meeteval.io.RTTM.load(beside(out, ".rttm"))
    assert [(it.filename, seconds(it.begin_time), seconds(it.duration), it.speaker_id) for it in read] == wanted
    found = []
    for name, annotation in pyannote.database.util.load_rttm(beside(out, ".rttm")).items():
        found += [(name, seconds(it.start), seconds(it.duration), label)
                  for it, _, label in annotation.itertracks(yield_label=True) if isinstance(label, str)]
    # Its table takes "NA" for a missing value.
    assert sorted(found) == sorted(it for it in wanted if it[3] != "NA")


def test_ctm_by_meeteval(out):
    wanted = []
    for name, it in intervals(read_results(out)):
        if it.get("words"):
            wanted += [(word(name), w["start"], w["end"], word(w["word"]), w.get("score")) for w in it["words"]]
        else:
            wanted += [(word(n), s, e, word(t), score) for n, s, e, t, score in captions([it])]
    read = meeteval.io.CTM.load(beside(out, ".ctm"))
    assert [(it.filename, seconds(it.begin_time), seconds(it.duration), it.word,
             None if it.confidence is None else float(it.confidence)) for it in read.lines] == [
        (name, seconds(start), seconds(end - start), text, score) for name, start, end, text, score in wanted]


def test_srt_by_pysrt(out):
    wanted = captions(read_results(out))
    read = pysrt.open(beside(out, ".srt"), encoding="utf-8", error_handling=pysrt.ERROR_RAISE)
    assert [(it.start.ordinal, max(it.end.ordinal, it.start.ordinal + 1), it.text) for it in read] == [
        (round(start * 1000), max(round(end * 1000), round(start * 1000) + 1), text)
        for _, start, end, text, _ in wanted]
    assert [it.index for it in read] == list(range(1, len(wanted) + 1))


def test_webvtt_by_webvtt_py(out):
    def clock(number):
        ms = round(number * 1000)
        return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"

    lines = read_results(out)
    # webvtt-py leaves character references as they are.
    assert [(it.start, it.end, html.unescape(it.text)) for it in webvtt.read(beside(out, ".vtt"))] == [
        (clock(start), clock(max(end, start + 0.001)), text) for _, start, end, text, _ in captions(lines)]
    notes = [line[5:] for line in beside(out, ".vtt").read_text().splitlines() if line.startswith("NOTE ")]
    assert [html.unescape(it) for it in notes] == list(dict.fromkeys(
        it["file"] for it in lines if "error" not in it))


def test_bytes_that_are_no_utf8_are_shown_in_every_format(run_consort, tmp_path, null_bundle, sounds):
    folder = tmp_path / "x"
    folder.mkdir()
    os.symlink(sounds.flacs[0], os.fsencode(folder) + b"/caf\xe9.flac")
    out = tmp_path / "out.jsonl"
    assert run_consort("run", "-m", null_bundle(labels=["a"]), "-o", out, "--format", ",".join(TOGETHER), "x",
                       cwd=tmp_path).exit == DONE
    for extension in (".csv", ".raven.txt", ".rttm", ".ctm", ".vtt"):
        assert "x/caf\\xe9.flac" in beside(out, extension).read_text(encoding="utf-8"), extension
    for extension in (".audacity.txt", ".srt"):
        assert beside(out, extension).read_text(encoding="utf-8")
