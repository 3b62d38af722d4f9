"""Who is measured: consort in three precisions, the limit of each, and the peers."""

import dataclasses
import json
import os
import re
import time

from benchmarks import common
from benchmarks.peers import environment

CPUS = sorted(os.sched_getaffinity(0))
STAGES = ("read", "resample", "features", "forward")
NAMES = ("consort", "python-pool", "python-pool-tuned", "ray", "onnxruntime", "openvino", "python-pool-bf16",
         "openvino-bf16")


@dataclasses.dataclass
class Contestant:
    name: str
    model: str
    precision: str
    settings: dict = dataclasses.field(default_factory=dict)
    choices: tuple = ()    # lists of settings to try, one list after the other; the likely best is the last
    like: str = ""         # takes the choices of this one
    runs: list = dataclasses.field(default_factory=list)
    memory: dict = dataclasses.field(default_factory=dict)
    rate: float = 0.0      # segments/s, about: sizes the lists

    @property
    def bundle(self):
        return self.model if self.precision == "fp32" else f"{self.model}-{self.precision}"


class Consort(Contestant):
    folder = None
    READY = re.compile(r"slot \d+: worker \d+ ready at ([\d.]+)")
    STAGE = re.compile(r"^  (\w+) +([\d.]+) % +([\d.]+)$", re.MULTILINE)

    def command(self, listing, out):
        return [common.program("consort"), "run", "-vv", "--progress", "none", "-m", self.folder / self.bundle, "-o", out,
                "--restart", "-p", len(CPUS), "-t", 1, listing]

    def variables(self):
        return dict(os.environ)

    def ready(self, told):
        """The first worker's; from then on there is work."""
        return min(map(float, self.READY.findall(told)))

    def stages(self, told):
        return {name: {"share": float(share) / 100, "ms": float(ms)} for name, share, ms in self.STAGE.findall(told)}


class Peer(Contestant):
    def command(self, listing, out):
        words = dict(self.settings)
        script, model = words.pop("script"), words.pop("model")
        words.pop("allocator", None)
        flags = [word for key, value in words.items() if value is not False
                 for word in ([f"--{key}"] if value is True else [f"--{key}", value])]
        return [environment.PYTHON, environment.SCRIPTS / script, model, environment.labels(self.model), listing, out,
                "--workers", len(CPUS), *flags]

    def variables(self):
        return environment.variables(self.settings.get("allocator"))

    def ready(self, told):
        return next(json.loads(line)["ready"] for line in told.splitlines() if line.startswith('{"ready"'))

    def stages(self, told):
        return {}


def field(model, precisions, only, bundles):
    torch = {"model": str(environment.torchscript(model))}
    pool = {**torch, "script": "python_pool.py", "chunk": 2}
    ort = {"script": "onnx_runtime.py", "model": str(environment.onnx(model)), "chunk": 2}
    vino = {**ort, "script": "openvino_pool.py"}
    batches = [{"batch": n, "chunk": max(2, n)} for n in (1, 4, 8)]
    frozen = [{"optimize": False}, {"optimize": True}]
    allocators = [{"allocator": "jemalloc"}, {"allocator": "glibc"}]
    threads = [{"threads": True}, {"threads": False}]
    # The allocator first: what a batch costs depends on it.
    # OpenVINO's wheel dies of a double free under a preloaded jemalloc, so it has no such choice.
    peers = (
        Peer("python-pool", model, "fp32", pool, (allocators,)),
        Peer("python-pool-tuned", model, "fp32", pool, (allocators, batches, frozen)),
        Peer("ray", model, "fp32", {**pool, "script": "ray_actors.py"}, like="python-pool-tuned"),
        Peer("onnxruntime", model, "fp32", ort, (allocators, batches, threads)),
        Peer("openvino", model, "fp32", {**vino, "precision": "f32"}, (batches, threads)),
        Peer("python-pool-bf16", model, "bf16", {**pool, "bf16": True}, (allocators, batches, frozen)),
        Peer("openvino-bf16", model, "bf16", {**vino, "precision": "bf16"}, (batches, threads)))
    found = []
    for precision in precisions if "consort" in only else ():
        one = Consort("consort", model, precision)
        one.folder = bundles
        if (bundles / one.bundle / "model.json").exists():
            found.append(one)
        else:
            print(f"no bundle {bundles / one.bundle}: left out; make it: tools/models/make {one.bundle}")
    return found + [it for it in peers if it.name in only and it.precision in precisions]
