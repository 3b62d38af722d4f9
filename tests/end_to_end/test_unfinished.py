"""Recordings whose recorder was cut off: the header says less than is there, or nothing. All is used, and told once."""

import struct

import numpy
import pytest
import soundfile

import audio
import bundles
from program import DONE, SOME_FAILED, read_results

RATE = 16000
LISTEN = {"CONSORT_NULL_READ": "1"}


def wav(path, size):
    struct_into(audio.make(path, seconds=5.0, rate=RATE), [(40, "<I", size)])


def rf64(path, size):
    soundfile.write(path, audio.music(5.0, RATE), RATE, format="RF64", subtype="PCM_16")
    struct_into(path, [(20, "<Q", 0), (28, "<Q", size)])


def w64(path, size):
    soundfile.write(path, audio.music(5.0, RATE), RATE, format="W64", subtype="PCM_16")
    struct_into(path, [(96, "<Q", size + 24)])


def struct_into(path, fields):
    content = bytearray(path.read_bytes())
    for at, form, value in fields:
        struct.pack_into(form, content, at, value)
    path.write_bytes(content)


@pytest.mark.parametrize("make,extension", [(wav, "wav"), (rf64, "rf64"), (w64, "w64")])
@pytest.mark.parametrize("size", [0, 40_000])
def test_what_is_there_is_used_and_told_once(run_consort, tmp_path, null_bundle, make, extension, size):
    bundle = null_bundle(segment_seconds=1, hop_seconds=1, sample_rate=RATE)
    lines = {}
    for folder, said in (("whole", 5 * RATE * 2), ("cut-off", size)):
        (tmp_path / folder).mkdir()
        for n in range(2):
            make(tmp_path / folder / f"{n}.{extension}", said)
        run = run_consort("run", "-m", bundle, "-o", tmp_path / f"{folder}.jsonl", "--quiet", tmp_path / folder, env=LISTEN)
        assert run.exit == DONE, run.stderr
        lines[folder] = [(it["start"], it["end"], it["tags"]) for it in read_results(tmp_path / f"{folder}.jsonl")]
        warnings = [line for line in run.stderr_lines() if "warning" in line]
        if folder == "whole":
            assert warnings == []
        else:
            assert len(warnings) == 1 and "the headers of 2 recordings say less than is in the files" in warnings[0]
            assert "/cut-off/" in warnings[0]
    assert lines["whole"] == lines["cut-off"] and len(lines["whole"]) == 10


def test_a_header_that_promises_more_is_an_error_still(run_consort, tmp_path, null_bundle):
    """It may be a broken copy: nobody else would tell."""
    wav(tmp_path / "a.wav", 7 * RATE * 2)
    run = run_consort("run", "-m", null_bundle(segment_seconds=1, hop_seconds=1, sample_rate=RATE), "-o", tmp_path / "out.jsonl",
                      tmp_path / "a.wav", env=LISTEN)
    assert run.exit == SOME_FAILED and "warning" not in run.stderr
    *before, last = read_results(tmp_path / "out.jsonl")
    assert last["error"]["code"] == "truncated" and last["error"]["at"] == 5.0 and len(before) == 5


def test_the_first_channel_is_heard_alone_where_the_bundle_says_so(run_consort, tmp_path, null_bundle):
    bundle = null_bundle(segment_seconds=1, hop_seconds=1, sample_rate=RATE)
    first = bundles.copy(bundle, tmp_path / "first")
    manifest = bundles.read_manifest(first)
    manifest["audio"]["channels"] = "first"
    bundles.write_manifest(first, manifest)
    sound = audio.music(3.0, 22050, channels=3)
    tags = {}
    for folder, samples in (("three", sound), ("one", sound[:, :1])):
        (tmp_path / folder).mkdir()
        audio.write(tmp_path / folder / "a.flac", numpy.ascontiguousarray(samples), 22050)
        for which in (bundle, first):
            out = tmp_path / f"{folder}-{which.name}.jsonl"
            assert run_consort("run", "-m", which, "-o", out, tmp_path / folder / "a.flac", env=LISTEN).exit == DONE
            tags[folder, which] = [it["tags"] for it in read_results(out)]
    assert tags["three", first] == tags["one", first] == tags["one", bundle] != tags["three", bundle]
