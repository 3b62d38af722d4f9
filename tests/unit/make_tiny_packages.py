"""usage: make_tiny_packages.py FOLDER

Compiles one small model with AOTInductor for batches of 1 and of 4, a bundle each in FOLDER/packed
and FOLDER/packed-4, and writes for each NAME.input and NAME.scores (raw float32): inputs, and what
the package itself says of them in Python. Each takes some seconds.
"""

import json
import os
import re
import shutil
import sys
import zipfile

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "prepare"))
from consort_prepare import bundle

SAMPLES = 800
BLOB = {"aot_inductor.package_constants_on_disk_format": "binary_blob"}


class Net(nn.Module):
    """Packed and plain weights, one of whole numbers; fails when the sound is loud."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3)
        self.second = nn.Conv2d(8, 16, 3)
        self.last = nn.Linear(16, 5)
        self.register_buffer("order", torch.tensor([4, 2, 0, 1, 3]))
        self.register_buffer("levels", torch.rand(10))

    def forward(self, x):
        h = torch.relu(self.first(x.view(-1, 1, 20, 40)))
        h = torch.relu(self.second(h)).mean((2, 3))
        level = self.levels[x.abs().amax(1).long()]  # beyond the table from 10 on
        return torch.sigmoid(self.last(h) + level.unsqueeze(1))[:, self.order]


def constants(wrapper):
    """Rows of weights.json from the generated source, which lists them in the order of the blob."""
    found = {}
    for index, key, value in re.findall(r"constants_info_\[(\d+)\]\.(\w+) = (.*);", wrapper):
        found.setdefault(int(index), {})[key] = value

    def numbers(text):
        return [int(number) for number in re.findall(r"-?\d+", text)]
    offset = 0
    for _, row in sorted(found.items()):
        packed = "mkldnn" in row["layout"]
        entry = {"name": row["name"].strip('"'), "dtype": row["dtype"].split("dtype_")[1],
                 "shape": numbers(row["shape"]), "strides": numbers(row["stride"]),
                 "layout": "mkldnn" if packed else "strided", "offset": offset,
                 "nbytes": int(row["data_size"]), "storage_offset": int(row["offset"])}
        if packed:
            entry["descriptor"] = bytes(numbers(row["opaque_metadata"])).hex()
        yield entry
        offset += int(row["data_size"])


def find(folder, end):
    return [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names if name.endswith(end)]


def compile_to(folder, module, x):
    """code/, weights.bin and weights.json."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    archive = os.path.join(folder, "code.pt2")
    configs = {"freezing": True, "cpp.threads": 1}
    with torch.no_grad():
        program = torch.export.export(module, (x,))
        torch._inductor.aoti_compile_and_package(program, package_path=archive, inductor_configs={**configs, **BLOB})
    scores = torch._inductor.aoti_load_package(archive)(x)
    zipfile.ZipFile(archive).extractall(folder)
    os.remove(archive)
    blob, = find(folder, ".blob")
    wrapper, = find(folder, ".wrapper.cpp")
    with open(wrapper, encoding="utf-8") as source:
        tensors = list(constants(source.read()))
    weights = os.path.join(folder, "weights.bin")
    os.rename(blob, weights)
    for source in find(folder, ".cpp"):
        os.remove(source)
    with open(os.path.join(folder, "weights.json"), "w", encoding="utf-8") as out:
        json.dump({"version": 1, "bytes": os.path.getsize(weights), "sha256": bundle.file_sha256(weights),
                   "tensors": tensors}, out)
    return scores


def make(folder, name, module, x):
    target = os.path.join(folder, name)
    scores = compile_to(target, module, x)
    with open(os.path.join(target, "labels.txt"), "w", encoding="utf-8") as out:
        out.write("".join(f"label {i}\n" for i in range(5)))
    files = {os.path.relpath(path, target): {"sha256": bundle.file_sha256(path), "bytes": os.path.getsize(path)}
             for path in find(target, "")}
    manifest = {"consort": 1, "name": name,
                "audio": {"sample_rate": 800, "channels": "mix", "segment_seconds": 1.0, "hop_seconds": 1.0},
                "features": {"kind": "waveform"}, "stateful": False,
                "output": {"kind": "tags", "labels": "labels.txt", "top_k": 5, "threshold": 0.0},
                "prepared": {"backend": "aoti", "precision": "fp32", "torch": bundle.torch_version(), "cpu": bundle.cpu(),
                             "source": {"name": "net.pt2"}, "batch": len(x), "input_shape": list(x.shape),
                             "output_size": 5, "files": files, "written_buffers": []}}
    with open(os.path.join(target, "model.json"), "w", encoding="utf-8") as out:
        json.dump(manifest, out)
    x.numpy().tofile(os.path.join(folder, name + ".input"))
    scores.numpy().tofile(os.path.join(folder, name + ".scores"))


def main(folder):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    os.makedirs(folder, exist_ok=True)
    net = Net().eval()
    x = torch.randn(4, SAMPLES)
    make(folder, "packed", net, x[:1].clone())
    make(folder, "packed-4", net, x)
    with open(os.path.join(folder, "packages"), "w", encoding="utf-8"):
        pass


main(sys.argv[1])
