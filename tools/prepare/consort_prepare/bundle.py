"""The bundle's folder: made beside its place, put there in one step."""

import ctypes
import hashlib
import json
import os
import re
import shutil

import torch

from . import PREPARE_VERSION, checks, manifest as manifests, torchscript, weights
from .errors import PrepareError

AT_FDCWD = -100
RENAME_EXCHANGE = 2
CPU_FLAGS = ("avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx_vnni", "avx512_vnni", "avx512_bf16",
             "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8")


def file_sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def torch_version():
    return torch.__version__.split("+")[0]


def cpu():
    model, flags = "", set()
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags = set(value.split())
            elif not line.strip():
                break
    return {"model": model, "capability": torch.backends.cpu.get_cpu_capability(),
            "flags": [flag for flag in CPU_FLAGS if flag in flags]}


def source_of(model_path):
    return {"name": os.path.basename(model_path), "sha256": file_sha256(model_path), "prepare": PREPARE_VERSION}


def labels_bytes(labels):
    return "".join(label + "\n" for label in labels).encode()


def read_prepared(folder):
    """model.json of a bundle, or None if `folder` is not one of ours, whole and with nothing else in it."""
    try:
        with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
            model = json.load(file)
        files = model["prepared"]["files"]
        if not all(entry["sha256"] and entry["bytes"] >= 0 for entry in files.values()):
            return None
        if model["consort"] != 1 or set(os.listdir(folder)) - set(files) - {"model.json"}:
            return None
        return model
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def up_to_date(folder, manifest, labels, source):
    """The bundle that stands there is what a new one would be."""
    model = read_prepared(folder)
    if model is None:
        return None
    prepared = model["prepared"]
    same = ({key: value for key, value in model.items() if key != "prepared"} == manifests.bundled(manifest)
            and prepared.get("source") == source and prepared.get("torch") == torch_version())
    if not same or prepared["files"].get("labels.txt", {}).get("sha256") != hashlib.sha256(labels_bytes(labels)).hexdigest():
        return None
    for name, entry in prepared["files"].items():
        path = os.path.join(folder, name)
        if not os.path.isfile(path) or os.path.getsize(path) != entry["bytes"] or file_sha256(path) != entry["sha256"]:
            return None
    return model


def check_place(folder):
    """A folder that is there must be ours to replace."""
    parent = os.path.dirname(os.path.abspath(folder))
    if not os.path.isdir(parent):
        raise PrepareError(f'could not make "{folder}": the folder "{parent}" does not exist', "make it first")
    if not os.path.lexists(folder):
        return
    if os.path.islink(folder) or not os.path.isdir(folder):
        raise PrepareError(f'"{folder}" is there and is not a bundle', "remove it, or choose another name")
    if os.listdir(folder) and read_prepared(folder) is None:
        raise PrepareError(f'"{folder}" is there and is not a bundle of ours, or has other files in it',
                           "remove it, or choose another name")


class Staging:
    """BUNDLE.tmp-PID while it is made; gone afterwards, whatever happens."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.path = f"{self.folder}.tmp-{os.getpid()}"

    def __enter__(self):
        _sweep(self.folder)
        try:
            os.mkdir(self.path)
        except OSError as error:
            raise PrepareError(f'could not make "{self.path}": {error.strerror.lower()}') from None
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def put_in_place(self):
        """In one step; what stood there before is then in self.path, and goes with it."""
        _sync(self.path)
        if os.path.isdir(self.folder) and os.listdir(self.folder):
            _exchange(self.path, self.folder)
        else:
            os.rename(self.path, self.folder)
        _sync(os.path.dirname(self.folder))


def _sweep(folder):
    """Takes away what killed runs left beside the bundle."""
    parent, base = os.path.split(folder)
    for name in os.listdir(parent):
        match = re.fullmatch(re.escape(base) + r"\.tmp-(\d+)", name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)


def _sync(folder):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _exchange(one, two):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(two), RENAME_EXCHANGE) != 0:
        error = ctypes.get_errno()
        raise PrepareError(f'could not replace "{two}": {os.strerror(error).lower()}')


def write_file(path, data):
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def listed(folder):
    """prepared.files: every file of the folder but model.json."""
    return {name: {"sha256": file_sha256(os.path.join(folder, name)),
                   "bytes": os.path.getsize(os.path.join(folder, name))}
            for name in sorted(os.listdir(folder)) if name != "model.json"}


def write_model_json(folder, manifest, prepared):
    model = {**manifests.bundled(manifest), "prepared": prepared}
    text = json.dumps(model, ensure_ascii=False, indent=2) + "\n"
    write_file(os.path.join(folder, "model.json"), text.encode())


def fill(folder, model_path, manifest, labels, source):
    """Writes code, weights and labels; returns `prepared`."""
    prepared = {"backend": "torchscript", "precision": "fp32", "torch": torch_version(), "cpu": cpu(), "source": source}
    shape, size, written = checks.check_behaviour(torchscript.load(model_path), manifest, labels)
    module = torchscript.load(model_path)
    moved = torchscript.move_constants_out(module)
    tensors = torchscript.take_weights_out(module)
    torchscript.save_code(module, os.path.join(folder, "code.pt"))
    weights.write_weights(tensors, os.path.join(folder, "weights.bin"), os.path.join(folder, "weights.json"))
    write_file(os.path.join(folder, "labels.txt"), labels_bytes(labels))
    prepared |= {"input_shape": shape, "output_size": size, "files": listed(folder), "written_buffers": written}
    _check_round_trip(folder, model_path, manifest, written, moved)
    return prepared


def open_bundle(folder, written):
    """The bundle's module as a worker has it: its weights mapped."""
    module = torch.jit.load(os.path.join(folder, "code.pt"), map_location="cpu")
    tensors = weights.map_weights(os.path.join(folder, "weights.bin"), os.path.join(folder, "weights.json"))
    torchscript.put_weights_in(module, tensors, private=written)
    return module


def _check_round_trip(folder, model_path, manifest, written, moved):
    original, ours = torchscript.load(model_path), open_bundle(folder, written)
    for model_input in checks.noise_inputs(manifest):
        expected, got = checks.run(original, model_input), checks.run(ours, model_input)
        if not torch.equal(torch.nan_to_num(expected), torch.nan_to_num(got)):
            worst = (expected - got).abs().max().item()
            hint = "save the model before torch.jit.freeze" if moved else "this is a fault of consort-prepare"
            raise PrepareError(f"the bundle does not answer as the model does: they differ by {worst:g}", hint)
