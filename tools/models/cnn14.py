"""Cnn14, the shape of the PANNs taggers, with weights of our own: random, seeded, then calibrated.

    cnn14.py OUT.pt [--width 64|16]

Random weights alone would score every sound alike. So the batch norms take their statistics, and
the last layer its scale, from a few made sounds: scores then spread, and differ between sounds.
What the labels mean is nothing: class-000 … class-526.
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from common import save

CLASSES = 527
MANIFEST = {
    "consort": 1,
    "audio": {"sample_rate": 32000, "channels": "mix", "segment_seconds": 3.0, "hop_seconds": 3.0, "normalize": "none"},
    "features": {"kind": "log_mel", "n_fft": 1024, "win_length": 1024, "hop_length": 320, "window": "hann",
                 "center": True, "pad_mode": "reflect", "power": 2.0, "n_mels": 64, "f_min": 50.0, "f_max": 14000.0,
                 "mel_scale": "htk", "mel_norm": "none", "log": "log10", "floor": 1e-10, "layout": "BCTM"},
    "output": {"kind": "tags", "activation": "none", "labels": "", "top_k": 5, "threshold": 0.0},
    "stateful": False,
}


class ConvBlock(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)

    def forward(self, x, pool: int):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.avg_pool2d(x, pool) if pool > 1 else x


class Cnn14(nn.Module):
    """Input (B, 1, T, 64), output (B, 527) in 0 … 1."""

    def __init__(self, width):
        super().__init__()
        channels = [1] + [width * 2**k for k in range(6)]
        self.bn0 = nn.BatchNorm2d(64)
        self.blocks = nn.ModuleList(ConvBlock(a, b) for a, b in zip(channels, channels[1:]))
        self.fc1 = nn.Linear(channels[-1], channels[-1])
        self.fc_audioset = nn.Linear(channels[-1], CLASSES)

    def logits(self, x):
        x = self.bn0(x.transpose(1, 3)).transpose(1, 3)
        for index, block in enumerate(self.blocks):
            x = block(x, 2 if index < 5 else 1)
        x = x.mean(3)
        x = x.amax(2) + x.mean(2)
        return self.fc_audioset(F.relu(self.fc1(x)))

    def forward(self, x):
        return torch.sigmoid(self.logits(x))


def made_sounds(count, length, rate):
    """Tones, chirps, noises and pulses, some cut short."""
    random = np.random.default_rng(14)
    time = np.arange(length) / rate
    for index in range(count):
        pitch = 60 * 2 ** random.uniform(0, 7)
        kind = index % 4
        if kind == 0:
            sound = sum(np.sin(2 * np.pi * pitch * n * time + n) / n for n in range(1, 9) if pitch * n < rate / 2)
        elif kind == 1:
            sound = np.sin(2 * np.pi * pitch * time * (1 + random.uniform(-0.3, 0.3) * time))
        elif kind == 2:
            white = np.fft.rfft(random.normal(0, 1, length))
            sound = np.fft.irfft(white / (1 + np.arange(len(white))) ** random.uniform(0, 1), length)
        else:
            sound = np.sin(2 * np.pi * pitch * time) * np.exp(-random.uniform(4, 40) * (time % random.uniform(0.1, 0.8)))
        sound = sound / max(1e-9, np.abs(sound).max()) * 10 ** random.uniform(-2, 0)
        sound += random.normal(0, 10 ** random.uniform(-6, -3), length)
        if random.random() < 0.6:  # a short sound: the rest of its segment is exact zeros
            sound[int(length * random.uniform(0.03, 1)):] = 0
        yield sound.astype(np.float32)


@torch.no_grad()
def calibrate(model, inputs):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
    model.train()
    for batch in inputs.split(12):
        model.logits(batch)
    model.eval()
    logits = torch.cat([model.logits(batch) for batch in inputs.split(12)])
    spread = 1.5 / logits.std(0).clamp(min=1e-6)
    model.fc_audioset.weight *= spread[:, None]
    model.fc_audioset.bias.copy_(-2.0 + spread * (model.fc_audioset.bias - logits.mean(0)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--width", type=int, default=64, choices=(64, 16))
    args = parser.parse_args()

    from consort_prepare.frontend import Frontend
    torch.manual_seed(1)
    frontend = Frontend(MANIFEST)
    inputs = torch.cat([frontend(sound) for sound in made_sounds(48, frontend.length, MANIFEST["audio"]["sample_rate"])])
    model = Cnn14(args.width)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    calibrate(model, inputs)
    name = "cnn14" if args.width == 64 else "cnn14-quarter"
    traced = torch.jit.trace(model, inputs[:1], check_trace=False)
    save(args.out, traced, {**MANIFEST, "name": name}, [f"class-{n:03d}" for n in range(CLASSES)])


if __name__ == "__main__":
    main()
