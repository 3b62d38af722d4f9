"""A bundle in Python as a worker has it: what the tests and --verify hold against the model that it was made from."""

import copy
import os

import torch

from . import bundle, torchscript, weights


def open_bundle(folder, written=()):
    """A callable, from a segment's model input to its scores."""
    return open_aoti(folder, written) if os.path.isdir(os.path.join(folder, "code")) else open_torchscript(folder, written)


def open_torchscript(folder, written):
    """The bundle's module as a worker has it: a deep copy, in which plain attributes share no memory, with its weights mapped."""
    module = copy.deepcopy(torch.jit.load(os.path.join(folder, "code.pt"), map_location="cpu"))
    tensors = weights.map_weights(os.path.join(folder, "weights.bin"), os.path.join(folder, "weights.json"))
    torchscript.put_weights_in(module, tensors, private=written)
    return module


def open_aoti(folder, written=()):
    """A callable that takes one segment, whatever the batch."""
    from . import aoti
    run, batch = aoti.open_package(folder, written), bundle.read_model(folder)["prepared"]["batch"]
    if batch == 1:
        return run
    # Its answer for a segment is the same whatever else is in the batch: that was checked.
    return lambda model_input: run(model_input.expand(batch, *model_input.shape[1:]).contiguous())[:1]
