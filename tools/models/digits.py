"""A small recognizer of spoken English digits, trained here on espeak-ng's voices.

    digits.py OUT.pt [--steps N] [--phrases N]

A convolutional network of 133,000 weights over log-mels at 8 kHz gives letters every 20 ms, for CTC.
It hears MOST_CONTEXT_SECONDS on each side of a frame and no more, keeps no state and normalises
nothing over a segment: so overlapping segments decode to what the whole recording does, where they
overlap by twice that. Trained on what consort's own front end makes of the sounds
(consort_prepare.frontend). Prints its word error rate on voices that it was not trained on. About
four minutes; the same CPU gives the same weights.
"""

import argparse
import time

import numpy as np
import torch
from torch import nn

import training
import voices
from consort_prepare.frontend import Frontend

RATE, SEGMENT_SECONDS, HOP_SECONDS, FRAME_SECONDS = 8000, 6.0, 4.0, 0.02
FLOOR = 1e-6
MANIFEST = {
    "consort": 1,
    "name": "digits",
    "audio": {"sample_rate": RATE, "channels": "mix", "segment_seconds": SEGMENT_SECONDS, "hop_seconds": HOP_SECONDS, "normalize": "none"},
    "features": {"kind": "log_mel", "n_fft": 256, "win_length": 200, "hop_length": 80, "window": "hann", "center": True,
                 "pad_mode": "constant", "drop_last_frame": True, "power": 2, "n_mels": 40, "f_min": 60.0, "f_max": 3800.0,
                 "mel_scale": "htk", "mel_norm": "none", "log": "log", "floor": FLOOR,
                 # Silence becomes 0, as the network's own padding is.
                 "mean": float(np.log(FLOOR)), "std": 5.0, "layout": "BMT"},
    "output": {"kind": "ctc", "activation": "log_softmax", "labels": "", "frame_seconds": FRAME_SECONDS, "blank": 0, "word_separator": "|"},
}
TOKENS = ["<blank>", "|", *sorted(set("".join(voices.WORDS)))]
BANDS, CHANNELS, KERNEL, DILATIONS = 40, 128, 7, (1, 1, 2, 2, 3, 3)
# Frames of the network's own, the two 10 ms frames of the first convolution, half a window of the STFT.
MOST_CONTEXT_SECONDS = KERNEL // 2 * sum(DILATIONS) * FRAME_SECONDS + 2 * 0.01 + 128 / RATE
assert 2 * MOST_CONTEXT_SECONDS <= SEGMENT_SECONDS - HOP_SECONDS
BATCH, SILENT_SHARE = 32, 0.04


