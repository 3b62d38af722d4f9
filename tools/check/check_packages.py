"""Compares a worker's scores with the same package in Python, bit for bit.

Each bundle's model is exported and compiled once more, as a plain package of AOTInductor with its
constants inside, by the recipe of the variant that the bundle holds, and loaded with
aoti_load_package. The worker's side is build/release/bin/forward_dump: the worker's own loader over
sealed shared memory, raw scores out. Both get the same features. A bundle of the backend
torchscript is compared with its TorchScript file instead. Bundles are made by tools/models/make.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from . import common

DUMP = pathlib.Path(os.environ.get("CONSORT_FORWARD_DUMP", common.CONSORT.parent / "forward_dump"))
BUNDLES = common.ROOT / "build/bundles"
IN_FEWER_BITS = ("cnn14", "cnn14-quarter", "crepe-tiny", "crepe-full", "wav2vec2-shape")
NAMES = ["silero", "crepe-pitch", *(model + suffix for model in IN_FEWER_BITS for suffix in ("", "-bf16", "-int8"))]
HEADER = ("bundle", "backend", "precision", "variant", "packed", "segments", "against Python", "from the original")


def read_bundle(folder):
    try:
        return json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise common.CannotCheck(f"no bundle {folder}; make it: tools/models/make {folder.name}") from None


def model_inputs(manifest, count):
    """Sounds spread over the demo's, and two that models stumble over: silence and full-scale noise."""
    from consort_prepare import checks, precision
    silence, noise, _ = checks.extreme_inputs(manifest)
    return [silence, noise, *precision.calibration_inputs(common.demo_sounds(), manifest, max(1, count - 2))][:max(count, 3)]


def by_worker(folder, inputs, labels):
    with tempfile.TemporaryDirectory(dir=common.KEPT) as place:
        given, got = os.path.join(place, "in.f32"), os.path.join(place, "out.f32")
        np.concatenate([one.numpy().reshape(-1) for one in inputs]).astype(np.float32).tofile(given)
        done = subprocess.run([DUMP, folder, given, got], capture_output=True, text=True)
        if done.returncode != 0:
            raise common.CannotCheck(done.stderr.strip())
        return np.fromfile(got, np.float32).reshape(-1, labels)


def by_package(program, prepared, variant, inputs, calibration):
    """The plain package's scores; a batch is filled up with zeros, as the worker does."""
    import torch
    from consort_prepare import aoti, precision, products, program as programs
    batch = prepared.get("batch", 1)
    with programs.quiet():
        kind = variant.partition("-")[0]
        rewrite = {"rewrite": products.rewritten} if kind == aoti.PRODUCTS else {}
        lowered = precision.lower(program, calibration, prepared["precision"], batch, **rewrite)
    config = {"cpp.threads": 1, **aoti.VARIANTS[kind]}
    if prepared["cpu"].get("portable"):
        config |= aoti.PORTABLE
    with tempfile.TemporaryDirectory(dir=common.KEPT) as place, torch.no_grad():
        path = os.path.join(place, "plain.pt2")
        torch._inductor.aoti_compile_and_package(lowered, package_path=path, inductor_configs=config)
        run = torch._inductor.aoti_load_package(path)
        rows = []
        for at in range(0, len(inputs), batch):
            group = inputs[at:at + batch]
            full = torch.cat([*group, *[torch.zeros_like(group[0])] * (batch - len(group))])
            rows.append(run(full).reshape(batch, -1)[:len(group)])
        return torch.cat(rows).numpy()


def source_of(folder, prepared, models):
    """What the bundle was made from, as consort_prepare.program takes it."""
    from consort_prepare.given import WithPost
    paths = [models / given["name"] for given in (prepared["source"], prepared["source"].get("post")) if given]
    for path in paths:
        if not path.exists():
            raise common.CannotCheck(f"no model {path}; make it: tools/models/make {folder.name}")
    return str(paths[0]) if len(paths) == 1 else WithPost(*map(str, paths))


