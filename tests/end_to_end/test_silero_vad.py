"""silero-vad as it was published, whose state goes through a file: its events are the timestamps of its own package."""

import os
import random
import signal
import sys

import numpy
import pytest
import soundfile
import soxr
import torch

import audio
import processes
from conftest import ROOT
from program import DONE, by_file, read_results
from test_stateful import FAST, segments_counted

sys.path.insert(0, str(ROOT / "tools/models"))
import silero  # noqa: E402

RATE, WINDOW, WINDOWS = silero.RATE, silero.WINDOW, silero.WINDOWS


def at_rate(path):
    sound, rate = soundfile.read(path)
    return soxr.resample(sound if sound.ndim == 1 else sound.mean(axis=1), rate, RATE)


def speech(words, count, seed, shortest=0.05, longest=1.5):
    """So many words with pauses between them."""
    choice = random.Random(seed)
    noise = numpy.random.default_rng(seed)
    parts = []
    for _ in range(count):
        pause = noise.normal(0, 1e-3, round(RATE * choice.uniform(shortest, longest)))
        parts += [pause, choice.uniform(0.3, 1) * words[choice.randrange(len(words))]]
    return numpy.concatenate(parts)


def made_sounds(sounds):
    """name → samples: speech of all kinds, and what is none."""
    words = [at_rate(path) for path in sounds.wavs if "Noise" not in path]
    instruments = [at_rate(path) for path in sorted(sounds.flacs, key=os.path.getsize)[-3:]]
    noise = numpy.random.default_rng(1)
    time = numpy.arange(8 * RATE) / RATE
    segment = WINDOW * WINDOWS
    talk = speech(words, 12, 1)
    made = {
        "silence": numpy.zeros(5 * RATE),
        "one-sample": talk[RATE:RATE + 1],
        "one-window": talk[RATE:RATE + WINDOW],
        "a-segment": talk[:segment],
        "a-segment-and-a-sample": talk[:segment + 1],
        "a-segment-but-a-sample": talk[:segment - 1],
        "noise": noise.normal(0, 0.1, 8 * RATE),
        "loud-noise": noise.normal(0, 0.7, 4 * RATE),
        "tone": 0.5 * numpy.sin(2 * numpy.pi * 440 * time),
        "glide": audio.music(8, RATE)[:, 0],
        "pulses": numpy.where(numpy.arange(6 * RATE) % 4000 < 40, 0.9, 0.0),
        "ends-in-speech": numpy.concatenate([talk, words[0][:RATE // 2]]),
        "begins-in-speech": words[1][RATE // 4:],
        "no-pauses": speech(words, 20, 2, 0, 0.02),
        "short-pauses": speech(words, 20, 3, 0.05, 0.15),
        "long-pauses": speech(words, 6, 4, 3, 6),
        "soft": 0.02 * speech(words, 10, 5),
        "clipped": 8 * speech(words, 10, 6),
        "in-noise": speech(words, 10, 7)[:8 * RATE] + noise.normal(0, 0.05, 8 * RATE),
        "over-a-tone": speech(words, 10, 8)[:8 * RATE] + 0.1 * numpy.sin(2 * numpy.pi * 200 * time),
        "many-words": speech(words, 80, 9),
    }
    for n, instrument in enumerate(instruments):
        made[f"instrument-{n}"] = instrument
    made["words-and-music"] = numpy.concatenate([words[2], instruments[0], words[3], instruments[1]])
    return {name: numpy.clip(samples, -0.999, 0.999) for name, samples in made.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, sounds):
    folder = tmp_path_factory.mktemp("vad")
    for name, samples in made_sounds(sounds).items():
        audio.write(folder / f"{name}.wav", samples, RATE)
    return folder


@pytest.fixture(scope="module")
def published(folder):
    """file → what the package itself says, in milliseconds."""
    from silero_vad import get_speech_timestamps
    torch.set_num_threads(1)
    vad, found = silero.published(), {}
    for path in sorted(folder.iterdir()):
        found[str(path)] = in_milliseconds(get_speech_timestamps(torch.from_numpy(soundfile.read(path, dtype="float32")[0]), vad))
    assert sum(map(bool, found.values())) >= 12 and not found[str(folder / "silence.wav")]
    return found


def milliseconds(sample):
    return (2000 * sample + RATE) // (2 * RATE)  # to the nearest, half up


def in_milliseconds(timestamps):
    return [(milliseconds(one["start"]), milliseconds(one["end"])) for one in timestamps]


def events(out):
    """file → (start, end) of its events in milliseconds."""
    found = {}
    for file, lines in by_file(read_results(out)).items():
        told = [event for line in lines for event in line["events"]]
        assert all(event["label"] == "speech" and 0.5 <= event["score"] <= 1 for event in told)
        found[file] = [(round(1000 * event["start"]), round(1000 * event["end"])) for event in told]
    return found


@pytest.mark.parametrize("split", [(1, 1), (2, 1), (1, 3), (2, 2)])
def test_events_are_the_timestamps_of_the_package(run_consort, tmp_path, folder, silero_vad, published, split):
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", silero_vad, "-o", out, "-p", split[0], "-t", split[1], folder)
    assert run.exit == DONE, run.stderr
    assert events(out) == published


def test_kills_inside_a_file_change_no_byte(start_consort, run_consort, tmp_path, folder, silero_vad, published):
    sound = folder / "many-words.wav"
    calm, out = tmp_path / "calm.jsonl", tmp_path / "out.jsonl"
    assert run_consort("run", "-m", silero_vad, "-o", calm, sound).exit == DONE
    assert events(calm) == {str(sound): published[str(sound)]}
    segments = len(read_results(calm))
    running = start_consort("run", "-m", silero_vad, "-o", out, "-p", 1, "-t", 1, "--quiet", sound, env=FAST)
    assert processes.wait_until(lambda: segments_counted(out) >= 1, interval=0.001)
    running.signal(signal.SIGKILL)
    assert running.wait().exit == 137
    before = out.read_bytes()
    assert calm.read_bytes().startswith(before) and before.count(b"\n") < segments
    assert run_consort("run", "-m", silero_vad, "-o", out, "-p", 1, "-t", 1, sound).exit == DONE
    assert out.read_bytes() == calm.read_bytes()
