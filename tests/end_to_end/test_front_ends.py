"""Each front end against the program that it comes from, and one of them all the way to the scores.

consort_features_dump, from the folder in CONSORT_BIN's place, is the worker's own front end. The sounds are a
second each: noise, tones (pure, as 16 bits have them, and in a little noise), speech, silence, clipping.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr
import torch

import bundles
import front_end_sources as sources
from program import DONE
from reference import Reference

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/prepare"))

from consort_prepare.presets import PRESETS, expand  # noqa: E402

WORST = 1e-4  # in the features' own unit
SPEECH = "/usr/share/sounds/alsa/Front_Center.wav"
KALDI = {"kind": "kaldi_fbank", "n_mels": 23, "layout": "BTM"}
MFCC_OF_LOGARITHMS = {"preset": "torchaudio_mfcc", "n_mfcc": 13, "log": "log", "floor": 0.0, "log_offset": 1e-6,
                      "dynamic_range": 0.0}


def sounds(rate):
    """Name → a second of samples."""
    time = np.arange(rate) / rate
    random = np.random.default_rng(5)
    tones = 0.5 * np.sin(2 * np.pi * 440 * time) + 0.3 * np.sin(2 * np.pi * 0.2 * rate * time)
    speech, own_rate = soundfile.read(SPEECH, dtype="float32")
    speech = soxr.resample(speech, own_rate, rate)[:rate]
    made = {"noise": random.normal(0, 0.1, rate), "tones": tones, "tones of 16 bits": np.round(tones * 32767) / 32768,
            "tones in noise": 0.5 * tones + random.normal(0, 1e-3, rate), "speech": speech, "silence": np.zeros(rate),
            "clipping": np.clip(3 * tones + random.normal(0, 0.3, rate), -1, 1)}
    return {name: np.pad(sound, (0, rate - len(sound))).astype(np.float32) for name, sound in made.items()}


def manifest_of(rate, features):
    """As in a bundle, but for the defaults."""
    audio = {"channels": "mix", "segment_seconds": 1.0, "hop_seconds": 1.0}
    raw = expand({"consort": 1, "name": "front-end", "audio": audio, "features": features,
                  "output": {"kind": "tags", "labels": "labels.txt"}}, "m.json")
    return {**raw, "audio": {"sample_rate": rate, **raw["audio"]}}


@pytest.fixture
def features_of(consort, tmp_path):
    """features_of(manifest, sounds) → name → the features that a worker would give the model."""
    def extract(manifest, heard):
        path = tmp_path / "m.json"
        path.write_text(json.dumps(manifest))
        done = subprocess.run([consort.parent / "consort_features_dump", path], capture_output=True,
                              input=np.concatenate(list(heard.values())).tobytes())
        assert done.returncode == 0, done.stderr
        shape = [int(length) for length in done.stderr.split()]
        made = torch.from_numpy(np.frombuffer(done.stdout, np.float32).copy()).reshape(len(heard), *shape)
        return dict(zip(heard, made))
    return extract


def compare(features_of, features, source, leave_out=()):
    manifest = manifest_of(16000, features)
    rate = manifest["audio"]["sample_rate"]
    heard = {name: sound for name, sound in sounds(rate).items() if name not in leave_out}
    ours = features_of(manifest, heard)
    far = {}
    for name, sound in heard.items():
        theirs = source(sound)
        assert ours[name].shape == theirs.shape, name
        difference = float((ours[name].double() - theirs.double()).abs().max())
        print(f"{name}: {difference:.1e}")
        if not difference <= WORST:
            far[name] = difference
    assert not far


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_its_source(features_of, preset):
    compare(features_of, {"preset": preset}, getattr(sources, preset))


def test_mfcc_of_natural_logarithms_is_torchaudio_s(features_of):
    compare(features_of, MFCC_OF_LOGARITHMS, sources.torchaudio_mfcc_of_logarithms)


@pytest.mark.parametrize("ours,theirs", [
    ({}, {}),
    ({"n_mels": 80, "window": "hamming", "f_max": -400.0}, {"num_mel_bins": 80, "window_type": "hamming", "high_freq": -400.0}),
    ({"snip_edges": False, "window": "blackman", "power": 1},
     {"snip_edges": False, "window_type": "blackman", "use_power": False}),
    ({"frame_length_ms": 20.0, "frame_shift_ms": 7.5, "round_to_power_of_two": False, "remove_dc": False, "preemphasis": 0.0,
      "window": "rectangular", "power": 1, "log": "none"},
     {"frame_length": 20.0, "frame_shift": 7.5, "round_to_power_of_two": False, "remove_dc_offset": False,
      "preemphasis_coefficient": 0.0, "window_type": "rectangular", "use_power": False, "use_log_fbank": False}),
], ids=["defaults", "80 bands", "mirrored ends", "not rounded"])
def test_kaldi_fbank_is_torchaudio_s(features_of, ours, theirs):
    compare(features_of, {**KALDI, **ours}, lambda sound: sources.torchaudio_kaldi(sound, **{"num_mel_bins": 23, **theirs}))


def test_kaldi_fbank_of_samples_of_16_bits_is_torchaudio_s(features_of):
    compare(features_of, {**KALDI, "scale": 32768.0},
            lambda sound: sources.torchaudio_kaldi(sound.astype(np.float64) * 32768, num_mel_bins=23))


@pytest.mark.parametrize("ours,theirs", [
    ({}, {}), ({"scale": 32768.0}, {"scale": 32768.0}),
    ({"snip_edges": False, "window": "hamming"}, {"snip_edges": False, "window": "hamming"}),
], ids=["defaults", "16 bits", "mirrored ends"])
def test_kaldi_fbank_is_kaldi_s(features_of, ours, theirs):
    """Kaldi's code is in float32, so of pure tones it has its own rounding where they leave a band empty."""
    compare(features_of, {**KALDI, **ours}, lambda sound: sources.kaldi_native_fbank(sound, **theirs),
            leave_out=("tones", "tones of 16 bits"))


