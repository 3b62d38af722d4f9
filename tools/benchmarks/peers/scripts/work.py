"""What every peer does around its model: decode, resample, log-mel, the five best tags, one line.

Written as somebody would who wants it fast: whole files at once, float32 throughout, window and
filter bank made once, no copy that can be left out. The sums are those of consort's front end.
"""

import json
import math

import numpy as np
import soundfile
import soxr
import torch

SEGMENT_SECONDS = 3
RATE = 32000
SAMPLES = SEGMENT_SECONDS * RATE
N_FFT, HOP, BANDS, LEAST_HZ, MOST_HZ = 1024, 320, 64, 50.0, 14000.0
FRAMES = SAMPLES // HOP + 1
TOP = 5


def mel_bank():
    """(bins, BANDS): triangles, even on the HTK scale."""
    def mel(hz):
        return 2595 * math.log10(1 + hz / 700)
    points = 700 * (10 ** (np.linspace(mel(LEAST_HZ), mel(MOST_HZ), BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    slopes, width = points[None, :] - bins[:, None], np.diff(points)
    bank = np.minimum(-slopes[:, :-2] / width[:-1], slopes[:, 2:] / width[1:]).clip(min=0)
    return torch.from_numpy(bank.astype(np.float32))


class FrontEnd:
    def __init__(self):
        self.window = torch.hann_window(N_FFT)
        self.bank = mel_bank()

    def segments(self, path):
        """(n, SAMPLES) at RATE, the last one padded with zeros; the file's length in seconds."""
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        length = len(sound)
        sound = sound[:, 0] if sound.shape[1] == 1 else sound.mean(axis=1)
        if rate != RATE:
            sound = soxr.resample(sound, rate, RATE, quality="HQ")
        count = max(1, -(-length // (SEGMENT_SECONDS * rate)))
        padded = np.zeros(count * SAMPLES, np.float32)
        size = min(len(sound), len(padded))
        padded[:size] = sound[:size]
        return padded.reshape(count, SAMPLES), length / rate

    def features(self, waves):
        """(n, 1, FRAMES, BANDS) of (n, SAMPLES)"""
        spectrum = torch.stft(torch.from_numpy(waves), N_FFT, HOP, window=self.window, return_complex=True)
        power = torch.view_as_real(spectrum).square_().sum(-1)
        return (power.transpose(1, 2) @ self.bank).clamp_(min=1e-10).log10_().unsqueeze(1)


class Worker:
    """Files in, lines out. `model` takes a tensor (n, 1, FRAMES, BANDS), n <= batch, gives (n, labels)."""

    def __init__(self, model, batch, labels):
        torch.set_num_threads(1)
        self.model, self.batch = model, batch
        self.front_end = FrontEnd()
        with open(labels) as file:
            self.labels = file.read().split()

    def warm_up(self):
        """Every batch size that may come; the usual ones more often than TorchScript's profiling takes."""
        for size in range(1, self.batch + 1):
            for _ in range(3 if size in (1, self.batch) else 1):
                self.model(self.front_end.features(np.random.rand(size, SAMPLES).astype(np.float32)))

    @torch.inference_mode()
    def __call__(self, paths):
        read = [self.front_end.segments(path) for path in paths]
        waves = read[0][0] if len(read) == 1 else np.concatenate([it[0] for it in read])
        scores = np.concatenate([self.model(self.front_end.features(waves[at:at + self.batch]))
                                 for at in range(0, len(waves), self.batch)])
        rows = iter(scores)
        return [self.line(path, k, seconds, next(rows))
                for path, (segments, seconds) in zip(paths, read) for k in range(len(segments))]

    def line(self, path, k, seconds, scores):
        best = np.argpartition(scores, -TOP)[-TOP:]
        best = best[np.argsort(-scores[best])]
        start = k * SEGMENT_SECONDS
        return json.dumps({"file": path, "start": start, "end": round(min(start + SEGMENT_SECONDS, seconds), 3),
                           "tags": [{"label": self.labels[n], "score": round(float(scores[n]), 4)} for n in best]})
