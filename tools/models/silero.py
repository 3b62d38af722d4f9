"""silero-vad with its real weights.

    silero.py OUT.pt          as a tagger: how surely a segment has speech in it
    silero.py OUT.pt --vad    as it was published: from when to when there is speech

The published model scores 512 samples at a time and keeps state between them.
- The tagger starts each segment from a fresh state and gives the highest score in it, so segments
  do not depend on each other.
- With --vad the state goes from segment to segment and begins anew with each file, and the scores
  become events as in the package's get_speech_timestamps, by its defaults.
Needs the package silero-vad (MIT); only the TorchScript file in it is used.
"""

import argparse
import importlib.util
import os

import torch
from torch import nn

from common import save

RATE = 16000
WINDOW = 512  # samples that the published model scores at once
MANIFEST = {
    "consort": 1,
    "name": "silero",
    "audio": {"sample_rate": RATE, "channels": "mix", "segment_seconds": 3.0, "hop_seconds": 3.0, "normalize": "none"},
    "features": {"kind": "waveform"},
    "output": {"kind": "tags", "activation": "none", "labels": "", "top_k": 1, "threshold": 0.0},
    "stateful": False,
}
WINDOWS = 96  # of a segment; how many makes no difference to the speed, from 1 to 768
SECONDS = WINDOWS * WINDOW / RATE
VAD_MANIFEST = {
    "consort": 1,
    "name": "silero-vad",
    "audio": {"sample_rate": RATE, "channels": "mix", "segment_seconds": SECONDS, "hop_seconds": SECONDS, "normalize": "none"},
    "features": {"kind": "waveform"},
    # get_speech_timestamps: threshold, neg_threshold, min_speech_duration_ms, min_silence_duration_ms, speech_pad_ms.
    "output": {"kind": "frames", "frame_seconds": WINDOW / RATE, "activation": "none", "labels": "", "threshold": 0.5, "threshold_off": 0.35,
               "min_seconds": 0.25, "min_gap_seconds": 0.1, "pad_seconds": 0.03},
    "stateful": True,
}


class SpeechInSegment(nn.Module):
    """Input (1, samples) at 16 kHz, output (1, 1) in 0 … 1."""

    def __init__(self, vad):
        super().__init__()
        self.vad = vad

    def forward(self, x):
        self.vad.reset_states()
        rest = x.size(1) % 512
        if rest > 0:
            x = torch.nn.functional.pad(x, [0, 512 - rest])
        highest = torch.zeros([x.size(0), 1])
        for window in x.split(512, 1):
            highest = torch.maximum(highest, self.vad(window, 16000))
        return highest


class SpeechInWindows(nn.Module):
    """Input (1, n · 512) at 16 kHz, output (1, n, 1) in 0 … 1: of each 512 samples, behind all that came before
    them. The state is the published model's own."""

    def __init__(self, vad):
        super().__init__()
        self.vad = vad

    def forward(self, x):
        scores = [self.vad(window, 16000) for window in x.split(512, 1)]
        return torch.stack(scores, 1)


def published():
    # Found without importing: the package's own imports want torchaudio.
    package = importlib.util.find_spec("silero_vad")
    if package is None:
        raise SystemExit("silero.py: the package silero-vad is not installed; pip install --no-deps silero-vad")
    path = os.path.join(os.path.dirname(package.origin), "data", "silero_vad.jit")
    return torch.jit.load(path, map_location="cpu").eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--vad", action="store_true")
    args = parser.parse_args()
    wrapper, manifest = (SpeechInWindows, VAD_MANIFEST) if args.vad else (SpeechInSegment, MANIFEST)
    save(args.out, torch.jit.script(wrapper(published()).eval()), manifest, ["speech"])


if __name__ == "__main__":
    main()
