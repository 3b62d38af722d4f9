"""Bad audio files cost one error line each, and nothing else.

One job over all of them, good files before, between and after, then one test a file: so each is
also seen not to harm its neighbours.
"""

import dataclasses
import os
import pathlib
import re
import socket
import struct

import numpy
import pytest

import audio
import program

RATE = 32000  # what cnn14-quarter hears


def nothing(path):
    pass


def no_bytes(path):
    path.write_bytes(b"")


def no_samples(path):
    audio.write(path, numpy.zeros((0, 1)), RATE)


def text(path):
    path.write_text("This is not audio, whatever its name says.\n" * 200)


def noise_bytes(path):
    path.write_bytes(numpy.random.default_rng(1).bytes(50_000))


def truncated(path):
    audio.cut(audio.make(path, seconds=10.0, rate=RATE), 0.75)


def damaged_in_the_middle(path):
    audio.make(path, seconds=10.0, rate=RATE)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle:middle + 4000] = b"\xff" * 4000
    path.write_bytes(content)


def header_alone(path):
    audio.make(path, seconds=2.0, rate=RATE)
    path.write_bytes(path.read_bytes()[:44])


def half_a_header(path):
    audio.make(path, seconds=2.0, rate=RATE)
    path.write_bytes(path.read_bytes()[:20])


def claims_hours(path):
    """A WAV of 1.6 GB, seven hours, by its header; 1,000 bytes in truth."""
    audio.make(path, seconds=1.0, rate=RATE)
    content = bytearray(path.read_bytes()[:1044])
    struct.pack_into("<I", content, 4, 0x600000F0)
    struct.pack_into("<I", content, 40, 0x60000000)
    path.write_bytes(content)


def not_finite_after_four_seconds(path):
    samples = audio.music(8.0, RATE)
    samples[4 * RATE:] = numpy.nan
    audio.write(path, samples, RATE, "FLOAT")


def infinite(path):
    audio.write(path, numpy.full((RATE, 1), numpy.inf), RATE, "FLOAT")


def all_nan(path):
    audio.write(path, numpy.full((RATE, 1), numpy.nan), RATE, "FLOAT")


def directory(path):
    path.mkdir()


def fifo(path):
    os.mkfifo(path)


def unix_socket(path):
    # The name of a socket is short, the folder's is not.
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def device(path):
    path.symlink_to("/dev/zero")


def link_to_itself(path):
    path.symlink_to(path.name)


def link_to_nothing(path):
    path.symlink_to("gone.wav")


def forbidden(path):
    audio.make(path, seconds=1.0, rate=RATE)
    path.chmod(0)


@dataclasses.dataclass
class Bad:
    make: object
    name: str
    codes: tuple        # any of these
    good_lines: int = 0  # at most, before the error: what comes before the fault stays

    def __str__(self):
        return self.make.__name__ + pathlib.Path(self.name).suffix


BAD = [
    Bad(nothing, "missing.wav", ("not_found",)),
    Bad(link_to_nothing, "dangling.wav", ("not_found",)),
    Bad(no_bytes, "no bytes.wav", ("empty",)),
    Bad(no_bytes, "no bytes.flac", ("empty",)),
    Bad(no_samples, "no samples.wav", ("empty",)),
    Bad(text, "text.wav", ("not_audio",)),
    Bad(text, "text.flac", ("not_audio",)),
    Bad(text, "text.ogg", ("not_audio",)),
    Bad(text, "text.mp3", ("not_audio",)),
    Bad(noise_bytes, "noise.wav", ("not_audio",)),
    Bad(truncated, "truncated.wav", ("truncated",), 3),
    Bad(truncated, "truncated.aiff", ("truncated",), 3),
    Bad(truncated, "truncated.flac", ("truncated", "decode"), 3),
    Bad(damaged_in_the_middle, "damaged.flac", ("decode", "truncated"), 2),
    Bad(header_alone, "header alone.wav", ("truncated", "empty")),
    Bad(half_a_header, "half a header.wav", ("decode", "not_audio", "truncated")),
    Bad(claims_hours, "claims hours.wav", ("truncated",)),
    Bad(not_finite_after_four_seconds, "nan later.wav", ("not_finite",), 1),
    Bad(all_nan, "nan.wav", ("not_finite",)),
    Bad(infinite, "infinite.wav", ("not_finite",)),
    Bad(directory, "directory.wav", ("not_a_file",)),
    Bad(fifo, "fifo.wav", ("not_a_file",)),
    Bad(unix_socket, "socket.wav", ("not_a_file", "unreadable")),
    Bad(device, "device.wav", ("not_a_file",)),
    Bad(link_to_itself, "loop.wav", ("unreadable",)),
    Bad(forbidden, "forbidden.wav", ("unreadable",)),
]


@pytest.fixture(scope="module")
def job(runner, cnn14_quarter, tmp_path_factory):
    """(Run, name → lines, raw lines) of all bad files with a good one around each."""
    folder = tmp_path_factory.mktemp("bad")
    audio.make(folder / "good.wav", seconds=4.0, rate=RATE)
    names = ["good.wav"]
    for number, bad in enumerate(BAD):
        bad.make(folder / bad.name)
        os.symlink("good.wav", folder / f"good {number}.wav")
        names += [bad.name, f"good {number}.wav"]
    (folder / "list").write_text("\n".join(names) + "\n")
    run = runner.run("run", "-m", cnn14_quarter, "-o", folder / "out.jsonl", "-p", 2, "-t", 1,
                     folder / "list", without_root_powers=True, timeout=180)
    raw = (folder / "out.jsonl").read_bytes().decode().splitlines()
    lines = program.by_file(program.read_results(folder / "out.jsonl"))
    assert list(lines) == names, "every entry has lines, in the list's order"
    return run, lines, raw


