"""MODEL then POST: a second, small model takes what the first gives.

Both become one: one module in TorchScript, one program for the compiler. So the weights of both are in
weights.bin, and one engine runs both.
"""

import io

import torch


class ModelThenPost(torch.nn.Module):
    """Its parts' names are those of their weights: "model.…", "post.…"."""

    def __init__(self, model, post):
        super().__init__()
        self.model = model
        self.post = post

    def forward(self, x):
        return self.post(self.model(x))


def scripted(model, post):
    """One TorchScript module of two, as if it had been loaded from a file: what was scripted here has
    names that depend on what this process did before."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(ModelThenPost(model, post).eval()), buffer)
    buffer.seek(0)
    return torch.jit.load(buffer, map_location="cpu").eval()
