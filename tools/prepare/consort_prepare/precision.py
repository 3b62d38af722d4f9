"""Programs in fewer bits: bf16 and int8, float32 in and out.

bf16: all of the program in bfloat16; one that insists on float32 inside (it converts, or norms in
float32 on purpose) is run under autocast, where convolutions and products alone become bfloat16.
int8: PyTorch's own quantization of exported programs for x86 (torchao), 8 bits for the inputs and
weights of two-dimensional convolutions and of linear layers, ranges from given inputs.
"""

import logging
import operator
import os
import re

import numpy as np
import torch

from . import graphs, program as programs
from .errors import PrepareError
from .frontend import Frontend, segments_of_whole_file

PRECISIONS = ("fp32", "bf16", "int8")
MOST_CALIBRATION_SEGMENTS = 64
AUDIO_EXTENSIONS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64")
# What computes in a precision at more than float32's speed. Without them it is converted back and forth.
NEEDED_FLAGS = {"bf16": ("avx512_bf16", "amx_bf16"), "int8": ("avx512_vnni", "avx_vnni", "amx_int8")}
aten = torch.ops.aten


def missing(precision, cpuinfo="/proc/cpuinfo"):
    """Why this CPU cannot do it, as a sentence, or None."""
    needed = NEEDED_FLAGS.get(precision)
    if needed is None:
        return None
    with open(cpuinfo, encoding="utf-8", errors="replace") as file:
        text = file.read()
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    if flags and set(needed) & set(flags[1].split()):
        return None
    name = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return (f'{precision} needs a CPU with {", ".join(needed[:-1])} or {needed[-1]}, and this one'
            f'{f" ({name[1]})" if name else ""} has none of them')


def lower(program, inputs, precision, batch=1, rewrite=lambda exported: exported):
    """The ExportedProgram for `batch` segments at once. `inputs`: what int8 takes its ranges from,
    model inputs of one segment each. `rewrite` makes another of the float32 one; or None, and so does this."""
    reason = missing(precision)
    if reason:
        raise PrepareError(reason, "leave --precision out for fp32")
    exported = rewrite(programs.with_batch(program, batch))
    if exported is None or precision == "fp32":
        return exported
    example = exported.example_inputs[0][0]
    if precision == "bf16":
        return _bf16(exported, example)
    if not inputs:
        raise PrepareError("int8 takes its ranges from sounds, and none were given",
                           "name some that are like yours: --calibrate AUDIO")
    return _int8(exported, example, inputs, batch)


# ---- bf16 ----------------------------------------------------------------------------------

