"""A model as an exported program: a graph with static sizes, which is what a compiler can pack.

It comes from one of three sources:
- a TorchScript file (torch.jit.save), by way of PyTorch's converter. The converter leaves sizes
  dynamic, and then most weights stay unpacked, silently: so it is exported again, with the sizes of
  the example. What it made is compared with the original, since it may lose a write or a branch.
- an exported program (torch.export.save); its dynamic sizes become the example's.
- Python, "module:function" or "file.py:function": a function without arguments that gives an
  nn.Module. It is run, as a part of the person's own program would be, several times. One that
  draws its weights must seed them, or each call is another model.

A post model is exported together with the model, so it may be of another source (post.py).

Whatever the model gives, the program gives one float32 tensor with the batch first: the first of
several results, [1, labels] for [labels], [1, frames, labels] for [frames, labels].
"""

import contextlib
import copy
import dataclasses
import errno
import hashlib
import importlib
import importlib.util
import io
import logging
import os
import re
import sys
import sysconfig
import warnings
import zipfile
from typing import Any, Callable

import torch

from . import torchscript
from .errors import PrepareError
from .given import WithPost
from .post import ModelThenPost, scripted

# What the converted program may differ by from the original, relative to its largest score: both
# run the same kernels in fp32, at most in another order.
MOST_DIFFERENCE = 1e-4
MOST_REASON_CHARACTERS = 160
SUMS = 8  # of an answer's scores, to know a model by


