"""A small tagger of instruments, trained here on notes of a soundfont.

    instruments.py OUT.pt [--steps N] [--few]

A convolutional network of 110,000 weights over log-mels at 16 kHz tells which of twelve kinds of
instruments sound within two seconds; several may. It is trained on what consort's own front end makes
of single notes and of two together, at other levels and in noise. Prints how often it is right on
pitches and velocities that it was not trained on. They are of the same soundfont: recordings of
instruments differ more. About three minutes; the same CPU gives the same weights.
"""

import argparse
import time

import numpy as np
import torch
from torch import nn

import notes
import training
from consort_prepare.frontend import Frontend

RATE, SEGMENT_SECONDS = 16000, 2.0
FLOOR = 1e-7
LABELS = list(notes.INSTRUMENTS)
MANIFEST = {
    "consort": 1,
    "name": "instruments",
    "audio": {"sample_rate": RATE, "channels": "mix", "segment_seconds": SEGMENT_SECONDS, "hop_seconds": 1.0, "normalize": "none"},
    "features": {"kind": "log_mel", "n_fft": 1024, "win_length": 1024, "hop_length": 256, "window": "hann", "center": True,
                 "pad_mode": "constant", "power": 2, "n_mels": 64, "f_min": 40.0, "f_max": 7600.0, "mel_scale": "htk", "mel_norm": "none",
                 "log": "log", "floor": FLOOR, "mean": float(np.log(FLOOR)), "std": 6.0, "layout": "BCTM"},
    "output": {"kind": "tags", "activation": "sigmoid", "labels": "", "top_k": 3, "threshold": 0.5},
}
BATCH = 32
TRAINED_VELOCITIES, UNHEARD_VELOCITIES = (45, 75, 105), (60, 90)


class Tagger(nn.Module):
    """Input (B, 1, T, 64) log-mels, output (B, 12) logits."""

    def __init__(self):
        super().__init__()
        layers, before = [], 1
        for channels in (16, 32, 64, 128):
            layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
            before = channels
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(2 * 128 * 4, len(LABELS))

    def forward(self, x):
        x = self.layers(x)  # B, 128, T / 16, 4
        return self.last(torch.cat([x.amax(2), x.mean(2)], 1).flatten(1))


# ---- sounds ----------------------------------------------------------------------------------

def note_sets(few):
    """(what it is trained on, what it is not): for each label a list of sounds, each of one note."""
    random = np.random.default_rng(20261128)
    trained, unheard = [], []
    for programs, low, high in notes.INSTRUMENTS.values():
        trained.append([])
        unheard.append([])
        for program in programs:
            # Of drums the pitch is which drum it is: they are all heard, at other velocities.
            is_unheard = lambda pitch: program != notes.DRUMS and pitch % 4 == 3
            pitches = [pitch for pitch in range(low, high + 1) if not few or pitch % 8 in (0, 3)]
            new = lambda pitch, velocity: (pitch, velocity, float(random.uniform(0.3, 1.7)))
            asked = [new(pitch, velocity) for pitch in pitches if not is_unheard(pitch) for velocity in TRAINED_VELOCITIES]
            trained[-1] += notes.rendered(program, asked, SEGMENT_SECONDS, RATE)
            asked = [new(pitch, velocity) for pitch in pitches if is_unheard(pitch) or program == notes.DRUMS for velocity in UNHEARD_VELOCITIES]
            unheard[-1] += notes.rendered(program, asked, SEGMENT_SECONDS, RATE)
    return trained, unheard


def played(random, sounds):
    """One note a little later, or without its first moment, at some level."""
    samples = sounds[random.integers(len(sounds))]
    shift = int(random.uniform(-0.15, 0.7) * RATE)
    moved = np.zeros_like(samples)
    if shift >= 0:
        moved[shift:] = samples[:len(samples) - shift]
    else:
        moved[:shift] = samples[-shift:]
    loudest = np.abs(moved).max()
    return moved * (random.uniform(0.1, 0.9) / loudest if loudest > 1e-4 else 0)


def scene(random, sets, count):
    """(label numbers, samples) of `count` different instruments at once, in some noise."""
    labels = random.choice(len(LABELS), count, replace=False)
    sound = sum((played(random, sets[label]) for label in labels), np.zeros(int(SEGMENT_SECONDS * RATE), np.float32))
    noise = random.standard_normal(len(sound)) * 10 ** random.uniform(-4.5, -2)
    return labels, ((sound + noise) * 10 ** random.uniform(-1, 0)).astype(np.float32)


# ---- training, and how good it is ------------------------------------------------------------

def train(sets, steps, random, front):
    loss_of = nn.BCEWithLogitsLoss()

    def loss_of_a_batch(model):
        scenes = [scene(random, sets, random.choice(3, p=(0.05, 0.55, 0.4))) for _ in range(BATCH)]
        targets = torch.zeros(BATCH, len(LABELS))
        for row, (labels, _) in zip(targets, scenes):
            row[labels.tolist()] = 1.0
        return loss_of(model(torch.cat([front(sound) for _, sound in scenes])), targets)

    return training.train(Tagger(), steps, loss_of_a_batch)


def share_right(model, sets, count, scenes, random, front):
    """Of scenes of `count` instruments: those whose `count` best scores are these."""
    right = 0
    for _ in range(scenes):
        labels, sound = scene(random, sets, count)
        with torch.inference_mode():
            best = model(front(sound))[0].topk(count).indices
        right += set(best.tolist()) == set(labels.tolist())
    return right / scenes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--few", action="store_true", help="a quarter of the notes")
    args = parser.parse_args()
    notes.check()
    random = training.seeded()
    front = Frontend(MANIFEST)
    began = time.monotonic()
    trained, unheard = note_sets(args.few)
    print(f"{sum(map(len, trained))} notes to train on and {sum(map(len, unheard))} to test with rendered in "
          f"{time.monotonic() - began:.0f} s", flush=True)
    model = train(trained, args.steps, random, front)
    for count, what in ((1, "one unheard note"), (2, "two at once, both right")):
        print(f"{what}: right in {100 * share_right(model, unheard, count, 100 if args.few else 600, random, front):.1f} %", flush=True)
    print(f"{training.count_weights(model)} weights, trained in {time.monotonic() - began:.0f} s")
    training.save_trained(args.out, model, MANIFEST, LABELS, front)


if __name__ == "__main__":
    main()
