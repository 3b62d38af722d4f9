"""How the models that are trained here are trained: the same on each call, on one thread."""

import time

import numpy as np
import torch
from torch import nn

from common import save

SEED = 20261128


def seeded():
    """NumPy's generator, for all that is drawn."""
    torch.set_num_threads(1)  # of so small a model two are no faster, and the sums' order depends on them
    torch.manual_seed(SEED)
    return np.random.default_rng(SEED)


def train(model, steps, loss_of_a_batch, largest_gradient=None):
    """`loss_of_a_batch(model)` draws its own batch. `largest_gradient`: of all weights together, as a norm; None: any."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.15)
    began, shown = time.monotonic(), 0.0
    for step in range(steps):
        loss = loss_of_a_batch(model)
        optimizer.zero_grad()
        loss.backward()
        if largest_gradient is not None:
            nn.utils.clip_grad_norm_(model.parameters(), largest_gradient)
        optimizer.step()
        schedule.step()
        shown = loss.item() if step == 0 else 0.95 * shown + 0.05 * loss.item()
        if (step + 1) % 100 == 0:
            print(f"step {step + 1} of {steps}: loss {shown:.3f}, {time.monotonic() - began:.0f} s", flush=True)
    return model.eval()


def save_trained(out, model, manifest, labels, front):
    with torch.no_grad():
        traced = torch.jit.trace(model, front(np.zeros(front.length, np.float32)))
    save(out, traced, manifest, labels)


def count_weights(model):
    return sum(weight.numel() for weight in model.parameters())
