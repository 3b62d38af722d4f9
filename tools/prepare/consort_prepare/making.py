"""A bundle's content, by either backend."""

import os

import torch

from . import bundle, checks, opening, torchscript, weights
from .errors import PrepareError
from .given import WithPost


def fill(folder, scratch, model_path, manifest, labels, asked, source, progress):
    """Writes code, weights and labels into `folder`; returns `prepared`."""
    if isinstance(model_path, WithPost):
        _check_post(model_path, manifest)
    reason = _why_not_aoti(asked)
    prepared = None
    if reason is None:
        prepared, reason = _fill_aoti(folder, scratch, model_path, manifest, labels, asked, progress)
    if prepared is None:
        if not _is_torchscript(model_path):
            what = "a TorchScript file" if isinstance(model_path, str) else "a TorchScript file with a post model that is one, too,"
            raise PrepareError(f"the model cannot be compiled: {reason}", f"only {what} can be run without")
        if asked.precision != "fp32" or asked.batch not in (1, "auto") or asked.portable or asked.variant or asked.backend == "aoti":
            option = ("--backend aoti" if asked.backend == "aoti" else f"--precision {asked.precision}" if asked.precision != "fp32"
                      else "--portable" if asked.portable else f"--variant {asked.variant}" if asked.variant else f"--batch {asked.batch}")
            raise PrepareError(f"the model cannot be compiled: {reason}", f"leave out {option}: it can be prepared for the backend torchscript, in fp32")
        if asked.backend != "torchscript":
            progress.say(f"the backend is torchscript, because the model does not compile: {reason}")
        prepared = _fill_torchscript(folder, model_path, manifest, labels)
        if reason:
            prepared["reason"] = reason
    bundle.write_file(os.path.join(folder, "labels.txt"), bundle.labels_bytes(labels))
    prepared |= {"torch": bundle.torch_version(), "source": source, "asked": asked.to_json(), "files": bundle.listed(folder)}
    return prepared


def _why_not_aoti(asked):
    return "--backend torchscript was given" if asked.backend == "torchscript" else None


def _is_torchscript(model_path):
    from . import program
    return program.kind_of(model_path) == "torchscript"


def _check_post(given, manifest):
    from . import program
    checks.check_post(program.original(given.model), program.original(given.post), os.path.basename(given.post), manifest)


def _check_behaviour(load, model_path, manifest, labels):
    who = "the post model" if isinstance(model_path, WithPost) else "the model"
    return checks.check_behaviour(lambda: load(model_path), manifest, labels, who)


# ---- aoti ----------------------------------------------------------------------------------

def _fill_aoti(folder, scratch, model_path, manifest, labels, asked, progress):
    """(prepared, None), or (None, why it has to be torchscript)."""
    from . import aoti, precision, program, variants
    from .children import ChildFailed
    missing = precision.missing(asked.precision)
    if missing:
        raise PrepareError(missing, "leave --precision out for fp32")
    aoti.check_compiler()
    shape, size, written = _check_behaviour(program.original, model_path, manifest, labels)
    if written and not manifest["stateful"]:
        return None, f'it keeps state in buffer "{written[0]}"'
    try:
        found = variants.find(model_path, manifest, asked, scratch, progress)
    except program.NotConvertible as error:
        return None, error.reason
    except variants.DoesNotCompile as error:
        return None, str(error)
    except ChildFailed as error:  # on the way to the compiler, or behind it
        return None, f"{bundle.DOES_NOT_COMPILE}: {error}"
    written = aoti.read_written(found.best.folder)
    variants.take(found, folder)
    cpu = bundle.cpu()
    if asked.portable:
        cpu |= {"flags": list(aoti.PORTABLE_FLAGS), "portable": True}
    return {"backend": "aoti", "precision": asked.precision, "cpu": cpu, "batch": found.best.batch,
            "input_shape": [found.best.batch, *shape[1:]], "output_size": size, "written_buffers": written,
            "packed": {"weights": found.best.packed, "of": found.packable}, "variants": found.to_json()}, None


# ---- torchscript ---------------------------------------------------------------------------

def _fill_torchscript(folder, model_path, manifest, labels):
    from .program import load_torchscript
    shape, size, written = _check_behaviour(load_torchscript, model_path, manifest, labels)
    module = load_torchscript(model_path)
    moved = torchscript.move_constants_out(module)
    tensors = torchscript.take_weights_out(module)
    torchscript.save_code(module, os.path.join(folder, "code.pt"))
    weights.write_weights(tensors, os.path.join(folder, "weights.bin"), os.path.join(folder, "weights.json"))
    _check_round_trip(folder, model_path, manifest, written, moved)
    return {"backend": "torchscript", "precision": "fp32", "cpu": bundle.cpu(), "input_shape": shape, "output_size": size,
            "written_buffers": written}


def _check_round_trip(folder, model_path, manifest, written, moved):
    from .program import load_torchscript
    original, ours = load_torchscript(model_path), opening.open_torchscript(folder, written)
    sharing = torchscript.sharing_memory(original, written)
    inputs = checks.all_inputs(manifest)
    for model_input in [*inputs, inputs[0]]:
        expected, got = checks.run(original, model_input), checks.run(ours, model_input)
        equal = checks.same(expected, got)
        if manifest["stateful"] or not equal:  # without state, what is left in memory may differ: the next segment does not read it
            _check_sharing(sharing, original, ours)
        if not equal:
            worst = (expected - got).abs().max().item()
            hint = "save the model before torch.jit.freeze" if moved else "this is a fault of consort-prepare"
            raise PrepareError(f"the bundle does not answer as the model does: they differ by {worst:g}", hint)


def _check_sharing(sharing, original, ours):
    """A worker's copy of the module has memory for each tensor: what was written to one that shared it with another must not have shown in that."""
    if not sharing:
        return
    theirs, mine = torchscript.tensors_of(original), torchscript.tensors_of(ours)
    for name, other in sharing.items():
        if name in theirs and name in mine and not checks.same(theirs[name], mine[name]):
            raise PrepareError(f'the model writes to "{name}" or "{other}", which share memory, and in a worker they do not: it copies each by itself',
                               "clone() one of them, or keep one alone and take the other from it in forward")


# ---- drift ---------------------------------------------------------------------------------

class Verifier:
    """In a process of its own: code that was just compiled is run."""

    def __init__(self, folder, model_path, manifest, written):
        torch.set_num_threads(1)
        self._given = folder, model_path, manifest, written

    def verify(self, paths, audio_sha256):
        from . import verify
        return verify.verify(*self._given, paths, audio_sha256)


def verify(folder, scratch, model_path, manifest, written, paths, audio_sha256, progress):
    from .children import Child, ChildFailed
    log = os.path.join(scratch, "log.txt")
    with Child(lambda: Verifier(folder, model_path, manifest, written), log) as child:
        with progress.step("comparing with the model") as tick:
            try:
                return child.call("verify", paths, audio_sha256, tick=tick)
            except ChildFailed as error:
                raise PrepareError(f"could not compare the bundle with the model: {error}") from None