class NotConvertible(PrepareError):
    """The model works, but not as an exported program. `reason` is one clause: "it …"."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


@dataclasses.dataclass
class Program:
    original: Callable[[torch.Tensor], Any]  # as it was given; keeps its state, if it has one
    exported: torch.export.ExportedProgram  # float32 in the example's shape → float32 [1, …]
    example: torch.Tensor
    make: Callable[[torch.Tensor], torch.nn.Module]  # what is exported for inputs of a given shape


# ---- sources -------------------------------------------------------------------------------

def kind_of(path):
    """"torchscript", "exported" or "python"; a sentence for what is none of them. With a post model: "torchscript"
    where both are, else "mixed"."""
    if isinstance(path, WithPost):
        return "torchscript" if kind_of(path.model) == kind_of(path.post) == "torchscript" else "mixed"
    if not os.path.exists(path) and re.fullmatch(r".+:[A-Za-z_]\w*", path):
        return "python"
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return "torchscript"  # whose loader tells what is wrong with the file
    if "archive_format" in names or "serialized_exported_program.json" in names:
        if any(name.startswith("data/aotinductor/") for name in names):
            raise PrepareError(f'"{path}" is compiled already, for one machine',
                               "give the program it was compiled from, as torch.export.save writes it")
        return "exported"
    if path.endswith(".pt2") and "constants.pkl" not in names:
        return "exported"  # cut off: its loader says so
    return "torchscript"


def fingerprint(path, inputs):
    """Of Python: (a hash of the code it loaded and its tensors, a few numbers of each of its answers to `inputs`). In these shows
    also what it read from files and keeps in plain attributes. They are no part of the hash: another CPU adds in another order."""
    if kind_of(path) != "python":
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    (tensors, given), (tensors_again, given_again) = _tensors_and_answers(path, inputs), _tensors_and_answers(path, inputs)
    apart = max((_difference(one.double(), other.double()) for one, other in zip(given, given_again)), default=0)
    if tensors_again != tensors or apart > MOST_DIFFERENCE:
        raise PrepareError(f'"{path}" gives another model each time it is called', "seed what it draws: torch.manual_seed(1)")
    digest = hashlib.sha256(tensors)
    for source in _own_sources():  # last: forward imports, too
        with open(source, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest(), [_few_numbers(answer) for answer in given]


def _few_numbers(answer):
    """Its root mean square, and sums of its scores with signs that are drawn once: a change of a single score shows in each. As JSON
    takes them."""
    scores = answer.double().reshape(-1).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    if not scores.numel():
        return []
    drawn = torch.Generator().manual_seed(1)
    sums = [torch.dot(torch.randint(2, scores.shape, generator=drawn).double() * 2 - 1, scores) for _ in range(SUMS)]
    return torch.stack([scores.square().mean().sqrt(), *sums]).float().nan_to_num().tolist()


def _tensors_and_answers(path, inputs):
    module, digest = _from_python(path), hashlib.sha256()
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        digest.update(name.encode() + b" " + _description(tensor))
    return digest.digest(), _answers(module, inputs)


def _description(tensor):
    """Its type, shape and bytes."""
    return f"{tensor.dtype} {list(tensor.shape)}\n".encode() + tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def answers(path, inputs):
    """What the model gives for each of `inputs`."""
    return _answers(original(path), inputs)


def _answers(module, inputs):
    """The first results; none if it fails, which is told when the bundle is made."""
    from . import checks
    module, _ = checks.copied(module)
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(1)  # bits depend on what was drawn before
            return [first_result(module(model_input.clone())).clone() for model_input in inputs]
    except Exception:  # whatever the model's code raises
        return []


def original(path):
    """The model as it was given, to compare with: a callable."""
    if isinstance(path, WithPost):
        return ModelThenPost(original(path.model), original(path.post))
    kind = kind_of(path)
    if kind == "torchscript":
        return torchscript.load(path)
    return _load_exported(path).module(check_guards=False) if kind == "exported" else _from_python(path)


def load_torchscript(path):
    """The module of a TorchScript file, or the one module of it and its post model."""
    if isinstance(path, WithPost):
        return scripted(torchscript.load(path.model), torchscript.load(path.post))
    return torchscript.load(path)


def load(path, example, stateful=False):
    """The Program for inputs like `example`, a batch of one. `stateful`: it may write to its buffers.
    Raises NotConvertible, or PrepareError for what is no model at all."""
    if not isinstance(path, WithPost):
        return _load(_maker(path, example, stateful), example, stateful, thoroughly=kind_of(path) == "torchscript")
    thoroughly = "torchscript" in (kind_of(path.model), kind_of(path.post))
    try:
        return _load(_maker_with_post(path, example, stateful), example, stateful, thoroughly)
    except NotConvertible as error:
        raise NotConvertible(_whose(error, path, example, stateful)) from None


def _load(maker, example, stateful, thoroughly):
    make, given = maker
    with quiet():
        exported = _export(make(example), example, stateful)
        if not stateful:
            _check_answers(given, exported, example, thoroughly)
        else:
            with _kept(exported):
                # A copy: what is given may share its buffers with the program.
                _check_answers(copy.deepcopy(given), exported, example, thoroughly=True)
        return Program(given, exported, example, make)


def _maker(path, example, stateful):
    """(Program.make, Program.original) of a model."""
    kind = kind_of(path)
    with quiet():
        if kind == "torchscript":
            return _maker_of_torchscript(path, example, stateful), original(path)
        # A second call of the person's function might draw other weights.
        module = _load_exported(path).module() if kind == "exported" else _from_python(path)
        return lambda _: module, module if kind == "python" else original(path)


def _maker_with_post(given, example, stateful):
    make_model, model = _maker(given.model, example, stateful)
    make_post, post = _maker(given.post, _answer(model, example), stateful)

    def make(model_input):
        made = make_model(model_input)
        return ModelThenPost(made, make_post(_answer(made, model_input)))
    return make, ModelThenPost(model, post)


def _answer(module, model_input):
    """What it gives first; of a copy, so that it has heard nothing."""
    with torch.no_grad():
        return copy.deepcopy(module)(model_input.clone()).clone()


def _whose(error, given, example, stateful):
    """The reason, with the name of the one of the two that cannot be exported by itself, if one cannot."""
    model_input = example
    for path in (given.model, given.post):
        try:
            load(path, model_input, stateful)
        except NotConvertible as own:
            return re.sub(r"\bit\b", lambda _: f'"{os.path.basename(path)}"', own.reason, count=1)
        model_input = _answer(original(path), model_input)
    return error.reason


@contextlib.contextmanager
def _kept(exported):
    """Afterwards the program's buffers hold what they did, whatever was run."""
    tensors = [tensor for tensor in [*exported.state_dict.values(), *exported.constants.values()] if isinstance(tensor, torch.Tensor)]
    saved = [tensor.clone() for tensor in tensors]
    yield
    with torch.no_grad():
        for tensor, value in zip(tensors, saved):
            tensor.copy_(value)


def written_buffers(exported):
    """Names of the buffers that the program writes to."""
    # Writes show in the signature only when the graph has no writes in place any more.
    return list(exported.run_decompositions({}).graph_signature.buffers_to_mutate.values())


def with_batch(program, size):
    """The same program for `size` inputs at once."""
    if size == program.example.shape[0]:
        return program.exported
    example = torch.cat([program.example * (1 - 0.1 * n) for n in range(size)])
    with quiet():
        try:
            exported = _export(program.make(example), example)
        except NotConvertible as error:
            raise NotConvertible(f"it takes one segment at a time: {error.reason}") from None
        with torch.no_grad():
            together = run_exported(exported, example)
            if together.shape[0] != size:
                raise NotConvertible(f"it gives {together.shape[0]} results for {size} segments")
            alone = torch.cat([run_exported(program.exported, one[None]) for one in example])
    difference = _difference(alone, together)
    if difference > MOST_DIFFERENCE:
        raise NotConvertible(f"its scores of one segment depend on the others of a batch: they differ by {difference:.1e}")
    return exported