class _InBf16(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner.bfloat16()

    def forward(self, x):
        return self.inner(x.bfloat16()).float()


class _Autocast(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.inner(x).float()


def _bf16(exported, example):
    problem = None
    for wrap in (_InBf16, _Autocast):
        try:
            with programs.quiet(), torch.no_grad():
                lowered = torch.export.export(wrap(graphs.fold_norms(graphs.plain(exported))), (example,))
                result = lowered.module()(example)
        except Exception as error:  # a mixture of types that one of the operators does not take
            problem = error
            continue
        if result.isfinite().all() or not programs.run_exported(exported, example).isfinite().all():
            return lowered
        problem = problem or RuntimeError("its scores are not finite any more")
    raise PrepareError(f"the model does not run in bf16: {_first_line(problem)}", "leave --precision out for fp32")


# ---- int8 ----------------------------------------------------------------------------------

# What the quantizer knows an operator by: the module it came from. A graph need not remember it.
SOURCES = {
    aten.conv2d.default: torch.nn.Conv2d, aten.linear.default: torch.nn.Linear, aten.batch_norm.default: torch.nn.BatchNorm2d,
    aten.relu.default: torch.nn.ReLU, aten.relu_.default: torch.nn.ReLU, aten.hardtanh.default: torch.nn.Hardtanh,
    aten.hardtanh_.default: torch.nn.Hardtanh, aten.relu6.default: torch.nn.ReLU6, aten.hardswish.default: torch.nn.Hardswish,
    aten.hardswish_.default: torch.nn.Hardswish, aten.silu.default: torch.nn.SiLU, aten.silu_.default: torch.nn.SiLU,
    aten.gelu.default: torch.nn.GELU, aten.leaky_relu.default: torch.nn.LeakyReLU, aten.tanh.default: torch.nn.Tanh,
    aten.add.Tensor: operator.add, aten.add_.Tensor: operator.add,
}


def _int8(exported, example, inputs, batch):
    with programs.quiet(), torch.no_grad():
        prepare_pt2e, convert_pt2e, x86 = _torchao()
        graph = graphs.plain(exported)
        for node in graph.graph.nodes:
            if node.op == "call_function":
                node.meta["source_fn_stack"] = [(node.name, SOURCES.get(node.target, node.target))]
        quantizer = x86.X86InductorQuantizer()
        quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
        try:
            observed = prepare_pt2e(graph, quantizer)
            for at in range(0, len(inputs), batch):
                group = inputs[at:at + batch]
                observed(torch.cat([*group, *group[-1:] * (batch - len(group))]))
            lowered = torch.export.export(convert_pt2e(observed), (example,))
        except Exception as error:
            raise PrepareError(f"the model could not be quantized: {_first_line(error)}",
                               "leave --precision out for fp32, or take bf16") from None
    if not quantized(lowered)[0]:
        raise PrepareError("the model could not be quantized: it has no two-dimensional convolution and no linear layer "
                           "that PyTorch's quantizer takes", "leave --precision out for fp32, or take bf16")
    return lowered


def quantized(exported):
    """(how many convolutions and linear layers work in int8, how many there are)."""
    done = of = 0
    for node in exported.graph.nodes:
        name = str(node.target)
        if node.op == "call_function" and re.match(r"aten\.(conv\dd|convolution|linear|addmm|mm)\b", name):
            of += 1
            done += "dequantize" in str(getattr(node.args[0], "target", "")) and "dequantize" in str(getattr(node.args[1], "target", ""))
    return done, of


def _torchao():
    logging.getLogger("torchao").setLevel(logging.ERROR)
    try:
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as x86
    except ImportError as error:
        raise PrepareError(f"int8 needs the Python package torchao: {error}", "run tools/setup") from None
    return prepare_pt2e, convert_pt2e, x86


def _first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


# ---- calibration ---------------------------------------------------------------------------

def audio_files(paths, option):
    """Files as given, folders walked for audio, sorted."""
    found = []
    for path in paths:
        if os.path.isdir(path):
            inside = sorted(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names
                            if name.lower().endswith(AUDIO_EXTENSIONS) and not name.startswith("."))
            if not inside:
                raise PrepareError(f'there is no sound in "{path}"', f"{option} takes audio files and folders of them")
            found += inside
        elif os.path.isfile(path):
            found.append(path)
        else:
            raise PrepareError(f'could not open "{path}": no such file or directory', f"{option} takes audio files and folders of them")
    return found


def calibration_inputs(paths, manifest, most=MOST_CALIBRATION_SEGMENTS):
    """Model inputs of at most `most` segments, spread evenly over the files and over each file."""
    files = audio_files(paths, "--calibrate")
    chosen = [files[n * len(files) // most] for n in range(most)] if len(files) > most else files
    frontend, inputs = Frontend(manifest), []
    for n, path in enumerate(chosen):
        share = most * (n + 1) // len(chosen) - most * n // len(chosen)
        try:
            segments = [samples for _, _, samples in segments_of_whole_file(path, manifest["audio"])]
        except (RuntimeError, OSError) as error:  # soundfile's errors are RuntimeErrors
            raise PrepareError(f'could not read "{path}": {error}', "--calibrate takes audio files and folders of them") from None
        count = min(share, len(segments))
        inputs += [frontend(segments[(2 * k + 1) * len(segments) // (2 * count)]) for k in range(count)]
    if not any(torch.any(model_input != inputs[0]) for model_input in inputs[1:]) and not _any_sound(chosen):
        raise PrepareError("there is no sound in the files given to --calibrate")
    return inputs


def _any_sound(files):
    import soundfile
    return any(np.any(soundfile.read(path, dtype="float32")[0]) for path in files)
