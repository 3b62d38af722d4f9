"""A TorchScript module as code and tensors apart.

Weights are the parameters and buffers of every submodule, by the names that LibTorch's
named_parameters() and named_buffers() give them. Tensors elsewhere are of three kinds:
- plain attributes (also in lists, dicts and tuples): state or small tables. They stay in the code.
- constants in a method's graph, as torch.jit.freeze and tracing leave them: those of more than 1 KB
  become buffers of a submodule "consort_constants", read by the graph where the constant stood.
- inside packed objects of a backend (quantized layers): nothing can take them out.
What stays in the code is bounded, since every process would hold a copy of its own.
"""

import io
import os
import re
import zipfile

import torch

from .errors import PrepareError

CONSTANTS_MODULE = "consort_constants"
SMALL_CONSTANT_BYTES = 1024
MOST_BYTES_LEFT_IN_CODE = 64 * 1024


def load(path):
    """The module on the CPU, for inference. Runs no code of the file but its own __setstate__s."""
    try:
        with open(path, "rb") as file:
            head = file.read(4)
        if head[:2] != b"PK":
            raise PrepareError(f'"{path}" is not a TorchScript file', "save the model with torch.jit.save")
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except OSError as error:
        raise PrepareError(f'could not open "{path}": {(error.strerror or str(error)).lower()}') from None
    except zipfile.BadZipFile:
        raise PrepareError(f'"{path}" is damaged or cut off', "copy or save it again") from None
    if not any(name.split("/", 1)[-1] == "constants.pkl" for name in names):
        raise PrepareError(f'"{path}" is a file of PyTorch but has no TorchScript in it',
                           "save torch.jit.trace(model, example) or torch.jit.script(model) with torch.jit.save")
    try:
        module = torch.jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise PrepareError(f'could not load "{path}": {_first_line(error)}',
                           "the file must be readable by PyTorch " + torch.__version__.split("+")[0]) from None
    module.eval()
    return module


def _first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def weights_of(module):
    """name -> tensor, parameters before buffers in each module; tied ones under each of their names."""
    found = {}

    def walk(cpp, prefix):
        for slots in (torch._C.ParameterDict(cpp), torch._C.BufferDict(cpp)):
            for name, tensor in slots.items():
                if tensor is not None:
                    found[prefix + name] = tensor
        for name, child in torch._C.ModuleDict(cpp).items():
            walk(child, f"{prefix}{name}.")

    walk(module._c, "")
    return found


def attributes_of(module):
    """name -> plain tensor attribute: neither parameter nor buffer, also inside containers."""
    weights = {id_of(tensor) for tensor in weights_of(module).values()}
    found = {}

    def collect(value, name):
        if isinstance(value, torch.Tensor):
            if id_of(value) not in weights:
                found[name] = value
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                collect(item, f"{name}[{index}]")
        elif isinstance(value, dict):
            for key, item in value.items():
                collect(item, f"{name}[{key!r}]")

    def walk(cpp, prefix):
        children = dict(torch._C.ModuleDict(cpp).items())
        for name in _attribute_names(cpp):
            if name not in children:
                try:
                    collect(cpp.getattr(name), prefix + name)
                except RuntimeError:
                    pass  # a type that Python cannot hold: what is in it shows in the code's size
        for name, child in children.items():
            walk(child, f"{prefix}{name}.")

    walk(module._c, "")
    return found


def tensors_of(module):
    """name -> tensor: weights and plain attributes."""
    return {**weights_of(module), **attributes_of(module)}


def sharing_memory(module, written):
    """name -> name of another tensor in the same memory, where a worker has them apart: one of the two, at least, is a plain
    attribute or one of `written`, the buffers that are written to."""
    apart = {*attributes_of(module), *written}
    by_memory = {}
    for name, tensor in tensors_of(module).items():
        if tensor.layout == torch.strided and tensor.numel():
            by_memory.setdefault(tensor.untyped_storage().data_ptr(), []).append((name, id_of(tensor)))
    return {name: other for group in by_memory.values() for name, itself in group for other, its in group
            if its != itself and (name in apart or other in apart)}


def id_of(tensor):
    """Of the tensor itself, not of the Python object that stands for it now."""
    return tensor._cdata


