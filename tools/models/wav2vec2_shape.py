"""A transformer of wav2vec2-base's shape and size (95 M weights), random and seeded.

    wav2vec2_shape.py OUT.pt

Seven convolutions turn 16 kHz into 50 frames a second, a wide grouped convolution tells the frames
apart, twelve layers of 768 with twelve heads work on them; the mean over the segment gives 32
scores. What the labels mean is nothing: class-00 … class-31.
"""

import argparse

import torch
import torch.nn.functional as F
from torch import nn

from common import save

RATE, WIDTH, HEADS, LAYERS, CLASSES = 16000, 768, 12, 12, 32
CONVOLUTIONS = [(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2  # channels, kernel, stride
MANIFEST = {
    "consort": 1,
    "name": "wav2vec2-shape",
    "audio": {"sample_rate": RATE, "channels": "mix", "segment_seconds": 5.0, "hop_seconds": 5.0,
              "normalize": "zero_mean_unit_variance"},
    "features": {"kind": "waveform"},
    "output": {"kind": "tags", "activation": "none", "labels": "", "top_k": 5, "threshold": 0.0},
    "stateful": False,
}


class Encoder(nn.Module):
    """(B, samples) → (B, 512, frames)."""

    def __init__(self):
        super().__init__()
        channels = [1] + [width for width, _, _ in CONVOLUTIONS]
        self.layers = nn.ModuleList(nn.Conv1d(a, b, kernel, stride, bias=False)
                                    for a, (b, kernel, stride) in zip(channels, CONVOLUTIONS))
        self.norm = nn.GroupNorm(512, 512)  # a norm for each channel, after the first convolution only

    def forward(self, x):
        x = x.unsqueeze(1)
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index == 0:
                x = self.norm(x)
            x = F.gelu(x)
        return x


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.norm = nn.LayerNorm(WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.last_norm = nn.LayerNorm(WIDTH)

    def heads(self, x):
        return x.reshape(x.size(0), x.size(1), HEADS, WIDTH // HEADS).transpose(1, 2)

    def forward(self, x):
        q, k, v = self.heads(self.query(x)), self.heads(self.key(x)), self.heads(self.value(x))
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        x = self.norm(x + self.out(seen))
        return self.last_norm(x + self.narrow(F.gelu(self.wide(x))))


class Tagger(nn.Module):
    """Input (B, samples), output (B, 32) in 0 … 1."""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.norm, self.project = nn.LayerNorm(512), nn.Linear(512, WIDTH)
        self.position = nn.Conv1d(WIDTH, WIDTH, 128, padding=64, groups=16)
        self.first_norm = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.score = nn.Linear(WIDTH, CLASSES)

    def logits(self, x):
        x = self.project(self.norm(self.encoder(x).transpose(1, 2)))
        x = x + F.gelu(self.position(x.transpose(1, 2))[:, :, :-1]).transpose(1, 2)
        x = self.first_norm(x)
        for layer in self.layers:
            x = layer(x)
        return self.score(x.mean(1))

    def forward(self, x):
        return torch.sigmoid(self.logits(x))


def initialize(model):
    """So that sound reaches the end: gains that keep the variance, as trained networks do."""
    for module in model.modules():
        if isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
        if isinstance(module, (nn.Conv1d, nn.Linear)) and module.bias is not None:
            nn.init.zeros_(module.bias)
    nn.init.normal_(model.score.weight, std=0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    args = parser.parse_args()
    torch.manual_seed(2)
    model = Tagger().eval()
    initialize(model)
    with torch.no_grad():
        traced = torch.jit.trace(model, torch.randn(1, 5 * RATE), check_trace=False)
    save(args.out, traced, MANIFEST, [f"class-{n:02d}" for n in range(CLASSES)])


if __name__ == "__main__":
    main()
