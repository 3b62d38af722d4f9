"""What consort-prepare does in processes of their own (children.py): compile, and run what was made."""

import os
import shutil
import statistics
import time

import torch

from . import aoti, checks, precision as precisions, products, program as programs
from .children import Child
from .errors import PrepareError

# Of the largest score: fp32 code that is fused and packed adds in another order, no more.
FP32_TOLERANCE = 1e-3
ROUNDS = 9


class Compiler:
    """The model, loaded and lowered once; then a package for each variant and batch."""

    def __init__(self, model_path, manifest, options, calibration, scratch):
        aoti.set_scratch(scratch)
        self._model_path, self._manifest, self._options = model_path, manifest, options
        self._calibration, self._scratch = calibration, scratch
        self._lowered, self._with_products = {}, {}  # by batch
        self._inputs = []

    def load(self):
        """Raises NotConvertible."""
        import torch._inductor  # here, so that its seconds show as a step's
        self._program = programs.load(self._model_path, checks.noise_inputs(self._manifest)[0], self._manifest["stateful"])

    def calibrate(self):
        self._inputs = precisions.calibration_inputs(self._calibration, self._manifest)
        return len(self._inputs)

    def lower(self, batch):
        """Weights that could be packed."""
        if batch not in self._lowered:
            with programs.quiet():
                self._lowered[batch] = precisions.lower(self._program, self._inputs, self._options.precision, batch)
        return aoti.count_packable(self._lowered[batch])

    def lower_with_products(self, batch):
        """Whether there is such a program: convolutions over small images as matrix products."""
        if batch not in self._with_products:
            with programs.quiet():
                self._with_products[batch] = precisions.lower(self._program, self._inputs, self._options.precision, batch,
                                                              rewrite=products.rewritten)
        return self._with_products[batch] is not None

    def compile(self, variant, batch, folder):
        """Weights that were packed."""
        # In a process of its own again: the compiler reads some options once only, when it first packs.
        with Child(lambda: self, os.path.join(self._scratch, "log.txt"), inner=True) as child:
            child.call("compile_here", variant, batch, folder)
        return aoti.count_packed(folder)

    def compile_here(self, variant, batch, folder):
        lowered = self._with_products if variant == aoti.PRODUCTS else self._lowered
        written = programs.written_buffers(lowered[batch]) if self._manifest["stateful"] else ()
        aoti.compile_variant(lowered[batch], variant, folder, self._options.portable, written)


class Runner:
    """Opens what was made, as a worker does; checks it and times it."""

    def __init__(self, model_path, manifest):
        torch.set_num_threads(1)
        self._model_path, self._manifest = model_path, manifest
        self._opened = {}

    def _open(self, folder):
        if folder not in self._opened:
            self._opened[folder] = aoti.open_package(folder, aoti.read_written(folder))
        return self._opened[folder]

    def check(self, folder, batch, exact):
        """Bit for bit what the compiler's own package gives; near the model where that is `exact`."""
        inputs = checks.all_inputs(self._manifest)
        ours, theirs = self._open(folder), aoti.open_with_blob(folder, folder + "-blob")
        original = programs.original(self._model_path)
        worst = 0.0
        for n, model_input in enumerate(inputs):
            together = torch.cat([inputs[(n + k) % len(inputs)] for k in range(batch)])
            with torch.inference_mode():
                got, expected = ours(together), theirs(together)
            if got.dtype != torch.float32 or got.shape[0] != batch:
                raise PrepareError(f"the compiled code gives {got.dtype} of shape {list(got.shape)}", "this is a fault of consort-prepare")
            if not _same(got, expected):
                raise PrepareError("the compiled code answers otherwise with its weights outside", "this is a fault of consort-prepare")
            worst = max(worst, _apart(checks.run(original, model_input), got[0].reshape(-1)))
        shutil.rmtree(folder + "-blob")
        if exact and worst > FP32_TOLERANCE:
            raise PrepareError(f"what was compiled answers differently from the model, by {worst:.1e} of the largest score",
                               "use --backend torchscript")
        return worst

    def independent(self, folder, batch):
        """Whether each segment's scores are the same bits in every place of a batch, whatever is in the others."""
        kinds = checks.all_inputs(self._manifest)
        run, known = self._open(folder), {}
        mixes = [[(slot * step + first) % len(kinds) for slot in range(batch)] for step in (0, 1, 2) for first in range(len(kinds))]
        # One sound in each place among silence (the first of the extremes).
        silence = len(kinds) - 3
        mixes += [[kind if slot == place else silence for slot in range(batch)] for kind in (0, silence + 1) for place in range(batch)]
        for mix in mixes:
            with torch.inference_mode():
                answer = run(torch.cat([kinds[kind] for kind in mix]))
            for slot, kind in enumerate(mix):
                if not _same(known.setdefault(kind, answer[slot].clone()), answer[slot]):
                    return False
        return True

    def time(self, folders_and_batches, seconds):
        """Milliseconds for a segment, of each: the median of rounds in which all take turns."""
        runs = []
        for folder, batch in folders_and_batches:
            one, two = checks.noise_inputs(self._manifest)
            model_input = torch.cat([one, two] * batch)[:batch].contiguous()
            run = self._open(folder)
            once = min(_clock(run, model_input, 1) for _ in range(3))
            runs.append((run, model_input, batch, max(1, round(seconds / ROUNDS / max(once, 1e-6))), []))
        for _ in range(ROUNDS):
            for run, model_input, batch, times, found in runs:
                found.append(_clock(run, model_input, times) / batch)
        return [1000 * statistics.median(found) for *_, found in runs]


def _clock(run, model_input, times):
    with torch.inference_mode():
        began = time.perf_counter()
        for _ in range(times):
            run(model_input)
        return (time.perf_counter() - began) / times


def _same(one, two):
    return one.shape == two.shape and torch.equal(one.contiguous().view(torch.int32), two.contiguous().view(torch.int32))


def _apart(expected, got):
    """The worst difference, relative to the largest score or 1."""
    if expected.shape != got.shape:
        return float("inf")
    same = (expected == got) | (expected.isnan() & got.isnan())
    apart = (expected - got).abs().masked_fill(same, 0).nan_to_num(nan=float("inf"), posinf=float("inf"))
    finite = expected[expected.isfinite()].abs()
    return (apart.max() / max(1.0, finite.max().item() if finite.numel() else 1.0)).item()
