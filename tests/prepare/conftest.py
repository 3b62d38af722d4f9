"""Models small enough to make in a test, and consort-prepare as a person calls it."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import warnings

import pytest
import torch

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PREPARE = os.path.join(ROOT, "tools", "prepare")
sys.path.insert(0, PREPARE)

RATE = 1000
SAMPLES = 500  # of a segment
MANIFEST = {
    "consort": 1,
    "name": "small",
    "audio": {"sample_rate": RATE, "channels": "mix", "segment_seconds": 0.5, "hop_seconds": 0.5},
    "features": {"kind": "waveform"},
    "output": {"kind": "tags", "labels": "labels.txt", "top_k": 2, "threshold": 0.0},
}
LOG_MEL = {"kind": "log_mel", "n_fft": 64, "win_length": 64, "hop_length": 20, "window": "hann", "center": True,
           "power": 2.0, "n_mels": 8, "f_min": 10.0, "f_max": 500.0, "mel_scale": "htk", "log": "log10", "layout": "BCTM"}


class Outcome:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


class Workshop:
    """A folder with one model in it."""

    backend = "torchscript"  # of most tests: compiling takes ten seconds

    def __init__(self, folder):
        self.folder = folder
        self.model = str(folder / "small.pt")
        self.bundle = str(folder / "bundle")

    def write(self, module, manifest=MANIFEST, labels=("a", "b", "c")):
        """Saves `module`, scripted unless it is already TorchScript."""
        if not isinstance(module, torch.jit.ScriptModule):
            module = torch.jit.script(module.eval())
        torch.jit.save(module, self.model)
        self.write_manifest(manifest)
        (self.folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
        return self

    def write_manifest(self, manifest):
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        (self.folder / "small.json").write_text(text)

    def command(self, *args):
        return [sys.executable, "-m", "consort_prepare", self.model, "-o", self.bundle, "--backend", self.backend, *args]

    def prepare(self, *args):
        """In this process, which has LibTorch loaded already: a second saved in each test."""
        from consort_prepare import cli
        out, err = io.StringIO(), io.StringIO()
        handler = signal.getsignal(signal.SIGTERM)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            try:
                status = cli.main([str(arg) for arg in self.command(*args)[3:]])
            except SystemExit as ended:
                status = ended.code
            finally:
                signal.signal(signal.SIGTERM, handler)
        return Outcome(status, out.getvalue(), err.getvalue())

    def prepare_by_itself(self, *args):
        """As a person calls it."""
        done = subprocess.run(self.command(*args), capture_output=True, text=True, env=environment())
        return Outcome(done.returncode, done.stdout, done.stderr)

    def prepared(self):
        with open(os.path.join(self.bundle, "model.json"), encoding="utf-8") as file:
            return json.load(file)["prepared"]

    def table(self):
        with open(os.path.join(self.bundle, "weights.json"), encoding="utf-8") as file:
            return {row["name"]: row for row in json.load(file)["tensors"]}

    def left_beside(self):
        return sorted(name for name in os.listdir(self.folder) if ".tmp-" in name)

    def answers(self, inputs):
        """(the model's, the bundle's) for each input, from modules of their own."""
        from consort_prepare import opening, torchscript
        torch.set_num_threads(1)
        original, ours = torchscript.load(self.model), opening.open_bundle(self.bundle, self.prepared()["written_buffers"])
        with torch.inference_mode():
            return [(original(x), ours(x)) for x in inputs]


def environment():
    return {**os.environ, "PYTHONPATH": PREPARE}


def refused(outcome, *words):
    """One line on standard error that holds all the words; exit status 1."""
    assert outcome.status == 1, outcome.err
    assert outcome.err.startswith("consort-prepare: ") and outcome.err.count("\n") == 1, outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path)


@pytest.fixture
def noise():
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(1, SAMPLES, generator=generator) for _ in range(4)]
