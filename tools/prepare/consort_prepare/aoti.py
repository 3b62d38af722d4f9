"""Backend aoti: a program compiled by AOTInductor, its constants in weights.bin.

A package of AOTInductor is one library (.so) and a file of constants (.blob), which it would copy
into the private memory of every process. Here the constants, packed ones with oneDNN's description
of their layout, become weights.bin and weights.json, and the package is left without any.

What tells them apart is the package's *internal* name ("inner_fc1_bias"), from the C++ source that
the compiler wrote. The names of the original program will not do: they repeat in quantized ones.
"""

import contextlib
import ctypes
import hashlib
import json
import mmap
import os
import re
import shutil
import subprocess
import zipfile

import torch

from . import weights
from .errors import PrepareError

CODE = "code"
INSIDE = os.path.join("data", "aotinductor", "model")  # where the loader looks in the folder it is given
# One thread is what an engine is: no parallel region is compiled in. Precompiled headers take longer
# than they save in a handful of compiles, and 300 MB.
ALWAYS = {"cpp.threads": 1, "aot_inductor.package_constants_on_disk_format": "binary_blob",
          "aot_inductor.precompile_headers": False, "aot_inductor.enable_line_tables": False}
PRODUCTS = "products"
WRITTEN = "written.json"
# What each variant asks the compiler for. "unfrozen" keeps the weights as they were in the model;
# PRODUCTS is "packed" of another program (products.py).
VARIANTS = {
    "packed": {"freezing": True},
    PRODUCTS: {"freezing": True},
    "unpacked": {"freezing": True, "cpp.weight_prepack": False},
    "unfrozen": {"freezing": False},
}
# With state: freezing folds a buffer as if it stayed what it is, and so does the folding of constants where the
# buffer holds one value alone (PyTorch 2.13).
STATEFUL_VARIANT = "unfrozen"
STATEFUL = {"joint_graph_constant_folding": False}
# x86-64-v3 is AVX2 and FMA. Vectors of 256 bits; how oneDNN packs depends on the CPU, so nothing is packed.
PORTABLE = {"cpp.march": "x86-64-v3", "cpp.simdlen": 256, "cpp.weight_prepack": False}
PORTABLE_FLAGS = ("avx2", "fma")


def check_compiler():
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler.split()[0]) is None:
        raise PrepareError(f'there is no C++ compiler "{compiler}" here', "install g++, or prepare with --backend torchscript")


def set_scratch(folder):
    """Before the compiler is imported: whatever it writes, it writes there."""
    cache = os.path.join(folder, "cache")
    os.makedirs(cache, exist_ok=True)
    cache = _plain_name(cache)
    from torch.utils import cpp_extension
    cpp_extension.TORCH_LIB_PATH = _plain_name(cpp_extension.TORCH_LIB_PATH)  # read for each compile
    os.environ.update(TORCHINDUCTOR_CACHE_DIR=cache, TMPDIR=cache, TORCHINDUCTOR_COMPILE_THREADS="1")
    import tempfile
    tempfile.tempdir = None
    torch._inductor.config.compile_threads = 1


def _plain_name(folder):
    """The compiler's command is a text that is split at blanks: a name for the same folder that has none, while this process lives."""
    if not re.search(r"[^\w/.+-]", folder, re.ASCII):
        return folder
    return f"/proc/{os.getpid()}/fd/{os.open(folder, os.O_PATH | os.O_DIRECTORY)}"


def compile_variant(exported, variant, folder, portable=False, written=()):
    """Makes `folder` with code/, weights.bin and weights.json; and beside them blob, the constants
    as the compiler wrote them, and written.json if there are any: `written`, buffers that the program
    writes to."""
    os.makedirs(folder)
    package = os.path.join(folder, "package.pt2")
    config = {**ALWAYS, **VARIANTS[variant], **(PORTABLE if portable else {}), **(STATEFUL if written else {})}
    with _without_paths(os.environ["TORCHINDUCTOR_CACHE_DIR"]), torch.no_grad():
        torch._inductor.aoti_compile_and_package(exported, package_path=package, inductor_configs=config)
    raw = os.path.join(folder, "raw")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(raw)
    os.remove(package)
    inside = os.path.join(raw, "package", INSIDE)
    code = os.path.join(folder, CODE, INSIDE)
    os.makedirs(code)
    library, wrapper = _the_one(inside, ".wrapper.so"), _the_one(inside, ".wrapper.cpp")
    # The compiler's names are hashes of sources in which its scratch folder is named: no two runs agree.
    os.rename(library, os.path.join(code, "model.so"))
    _strip(os.path.join(code, "model.so"))
    os.rename(_the_one(inside, ".wrapper_metadata.json"), os.path.join(code, "model_metadata.json"))
    rows = read_table(wrapper)
    with open(wrapper, encoding="utf-8") as file:
        wrapper_text = file.read()
    blob = os.path.join(folder, "blob")
    found = [name for name in os.listdir(inside) if name.endswith(".blob")]
    if found:
        os.rename(os.path.join(inside, found[0]), blob)
    elif rows:
        raise RuntimeError("the compiler wrote no file of constants")
    shutil.rmtree(raw)
    write_weights(rows, blob, folder)
    _write_written(written, wrapper_text, folder)


