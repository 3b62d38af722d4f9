"""Models whose frames follow from the sound itself, so that what comes out is known from the whole file.

A sound is made of frames of one level each; a model hears the level of every frame of its segment.
"""

import json
import pathlib
import sys

import numpy as np
import soundfile
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools/prepare"))

import bundles  # noqa: E402

RATE = 16000
FRAME = 512  # samples, as silero-vad has it
SEGMENT = 24  # frames
HOPS = {"1/2": 12, "2/3": 16, "3/4": 18, "1": 24}
TOKENS = ["<pad>", "|", "a", "b", "c"]


def levels_of(samples):
    """[frames] of samples [1, N], whose last frame may be cut off: there is silence behind."""
    rest = samples.size(1) % 512
    if rest > 0:
        samples = torch.nn.functional.pad(samples, [0, 512 - rest])
    return samples.reshape(-1, 512).abs().mean(-1)


class Loudness(torch.nn.Module):
    """[1, frames, 2]: how loud it is, and how far from half as loud as can be."""

    def __init__(self):
        super().__init__()
        self.middle = torch.nn.Parameter(torch.tensor([0.5]))

    def forward(self, x):
        levels = levels_of(x)
        return torch.stack([levels, 1 - 2 * (levels - self.middle).abs()], -1)[None]


class Spelling(torch.nn.Module):
    """[1, frames, 5]: logits of the tokens; a level of n / 10 is token n."""

    def __init__(self):
        super().__init__()
        self.numbers = torch.nn.Parameter(torch.arange(5.0))

    def forward(self, x):
        levels = levels_of(x)
        return -2 * (10 * levels[:, None] - self.numbers).square()[None]


def prepared(folder, module, output, labels):
    """A bundle of segments that do not overlap; with_hop makes others."""
    from consort_prepare import cli

    folder.mkdir(exist_ok=True)
    torch.jit.save(torch.jit.script(module.eval()), str(folder / "model.pt"))
    (folder / "labels.txt").write_text("".join(label + "\n" for label in labels))
    seconds = SEGMENT * FRAME / RATE
    (folder / "model.json").write_text(json.dumps({
        "consort": 1, "name": "framed",
        "audio": {"sample_rate": RATE, "channels": "mix", "segment_seconds": seconds, "hop_seconds": seconds},
        "features": {"kind": "waveform"},
        "output": {"labels": "labels.txt", "frame_seconds": FRAME / RATE, **output}}))
    assert cli.main([str(folder / "model.pt"), "-o", str(folder / "bundle"), "--backend", "torchscript"]) == 0
    return folder / "bundle"


def with_hop(bundle, folder, hop, output=None):
    """The same model, with another hop (in frames), and other keys of its output."""
    made = bundles.copy(bundle, folder)
    manifest = bundles.read_manifest(made)
    manifest["audio"]["hop_seconds"] = hop * FRAME / RATE
    manifest["output"].update(output or {})
    bundles.write_manifest(made, manifest)
    return made


def write_sound(path, levels, cut=0):
    """A sound whose frames have these levels, but for its last `cut` samples."""
    signs = np.where(np.arange(FRAME) % 2 == 0, 1.0, -1.0)
    samples = (np.asarray(levels)[:, None] * signs).reshape(-1)
    soundfile.write(path, samples[:len(samples) - cut], RATE, subtype="PCM_16")
    return path


def answer(module, path):
    """[frames, labels]: what the model says of the whole file at once."""
    samples = torch.from_numpy(soundfile.read(path, dtype="float32")[0])[None]
    with torch.inference_mode():
        return module.eval()(samples)[0]


def ms(samples):
    """Printed seconds: half a millisecond away from zero."""
    return int(samples * 1000 / RATE + 0.5) / 1000
