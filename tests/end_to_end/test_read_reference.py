"""What an engine hears, against Python: soundfile decodes the whole file, soxr resamples it, then it is cut.

Runs consort_read_dump from the folder in CONSORT_BIN (default build/release/bin) over every sound of
the Debian packages alsa-utils and sonic-pi-samples.
"""

import glob
import os
import pathlib
import re
import subprocess

import numpy as np
import pytest
import soundfile
import soxr

ROOT = pathlib.Path(__file__).resolve().parents[2]
DUMP = pathlib.Path(os.environ.get("CONSORT_BIN", ROOT / "build/release/bin")).absolute() / "consort_read_dump"
SOUNDS = sorted(glob.glob("/usr/share/sounds/alsa/*.wav") + glob.glob("/usr/share/sonic-pi/samples/*.flac"))
WORST = 1e-6  # measured 3e-7: float arithmetic in other blocks


def round_half_up(numerator, denominator):
    return (2 * numerator + denominator) // (2 * denominator)


def reference(path, model_rate, segment_ms, hop_ms):
    """Segments as rows, by way of the whole file."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = sound.mean(axis=1, dtype=np.float64).astype(np.float32)
    heard = mono if rate == model_rate else soxr.resample(mono, rate, model_rate, quality="HQ")
    length = round_half_up(segment_ms * rate, 1000)
    rest = max(0, len(mono) - length)
    count = 1 + -(-rest * 1000 // (hop_ms * rate))
    out = np.zeros((count, round_half_up(segment_ms * model_rate, 1000)), np.float32)
    for k in range(count):
        start = round_half_up(round_half_up(k * hop_ms * rate, 1000) * model_rate, rate)
        piece = heard[start : start + out.shape[1]]
        out[k, : len(piece)] = piece
    return out


def dump(path, model_rate, segment_ms, hop_ms, first=0):
    done = subprocess.run(
        [DUMP, path, str(model_rate), str(segment_ms / 1000), str(hop_ms / 1000), str(first)],
        capture_output=True, check=True)
    count = int(re.search(rb"segments (\d+)", done.stderr).group(1))
    return np.frombuffer(done.stdout, np.float32).reshape(count - first, -1)


@pytest.mark.parametrize("model_rate", [16000, 32000, 44100])
@pytest.mark.parametrize("segment_ms,hop_ms", [(3000, 3000), (960, 481)])
def test_every_debian_sound_is_heard_as_by_way_of_the_whole_file(model_rate, segment_ms, hop_ms):
    assert len(SOUNDS) > 100, "install alsa-utils and sonic-pi-samples"
    worst = 0.0
    for path in SOUNDS:
        expected = reference(path, model_rate, segment_ms, hop_ms)
        heard = dump(path, model_rate, segment_ms, hop_ms)
        assert heard.shape == expected.shape, path
        difference = float(np.abs(heard - expected).max())
        assert difference < WORST, f"{path}: {difference}"
        worst = max(worst, difference)
    print(f"worst {worst:.2e} over {len(SOUNDS)} sounds at {model_rate} Hz, {segment_ms}/{hop_ms} ms")


@pytest.mark.parametrize("path", SOUNDS[:3])
def test_a_task_that_starts_later_hears_the_same(path):
    everything = dump(path, 16000, 300, 150)
    for first in range(1, len(everything)):
        assert np.array_equal(dump(path, 16000, 300, 150, first), everything[first:])
