"""Events of a model with frames of scores: those of the whole file, as silero-vad's own code finds them."""

import importlib.util
import os

import numpy as np
import pytest
import soundfile

import framed
from framed import FRAME, HOPS, RATE
from program import DONE, by_file, read_results

LABELS = ["loud", "half"]
# Their thresholds, minima and pads, in seconds as in the manifest.
PLAIN = {"threshold": 0.5, "threshold_off": 0.5, "min_seconds": 0.0, "min_gap_seconds": 0.0, "pad_seconds": 0.0}
AS_SILERO = {"threshold": 0.5, "threshold_off": 0.35, "min_seconds": 0.25, "min_gap_seconds": 0.1, "pad_seconds": 0.03}
WIDE = {"threshold": 0.6, "threshold_off": 0.2, "min_seconds": 0.032, "min_gap_seconds": 0.064, "pad_seconds": 0.5}


@pytest.fixture(scope="module")
def silero():
    """Its module of functions, without importing the package, which wants more than is there."""
    package = importlib.util.find_spec("silero_vad")
    if package is None:
        pytest.skip("the package silero-vad is not installed")
    path = os.path.join(os.path.dirname(package.origin), "utils_vad.py")
    spec = importlib.util.spec_from_file_location("silero_utils_vad", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return framed.prepared(tmp_path_factory.mktemp("loudness"), framed.Loudness(), {"kind": "frames"}, LABELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    random = np.random.default_rng(4)
    for n in range(6):
        levels = []
        while len(levels) < 20 + 60 * n:
            levels += [random.uniform(0, 1)] * int(random.integers(1, 25 if random.random() < 0.2 else 5))
        framed.write_sound(folder / f"{n}.wav", levels, cut=int(random.integers(0, FRAME)))
    return folder


def events_of(silero, path, keys):
    scores = framed.answer(framed.Loudness(), path)
    found = []
    for index, label in enumerate(LABELS):
        for speech in silero.get_speech_timestamps_from_probs(
                scores[:, index].tolist(), sampling_rate=RATE, threshold=keys["threshold"], neg_threshold=keys["threshold_off"],
                min_speech_duration_ms=1000 * keys["min_seconds"], min_silence_duration_ms=1000 * keys["min_gap_seconds"],
                speech_pad_ms=1000 * keys["pad_seconds"], audio_length_samples=soundfile.info(path).frames):
            found.append((framed.ms(speech["start"]), label, framed.ms(speech["end"])))
    return sorted(found)


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.parametrize("keys", [PLAIN, AS_SILERO, WIDE], ids=["plain", "silero", "wide"])
def test_events_are_those_of_silero_vad_over_the_whole_file(run_consort, tmp_path, silero, bundle, folder, keys, hop):
    out = tmp_path / "out.jsonl"
    made = framed.with_hop(bundle, tmp_path / "bundle", HOPS[hop], keys)
    run = run_consort("run", "-m", made, "-o", out, "-p", 2, "-t", 1, folder)
    assert run.exit == DONE, run.stderr
    files = by_file(read_results(out))
    assert len(files) == 6
    count = 0
    for name, lines in files.items():
        found = sorted((event["start"], event["label"], event["end"]) for line in lines for event in line["events"])
        assert found == events_of(silero, name, keys)
        count += len(found)
        scores = framed.answer(framed.Loudness(), name).max().item()
        for line in lines:
            assert list(line) == ["file", "start", "end", "events"]
            assert line["events"] == sorted(line["events"], key=lambda event: (event["start"], event["label"]))
            assert all(keys["threshold"] <= event["score"] <= scores + 1e-4 for event in line["events"])
    assert count > 20


def test_the_same_bytes_whatever_the_split(run_consort, tmp_path, bundle, folder):
    made = framed.with_hop(bundle, tmp_path / "bundle", HOPS["3/4"], WIDE)
    results = set()
    for n, (workers, engines) in enumerate([(1, 1), (3, 1), (1, 2)]):
        out = tmp_path / f"{n}.jsonl"
        assert run_consort("run", "-m", made, "-o", out, "-p", workers, "-t", engines, "--quiet", folder).exit == DONE
        results.add(out.read_bytes())
    assert len(results) == 1
