"""The model is run on noise: it must answer as its manifest says, and what it writes to is found."""

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
        raise PrepareError(f"the model does not take an input of shape {list(model_input.shape)}: {_last_line(error)}",
                           'compare "audio" and "features" of the manifest with what the model was made for') from None
    if not isinstance(output, torch.Tensor):
        raise PrepareError(f"{who} gives a {type(output).__name__}, not one tensor",
                           "wrap it in a module that returns the scores alone")
    if not output.is_floating_point():
        raise PrepareError(f"{who} gives {str(output.dtype).split('.')[1]} numbers, not scores",
                           "wrap it in a module that returns floating-point scores")
    return output.detach().clone()


def _last_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


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
        raise PrepareError(f'the post model "{post_name}" does not take what the model gives, {_kind(given[0])}: {_last_line(error)}',
                           "compare what the two were made for") from None


def _kind(tensor):
    return f"a tensor of {str(tensor.dtype).split('.')[1]} of shape {list(tensor.shape)}"


def check_behaviour(module, manifest, labels, who="the model"):
    """`module` is one that nothing else uses; `who` of it gives its scores. Returns (input_shape, output_size, written_buffers)."""
    one, two = noise_inputs(manifest)
    before = _state(module)
    first = answer_of(module, one, who)
    if manifests.has_frames(manifest):
        if first.dim() < 2 or first.shape[-1] != len(labels):
            raise PrepareError(f"{who} gives an answer of shape {list(first.shape)} for a segment, but there are {len(labels)} labels",
                               f'"output.kind" is "{manifest["output"]["kind"]}": it is to give [1, frames, labels], '
                               'and "output.labels" to name one label for each score of a frame')
        _check_frames(first.numel() // len(labels), manifest, who)
    elif first.numel() != len(labels):
        raise PrepareError(f"{who} gives {first.numel()} scores for a segment, but there are {len(labels)} labels",
                           '"output.labels" must name one label for each score, in their order')
    run(module, one, who)  # TorchScript compiles in its first two runs
    answer = run(module, one, who)
    other = run(module, two, who)
    for extreme in extreme_inputs(manifest):
        run(module, extreme, who)
    again = run(module, one, who)
    same = torch.equal(torch.nan_to_num(answer), torch.nan_to_num(again)) and torch.equal(answer.isnan(), again.isnan())
    if not same and not manifest["stateful"]:
        raise PrepareError(f"{who} gives another answer when the same segment comes again, so it keeps state or draws random numbers",
                           'let it reset its state in forward, or say "stateful": true in the manifest: '
                           "then it hears each file from its first segment to its last, in order")
    if not torch.isfinite(answer).all() and not torch.isfinite(other).any():
        raise PrepareError(f"{who} gives no finite score for noise", "look at its weights, and at the manifest's features")
    written = [name for name, state in _state(module).items() if state != before[name]]
    return list(one.shape), first.numel(), written


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
    return {name: (tensor.data_ptr(), tensor._version, _fingerprint(tensor)) for name, tensor in _weights_of(module).items()}


def _weights_of(module):
    if isinstance(module, torch.jit.ScriptModule):
        return torchscript.weights_of(module)
    return dict([*module.named_parameters(), *module.named_buffers()])