def run_exported(exported, model_input):
    with torch.no_grad():
        return exported.module(check_guards=False)(model_input)


def _maker_of_torchscript(path, example, stateful):
    from torch._export.converter import TS2EPConverter

    written = _written_buffers(torchscript.load(path), example)
    if written and not stateful:
        raise NotConvertible(f'it keeps state in buffer "{written[0]}"')

    def make(model_input):
        module = torchscript.load(path)  # afresh: what was run is compiled, and then reads differently
        try:
            return TS2EPConverter(module, (model_input,)).convert().module(check_guards=False)
        except Exception as error:  # the converter raises whatever it met
            raise NotConvertible(_reason(error)) from None
    return make


def _load_exported(path):
    try:
        with quiet():
            return torch.export.load(path)
    except Exception as error:  # a damaged file, another version's schema, an operator that is not installed
        from . import checks
        cause = _why_not_loaded(path) or error
        line = _cut(f"{type(cause).__name__}: {_first_line(cause)}")
        raise checks.refusal(f'could not load "{path}"', f"it is damaged, or of another version of PyTorch ({line})",
                             f"save it again with torch.export.save of PyTorch {torch.__version__.split('+')[0]}") from None


def _why_not_loaded(path):
    """What torch.export.load met and only logged, where it can be had; else None."""
    try:
        from torch.export.pt2_archive._package import load_pt2
    except ImportError:  # of another version of PyTorch
        return None
    try:
        with quiet():
            load_pt2(path)
    except Exception as cause:
        return cause
    return None


def _from_python(path):
    """The nn.Module."""
    where, _, name = path.rpartition(":")
    own = [os.getcwd()]
    if where.endswith(".py"):
        own.append(os.path.dirname(os.path.abspath(where)))
    sys.path[:0] = own
    # More threads than one would be missing in a child that is forked later: it would wait for ever.
    torch.set_num_threads(1)
    set_num_threads, torch.set_num_threads = torch.set_num_threads, lambda _: None
    try:
        if where.endswith(".py"):
            spec = importlib.util.spec_from_file_location("_given_" + os.path.basename(where)[:-3].replace(".", "_"), where)
            module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(where)
        made = getattr(module, name)()
    except Exception as error:  # the person's own code
        raise PrepareError(f'could not load "{path}": {type(error).__name__}: {_first_line(error)}',
                           "MODULE:FUNCTION names a function without arguments that gives an nn.Module") from None
    finally:
        torch.set_num_threads = set_num_threads
        for folder in own:
            sys.path.remove(folder)
            if folder not in sys.path:  # for what forward imports; behind all others, which no name there may hide
                sys.path.append(folder)
    if not isinstance(made, torch.nn.Module):
        raise PrepareError(f'"{path}" gives a {type(made).__name__}, not an nn.Module',
                           "MODULE:FUNCTION names a function without arguments that gives an nn.Module")
    return made.eval()


def _own_sources():
    """The files of the person's modules that are loaded, wherever they lie: neither a library's nor ours."""
    # Folders of libraries, not prefixes: below /usr, which is one, people keep their own, too.
    others = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    others = tuple(folder + os.sep for folder in [*others, os.path.dirname(os.path.abspath(__file__))])
    files = {os.path.abspath(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())}
    return sorted(file for file in files if file.endswith(".py") and os.path.isfile(file) and not file.startswith(others))


# ---- exporting -----------------------------------------------------------------------------

class _OneResult(torch.nn.Module):
    """The first result as float32, with the batch first."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        buffers = _buffers_of(self.inner)
        result = _written_in_place(buffers, first_result(self.inner(x)))
        if result.dim() <= 1:
            result = result.reshape(1, -1)
        elif result.dim() == 2 and x.shape[0] == 1 and result.shape[0] > 1:
            result = result[None]
        return result if result.dtype == torch.float32 else result.float()


def _buffers_of(inner):
    """(Module, name, name with where it is, tensor) of each buffer that Python may bind anew; TorchScript's are found otherwise."""
    modules = [(where, module) for where, module in inner.named_modules() if not isinstance(module, torch.jit.ScriptModule)]
    return [(module, name, f"{where}.{name}".lstrip("."), tensor) for where, module in modules
            for name, tensor in module._buffers.items()]


def _written_in_place(buffers, result):
    """Where forward bound a buffer anew, its value goes into the buffer that was there: export sees what is written, and of the
    other the outermost module's alone (PyTorch 2.13)."""
    anew = [(*buffer, buffer[0]._buffers.get(buffer[1])) for buffer in buffers]
    anew = [one for one in anew if one[-1] is not one[-2]]
    for _, _, called, tensor, value in anew:
        if tensor is None or value is None or tensor.shape != value.shape or tensor.dtype != value.dtype:
            raise NotConvertible(f'it binds buffer "{called}" anew, to what is not of its shape and type')
    if not anew:
        return result
    # Before any is written: they, and the result, may be one another's old values.
    result, values = result.clone(), [value.clone() for *_, value in anew]
    for (module, name, _, tensor, _), value in zip(anew, values):
        tensor.copy_(value)
        module._buffers[name] = tensor
    return result