def _attribute_names(cpp):
    # The type does not list its attributes to Python; its printed form does.
    lines = cpp.dump_to_str(False, False, False).splitlines()
    begin = lines.index("  attributes {") + 1
    end = lines.index("  methods {", begin)
    names = (re.match(r"    (\w+) = ", line) for line in lines[begin:end])
    return [name[1] for name in names if name and cpp.hasattr(name[1])]


def move_constants_out(module):
    """Large tensor constants of all methods become buffers; returns how many were moved.

    The graph is edited before the module ever ran, when its methods are still what will be saved.
    """
    by_type = {}  # modules of one type share their methods
    def walk(cpp):
        by_type.setdefault(cpp._type().qualified_name(), []).append(cpp)
        for _, child in torch._C.ModuleDict(cpp).items():
            walk(child)

    walk(module._c)
    moved = 0
    for instances in by_type.values():
        nodes = []
        for method in instances[0]._method_names():
            graph = instances[0]._get_method(method).graph
            nodes += [(graph, node) for node in graph.findAllNodes("prim::Constant") if _is_large_tensor(node)]
        if not nodes:
            continue
        holder = torch.jit.script(_Constants([node.t("value") for _, node in nodes]))
        if instances[0].hasattr(CONSTANTS_MODULE):  # asks the type, so before the first gets it
            raise PrepareError(f'the model has an attribute "{CONSTANTS_MODULE}" of its own', "rename it")
        for cpp in instances:
            cpp._register_attribute(CONSTANTS_MODULE, holder._c._type(), holder._c)
        for index, (graph, node) in enumerate(nodes):
            itself = next(graph.inputs())
            held = _get_attribute(graph, itself, CONSTANTS_MODULE, holder._c._type(), node)
            value = _get_attribute(graph, held, f"c{index}", torch._C.TensorType.get(), node)
            node.output().replaceAllUsesWith(value)
            node.destroy()
        moved += len(nodes)
    return moved


class _Constants(torch.nn.Module):
    def __init__(self, tensors):
        super().__init__()
        for index, tensor in enumerate(tensors):
            self.register_buffer(f"c{index}", tensor.detach())

    def forward(self):
        pass


def _is_large_tensor(node):
    return (node.hasAttribute("value") and node.kindOf("value") == "t"
            and node.t("value").nbytes > SMALL_CONSTANT_BYTES)


def _get_attribute(graph, value, name, kind, before):
    node = graph.create("prim::GetAttr", [value], 1)
    node.s_("name", name)
    node.output().setType(kind)
    node.insertBefore(before)
    return node.output()


def take_weights_out(module):
    """name -> tensor; the module is left with empty ones of the same dtype."""
    weights = weights_of(module)
    taken = {}
    for name, tensor in weights.items():  # all first: a tied tensor is reached by several names
        tensor.requires_grad_(False)
        taken[name] = tensor.detach()
    for tensor in weights.values():
        tensor.data = torch.empty(0, dtype=tensor.dtype)
    return taken


def put_weights_in(module, tensors, private=()):
    """What a worker does at its start: every weight aliases the mapping, written ones a copy."""
    slots = weights_of(module)
    if set(slots) != set(tensors):
        odd = sorted(set(slots) ^ set(tensors))[0]
        raise PrepareError(f'the code and the table of weights differ in "{odd}"')
    for name, slot in slots.items():
        slot.data = tensors[name].clone() if name in private else tensors[name]


def save_code(module, path):
    """Writes the module without its weights; refuses one whose code still carries many bytes."""
    buffer = io.BytesIO()  # from a buffer the archive's inner name is always the same
    torch.jit.save(module, buffer)
    with zipfile.ZipFile(buffer) as archive:
        left = sum(entry.file_size for entry in archive.infolist()
                   if entry.filename.split("/")[1] in ("data", "constants"))
    if left > MOST_BYTES_LEFT_IN_CODE:
        attributes = attributes_of(module)
        biggest = max(attributes, key=lambda name: attributes[name].nbytes, default=None)
        if biggest is not None and 2 * sum(t.nbytes for t in attributes.values()) > left:
            raise PrepareError(
                f'{left} bytes of tensors are plain attributes of the model, the largest "{biggest}"',
                "register_buffer it, so that all processes can share it")
        raise PrepareError(f"{left} bytes of weights are inside the model's code and cannot be taken out",
                           "save the model before torch.jit.freeze and before quantization")
    with open(path, "wb") as file:
        file.write(buffer.getvalue())
        file.flush()
        os.fsync(file.fileno())
