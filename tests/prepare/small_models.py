"""Modules that TorchScript can compile (it needs their source in a file). Input (1, 500), 3 scores."""

import copy
from typing import Dict, List

import torch
from torch import nn


class Plain(nn.Module):
    def __init__(self, scores=3):
        super().__init__()
        self.first = nn.Linear(500, 16)
        self.last = nn.Linear(16, scores)

    def forward(self, x):
        return torch.sigmoid(self.last(torch.relu(self.first(x))))


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(1, 64, 9, stride=3)
        self.norm = nn.BatchNorm1d(64)
        self.last = nn.Linear(64, 3)

    def forward(self, x):
        return self.last(torch.relu(self.norm(self.first(x.unsqueeze(1)))).mean(2))


class Tied(nn.Module):
    """Two layers with one weight, and a buffer that is a transposed view of it."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(500, 500)
        self.second = nn.Linear(500, 500)
        self.second.weight = self.first.weight
        self.register_buffer("turned", self.first.weight.detach().t()[10:20])
        self.last = nn.Linear(500, 3)

    def forward(self, x):
        y = self.second(self.first(x))
        return self.last(y) + (self.turned @ y[0]).sum()


class Counting(nn.Module):
    """Counts its calls and keeps its last input, but answers from the input alone."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(500, 3)
        self.register_buffer("calls", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("kept", torch.zeros(1, 500))
        self.register_buffer("untouched", torch.ones(3))

    def forward(self, x):
        self.calls += 1
        self.kept.copy_(x)
        return self.last(self.kept) * self.untouched


class Remembering(nn.Module):
    """Its answer depends on the calls before."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(500, 3)
        self.register_buffer("memory", torch.zeros(3))

    def forward(self, x):
        self.memory.add_(self.last(x)[0])
        return self.memory.clone()


class SharedState(nn.Module):
    """Its state in a plain attribute, and a part of that as another."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(500, 3)
        self.state = torch.zeros(2, 3)
        self.h = self.state[0]

    def forward(self, x):
        y = self.last(x)
        scores = y + self.h
        self.state.copy_(torch.tanh(torch.cat([y, y])))
        return scores


class SharedBuffer(SharedState):
    """The same, but the whole of it is a buffer."""

    def __init__(self):
        super().__init__()
        del self.state, self.h
        self.register_buffer("state", torch.zeros(2, 3))
        self.h = self.state[0]


class SharedBuffers(SharedState):
    """The same, and both are buffers."""

    def __init__(self):
        super().__init__()
        del self.state, self.h
        self.register_buffer("state", torch.zeros(2, 3))
        self.register_buffer("h", self.state[0])


class Overwriting(SharedState):
    """It writes to what two attributes share, but anew for each segment: no answer depends on the one before."""

    def forward(self, x):
        y = self.last(x)
        self.h.copy_(y[0])
        scores = y + self.h
        self.state.copy_(torch.tanh(torch.cat([y, y])))
        return scores


class Parts(nn.Module):
    """Attributes that share memory but no number, and some that share numbers that nobody writes to."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(500, 3)
        state = torch.zeros(2, 3)
        self.h, self.c = state[0], state[1]
        self.register_buffer("table", torch.arange(6.0))
        self.all = self.table[:]
        self.some = self.all[2:5]

    def forward(self, x):
        y = self.last(x) + self.h - self.c + self.some + self.all[0]
        self.h.copy_(torch.tanh(y)[0])
        self.c.add_(1.0)
        return y


class Random(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(500, 3)

    def forward(self, x):
        return self.last(x) + torch.rand(3)


class RandomInSilence(Random):
    def forward(self, x):
        y = self.last(x)
        if bool(x.abs().max() == 0):
            y = y + torch.rand(3)
        return y


class PlainAttributes(nn.Module):
    """Tensors that are neither parameters nor buffers, alone and in containers."""

    rows: List[torch.Tensor]
    table: Dict[str, torch.Tensor]

    def __init__(self, size):
        super().__init__()
        self.last = nn.Linear(500, 3)
        self.scale = torch.full([size], 0.5)
        self.rows = [torch.ones(3), torch.full([3], 2.0)]
        self.table = {"shift": torch.full([3], -1.0)}

    def forward(self, x):
        return self.last(x) * self.scale[:3] + self.rows[1] + self.table["shift"]


class TwoResults(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(500, 3)

    def forward(self, x):
        y = self.last(x)
        return y, y


class WithConstants(nn.Module):
    """Traced, its table becomes a constant of the graph; the same in a child that is used twice."""

    def __init__(self, table):
        super().__init__()
        self.last = nn.Linear(500, 3)
        self.hidden = [table]  # no attribute that tracing would keep

    def forward(self, x):
        return self.last(x * self.hidden[0])


class TwoOfAKind(nn.Module):
    """Two children of one TorchScript type, whose code they share; their weights differ."""

    def __init__(self, child):
        super().__init__()
        self.one, self.two = child, copy.deepcopy(child)
        self.two.last.bias.data += 1

    def forward(self, x):
        return self.one(x) + 2 * self.two(x)


class Branching(nn.Module):
    """Its weights are used inside the blocks of an if and a loop."""

    def __init__(self):
        super().__init__()
        self.loud = nn.Linear(500, 3)
        self.quiet = nn.Linear(500, 3)

    def forward(self, x):
        y = torch.zeros(1, 3)
        for _ in range(x.size(0) + 1):
            if bool(x.abs().max() > 1.0):
                y = y + self.loud(x)
            else:
                y = y + self.quiet(x)
        return y


class Decoding(nn.Module):
    """A post model: from (1, 3) scores to the largest and a weighted mean of all."""

    def __init__(self, scores=3):
        super().__init__()
        self.weights = nn.Linear(scores, 1)

    def forward(self, x):
        return torch.cat([x.amax(1, keepdim=True), self.weights(torch.softmax(x, 1))], 1)


class LoopingDecoding(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(3, 2)

    def forward(self, x):
        while bool(x.abs().max() > 1.0):
            x = x / 2
        return self.last(x)


class TwoDecodings(Decoding):
    def forward(self, x):
        return x, x


class RememberingInBatch(Remembering):
    """The same with a batch."""

    def forward(self, x):
        self.memory.add_(self.last(x)[0])
        return self.memory.clone().unsqueeze(0)
