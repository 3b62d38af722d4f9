"""usage: make_tiny_models.py FOLDER

Prepares a few TorchScript models of a second of compute at most, one bundle each in FOLDER/NAME, and
writes for each NAME.input and NAME.scores (raw float32): what PyTorch says of that input.
"""

import json
import os
import shutil
import sys
from typing import List

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "prepare"))
from consort_prepare.cli import main as consort_prepare

SAMPLES = 800


class Net(nn.Module):
    """What weights come as: tied, transposed, of other types; a tuple as answer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 8, 5, stride=4)
        self.norm = nn.BatchNorm1d(8)
        self.first = nn.Linear(8, 8)
        self.second = nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.register_buffer("turned", torch.randn(5, 8).t())
        self.register_buffer("order", torch.tensor([4, 2, 0, 1, 3]))
        self.register_buffer("brief", torch.randn(5).bfloat16())
        self.register_buffer("mask", torch.tensor([True, False, True, True, True]))
        self.register_buffer("nothing", torch.empty(0, 3))

    def forward(self, x):
        h = torch.relu(self.norm(self.conv(x.unsqueeze(1)))).mean(2)
        h = torch.tanh(self.second(torch.tanh(self.first(h))))
        y = (h @ self.turned + self.brief.float())[:, self.order] * self.mask
        return torch.sigmoid(y) + self.nothing.sum(), h


class OneTensor(nn.Module):
    """Fails when the sound is loud."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        if bool((x.abs().max() > 10).item()):
            raise ValueError("too loud")
        return self.net(x)[0]


class Memory(nn.Module):
    """State in a buffer, in a plain attribute, and in a list: each counts the calls."""
    times: List[int]

    def __init__(self):
        super().__init__()
        self.register_buffer("written", torch.zeros(1))
        self.kept = torch.zeros(1)
        self.times = [0]

    def forward(self, x):
        self.written += 1
        self.kept = self.kept + 1
        self.times[0] += 1
        return torch.cat([self.written, self.kept, torch.tensor([float(self.times[0])])])


class Remembers(nn.Module):
    """The state lies one module down."""

    def __init__(self):
        super().__init__()
        self.memory = Memory()

    def forward(self, x):
        return self.memory(x).unsqueeze(0)


class Echo(nn.Module):
    """Says the mean of what came before: it keeps the input itself, a part of it, and the input in a list."""
    heard: List[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.ones(3))
        self.before = torch.zeros(1, 1)
        self.end = torch.zeros(1, 1)
        self.heard = [torch.zeros(1, 1)]

    def forward(self, x):
        means = torch.stack([self.before.mean(), self.end.mean(), self.heard[0].mean()])
        self.before = x
        self.end = x[:, -10:]
        self.heard[0] = x
        return (means * self.scale).unsqueeze(0)


def make(folder, name, module, labels, stateful):
    module.eval()
    scripted = torch.jit.script(module)
    file = os.path.join(folder, name + ".pt")
    scripted.save(file)
    manifest = {"consort": 1, "name": name,
                "audio": {"sample_rate": 800, "channels": "mix", "segment_seconds": 1.0, "hop_seconds": 1.0},
                "features": {"kind": "waveform"},
                "output": {"kind": "tags", "labels": name + ".labels", "top_k": 5, "threshold": 0.0}, "stateful": stateful}
    with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as out:
        json.dump(manifest, out)
    with open(os.path.join(folder, name + ".labels"), "w", encoding="utf-8") as out:
        out.write("".join(f"label {i}\n" for i in range(labels)))
    shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    if consort_prepare([file, "-o", os.path.join(folder, name), "--backend", "torchscript"]) != 0:
        sys.exit(1)
    x = torch.randn(1, SAMPLES)
    with torch.inference_mode():
        y = module(x)
    x.numpy().tofile(os.path.join(folder, name + ".input"))
    y.reshape(-1).numpy().tofile(os.path.join(folder, name + ".scores"))


def main(folder):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    os.makedirs(folder, exist_ok=True)
    net = Net()
    nn.init.uniform_(net.norm.running_var, 0.5, 2.0)
    make(folder, "tags", OneTensor(net), 5, False)
    make(folder, "memory", Remembers(), 3, True)
    make(folder, "echo", Echo(), 3, True)
    with open(os.path.join(folder, "done"), "w", encoding="utf-8"):
        pass


main(sys.argv[1])
