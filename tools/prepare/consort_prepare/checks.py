"""The model is run on noise: it must answer as its manifest says, and what it writes to is found."""

import copy
import re

import numpy as np
import torch

from . import manifest as manifests, torchscript
from .errors import PrepareError
from .frontend import Frontend


def noise_inputs(manifest):
    """Two different segments of noise, through the front end."""
    frontend = Frontend(manifest)
    random = np.random.default_rng(20240501)
    return [frontend(random.normal(0, level, frontend.length).astype(np.float32)) for level in (0.1, 0.03)]


def all_inputs(manifest):
    """Noise, then the extremes."""
    return noise_inputs(manifest) + extreme_inputs(manifest)


def extreme_inputs(manifest):
    """Silence, full-scale noise and a full-scale square wave: what a branch of the model may wait for."""
    frontend = Frontend(manifest)
    random = np.random.default_rng(20240502)
    loud = random.uniform(-1, 1, frontend.length)
    square = np.where(np.arange(frontend.length) // 40 % 2 == 0, 1.0, -1.0)
    return [frontend(wave.astype(np.float32)) for wave in (np.zeros(frontend.length), loud, square)]


def run(module, model_input, who="the model"):
    """The model's output, flat."""
    return answer_of(module, model_input, who).reshape(-1)


def answer_of(module, model_input, who="the model"):
    """The model's output. An exception of the model becomes a sentence. `who` gives the output."""
    try:
        with torch.inference_mode():
            output = module(model_input)
    except Exception as error:  # whatever the model's code raises
        raise refusal(f"the model does not take an input of shape {list(model_input.shape)}", _telling_line(error),
                      'compare "audio" and "features" of the manifest with what the model was made for') from None
    if not isinstance(output, torch.Tensor):
        raise PrepareError(f"{who} gives a {type(output).__name__}, not one tensor",
                           "wrap it in a module that returns the scores alone")
    if not output.is_floating_point():
        raise PrepareError(f"{who} gives {str(output.dtype).split('.')[1]} numbers, not scores",
                           "wrap it in a module that returns floating-point scores")
    return output.detach().clone()


def refusal(what, why, hint):
    """`why` may be the words of PyTorch without a GPU about a model that wants one."""
    if re.search(r"\bCUDA\b|\bcuda:\d|\bcuda devices?\b", why):
        return PrepareError(f"{what}: it was made for a GPU", "move it to the CPU before tracing, scripting or exporting it")
    return PrepareError(f"{what}: {why}", hint)


def _telling_line(error):
    """The last one, or the one above the dispatcher's table of all it knows."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    could_not = [line.partition(" This could be")[0] for line in lines if "Could not run '" in line]
    return (could_not or lines[-1:] or [type(error).__name__])[0]


def check_post(model, post, post_name, manifest):
    """What the model gives for noise must be what the post model takes."""
    given = []
    run(lambda x: given.append(model(x)) or torch.zeros(1), noise_inputs(manifest)[0])  # in run's words if it does not take its input
    if not isinstance(given[0], torch.Tensor):
        raise PrepareError(f"the model gives a {type(given[0]).__name__}, and a post model takes one tensor",
                           "wrap the model in a module that returns one")
    try:
        with torch.inference_mode():
            post(given[0])
    except Exception as error:  # whatever its code raises
        raise refusal(f'the post model "{post_name}" does not take what the model gives, {_kind(given[0])}', _telling_line(error),
                      "compare what the two were made for") from None


def _kind(tensor):
    return f"a tensor of {str(tensor.dtype).split('.')[1]} of shape {list(tensor.shape)}"


def copied(module):
    """(A copy that nothing else uses, whether another one gives the same bits); the module itself, False where it has none: with a
    tensor that is no leaf, say, or with hooks, which a copy shares: they may write into the module that they were made for.

    Bits depend, with MKL, on where a matrix begins in memory: NumPy's begin anywhere, a copy's at a multiple of 64 bytes, as all
    of PyTorch's do. Python may give one module again and again. A file of TorchScript is read anew each time, and stays as it
    is: in a copy attributes share no memory."""
    if isinstance(module, torch.jit.ScriptModule):
        return module, True
    if any(part._forward_hooks or part._forward_pre_hooks for part in module.modules()):
        return module, False
    try:
        return copy.deepcopy(module), True
    except Exception:  # whatever the model's code raises
        return module, False


def check_behaviour(load, manifest, labels, who="the model"):
    """`load` gives a module; `who` of it gives its scores. Returns (input_shape, output_size, written_buffers)."""
    module, _ = copied(load())
    one, two = noise_inputs(manifest)
    before = _state(module)
    first = answer_of(module, one, who)
    if manifests.has_frames(manifest):
        if first.dim() < 2 or first.shape[-1] != len(labels):
            raise PrepareError(f"{who} gives an answer of shape {list(first.shape)} for a segment, but there are {len(labels)} labels",
                               f'"output.kind" is "{manifest["output"]["kind"]}": it is to give [1, frames, labels], '
                               'and "output.labels" to name one label for each score of a frame')
        if first.dim() == 3 and first.shape[0] != 1:
            raise PrepareError(f"{who} gives an answer of shape {list(first.shape)} for a segment, whose first size is not the batch, 1",
                               "transpose it: [1, frames, labels]")
        _check_frames(first.numel() // len(labels), manifest, who)
    elif first.numel() != len(labels):
        raise PrepareError(f"{who} gives {first.numel()} scores for a segment, but there are {len(labels)} labels",
                           '"output.labels" must name one label for each score, in their order')
    run(module, one, who)  # TorchScript compiles in its first two runs
    answer = run(module, one, who)
    other = run(module, two, who)
    extremes = extreme_inputs(manifest)
    pairs = [(run(module, extreme, who), run(module, extreme, who)) for extreme in extremes]
    pairs.append((answer, run(module, one, who)))
    if not all(same(*pair) for pair in pairs):
        _check_not_random(load, [one, two, *extremes, one], who)
        if not manifest["stateful"]:
            raise PrepareError(f"{who} gives another answer when the same segment comes again, so it keeps state",
                               'let it reset its state in forward, or say "stateful": true in the manifest: '
                               "then it hears each file from its first segment to its last, in order")
    if not torch.isfinite(answer).all() and not torch.isfinite(other).any():
        raise PrepareError(f"{who} gives no finite score for noise", "look at its weights, and at the manifest's features")
    written = [name for name, state in _state(module).items() if state != before.get(name)]
    return list(one.shape), first.numel(), written


def same(one, other):
    return one.shape == other.shape and torch.equal(torch.nan_to_num(one), torch.nan_to_num(other)) and torch.equal(one.isnan(), other.isnan())


def _check_not_random(load, inputs, who):
    """State is the same in two copies that hear the same."""
    from . import program
    answers, last = [], None
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 2):
            module, exact = copied(load())  # which may seed as well
            if module is last:  # made once, without a copy: what it heard before is its state
                return
            last = module
            torch.manual_seed(seed)
            answers.append([run(module, model_input, who) for model_input in inputs])
    apart = max(program._difference(one.double(), other.double()) for one, other in zip(*answers))
    if apart > (0 if exact else program.MOST_DIFFERENCE):
        raise PrepareError(f"{who} draws random numbers: two copies of it say different things of the same segments",
                           "call its eval() before it is saved, or draw nothing in forward: the same sound is to have the same scores")


def _check_frames(frames, manifest, who):
    """A network may lose a few frames at its edges; more of a difference is another `frame_seconds`, and all times would be wrong."""
    said, segment = manifest["output"]["frame_seconds"], manifest["audio"]["segment_seconds"]
    if abs(frames * said - segment) > max(3 * said, 0.05 * segment):
        raise PrepareError(f"{who} gives {frames} frames for a segment of {segment:g} s, which are {frames * said:g} s of frames of {said:g} s",
                           f'say "output.frame_seconds": {segment / frames:.3g}, or what its strides come to')


def _fingerprint(tensor):
    plain = tensor.detach().contiguous().reshape(-1)
    return hash(plain.view(torch.uint8).numpy().tobytes()) if plain.numel() else 0


def _state(module):
    """For each weight: which memory, how often written, its bytes."""
    return {name: (tensor.data_ptr(), _version(tensor), _fingerprint(tensor)) for name, tensor in _weights_of(module).items()}


def _version(tensor):
    """None of one that forward put in a buffer's place: in inference mode these are not counted."""
    return None if tensor.is_inference() else tensor._version


def _weights_of(module):
    if isinstance(module, torch.jit.ScriptModule):
        return torchscript.weights_of(module)
    return dict([*module.named_parameters(), *module.named_buffers()])
