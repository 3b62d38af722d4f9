"""weights.bin and weights.json: every tensor of a model, once, where it can be mapped.

weights.bin holds one range for each distinct storage, at a multiple of 64 bytes, zeros between.
weights.json lists the tensors by name; tied tensors and views of one storage name the same range:
  offset, nbytes   the range in weights.bin, bytes
  storage_offset   where the tensor begins in it, elements
  shape, strides   elements; strides are kept as the model had them
  descriptor       of a tensor in oneDNN's own layout ("mkldnn"): how it lies, serialized, as hex
"""

import ctypes
import dataclasses
import hashlib
import json
import os
from typing import Dict, List

import torch

from .errors import PrepareError

ALIGNMENT = 64


@dataclasses.dataclass
class WeightEntry:
    name: str
    dtype: str
    shape: List[int]
    strides: List[int]
    layout: str  # "strided", or "mkldnn" for what a backend packed
    offset: int
    nbytes: int
    storage_offset: int
    descriptor: str = ""  # hex, of an opaque layout

    def to_json(self):
        fields = dataclasses.asdict(self)
        if self.layout == "strided":
            del fields["descriptor"]
        return fields


def dtype_name(dtype):
    return str(dtype).split(".")[1]


def check_tensor(name, tensor):
    if tensor.layout != torch.strided:
        raise PrepareError(f'the tensor "{name}" is sparse', "save the model with dense weights")
    if tensor.is_quantized:
        raise PrepareError(f'the tensor "{name}" is quantized', "save the model in float32")
    if tensor.is_meta:
        raise PrepareError(f'the tensor "{name}" has no data', "save the model with its weights")


def write_weights(tensors: Dict[str, torch.Tensor], bin_path, json_path):
    """Writes both files; returns the table's entries."""
    groups = {}  # storage -> [first byte used, end of bytes used, storage, names]
    for name, tensor in tensors.items():
        check_tensor(name, tensor)
        storage = tensor.untyped_storage()
        first = tensor.storage_offset() * tensor.element_size()
        last = tensor.storage_offset() + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride()))
        end = (last + 1) * tensor.element_size() if tensor.numel() else first
        # An empty storage has no address to tell it by; each is a range of its own.
        key = storage.data_ptr() or ("empty", name)
        group = groups.setdefault(key, [first, end, storage, []])
        group[0], group[1] = min(group[0], first), max(group[1], end)
        group[3].append(name)

    entries = {}
    digest, at = hashlib.sha256(), 0
    with open(bin_path, "wb") as file:
        def put(data):
            nonlocal at
            digest.update(data)
            file.write(data)
            at += len(data)

        for first, end, storage, names in groups.values():
            first -= first % ALIGNMENT  # so that every dtype's offset stays a whole element
            put(bytes(-at % ALIGNMENT))
            offset = at
            if end > first:
                # a flat view of the storage's bytes
                flat = torch.empty(0, dtype=torch.uint8).set_(storage, first, (end - first,), (1,))
                put(memoryview(flat.numpy()))
            for name in names:
                tensor = tensors[name]
                entries[name] = WeightEntry(
                    name=name, dtype=dtype_name(tensor.dtype), shape=list(tensor.shape),
                    strides=list(tensor.stride()), layout="strided", offset=offset, nbytes=end - first,
                    storage_offset=tensor.storage_offset() - first // tensor.element_size())
        put(bytes(-at % ALIGNMENT))
        file.flush()
        os.fsync(file.fileno())
    ordered = [entries[name] for name in tensors]
    write_table(ordered, at, digest.hexdigest(), json_path)
    return ordered


def write_table(entries, size, sha256, path):
    head = json.dumps({"version": 1, "bytes": size, "sha256": sha256})[:-1]
    rows = ",\n".join(json.dumps(entry.to_json(), ensure_ascii=False) for entry in entries)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{head}, "tensors": [\n{rows}\n]}}\n')


def map_weights(bin_path, json_path):
    """name -> tensor over a private mapping of weights.bin."""
    with open(json_path, encoding="utf-8") as file:
        table = json.load(file)
    storage = torch.UntypedStorage(0)
    if table["bytes"]:
        storage = torch.UntypedStorage.from_file(bin_path, False, table["bytes"])
    tensors = {}
    for row in table["tensors"]:
        if row["layout"] == "mkldnn":
            tensors[row["name"]] = packed_tensor(row, storage)
            continue
        empty = torch.empty(0, dtype=getattr(torch, row["dtype"]))
        start = row["offset"] // empty.element_size() + row["storage_offset"]
        tensors[row["name"]] = empty.set_(storage, start, row["shape"], row["strides"])
    return tensors


def packed_tensor(row, storage):
    """A tensor in oneDNN's layout over bytes of `storage`, which must outlive it."""
    library = ctypes.CDLL(os.path.join(os.path.dirname(torch.__file__), "lib", "libtorch_cpu.so"))
    dimensions, descriptor = len(row["shape"]), bytes.fromhex(row["descriptor"])
    sizes = (ctypes.c_int64 * dimensions)(*row["shape"])
    strides = (ctypes.c_int64 * dimensions)(*row["strides"])
    handle = ctypes.c_void_p()
    failed = library.aoti_torch_create_tensor_from_blob_v2(
        ctypes.c_void_p(storage.data_ptr() + row["offset"]), ctypes.c_int64(dimensions), sizes, strides,
        ctypes.c_int64(row["storage_offset"]), ctypes.c_int32(getattr(library, f"aoti_torch_dtype_{row['dtype']}")()),
        ctypes.c_int32(library.aoti_torch_device_type_cpu()), ctypes.c_int32(0), ctypes.byref(handle),
        ctypes.c_int32(library.aoti_torch_layout__mkldnn()), descriptor, ctypes.c_int64(len(descriptor)))
    if failed:
        raise PrepareError(f'the packed tensor "{row["name"]}" does not open')
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return torch._C._aoti.alloc_tensor_by_stealing_from_void_ptr(capsule(handle, None, None))