def check(folder, models, count):
    """One row of the table, and whether all bits agree."""
    import torch
    from consort_prepare import checks, precision, program as programs
    torch.set_num_threads(1)
    bundle = read_bundle(folder)
    prepared = bundle["prepared"]
    source = source_of(folder, prepared, models)
    inputs = model_inputs(bundle, count)
    labels = len((folder / "labels.txt").read_text(encoding="utf-8").splitlines())
    worker = by_worker(folder, inputs, labels)
    original = programs.original(source)
    expected = np.stack([checks.run(lambda x: programs.first_result(original(x)), one.clone()).numpy() for one in inputs])
    if prepared["backend"] == "torchscript":
        variant, packed, python = "-", "-", expected
    else:
        variant = next(one["name"] for one in prepared["variants"] if one.get("chosen"))
        packed = f'{prepared["packed"]["weights"]} of {prepared["packed"]["of"]}'
        calibration = precision.calibration_inputs(prepared_sounds(), bundle) if prepared["precision"] == "int8" else []
        python = by_package(programs.load(source, inputs[2]), prepared, variant, inputs, calibration)
    # As bits: a NaN is a NaN, and -0.0 is not 0.0.
    same = worker.shape == python.shape and bool((worker.view(np.int32) == python.view(np.int32)).all())
    told = "equal bit for bit" if same else f"differs by {np.abs(worker - python).max():.1e}" if worker.shape == python.shape else "other shape"
    drift = np.nan_to_num(np.abs(worker - expected)).max()
    return [folder.name, prepared["backend"], prepared["precision"], variant, packed, len(inputs), told, f"{drift:.1e}"], same


def prepared_sounds():
    """What tools/models/make gives to --calibrate."""
    return [folder for folder in ("/usr/share/sounds/alsa", "/usr/share/sonic-pi/samples") if os.path.isdir(folder)]


def alone_in_a_process(name, args):
    """A compiler leaves much behind: each bundle is checked in a process of its own."""
    with tempfile.TemporaryDirectory(dir=common.KEPT) as place:
        environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": place, "TMPDIR": place, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        done = subprocess.run([sys.executable, "-m", "check.check_packages", "--bundles", args.bundles, "--models", args.models,
                               "--segments", str(args.segments), "--one", name], capture_output=True, text=True, env=environment)
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        return {"row": [name, "-", "-", "-", "-", 0, lines[-1][:150], "-"], "same": False}


def main():
    parser = argparse.ArgumentParser(prog="tools/check/packages", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: those of {', '.join(NAMES)} that are made")
    parser.add_argument("--segments", type=int, default=6, help="to compare for each bundle (default 6)")
    parser.add_argument("--bundles", default=str(BUNDLES), metavar="DIR", help="where the bundles are (default build/bundles)")
    parser.add_argument("--models", default=str(common.ROOT / "build/models"), metavar="DIR", help="and what they were made from")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = pathlib.Path(args.bundles).absolute()
    common.KEPT.mkdir(parents=True, exist_ok=True)
    if args.one:
        try:
            row, same = check(folder / args.one, pathlib.Path(args.models), args.segments)
        except Exception as error:  # whatever PyTorch raises is this row's news
            row, same = [args.one, "-", "-", "-", "-", 0, " ".join(str(error).split())[:150], "-"], False
        print(json.dumps({"row": row, "same": same}))
        return 0
    if not DUMP.exists():
        print(f"packages: no {DUMP}; build it: cmake --build --preset release --target forward_dump", file=sys.stderr)
        return 1
    names = args.names or [name for name in NAMES if (folder / name / "model.json").exists()]
    if not names:
        print(f"packages: no bundles in {folder}; make them: tools/models/make all", file=sys.stderr)
        return 1
    found = []
    for name in names:
        print(f"packages: {name}", file=sys.stderr, flush=True)
        found.append(alone_in_a_process(name, args))
    common.table(HEADER, [one["row"] for one in found])
    left_out = [name for name in NAMES if name not in names] if not args.names else []
    if left_out:
        print(f"not made, so not checked: {', '.join(left_out)}")
    return 0 if all(one["same"] for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
