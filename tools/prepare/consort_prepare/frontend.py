"""The front end in Python: what `consort run` does to the sound before the model.

Written from the description of the manifest, not from the C++: the reference that the C++ is
tested against. All sounds are float32, one channel. Where the model hears each channel by itself, the
segments of all channels come one after the other at each place.
"""

import math

import numpy as np
import soundfile
import soxr
import torch

from .kaldi import KaldiFbank
from .manifest import seconds_to_ns, segment_samples, with_defaults


# ---- segments, in integers -------------------------------------------------------------------

def round_div(numerator, denominator):
    """numerator / denominator for numerator >= 0, half away from zero."""
    return (2 * numerator + denominator) // (2 * denominator)


class Grid:
    """Where the segments of a file lie, in samples of the file."""

    def __init__(self, audio, rate):
        self.rate = rate
        self.segment_ns = seconds_to_ns(audio["segment_seconds"])
        self.hop_ns = seconds_to_ns(audio["hop_seconds"])
        self.length = max(1, round_div(self.segment_ns * rate, 10**9))

    def start(self, k):
        return round_div(k * self.hop_ns * self.rate, 10**9)

    def count(self, samples):
        """1 + ceil(max(0, N - L) / hop), hop in samples as an exact fraction."""
        if samples == 0:
            return 0
        beyond = max(0, samples - self.length) * 10**9
        return 1 + -(-beyond // (self.hop_ns * self.rate))

    def times(self, k, samples):
        """Start and end of segment k in milliseconds."""
        start = self.start(k)
        end = min(start + self.length, samples)
        return round_div(start * 1000, self.rate), round_div(end * 1000, self.rate)


# ---- reading and resampling -----------------------------------------------------------------

def read_sounds(path, channels):
    """([samples], rate): decoded; of several channels the mean ("mix"), the first one ("first") or each ("each")."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if sound.shape[1] > 1 and channels == "mix":
        return [sound.mean(axis=1, dtype=np.float32)], rate
    heard = sound.shape[1] if channels == "each" else 1
    return [np.ascontiguousarray(sound[:, channel]) for channel in range(heard)], rate


def resample(sound, rate, new_rate):
    if rate == new_rate:
        return sound
    return soxr.resample(sound, rate, new_rate, quality="HQ").astype(np.float32, copy=False)


def _exactly(sound, length):
    """Cut, or padded with zeros, to `length`."""
    if len(sound) >= length:
        return sound[:length]
    return np.concatenate([sound, np.zeros(length - len(sound), np.float32)])


def segments_of_whole_file(path, audio):
    """Yields (start_ms, end_ms, samples): the whole file resampled, then cut."""
    sounds, rate = read_sounds(path, audio["channels"])
    new_rate, length = audio["sample_rate"], segment_samples(audio)
    grid, samples = Grid(audio, rate), len(sounds[0])
    resampled = [resample(sound, rate, new_rate) for sound in sounds]
    for k in range(grid.count(samples)):
        first = round_div(grid.start(k) * new_rate, rate)
        for sound in resampled:
            yield (*grid.times(k, samples), _exactly(sound[first:first + length], length))


# Samples, at the lower of the two rates, that a segment is resampled with on each side.
CONTEXT_SAMPLES = 192


def segments_each_alone(path, audio):
    """Yields (start_ms, end_ms, samples): each resampled by itself, with context on both sides.

    What is resampled begins at a multiple of the smallest number of source samples that makes a
    whole number of the model's samples, so that its samples fall on those of the whole file.
    """
    sounds, rate = read_sounds(path, audio["channels"])
    new_rate, length = audio["sample_rate"], segment_samples(audio)
    grid, samples = Grid(audio, rate), len(sounds[0])
    common = math.gcd(rate, new_rate)
    context = math.ceil(CONTEXT_SAMPLES * max(1.0, rate / new_rate))
    for k in range(grid.count(samples)):
        start = grid.start(k)
        begin = max(0, start - context) // (rate // common) * (rate // common)
        first = round_div(start * new_rate, rate)
        last = min(first + length, round_div(samples * new_rate, rate))  # behind it, exact zeros
        skipped = begin * new_rate // rate
        for sound in sounds:
            piece = sound[begin:-(-last * rate // new_rate) + context]
            resampled = resample(piece, rate, new_rate)[first - skipped:last - skipped]
            yield (*grid.times(k, samples), _exactly(resampled, length))


# ---- features -------------------------------------------------------------------------------

def normalized(samples, how):
    if how == "zero_mean_unit_variance":
        x = samples.astype(np.float64)
        return ((x - x.mean()) / math.sqrt(x.var() + 1e-7)).astype(np.float32)
    if how == "peak":
        peak = np.abs(samples).max()
        return samples / peak if peak > 0 else samples
    return samples


def hz_to_mel(hz, scale):
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + np.asarray(hz, np.float64) / 700.0)
    # slaney: linear below 1 kHz, logarithmic above
    hz = np.asarray(hz, np.float64)
    return np.where(hz < 1000.0, 3.0 * hz / 200.0,
                    15.0 + 27.0 * np.log(np.maximum(hz, 1000.0) / 1000.0) / math.log(6.4))


def mel_to_hz(mel, scale):
    mel = np.asarray(mel, np.float64)
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < 15.0, 200.0 * mel / 3.0, 1000.0 * np.exp((mel - 15.0) * math.log(6.4) / 27.0))


def mel_bank(features, sample_rate):
    """(n_fft/2 + 1, n_mels): triangles between points that are even on the mel scale."""
    bins = np.linspace(0, sample_rate // 2, features["n_fft"] // 2 + 1)
    ends = hz_to_mel([features["f_min"], features["f_max"]], features["mel_scale"])
    points = mel_to_hz(np.linspace(ends[0], ends[1], features["n_mels"] + 2), features["mel_scale"])
    width = np.diff(points)
    slopes = points[None, :] - bins[:, None]
    rising, falling = -slopes[:, :-2] / width[:-1], slopes[:, 2:] / width[1:]
    bank = np.maximum(0.0, np.minimum(rising, falling))
    if features["mel_norm"] == "slaney":
        bank *= 2.0 / (points[2:] - points[:-2])
    return torch.tensor(bank.astype(np.float32))  # a copy where PyTorch puts it: in MKL the last bits depend on where a matrix begins


def dct(features):
    """(n_mels, n_mfcc) of float64: the discrete cosine transform of type II."""
    mels = features["n_mels"]
    n, k = np.arange(mels)[:, None], np.arange(features["n_mfcc"])[None, :]
    matrix = 2.0 * np.cos(math.pi * k * (2 * n + 1) / (2 * mels))
    if features["dct_norm"] == "ortho":
        matrix *= np.where(k == 0, math.sqrt(1 / (4 * mels)), math.sqrt(1 / (2 * mels)))
    return torch.tensor(matrix)


class Frontend:
    """From a segment's samples to the model's input, batch of one.

    mfcc, kaldi_fbank and decibels are computed in float64, and rounded at the end: their logarithms
    reach to where float32 has rounding alone.
    """

    def __init__(self, manifest):
        manifest = with_defaults({part: manifest[part] for part in ("audio", "features")})
        self.audio, self.features = manifest["audio"], manifest["features"]
        self.length = segment_samples(self.audio)
        kind = self.features["kind"]
        if kind == "kaldi_fbank":
            self.kaldi = KaldiFbank(manifest)
        elif kind != "waveform":
            dtype = torch.float64 if self.features["log"] == "db" or kind == "mfcc" else torch.float32
            self.bank = mel_bank(self.features, self.audio["sample_rate"]).to(dtype)
            make = torch.hann_window if self.features["window"] == "hann" else torch.hamming_window
            self.window = make(self.features["win_length"], periodic=True, dtype=dtype)
        if kind == "mfcc":
            self.dct = dct(self.features)

    def __call__(self, samples):
        samples = normalized(np.asarray(samples, np.float32), self.audio["normalize"])
        wave = torch.from_numpy(np.ascontiguousarray(samples)).unsqueeze(0)
        kind = self.features["kind"]
        if kind == "waveform":
            return wave
        if kind == "kaldi_fbank":
            values = self.kaldi(wave)
        else:
            values = self._log_mel(wave.to(self.window.dtype))
        if kind == "mfcc":
            values = values @ self.dct
        return self._laid_out(((values - self.features["mean"]) / self.features["std"]).float())

    def _log_mel(self, wave):
        """(1, T, M)"""
        f = self.features
        spectrum = torch.stft(wave, f["n_fft"], f["hop_length"], f["win_length"], self.window,
                              center=f["center"], pad_mode=f["pad_mode"], return_complex=True)
        if f["drop_last_frame"]:
            spectrum = spectrum[..., :-1]
        power = spectrum.real ** 2 + spectrum.imag ** 2  # B, bins, T
        if f["power"] == 1:
            power = power.sqrt()
        mel = power.transpose(1, 2) @ self.bank
        if f["log"] != "none":
            mel = mel.clamp(min=f["floor"]) + f["log_offset"]
            mel = {"log": mel.log, "log10": mel.log10, "db": lambda: 10 * mel.log10()}[f["log"]]()
        if f["dynamic_range"]:
            mel = mel.clamp(min=float(mel.max()) - f["dynamic_range"])
        return mel

    def _laid_out(self, values):
        layout = self.features["layout"]
        if layout == "BCTM":
            return values.unsqueeze(1)
        return values.contiguous() if layout == "BTM" else values.transpose(1, 2).contiguous()


def activated(logits, activation):
    """Scores of one segment from the model's output, one dimension."""
    if activation == "sigmoid":
        return torch.sigmoid(logits)
    if activation == "softmax":
        return torch.softmax(logits, -1)
    if activation == "log_softmax":
        return torch.log_softmax(logits, -1)
    return logits
