"""usage: make_tiny_packages.py FOLDER

Compiles one small model with AOTInductor for batches of 1 and of 4, a bundle each in FOLDER/packed
and FOLDER/packed-4, and one with state in FOLDER/packed-memory, and writes for each NAME.input and
NAME.scores (raw float32): inputs, and what the package itself says of them in Python; of the one with
state three times over. Each takes some seconds.
"""

import json
import os
import shutil
import sys
import tempfile

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "prepare"))
from consort_prepare import aoti, bundle

SAMPLES = 800


class Net(nn.Module):
    """Packed and plain weights, one of whole numbers; fails when the sound is loud."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3)
        self.second = nn.Conv2d(8, 16, 3)
        self.last = nn.Linear(16, 5)
        self.register_buffer("order", torch.tensor([4, 2, 0, 1, 3]))
        self.register_buffer("levels", torch.rand(10))

    def forward(self, x):
        h = torch.relu(self.first(x.view(-1, 1, 20, 40)))
        h = torch.relu(self.second(h)).mean((2, 3))
        level = self.levels[x.abs().amax(1).long()]  # beyond the table from 10 on
        return torch.sigmoid(self.last(h) + level.unsqueeze(1))[:, self.order]


class Remembering(nn.Module):
    """Counts its calls, and what it says fades."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(SAMPLES, 5)
        self.register_buffer("calls", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("fading", torch.full([1, 5], 0.25))

    def forward(self, x):
        self.calls += 1
        self.fading.mul_(0.5).add_(self.last(x))
        return self.fading + self.calls


def compile_to(folder, module, x, written, times):
    """code/, weights.bin and weights.json; returns the scores with the constants where the compiler put them."""
    shutil.rmtree(folder, ignore_errors=True)
    with torch.no_grad():
        program = torch.export.export(module, (x,))
    aoti.compile_variant(program, aoti.STATEFUL_VARIANT if written else "packed", folder, written=written)
    with tempfile.TemporaryDirectory() as place:
        run = aoti.open_with_blob(folder, os.path.join(place, "package"))
        scores = torch.cat([run(x).clone() for _ in range(times)])
    os.remove(os.path.join(folder, "blob"))
    return scores


def make(folder, name, module, x, written=(), times=1):
    target = os.path.join(folder, name)
    scores = compile_to(target, module, x, written, times)
    private = aoti.read_written(target)
    if private:
        os.remove(os.path.join(target, aoti.WRITTEN))
    with open(os.path.join(target, "labels.txt"), "w", encoding="utf-8") as out:
        out.write("".join(f"label {i}\n" for i in range(5)))
    files = bundle.listed(target)
    manifest = {"consort": 1, "name": name,
                "audio": {"sample_rate": 800, "channels": "mix", "segment_seconds": 1.0, "hop_seconds": 1.0},
                "features": {"kind": "waveform"}, "stateful": bool(private),
                "output": {"kind": "tags", "labels": "labels.txt", "top_k": 5, "threshold": 0.0},
                "prepared": {"backend": "aoti", "precision": "fp32", "torch": bundle.torch_version(), "cpu": bundle.cpu(),
                             "source": {"name": "net.pt2"}, "batch": len(x), "input_shape": list(x.shape),
                             "output_size": 5, "files": files, "written_buffers": private}}
    with open(os.path.join(target, "model.json"), "w", encoding="utf-8") as out:
        json.dump(manifest, out)
    x.numpy().tofile(os.path.join(folder, name + ".input"))
    scores.numpy().tofile(os.path.join(folder, name + ".scores"))


def main(folder):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    os.makedirs(folder, exist_ok=True)
    net = Net().eval()
    x = torch.randn(4, SAMPLES)
    with tempfile.TemporaryDirectory() as scratch:
        aoti.set_scratch(scratch)
        make(folder, "packed", net, x[:1].clone())
        make(folder, "packed-4", net, x)
        make(folder, "packed-memory", Remembering().eval(), x[:1].clone(), written=["calls", "fading"], times=3)
    with open(os.path.join(folder, "packages"), "w", encoding="utf-8"):
        pass


main(sys.argv[1])