def _the_one(folder, end):
    names = [name for name in os.listdir(folder) if name.endswith(end)]
    if len(names) != 1:
        raise RuntimeError(f"the compiler wrote {len(names)} files *{end}")
    return os.path.join(folder, names[0])


@contextlib.contextmanager
def _without_paths(scratch):
    """The same program gives the same library, wherever it is made."""
    from torch._inductor import cpp_builder
    original = cpp_builder._get_optimization_cflags

    def flags(*args, **kwargs):
        compile_flags, link_flags = original(*args, **kwargs)
        return [*compile_flags, f"ffile-prefix-map={scratch}=."], link_flags

    cpp_builder._get_optimization_cflags = flags
    try:
        yield
    finally:
        cpp_builder._get_optimization_cflags = original


def _strip(library):
    """What differs from run to run goes: names of sources, addresses of the compiler's objects, their
    hash. The texts are for messages and profilers. Without binutils the symbols stay."""
    with open(library, "rb") as file:
        content = file.read()
    content = re.sub(rb"\./[a-z0-9/]+\.wrapper\.cpp", lambda path: b"model.cpp".ljust(len(path[0]), b"\0"), content)
    content = re.sub(rb"(?<= at 0x)[0-9a-f]+(?=>)", lambda address: b"0" * len(address[0]), content)
    with open(library, "wb") as file:
        file.write(content)
    if shutil.which("strip"):
        subprocess.run(["strip", "--strip-all", "--remove-section=.note.gnu.build-id", library], check=True, stdin=subprocess.DEVNULL)


# ---- constants -----------------------------------------------------------------------------

def read_table(wrapper):
    """The constants as the generated source lists them, in the order of the blob."""
    fields = {}
    with open(wrapper, encoding="utf-8") as file:
        for line in file:
            match = re.match(r"\s*constants_info_\[(\d+)\]\.(\w+) = (.*);$", line.rstrip("\n"))
            if match:
                fields.setdefault(int(match[1]), {})[match[2]] = match[3]
    rows, at = [], 0
    for index in range(len(fields)):
        row = fields[index]
        if row["from_folded"] != "false":
            raise RuntimeError(f"the constant {row['name']} is computed at run time")
        packed = "mkldnn" in row["layout"]
        if not packed and "strided" not in row["layout"]:
            raise RuntimeError(f"the constant {row['name']} has the layout {row['layout']}")
        size = int(row["data_size"])  # rounded up to a multiple of 64 already
        rows.append(weights.WeightEntry(
            name=json.loads(row["name"]), dtype=re.search(r"dtype_(\w+)", row["dtype"])[1], shape=_numbers(row["shape"]),
            strides=_numbers(row["stride"]), layout="mkldnn" if packed else "strided", offset=at, nbytes=size,
            storage_offset=int(row["offset"]), descriptor=bytes(_numbers(row.get("opaque_metadata", ""))).hex()))
        at += size
    return rows


def _numbers(text):
    return [int(number) for number in re.findall(r"-?\d+", text)]


def write_weights(rows, blob, folder):
    """weights.bin and weights.json from the blob: of a view only the bytes it spans, equal ranges once."""
    size = os.path.getsize(blob) if rows else 0
    if sum(row.nbytes for row in rows) != size:
        raise RuntimeError(f"the constants are {size} bytes, and their table says otherwise")
    digest, at, known = hashlib.sha256(), 0, {}
    with open(os.path.join(folder, "weights.bin"), "wb") as out, (open(blob, "rb") if size else contextlib.nullcontext()) as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)) if size else b""
        for row in rows:
            first, end = _span(row)
            piece = content[row.offset + first:row.offset + end]
            key = (len(piece), hashlib.sha256(piece).digest())
            if not len(piece):
                row.offset, row.nbytes = at, 0
                continue
            if key not in known:
                known[key] = at
                for part in (piece, bytes(-len(piece) % weights.ALIGNMENT)):
                    out.write(part)
                    digest.update(part)
                    at += len(part)
            row.offset, row.nbytes = known[key], len(piece)
            if row.layout == "strided":
                row.storage_offset -= first // _element_size(row)
        out.flush()
        os.fsync(out.fileno())
    weights.write_table(rows, at, digest.hexdigest(), os.path.join(folder, "weights.json"))