class MeanOfEachBand(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(0.5, 1.5, 23))

    def forward(self, features):
        return features.mean(1) * self.weight


def test_scores_of_a_model_with_a_preset_are_those_of_python(tmp_path, run_consort, sounds_to_score):
    """AST's front end with fewer bands, over a model that gives the weighted mean of each."""
    model = tmp_path / "bands.pt"
    torch.jit.save(torch.jit.trace(MeanOfEachBand(), torch.zeros(1, 104, 23)), model)
    (tmp_path / "labels.txt").write_text("".join(f"band {n}\n" for n in range(23)))
    (tmp_path / "bands.json").write_text(json.dumps({
        "consort": 1, "name": "bands", "audio": {"channels": "mix", "segment_seconds": 1.0, "hop_seconds": 0.7},
        "features": {"preset": "ast", "n_mels": 23, "target_frames": 104},
        "output": {"kind": "tags", "labels": "labels.txt", "top_k": 23, "threshold": -1e30}}))
    bundle = tmp_path / "bundle"
    subprocess.run([sys.executable, "-m", "consort_prepare", model, "-o", bundle, "--backend", "torchscript"], check=True,
                   capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT / "tools/prepare")})
    made = bundles.read_manifest(bundle)
    assert made["features"]["kind"] == "kaldi_fbank" and "preset" not in made["features"]
    assert made["audio"]["sample_rate"] == 16000 and made["prepared"]["input_shape"] == [1, 104, 23]

    ran = run_consort("run", "-m", bundle, "-o", tmp_path / "out.jsonl", *sounds_to_score)
    assert ran.exit == DONE, ran.stderr
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    reference = Reference(str(model))
    expected = [scored for file in sounds_to_score for scored in reference.score(file)]
    assert [(line["file"], line["start"]) for line in lines] == [(it.file, it.start_ms / 1000) for it in expected]
    for line, it in zip(lines, expected):
        scores = {tag["label"]: tag["score"] for tag in line["tags"]}
        worst = max(abs(scores[label] - float(score)) for label, score in zip(reference.labels, it.scores))
        assert worst <= 1e-4, line  # of which half is the rounding to four decimals


@pytest.fixture
def sounds_to_score(tmp_path):
    """Files at the model's rate: nothing is resampled."""
    files = []
    for name, sound in sounds(16000).items():
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.concatenate([sound, sound[::-1]])[:25000], 16000, subtype="FLOAT")
        files.append(str(path))
    return files
