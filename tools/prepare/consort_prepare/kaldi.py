"""Kaldi's filter banks in Python, without dither.

Written from Kaldi's definition (feat/feature-window.h, feature-fbank.cc, mel-computations.h), in float64.
"""

import math

import numpy as np
import torch

from .manifest import kaldi_frames, kaldi_highest, kaldi_samples, segment_samples

FLOOR = float(np.finfo(np.float32).eps)  # of what a logarithm is taken of


def window(name, length):
    """Symmetric, unlike PyTorch's default."""
    turn = 2 * math.pi * np.arange(length) / (length - 1)
    hann = 0.5 - 0.5 * np.cos(turn)
    return {"hann": hann, "povey": hann ** 0.85, "hamming": 0.54 - 0.46 * np.cos(turn), "rectangular": np.ones(length),
            "blackman": 0.42 - 0.5 * np.cos(turn) + 0.08 * np.cos(2 * turn)}[name]


def mel_bank(features, rate, size):
    """(size/2 + 1, n_mels): triangles over mels, of which the last bin is no part."""
    def mel(hz):
        return 1127.0 * np.log(1.0 + hz / 700.0)

    low, high = mel(features["f_min"]), mel(kaldi_highest(features, rate))
    points = np.linspace(low, high, features["n_mels"] + 2)
    bins = mel(np.arange(size // 2 + 1) * rate / size)[:, None]
    rising = (bins - points[:-2]) / (points[1:-1] - points[:-2])
    falling = (points[2:] - bins) / (points[2:] - points[1:-1])
    bank = np.maximum(0.0, np.minimum(rising, falling))
    bank[-1] = 0.0
    return bank


class KaldiFbank:
    """From a segment's samples, (1, N) float32, to (1, T, M) float64; the padded frames are zeros."""

    def __init__(self, manifest):
        self.features, rate = manifest["features"], manifest["audio"]["sample_rate"]
        f, samples = self.features, segment_samples(manifest["audio"])
        length, shift = kaldi_samples(f, rate)
        self.size = 1 << (length - 1).bit_length() if f["round_to_power_of_two"] else length
        first = np.arange(kaldi_frames(f, rate, samples))[:, None] * shift
        if not f["snip_edges"]:
            first = first + shift // 2 - length // 2
        places = (first + np.arange(length)) % (2 * samples)  # beyond its ends the segment is mirrored
        self.places = torch.from_numpy(np.where(places < samples, places, 2 * samples - 1 - places))
        self.window = torch.from_numpy(window(f["window"], length))
        self.bank = torch.tensor(mel_bank(f, rate, self.size))

    def __call__(self, wave):
        f = self.features
        frames = wave[0].double()[self.places] * f["scale"]
        if f["remove_dc"]:
            frames = frames - frames.mean(1, keepdim=True)
        before = torch.cat([frames[:, :1], frames[:, :-1]], 1)
        frames = (frames - f["preemphasis"] * before) * self.window
        spectrum = torch.fft.rfft(frames, self.size).abs()
        mel = (spectrum if f["power"] == 1 else spectrum ** 2) @ self.bank
        if f["log"] == "log":
            mel = mel.clamp(min=FLOOR).log()
        missing = max(0, f["target_frames"] - len(mel))
        return torch.cat([mel, mel.new_zeros(missing, mel.shape[1])]).unsqueeze(0)