def _element_size(row):
    return torch.empty(0, dtype=getattr(torch, row.dtype)).element_size()


def _span(row):
    """The bytes [first, end) of the constant's range that it needs."""
    if row.layout != "strided":
        return 0, row.nbytes
    if 0 in row.shape:
        return 0, 0
    each = _element_size(row)
    first = row.storage_offset * each
    end = first + (1 + sum((n - 1) * step for n, step in zip(row.shape, row.strides))) * each
    if end > row.nbytes or any(step < 0 for step in row.strides):
        raise RuntimeError(f'the constant "{row.name}" lies outside of its range')
    return first - first % weights.ALIGNMENT, end  # so that a range stays aligned as it was


# ---- buffers that are written to -----------------------------------------------------------

def _write_written(buffers, wrapper_text, folder):
    """`buffers` by the names they have in the program; written.json has those of the package."""
    names = dict(re.findall(r"constants_info_\[(\d+)\]\.name = \"(.*)\";", wrapper_text))
    originals = dict((original, number) for number, original in
                     re.findall(r"constants_info_\[(\d+)\]\.original_fqn = \"(.*)\";", wrapper_text))
    for buffer in buffers:
        if buffer not in originals:
            raise RuntimeError(f"the compiled code does not keep the buffer {buffer}")
    if buffers:
        with open(os.path.join(folder, WRITTEN), "w", encoding="utf-8") as file:
            json.dump(sorted(names[originals[buffer]] for buffer in buffers), file)


def read_written(folder):
    """Of a folder that compile_variant made: the constants that the code writes to."""
    path = os.path.join(folder, WRITTEN)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return json.load(file)


# ---- opening -------------------------------------------------------------------------------

def open_package(folder, written=()):
    """The bundle's program as a worker has it: a callable whose constants are views of weights.bin, but
    for those that it writes to, which are its own."""
    tensors = weights.map_weights(os.path.join(folder, "weights.bin"), os.path.join(folder, "weights.json"))
    tensors = {name: tensor.clone() if name in written else tensor for name, tensor in tensors.items()}
    loader = _loader(os.path.join(folder, CODE))
    if len(loader.get_constant_fqns()) > len(tensors):  # a missing one would be a crash
        raise PrepareError("the code has constants that the table of weights does not name")
    loader.update_constant_buffer(tensors, False, True, True)

    def run(model_input):
        return loader.run([model_input])[0]
    run.tensors = tensors  # the loader points at them
    return run


def open_with_blob(folder, place):
    """The same program with the compiler's own constants, by its own way; `place` is a new folder for it."""
    inside = os.path.join(place, INSIDE)
    shutil.copytree(os.path.join(folder, CODE, INSIDE), inside)
    if os.path.exists(os.path.join(folder, "blob")):
        os.link(os.path.join(folder, "blob"), os.path.join(inside, "model_weights.blob"))
    loader = _loader(place)
    return lambda model_input: loader.run([model_input])[0]


def _loader(code):
    return torch._C._aoti.AOTIModelPackageLoader(code, "model", False, 1, -1)


def count_packed(folder):
    with open(os.path.join(folder, "weights.json"), encoding="utf-8") as file:
        return sum(row["layout"] == "mkldnn" for row in json.load(file)["tensors"])


# ---- what could be packed ------------------------------------------------------------------

WITH_WEIGHTS = re.compile(r"aten\.(conv\w*|linear|addmm|mm|matmul)\.")


def count_packable(exported):
    """Convolutions and linear layers whose weights are constants: each weight once."""
    signature = exported.graph_signature
    constants = {*signature.inputs_to_parameters, *signature.inputs_to_buffers, *signature.inputs_to_lifted_tensor_constants}
    found = set()
    for node in exported.graph.nodes:
        match = WITH_WEIGHTS.match(str(node.target)) if node.op == "call_function" else None
        source = _constant_source(node.args[2 if match[1] == "addmm" else 1], constants) if match else None
        if source is not None:
            found.add(source)
    return len(found)


def _constant_source(node, constants):
    """The constant that `node` is made of alone: transposed, converted, dequantized; or None."""
    if node.op == "placeholder":
        return node.name if node.name in constants else None
    if node.op != "call_function" or not node.all_input_nodes:
        return None
    sources = [_constant_source(each, constants) for each in node.all_input_nodes]
    return None if None in sources else sources[0]
