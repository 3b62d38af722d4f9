"""usage: make_feature_reference.py FOLDER

Writes, for each case: NAME.json (a manifest), NAME.wave (samples), NAME.features (what PyTorch makes
of them); all sounds and features as raw float32. At the end a file "done" with the names.
"""

import json
import math
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "prepare"))
from consort_prepare.frontend import Frontend
from consort_prepare.presets import PRESETS

CNN14 = {"kind": "log_mel", "n_fft": 1024, "win_length": 1024, "hop_length": 320, "window": "hann", "center": True,
         "pad_mode": "reflect", "power": 2.0, "n_mels": 64, "f_min": 50.0, "f_max": 14000.0, "mel_scale": "htk",
         "mel_norm": "none", "log": "log10", "floor": 1e-10, "layout": "BCTM"}
WHISPER_LIKE = {**CNN14, "n_fft": 400, "win_length": 400, "hop_length": 160, "n_mels": 80, "f_min": 0.0, "f_max": 8000.0,
                "mel_scale": "slaney", "mel_norm": "slaney", "layout": "BMT"}
SMALL = {**CNN14, "n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 40, "f_max": 4000.0}

PRESET = {name: preset["features"] for name, preset in PRESETS.items()}
KALDI = {"kind": "kaldi_fbank", "n_mels": 23}
MFCC = {**SMALL, "kind": "mfcc", "n_mfcc": 13, "log": "log", "floor": 0.0, "log_offset": 1e-6}

CASES = {  # name -> (sample rate, seconds, normalize, features)
    "cnn14": (32000, 3.0, "none", CNN14),
    "whisper_like": (16000, 1.0, "none", WHISPER_LIKE),
    "short_window": (8000, 0.5, "none", SMALL),
    "not_centred": (8000, 0.5, "none", {**SMALL, "center": False, "layout": "BTM"}),
    "padded_with_zeros": (8000, 0.5, "none", {**SMALL, "pad_mode": "constant"}),
    "magnitude": (8000, 0.5, "none", {**SMALL, "power": 1.0, "log": "log", "floor": 1e-5}),
    "no_logarithm": (8000, 0.5, "none", {**SMALL, "log": "none", "window": "hamming"}),
    "odd_fft": (11025, 0.5, "none", {**SMALL, "n_fft": 441, "win_length": 441, "mel_norm": "slaney"}),
    "unit_variance": (8000, 0.5, "zero_mean_unit_variance", SMALL),
    "peak": (8000, 0.5, "peak", SMALL),
    "decibels": (8000, 0.5, "none", {**SMALL, "log": "db", "log_offset": 1e-3, "dynamic_range": 30.0}),
    "last_frame_dropped": (8000, 0.5, "none", {**SMALL, "drop_last_frame": True, "mean": -3.0, "std": 2.5}),
    "panns": (32000, 1.0, "none", PRESET["panns"]),
    "whisper": (16000, 1.0, "none", PRESET["whisper"]),
    "ast": (16000, 1.0, "none", {**PRESET["ast"], "target_frames": 104}),
    "mfcc": (16000, 1.0, "none", PRESET["torchaudio_mfcc"]),
    "librosa_mfcc": (22050, 1.0, "none", PRESET["librosa_mfcc"]),
    "mfcc_of_natural_logarithms": (8000, 0.5, "none", {**MFCC, "dct_norm": "none", "layout": "BTM"}),
    "mfcc_normalized": (8000, 0.5, "peak", {**MFCC, "power": 1, "mean": 1.5, "std": 20.0}),
    "kaldi_fbank": (16000, 0.5, "none", KALDI),
    "kaldi_of_16_bits": (16000, 0.5, "none", {**KALDI, "scale": 32768.0, "window": "hamming", "n_mels": 80}),
    "kaldi_mirrored": (8000, 0.5, "none", {**KALDI, "snip_edges": False, "window": "blackman", "layout": "BMT",
                                           "target_frames": 60}),
    "kaldi_not_rounded": (11025, 0.5, "none", {**KALDI, "frame_length_ms": 20.0, "frame_shift_ms": 7.5, "preemphasis": 0.0,
                                               "round_to_power_of_two": False, "remove_dc": False, "window": "rectangular"}),
    "kaldi_magnitude": (8000, 0.5, "none", {**KALDI, "power": 1, "log": "none", "f_max": -200.0, "f_min": 100.0,
                                            "layout": "BTM", "mean": 1.0, "std": 3.0}),
    "waveform": (16000, 0.7, "zero_mean_unit_variance", {"kind": "waveform"}),
}


def wave(rate, seconds, seed):
    """A sliding tone, noise, a stretch of silence, and an offset: nothing is symmetric or periodic."""
    time = np.arange(math.floor(rate * seconds + 0.5)) / rate
    noise = np.random.default_rng(seed).standard_normal(time.size)
    sound = 0.3 * np.sin(2 * math.pi * (200 + 900 * time) * time) + 0.05 * noise + 0.01
    sound[int(0.6 * sound.size):int(0.8 * sound.size)] = 0
    return sound.astype(np.float32)


def main(folder):
    torch.set_num_threads(1)
    os.makedirs(folder, exist_ok=True)
    for seed, (name, (rate, seconds, normalize, features)) in enumerate(CASES.items()):
        manifest = {"consort": 1, "name": name,
                    "audio": {"sample_rate": rate, "channels": "mix", "segment_seconds": seconds, "hop_seconds": seconds,
                              "normalize": normalize},
                    "features": features, "output": {"kind": "tags", "labels": "labels.txt", "top_k": 5, "threshold": 0.0}}
        samples = wave(rate, seconds, seed)
        with torch.inference_mode():
            result = Frontend(manifest)(samples.copy())
        path = os.path.join(folder, name)
        with open(path + ".json", "w", encoding="utf-8") as file:
            json.dump(manifest, file)
        samples.tofile(path + ".wave")
        result.contiguous().numpy().astype(np.float32).tofile(path + ".features")
        with open(path + ".shape", "w", encoding="utf-8") as file:
            file.write(" ".join(map(str, result.shape)))
    with open(os.path.join(folder, "done"), "w", encoding="utf-8") as file:
        file.write("\n".join(CASES) + "\n")


main(sys.argv[1])