def test_job_with_bad_files_ends_with_status_3(job):
    assert job[0].exit == program.SOME_FAILED, job[0].stderr


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_bad_file_costs_one_error_line(job, bad):
    *before, last = job[1][bad.name]
    assert last["error"]["code"] in bad.codes
    assert len(last["error"]["message"]) > 3
    assert "\n" not in last["error"]["message"]
    assert all("tags" in line for line in before)
    assert len(before) <= bad.good_lines


def test_error_lines_have_their_keys_in_order(job):
    errors = [line for line in job[2] if '"error":' in line]
    assert len(errors) == len(BAD)
    shape = re.compile(r'\{"file":"[^"]+","error":\{"code":"[a-z_]+","message":"([^"\\]|\\.)+"'
                       r'(,"at":\d+\.\d{3})?\}\}')
    assert [line for line in errors if not shape.fullmatch(line)] == []


@pytest.mark.parametrize("name,at", [("truncated.wav", 7.5), ("nan later.wav", 4.0)])
def test_fault_is_placed_where_it_is(job, name, at):
    assert job[1][name][-1]["error"]["at"] == pytest.approx(at, abs=0.02)


@pytest.mark.parametrize("name,count", [("truncated.wav", 2), ("nan later.wav", 1)])
def test_whole_segments_before_the_fault_stay(job, name, count):
    *before, _ = job[1][name]
    assert [line["start"] for line in before] == [3.0 * k for k in range(count)]


def test_good_files_lose_nothing_to_their_neighbours(job):
    lines = job[1]
    whole = [{k: v for k, v in line.items() if k != "file"} for line in lines["good.wav"]]
    assert [line["start"] for line in whole] == [0.0, 3.0]
    assert whole[-1]["end"] == 4.0
    for number in range(len(BAD)):
        assert [{k: v for k, v in line.items() if k != "file"}
                for line in lines[f"good {number}.wav"]] == whole


def test_job_counts_each_failed_file_by_reason(job):
    for code in ("not_found", "empty", "not_a_file"):
        assert code in job[0].stderr


# Strange, but audio.

@pytest.mark.parametrize("rate,channels,frames", [(RATE, 1, 1), (RATE, 64, RATE), (1, 1, 4),
                                                  (768_000, 1, 768_000), (RATE, 2, 1)])
def test_strange_but_valid_audio_is_scored_or_refused_in_words(
        run_consort, cnn14_quarter, tmp_path, rate, channels, frames):
    audio.write(tmp_path / "strange.wav", 0.1 * numpy.ones((frames, channels)), rate)
    audio.make(tmp_path / "good.wav", rate=RATE)
    run = run_consort("run", "-m", cnn14_quarter, "-o", tmp_path / "out.jsonl",
                      tmp_path / "strange.wav", tmp_path / "good.wav")
    files = program.by_file(program.read_results(tmp_path / "out.jsonl"))
    strange, good = files[str(tmp_path / "strange.wav")], files[str(tmp_path / "good.wav")]
    assert len(good) == 2 and all("tags" in line for line in good)
    if run.exit == program.SOME_FAILED:
        assert [line["error"]["code"] for line in strange] == ["unsupported"]
    else:
        assert run.exit == program.DONE, run.stderr
        assert strange[-1]["end"] == pytest.approx(frames / rate, abs=0.0006)
        assert all("tags" in line for line in strange)


def test_one_sample_is_a_whole_file(run_consort, cnn14_quarter, tmp_path):
    audio.write(tmp_path / "one.wav", numpy.full((1, 1), 0.5), RATE)
    run = run_consort("run", "-m", cnn14_quarter, "-o", tmp_path / "out.jsonl", tmp_path / "one.wav")
    assert run.exit == program.DONE, run.stderr
    [line] = program.read_results(tmp_path / "out.jsonl")
    assert (line["start"], line["end"], len(line["tags"])) == (0.0, 0.0, 5)


def test_the_reason_of_one_engine_is_never_anothers(run_consort, tmp_path, null_bundle):
    """libsndfile keeps the reason of a failed open for the whole process."""
    channels, words = tmp_path / "channels.wav", tmp_path / "words.wav"
    channels.write_bytes(b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " +
                         struct.pack("<IHHIIHH", 16, 1, 2000, 32000, 32000 * 4000, 4000, 16) + b"data" + struct.pack("<I", 0))
    words.write_text("no audio " * 100)
    good = audio.make(tmp_path / "good.wav", seconds=0.1)
    names = [str(channels), str(words), str(good)] * 1000
    (tmp_path / "list").write_text("\n".join(names) + "\n")
    found = {}
    for engines in (1, 8):
        out = tmp_path / f"{engines}.jsonl"
        run_consort("run", "-m", null_bundle(), "-o", out, "-p", 1, "-t", engines, tmp_path / "list")
        found[engines] = out.read_bytes()
    assert found[1] == found[8]
    assert found[1].count(b'"code":"unsupported"') == 1000