def first_result(result):
    while isinstance(result, (tuple, list)) and result:
        result = result[0]
    return result


def _export(module, example, stateful=False):
    try:
        with torch.no_grad():
            exported = torch.export.export(_OneResult(module), (example,))
            # Writes show in the signature only when the graph has no writes in place any more.
            signature = exported.run_decompositions({}).graph_signature
    except NotConvertible:
        raise
    except Exception as error:
        raise NotConvertible(_reason(error)) from None
    for buffer in () if stateful else signature.buffers_to_mutate.values():
        raise NotConvertible(f'it keeps state in buffer "{buffer.removeprefix("inner.")}"')
    if signature.user_inputs_to_mutate:
        raise NotConvertible("it writes into its input")
    for node in list(exported.graph.nodes):
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()) and not _does_nothing(node):
            if not node.users:  # encoders of transformers, whose layers are dropped in training alone
                exported.graph.erase_node(node)
                exported.graph_module.recompile()
                continue
            raise NotConvertible(f"it draws random numbers ({node.target})")
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and any(not isinstance(size, int) for size in value.shape):
            raise NotConvertible(f"a size in it depends on what it hears ({node.target})")
    return exported


def _does_nothing(node):
    """A dropout that is switched off is tagged as random, too, alone or inside attention."""
    given = {**dict(zip((one.name for one in node.target._schema.arguments), node.args)), **node.kwargs}
    return given.get("train") is False or given.get("training") is False or (
        "dropout_p" in (one.name for one in node.target._schema.arguments) and not given.get("dropout_p", 0.0))


def _check_answers(given, exported, example, thoroughly):
    """What came by way of the converter, or keeps state, is held to more: silence and a loud sound, for
    branches, and the first again, so that a state which the graph lost shows."""
    noise = torch.randn(example.shape, generator=torch.Generator().manual_seed(20261124))
    inputs = [noise * example.std(unbiased=False) + example.mean()]
    if thoroughly:
        inputs = [example, *inputs, torch.zeros_like(example), example * 8, example]
    wrapped = _OneResult(given)
    module = exported.module()
    with torch.no_grad():
        for model_input in inputs:
            difference = _difference(wrapped(model_input.clone()), module(model_input.clone()))
            if difference > MOST_DIFFERENCE:
                raise NotConvertible(f"what it was converted to answers differently, by {difference:.1e}")


def _difference(expected, got):
    """The worst, relative to the largest score or 1."""
    if expected.shape != got.shape:
        return float("inf")
    both = expected.isnan() & got.isnan() | (expected == got)  # also infinities
    apart = (expected - got).abs().masked_fill(both, 0).nan_to_num(nan=float("inf"))
    finite = expected[expected.isfinite()]
    scale = max(1.0, finite.abs().max().item()) if finite.numel() else 1.0
    return apart.max().item() / scale if apart.numel() else 0.0


def _written_buffers(module, example):
    from . import checks
    before = checks._state(module)
    with torch.inference_mode():
        for model_input in (example, example * 0.5):
            try:
                module(model_input.clone())
            except Exception as error:
                raise NotConvertible(f"it does not take an input of shape {list(example.shape)}: {_first_line(error)}") from None
    return [name for name, state in checks._state(module).items() if state != before[name]]


# ---- words ---------------------------------------------------------------------------------

@contextlib.contextmanager
def quiet():
    """Without the notes that exporting writes: what matters becomes an exception."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    nowhere = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _reason(error):
    """Why the converter or the exporter gave up, as a clause that begins with "it"."""
    text = str(error)
    guard = re.search(r"Guard failed: ([^\n]+)", text)
    if guard:
        return f"it was exported for other sizes ({guard[1]})"
    node = re.search(r"failed for node (\S+)", text)
    if node:
        what = {"prim::Loop": "a loop", "prim::If": "a branch"}.get(node[1])
        return f"it has {what} that does not convert ({node[1]})" if what else f"it uses {node[1]}, which does not convert"
    if type(error).__name__ in ("GuardOnDataDependentSymNode", "UserError") or "data-dependent" in text:
        return "it branches on what it hears"
    return "it does not export: " + _cut(f"{type(error).__name__}: {_first_line(error)}")


def _cut(line):
    return line if len(line) <= MOST_REASON_CHARACTERS else line[:MOST_REASON_CHARACTERS - 1] + "…"