class Block(nn.Module):
    def __init__(self, dilation):
        super().__init__()
        self.across_time = nn.Conv1d(CHANNELS, CHANNELS, KERNEL, padding=KERNEL // 2 * dilation, dilation=dilation, groups=CHANNELS, bias=False)
        self.across_channels = nn.Conv1d(CHANNELS, CHANNELS, 1, bias=False)
        self.norm = nn.BatchNorm1d(CHANNELS)

    def forward(self, x):
        return x + torch.relu(self.norm(self.across_channels(self.across_time(x))))


class Recognizer(nn.Module):
    """Input (B, 40, T) log-mels every 10 ms, output (B, T / 2, tokens) logits every 20 ms."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(BANDS, CHANNELS, 5, stride=2, padding=2, bias=False)
        self.norm = nn.BatchNorm1d(CHANNELS)
        self.blocks = nn.Sequential(*[Block(dilation) for dilation in DILATIONS])
        self.last = nn.Conv1d(CHANNELS, len(TOKENS), 1)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        return self.last(self.blocks(x)).transpose(1, 2)


# ---- sounds ----------------------------------------------------------------------------------

def laid_out(random, phrases, most_words=12):
    """(words, samples): phrases with pauses between them, in as long as a segment."""
    length = int(SEGMENT_SECONDS * RATE)
    sound, words = np.zeros(length, np.float32), []
    at = int(random.uniform(0.0, 1.0) * RATE)
    while random.random() > SILENT_SHARE and len(words) < most_words:
        said, samples = phrases[random.integers(len(phrases))]
        if at + len(samples) > length:
            break
        sound[at:at + len(samples)] += samples * random.uniform(0.5, 1.0)
        words += said
        at += len(samples) + int(RATE * random.exponential(0.35) + RATE * 0.03)
    return words, sound


def recorded(random, sound, snr_db):
    """As a recording has it: another level, a hum or a hiss. `snr_db`: of the noise below the speech; None: no noise."""
    sound = sound * 10 ** (random.uniform(-25, 0) / 20)
    if snr_db is None:
        return sound
    noise = random.standard_normal(len(sound)).astype(np.float32)
    if random.random() < 0.5:  # pink, roughly: a running mean
        noise = np.convolve(noise, np.full(8, 1 / 8, np.float32), "same")
    speech = np.sqrt(np.mean(np.square(sound))) or 0.01
    return (sound + noise / noise.std() * speech * 10 ** (-snr_db / 20)).astype(np.float32)


def letters(words):
    """Each word ends in a separator, the last one, too: whether another follows after a pause lies beyond what a frame hears."""
    return [TOKENS.index(letter) for word in words for letter in word + "|"]


# ---- training --------------------------------------------------------------------------------

def train(phrases, steps, random, front):
    loss_of = nn.CTCLoss(zero_infinity=True)

    def loss_of_a_batch(model):
        inputs, targets = [], []
        for _ in range(BATCH):
            words, sound = laid_out(random, phrases)
            inputs.append(front(recorded(random, sound, random.uniform(5, 40) if random.random() < 0.7 else None)))
            targets.append(letters(words))
        logits = model(torch.cat(inputs))
        return loss_of(torch.log_softmax(logits, 2).transpose(0, 1), torch.tensor(sum(targets, [])),
                       torch.full((BATCH,), logits.size(1)), torch.tensor([len(one) for one in targets]))

    return training.train(Recognizer(), steps, loss_of_a_batch, largest_gradient=1.0)


# ---- how good it is --------------------------------------------------------------------------

def decoded(logits):
    """Words of (T, tokens): the best token of each frame, repeats and blanks left out."""
    best = logits.argmax(1)
    kept = [TOKENS[token] for n, token in enumerate(best.tolist()) if token and (n == 0 or token != best[n - 1])]
    return [word for word in "".join(kept).split("|") if word]


def edits(said, heard):
    """Words put in, left out or taken for others: Levenshtein's distance."""
    row = list(range(len(heard) + 1))
    for n, word in enumerate(said, 1):
        above, row[0] = row[0], n
        for k, other in enumerate(heard, 1):
            above, row[k] = row[k], min(above + (word != other), row[k] + 1, row[k - 1] + 1)
    return row[-1]


def word_error_rate(model, phrases, count, random, front, snr_db):
    wrong = spoken = 0
    for _ in range(count):
        words, sound = laid_out(random, phrases)
        with torch.inference_mode():
            heard = decoded(model(front(recorded(random, sound, snr_db)))[0])
        wrong, spoken = wrong + edits(words, heard), spoken + len(words)
    return wrong / max(spoken, 1), spoken


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--phrases", type=int, default=3000)
    args = parser.parse_args()
    voices.check()
    random = training.seeded()
    front = Frontend(MANIFEST)
    began = time.monotonic()
    trained_on = voices.phrases(random, voices.ACCENTS, voices.VARIANTS, args.phrases, RATE)
    unheard, accent = (voices.phrases(random, accents, voices.HELD_OUT_VARIANTS, min(args.phrases, 300), RATE)
                       for accents in (voices.ACCENTS, [voices.HELD_OUT_ACCENT]))
    print(f"{len(trained_on)} phrases spoken in {time.monotonic() - began:.0f} s", flush=True)
    model = train(trained_on, args.steps, random, front)
    for what, said, snr_db in (("unheard voices", unheard, None), ("unheard voices in noise 20 dB below", unheard, 20),
                               ("unheard voices in noise 10 dB below", unheard, 10), ("an unheard accent", accent, None)):
        rate, spoken = word_error_rate(model, said, min(args.phrases, 150), random, front, snr_db)
        print(f"word error rate on {what}: {100 * rate:.2f} % of {spoken} words", flush=True)
    print(f"{training.count_weights(model)} weights, trained in {time.monotonic() - began:.0f} s")
    training.save_trained(args.out, model, MANIFEST, TOKENS, front)


if __name__ == "__main__":
    main()
