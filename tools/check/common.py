"""What the checks share: programs, sounds, variants of the project's bundles, tables.

Each check is run by hand (tools/check/NAME); a short form of it is a test in tests/end_to_end.
Everything made is kept in build/check and made once.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ROOT / "build/check"
CONSORT = pathlib.Path(os.environ.get("CONSORT_BIN", ROOT / "build/release/bin/consort")).absolute()
for folder in ("tests/end_to_end", "tools/prepare"):
    sys.path.insert(0, str(ROOT / folder))

# Scores are printed with four decimals. A magnified model gives them times this power of two, which
# loses no bit of a float, so that the four decimals tell a score to 5e-11.
MAGNIFIED = 2.0**20


class CannotCheck(Exception):
    """Something needed is not there. The text says what, and what to do."""


@contextlib.contextmanager
def alone(name):
    """Only one process at a time makes what has this name."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with open(KEPT / f".{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def demo_sounds():
    """The demo's sounds: speech at 48 kHz, instruments at 44.1 kHz, mono and stereo."""
    found = [str(path) for folder, pattern in (("/usr/share/sounds/alsa", "*.wav"),
                                               ("/usr/share/sonic-pi/samples", "*.flac"))
             for path in sorted(pathlib.Path(folder).glob(pattern))]
    if not found:
        raise CannotCheck("no sounds to check with; tools/setup --for test installs them")
    return found


def model(name):
    """The TorchScript file that build/bundles/NAME was made from; its manifest lies beside it."""
    path = ROOT / "build/models" / f"{name}.pt"
    if not path.exists():
        raise CannotCheck(f"no model {path}; make it: tools/models/make {name}")
    return path


def variant(name, change, called, magnified=False):
    """The bundle of a model with a changed manifest, in build/check/bundles.

    `change(manifest, labels)` changes the manifest in place. With `magnified`, all scores come out,
    times MAGNIFIED.
    """
    import torch
    source = model(name)
    manifest = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
    labels_path = source.parent / manifest["output"]["labels"]
    labels = labels_path.read_text(encoding="utf-8").splitlines()
    manifest["output"]["labels"] = str(labels_path)
    if magnified:
        manifest["output"].update(top_k=len(labels), threshold=-1e30)
    change(manifest, labels)
    with alone(f"{name}-{called}"):
        made = KEPT / "models" / f"{name}-{called}.pt"
        made.parent.mkdir(parents=True, exist_ok=True)
        if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
            fresh = made.with_suffix(".tmp")
            if magnified:
                _magnify(torch, source, fresh)
            else:
                fresh.symlink_to(source)
            os.replace(fresh, made)
        made.with_suffix(".json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        folder = KEPT / "bundles" / made.stem
        folder.parent.mkdir(parents=True, exist_ok=True)
        # The same kernels as the bundle that it is held against: the fastest may be another one each time.
        done = subprocess.run([sys.executable, "-m", "consort_prepare", made, "-o", folder, *_like(name)],
                              env=os.environ | {"PYTHONPATH": str(ROOT / "tools/prepare")},
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise CannotCheck(f"could not make {folder}: {done.stderr.strip()}")
    return folder


def _like(name):
    """The options that give a bundle of another model the variant that build/bundles/NAME has."""
    model = ROOT / "build/bundles" / name / "model.json"
    prepared = json.loads(model.read_text(encoding="utf-8"))["prepared"] if model.exists() else {}
    chosen = [each["name"] for each in prepared.get("variants", []) if each["chosen"] and each["batch"] == 1]
    return ["--variant", chosen[0]] if chosen else []


def _magnify(torch, source, target):
    class Magnified(torch.nn.Module):
        def __init__(self, inner, factor: float):
            super().__init__()
            self.inner = inner
            self.factor = factor

        def forward(self, x):
            return self.inner(x) * self.factor

    inner = torch.jit.load(str(source), map_location="cpu").eval()
    torch.jit.save(torch.jit.script(Magnified(inner, MAGNIFIED).eval()), str(target))


def table(header, rows):
    cells = [list(map(str, row)) for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        print("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))), flush=True)
